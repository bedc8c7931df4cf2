"""From moving pictures and a clip, or one of the two, to their text."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.decoding.config import DecodeConfig
from tfrec.inference.transcriber import TimedText

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer
    from tfrec.tasks.transcription import Transcription


def build(
    recognizer: Recognizer, decode: DecodeConfig | None = None, **options: Any
) -> Callable[[Mapping[str, np.ndarray]], TimedText]:
    """A function from a raw example, {"video": pixels, "audio": samples} or one of the two, to its text.

    Args:
        recognizer: transcribes moving pictures with clips.
        decode: how texts are decoded, None for the defaults.
        **options: refused.

    Raises:
        UserError: for other options, for a decoder that the network lacks, for a language model that cannot be used,
            and later for one input alone where the network needs both.
    """
    if options:
        flags = ", ".join(f"--{name}" for name in options)
        raise UserError(f"{flags}: moving pictures are transcribed in one piece; leave it out.")
    decode, task = decode or DecodeConfig(), cast("Transcription", recognizer.task)
    decoder = None if decode.resolved == "greedy" else task.decoder(recognizer, decode)
    greedy = dataclasses.replace(recognizer.config.export, beam_width=1)

    @functools.cache
    def forward(*given: str) -> Any:
        chosen = recognizer.of_inputs(given)
        return tf.function(lambda inputs: chosen(inputs), reduce_retracing=True)

    def transcribe(raw: Mapping[str, np.ndarray]) -> TimedText:
        outputs = forward(*sorted(raw))(recognizer.batch_of_one(raw))
        found = task.export_outputs(outputs, greedy)
        text, confidence = found["text"].numpy()[0].decode(), float(found["confidence"][0])
        if decoder is not None:
            text = decoder({name: value.numpy() for name, value in outputs.items()})[0]
        return TimedText(text, confidence if text else 0.0, None)

    return transcribe
