"""A run or an export behind one face: a file in, probabilities out."""

import json
import pathlib

import numpy as np
import tensorflow as tf

from pipelines import audio, images
from pipelines.errors import UserError
from tfrec.recogniser import Recogniser
from tfrec.runs import Run
from tfrec.serving import savedmodel


class Predictor:
    """`labels` are the classes; `answer(path)` gives their probabilities (classes,) for one file."""

    def __init__(self, description, answer):
        self.labels = description["labels"]
        self._description, self._answer = description, answer

    @classmethod
    def open(cls, path):
        """A run folder, `saved_models/NAME/VERSION`, or `saved_models/NAME` for its latest version.

        Raises UserError for anything else.
        """
        path = pathlib.Path(path)
        if (path / "config.json").is_file():
            recogniser = Recogniser.load(Run.open(path))
            return cls(savedmodel.describe(recogniser), recogniser.answer)
        versions = [child for child in path.iterdir() if child.name.isdecimal()] if path.is_dir() else []
        if versions:
            path = max(versions, key=lambda version: int(version.name))
        if not (path / "saved_model.pb").is_file():
            raise UserError(f"{path} is neither a run (no config.json) nor an export (no saved_model.pb).")
        try:
            description = json.loads((path / savedmodel.DESCRIPTION).read_text(encoding="utf-8"))
            description["labels"], description["channels" if description["modality"] == "image" else "sample_rate_hz"]
        except FileNotFoundError:
            raise UserError(f"{path} was not exported by tfrec: it has no {savedmodel.DESCRIPTION}.") from None
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(f"{path / savedmodel.DESCRIPTION} is damaged: export the run anew.") from None
        try:
            model = tf.saved_model.load(str(path))
            model.signatures["serving_default"]
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            raise UserError(f"The export {path} is damaged or not whole: export the run anew.") from error

        def answer(inputs):
            named = inputs if isinstance(inputs, dict) else {"image": inputs}
            # The signatures belong to `model`, which must live as long as they are called.
            return {
                name: value.numpy() for name, value in model.signatures["serving_default"](**_tensors(named)).items()
            }

        return cls(description, answer)

    def answer(self, path):
        """Probabilities (classes,) of the file; UserError when it cannot be read."""
        if self._description["modality"] == "image":
            inputs = images.read(path, self._description["channels"])[None]
        else:
            samples, _ = audio.read(path, self._description["sample_rate_hz"])
            inputs = {"audio": samples[None], "length": np.array([len(samples)], "int32")}
        return self._answer(inputs)["probabilities"][0]


def _tensors(arrays):
    return {name: tf.constant(array) for name, array in arrays.items()}
