"""From a trained run to `FOLDER/NAME.tflite` or `FOLDER/NAME.onnx`, proved before it has its name."""

from __future__ import annotations

import json
import logging
import math
import pathlib
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipelines.datasets import selection
from pipelines.datasets.base import Split
from pipelines.errors import UserError
from tfrec.devices import certify, contents, conversion, file_recognizer, formats, graph
from tfrec.devices.file_recognizer import FileRecognizer
from tfrec.runs import splits
from tfrec.serving import publish as saved_model_publish
from tfrec.serving import savedmodel
from tfrec.serving.certificate.cases import Case, collect
from tfrec.utils import files, startup

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

logger = logging.getLogger(__name__)

MAX_EXAMPLES = 1000  # that are scored
ROUNDED_SECONDS = 0.25  # of the longest clip


class Published(NamedTuple):
    """A file and its certificate."""

    path: pathlib.Path
    certificate: dict[str, Any]


def publish(
    recognizer: Recognizer,
    name: str,
    folder: Any = None,
    model_name: str | None = None,
    seconds: float | None = None,
) -> Published:
    """Writes a file for devices, which replaces one of the same name.

    Args:
        recognizer: the trained recognizer.
        name: of the format.
        folder: holds the file; None is the configuration's `export.folder`.
        model_name: None is the configuration's `export.name`, or else the run's.
        seconds: of the longest clip that the file takes; None is that of the run's examples and test split.

    Raises:
        UserError: where packages are missing, the format lacks an operation, or the file does not answer as the trained
            model does. It leaves nothing behind.
    """
    formats.require_modules(name)
    base = saved_model_publish.base_of(recognizer, folder, model_name)
    target = base.with_name(base.name + formats.FORMATS[name].ending)
    recognizer = graph.in_float32(recognizer)
    split, cases = _test_split(recognizer), collect(recognizer)
    samples = _samples(recognizer, cases, split, seconds)
    split = None if split is None else _within(recognizer, split, samples)
    with files.made_folder(target.parent), files.atomic_write(target) as temporary:
        _write(recognizer, name, temporary, samples)
        certificate = _certified(recognizer, temporary, name, cases, split)
        temporary.chmod(0o644)
    return Published(target, certificate)


def _write(recognizer: Recognizer, name: str, path: pathlib.Path, samples: int | None) -> None:
    with tempfile.TemporaryDirectory() as saved_model:
        graph.write(recognizer, saved_model, samples, formats.FORMATS[name].has_fft)
        startup.check_interrupted()
        conversion.convert(name, saved_model, path)
    texts = {contents.DESCRIPTION: json.dumps(file_recognizer.describe(recognizer, samples), indent=2)}
    labels = [label.replace("\n", " ") for label in recognizer.task.class_names]
    if labels:
        texts[contents.LABELS] = "".join(f"{label}\n" for label in labels)
    contents.write(path, texts)


def _certified(
    recognizer: Recognizer, path: pathlib.Path, name: str, cases: Sequence[Case], split: Split | None
) -> dict[str, Any]:
    opened = FileRecognizer.open(path)
    try:
        certificate = certify.certify(recognizer, opened, name, cases, split)
    finally:
        opened.interpreter.close()
    contents.write(path, {contents.CERTIFICATE: json.dumps(certificate, indent=2)})
    return certificate


def _test_split(recognizer: Recognizer) -> Split | None:
    """Some of the run's test examples; None where they are not there."""
    if recognizer.run is None:
        return None
    try:
        split = splits.load_checked(recognizer.run, recognizer, "test").splits["test"]
    except UserError as error:
        logger.warning("The table has no score, since the test split cannot be read: %s", error)
        return None
    if split.size <= MAX_EXAMPLES:
        return split if split.size else None
    kept = np.zeros(split.size, bool)
    kept[np.linspace(0, split.size - 1, MAX_EXAMPLES).astype(int)] = True
    return selection.subset(split, kept)


def _durations(recognizer: Recognizer, split: Split) -> np.ndarray:
    """The seconds of each clip; reads the clips where the split does not know them."""
    if split.seconds is not None:
        return np.asarray(split.seconds)
    rate = recognizer.frontend.parts()["audio"].config.sample_rate_hz
    return np.array([len(example["audio"]) / rate for example in split.examples.as_numpy_iterator()])


def _samples(recognizer: Recognizer, cases: Sequence[Case], split: Split | None, seconds: float | None) -> int | None:
    """Of the longest clip; None for pictures."""
    part = recognizer.frontend.parts().get("audio")
    if part is None:
        if seconds is not None:
            raise UserError("--seconds is for clips, and the run takes none; leave it out.")
        return None
    rate, limit = part.config.sample_rate_hz, recognizer.config.export.max_seconds
    if seconds is None:
        longest = max(len(case.parts["audio"]) / rate for case in cases)
        longest = longest if split is None else max(longest, float(_durations(recognizer, split).max()))
        seconds = min(math.ceil(longest / ROUNDED_SECONDS) * ROUNDED_SECONDS, limit)
    if not 0 < seconds <= limit:
        raise UserError(f"--seconds must be above 0 and at most export.max_seconds, {limit:g}. Received: {seconds:g}")
    return max(round(seconds * rate), savedmodel.window(recognizer))


def _within(recognizer: Recognizer, split: Split, samples: int | None) -> Split | None:
    """The examples of a split that are not longer than the file takes; None without any."""
    if samples is None:
        return split
    rate = recognizer.frontend.parts()["audio"].config.sample_rate_hz
    fits = np.round(_durations(recognizer, split) * rate) <= samples
    if left_out := int((~fits).sum()):
        logger.warning("Left out of the scores, since they are longer than the file takes: %s clips.", left_out)
    return selection.subset(split, fits) if fits.any() else None
