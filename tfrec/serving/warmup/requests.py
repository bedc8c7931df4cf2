"""Warm-up requests of an export: every signature, at the batch sizes that are served, three of each."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfrec.serving import examples, layout, protos, savedmodel
from tfrec.serving.certificate import sample_files
from tfrec.serving.graph.rules import Limits
from tfrec.serving.warmup import records

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

OF_EACH = 3
SHORTEST_S = 0.2  # of the generated lengths
PICTURE_KINDS, SOUND_KIND = ("JPEG", "PNG"), "WAV of 16 bits"

Inputs = dict[str, np.ndarray]
Request = tuple[str, Inputs]  # signature and inputs


def collect(folder: Any, recognizer: Recognizer, raw: Sequence[Any]) -> list[Request]:
    """The requests of an export, each a signature and its inputs; none where `export.warmup_batches` is empty.

    Args:
        folder: the version's folder.
        recognizer: that was exported.
        raw: examples, whose sizes and lengths the requests have.
    """
    limits = savedmodel.limits_of(recognizer)
    batches = sorted({min(rows, limits.rows) for rows in recognizer.config.export.warmup_batches})
    return [
        (signature, inputs)
        for signature, definition in protos.signatures(folder).items()
        for rows in batches
        for inputs in _inputs(set(definition.inputs), rows, raw, recognizer.frontend.parts(), limits)
    ]


def write(folder: Any, requests: Sequence[Request]) -> None:
    """Writes the records of requests into an export; no file where there are none."""
    if not requests:
        return
    path = pathlib.Path(folder) / layout.WARMUP_RECORDS
    path.parent.mkdir(exist_ok=True)
    records.write(
        path,
        [(name, {key: records.tensor_proto(value) for key, value in inputs.items()}) for name, inputs in requests],
    )


def _inputs(
    names: set[str], rows: int, raw: Sequence[Any], parts: Mapping[str, Any], limits: Limits
) -> Iterator[Inputs]:
    """Requests of `rows` rows for a signature with these inputs; none for one whose inputs are unknown."""
    examples_of = {name: [examples.parts_of(each)[name] for each in raw] for name in parts}
    encoded = {savedmodel.encoded_name(part, parts): part for part in parts}
    if not names <= {*encoded, *parts, *(("length",) if "audio" in parts else ())}:
        return
    if "audio" in parts:
        longest = _longest(rows, limits, parts["audio"].config.sample_rate_hz)
        examples_of["audio"] = [clip[:longest] for clip in examples_of["audio"]]
    for turn in range(OF_EACH):
        inputs: Inputs = {}
        for name in sorted(names):
            if name in encoded:
                part = encoded[name]
                inputs[name] = _files(examples_of[part], rows, turn, part, parts[part].config)
            elif name == "image":
                pictures = examples_of[name]
                inputs[name] = np.full((rows, *_picture_shapes(pictures)[turn]), 127, pictures[0].dtype)
            elif name == "audio":
                rate = parts[name].config.sample_rate_hz
                length = lengths(examples_of[name], rate)[turn]
                audio = np.zeros((rows, length), "float32")
                audio[0] = _noise(length, rate)
                spread = np.linspace(length, max(length // 2, 1), rows)
                inputs |= {"audio": audio, "length": spread.astype("int32")}
        yield inputs


def _files(raw: Sequence[np.ndarray], rows: int, turn: int, part: str, config: Any) -> np.ndarray:
    contents = np.empty(rows, object)
    for row in range(rows):
        if part == "image":
            shape = _picture_shapes(raw)[turn]
            kind = PICTURE_KINDS[(row + turn) % len(PICTURE_KINDS)]
            pixels = np.random.default_rng(row).integers(0, 256, shape).astype("uint8")
            contents[row] = sample_files.picture(kind, pixels)
        else:
            length = lengths(raw, config.sample_rate_hz)[turn]
            noise = _noise(length, config.sample_rate_hz)
            contents[row] = sample_files.sound(SOUND_KIND, noise, config.sample_rate_hz)
    return contents


def _longest(rows: int, limits: Limits, sample_rate_hz: int) -> int:
    """Samples of the longest clip that a request of `rows` rows may have."""
    squared = (limits.seconds_squared or float("inf")) / rows
    return int(sample_rate_hz * min(limits.seconds, limits.total_seconds / rows, squared**0.5))


def lengths(raw: Sequence[np.ndarray], sample_rate_hz: int) -> list[int]:
    """Three lengths in samples: the shortest, the median and the longest of examples, or 1/2, 3/4 and 1 of one."""
    found = np.array([len(clip) for clip in raw])
    chosen = [int(found.min()), int(np.median(found)), int(found.max())]
    if len(set(chosen)) < OF_EACH or chosen[0] < SHORTEST_S * sample_rate_hz:
        longest = max(chosen[-1], int(2 * SHORTEST_S * sample_rate_hz))
        chosen = [longest // 2, 3 * longest // 4, longest]
    return chosen


def _picture_shapes(raw: Sequence[np.ndarray]) -> list[tuple[int, ...]]:
    """Three shapes of pictures, the same one where all have one."""
    shapes = sorted({picture.shape for picture in raw}, key=np.prod)
    return [shapes[0], shapes[len(shapes) // 2], shapes[-1]]


def _noise(length: int, sample_rate_hz: int) -> np.ndarray:
    """A tenth of a second of noise, then silence, which takes no space in a record."""
    audio = np.zeros(length, "float32")
    loud = min(length, sample_rate_hz // 10)
    audio[:loud] = np.random.default_rng(0).integers(-3000, 3000, loud).astype("float32") / 32768
    return audio
