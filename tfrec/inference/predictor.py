"""A run or an export behind one face: a file in, probabilities or a text out."""

import json
import pathlib

import numpy as np
import tensorflow as tf

from pipelines import audio, images
from pipelines.errors import UserError
from tfrec.inference.transcriber import Transcriber, Transcript
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.serving import savedmodel

TASKS = ("classify", "transcribe")


class Predictor:
    """`answer(path)` is what is said of one file, which `task`, "classify" or "transcribe", decides.

    That is the probabilities (classes,) of the classes `labels`, or a Transcript. `recognizer` is that of a run, None
    for an export.
    """

    def __init__(self, description, answer, recognizer=None):
        self.task = description.get("task", "classify")
        self.labels = description.get("labels", [])
        self.recognizer = recognizer
        self._description, self._answer = description, answer

    @classmethod
    def open(cls, path, **options):
        """A run folder, `saved_models/NAME/VERSION`, or `saved_models/NAME` for its latest version.

        `options` are those of a Transcriber, for runs that transcribe. Raises UserError for anything else.
        """
        path = pathlib.Path(path)
        if (path / "config.json").is_file():
            recognizer = Recognizer.load(Run.open(path))
            transcribes = recognizer.config.task.name == "transcribe"
            if options and not transcribes:
                raise _only_for_transcribers(path, options)
            answer = Transcriber(recognizer, **options) if transcribes else recognizer.answer
            return cls(savedmodel.describe(recognizer), answer, recognizer)
        versions = [child for child in path.iterdir() if child.name.isdecimal()] if path.is_dir() else []
        if versions:
            path = max(versions, key=lambda version: int(version.name))
        if not (path / "saved_model.pb").is_file():
            raise UserError(f"{path} is neither a run (no config.json) nor an export (no saved_model.pb).")
        try:
            description = json.loads((path / savedmodel.DESCRIPTION).read_text(encoding="utf-8"))
            description["channels" if description["modality"] == "image" else "sample_rate_hz"]
            if description.get("task", "classify") not in TASKS:
                raise ValueError(description["task"])
            if description.get("task", "classify") == "classify":
                description["labels"]
        except FileNotFoundError:
            raise UserError(f"{path} was not exported by tfrec: it has no {savedmodel.DESCRIPTION}.") from None
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(f"{path / savedmodel.DESCRIPTION} is damaged: export the run anew.") from None
        try:
            model = tf.saved_model.load(str(path))
            model.signatures["serving_default"]
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            raise UserError(f"The export {path} is damaged or not whole: export the run anew.") from error

        if options:
            raise _only_for_transcribers(path, options)

        def answer(inputs):
            named = inputs if isinstance(inputs, dict) else {"image": inputs}
            # The signatures belong to `model`, which must live as long as they are called.
            return {
                name: value.numpy() for name, value in model.signatures["serving_default"](**_tensors(named)).items()
            }

        return cls(description, answer)

    def answer(self, path):
        """Probabilities (classes,) or the Transcript of the file; UserError when it cannot be read."""
        if self._description["modality"] == "image":
            return self._answer(images.read(path, self._description["channels"])[None])["probabilities"][0]
        samples, _ = audio.read(path, self._description["sample_rate_hz"])
        if isinstance(self._answer, Transcriber):
            return self._answer(samples)
        found = self._answer({"audio": samples[None], "length": np.array([len(samples)], "int32")})
        if self.task == "classify":
            return found["probabilities"][0]
        return Transcript(found["text"][0].decode(), float(found["confidence"][0]))


def _only_for_transcribers(path, options):
    flags = ", ".join(f"--{name}" for name in options)
    return UserError(f"{flags}: only a run that transcribes takes this, which {path} is not; leave it out.")


def _tensors(arrays):
    return {name: tf.constant(array) for name, array in arrays.items()}
