"""Transcription by an export: what it must know of the network, and the Transcriber made of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pipelines.errors import UserError
from tfrec.decoding import beam_search
from tfrec.decoding.word_confidence import WordConfidence
from tfrec.inference.chunking import ChunkedOutputs, Timing, timing
from tfrec.inference.delay import output_delay
from tfrec.inference.transcriber import TimedText, Transcriber
from tfrec.text import vocabulary
from tfrec.text.tokenizers import Vocabulary

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer
    from tfrec.serving.exported import ExportedRecognizer
    from tfrec.tasks.transcription import Transcription

SIGNATURE = "logits"


def describe_export(recognizer: Recognizer, labels: Any) -> dict[str, Any]:
    """The entries of `assets.extra/tfrec.json` from which `of_export` makes a Transcriber.

    Args:
        recognizer: what is exported.
        labels: the vocabulary as JSON.
    """
    scaling = cast("Transcription", recognizer.task).word_confidence.to_dict()
    entries = {"vocabulary": labels, "beam_width": recognizer.config.export.beam_width, "word_confidence": scaling}
    times = step_times(recognizer)
    return entries if times is None else {**entries, "timing": dataclasses.asdict(times[0]), "delay_s": times[1]}


def step_times(recognizer: Recognizer) -> tuple[Timing, float] | None:
    """The Timing of steps and the delay in seconds; None where the frontend stretches clips."""
    try:
        return timing(recognizer), output_delay(recognizer)
    except UserError:
        return None


def of_export(exported: ExportedRecognizer, **lengths: float) -> Callable[[Iterable[np.ndarray]], TimedText]:
    """A function from the blocks of a recording to its text.

    Args:
        exported: transcribes. An older one, without timing, answers without the times of words and takes recordings in
            one piece.
        **lengths: `chunk_seconds` and `overlap_seconds`.

    Raises:
        UserError: where the overlaps leave nothing to keep, and where the description of the export is damaged.
    """
    description = exported.description
    if "timing" not in description or not exported.has_signature(SIGNATURE):
        return lambda blocks: _whole(exported, np.concatenate(list(blocks)))

    def forward(samples: np.ndarray) -> dict[str, np.ndarray]:
        return {SIGNATURE: exported.answers(exported.batch_of_one(samples), SIGNATURE)["logits"][0]}

    try:
        symbols, width = vocabulary.from_json(description["vocabulary"]), int(description["beam_width"])
        chunks = ChunkedOutputs(forward, Timing(**description["timing"]), **lengths)
        delay_s = float(description["delay_s"])
        confidence = WordConfidence.from_dict(description.get("word_confidence"))  # older exports have none
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"The description of the export {exported.path} is damaged: export the run again.") from error
    return Transcriber(chunks, symbols, _beams(symbols, width) if width > 1 else None, delay_s, confidence)


def _beams(symbols: Vocabulary, width: int) -> Callable[[Any], list[str]]:
    """A beam search as the export's own."""

    def decode(outputs: Any) -> list[str]:
        ids = beam_search.search(outputs["logits"], outputs["steps"], width)[0]
        return [symbols.decode(row) for row in ids.numpy().tolist()]

    return decode


def _whole(exported: ExportedRecognizer, samples: np.ndarray) -> TimedText:
    answers = exported.answers(exported.batch_of_one(samples))
    return TimedText(answers["text"][0].decode(), float(answers["confidence"][0]), None)
