"""From the samples of a recording to its text and the times of its words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import tensorflow as tf

from tfrec.decoding import alignment, ctc
from tfrec.decoding.config import DecodeConfig
from tfrec.inference.chunking import CHUNK_SECONDS, OVERLAP_SECONDS, ChunkedOutputs, segments

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer
    from tfrec.tasks.transcription import Transcription

Word = tuple[str, float | None, float | None]  # word, start_s, end_s; None where the time is unknown


class TimedText(NamedTuple):
    """The text of a recording."""

    text: str
    confidence: float  # geometric mean of the probabilities of the tokens where they are output; 0 of an empty text
    words: tuple[Word, ...]


class Transcriber:
    """Samples -> TimedText by a recognizer that transcribes; recordings of any length, see `ChunkedOutputs`.

    A recording longer than a chunk is decoded in segments that end between words; the greedy text needs none.

    Args:
        recognizer: its task is a Transcription.
        decode: how texts are decoded, None for the defaults.
        chunk_seconds: longer recordings are cut into chunks of this length.
        overlap_seconds: context of a chunk on either side.

    Raises:
        UserError: for a decoder that the network lacks and for a language model that cannot be used.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        decode: DecodeConfig | None = None,
        chunk_seconds: float = CHUNK_SECONDS,
        overlap_seconds: float = OVERLAP_SECONDS,
    ) -> None:
        decode = decode or DecodeConfig()
        self.task = cast("Transcription", recognizer.task)
        self.vocabulary = self.task.vocabulary
        self.chunks = ChunkedOutputs(recognizer, chunk_seconds, overlap_seconds)
        self.decoder = None if decode.resolved == "greedy" else self.task.decoder(recognizer.network, decode)

    def __call__(self, samples: np.ndarray) -> TimedText:
        """Transcribes float32 `(samples,)` in [-1, 1] at the recognizer's rate."""
        outputs = self.chunks.outputs(samples)
        logits = outputs["logits"]
        texts: list[str] = []
        log_probs: list[np.ndarray] = []  # of the tokens at their steps
        words: list[Word] = []
        for first, last, space in segments(logits, self.vocabulary.pieces, self.chunks.longest):
            segment = {name: value[None, first:last] for name, value in outputs.items()}
            segment["steps"] = np.array([last - first], "int32")
            if self.decoder:
                text = self.decoder(segment)[0]
                ids = self.vocabulary.encode(text)
                texts += [space, text] if text and any(texts) else [text]
                log_probs.append(alignment.log_probs_of_symbols(_log_softmax(segment["logits"][0]), ids))
            else:
                ids = ctc.greedy(segment["logits"], segment["steps"])[0].numpy()[0]
            more = self._words(segment["logits"][0], ids, first)
            if words and more and not space:  # the cut is within a word
                (beginning, start, _), (rest, _, end) = words.pop(), more.pop(0)
                more.insert(0, (beginning + rest, start, end))
            words += more
        if self.decoder:
            confidence = float(np.exp(np.concatenate(log_probs).mean())) if any(texts) else 0.0
            return TimedText("".join(texts), confidence, tuple(words))
        return TimedText(*self._greedy(logits), tuple(words))

    def _greedy(self, logits: np.ndarray) -> tuple[str, float]:
        """Greedy text of a whole recording and its confidence."""
        outputs = {"logits": logits[None], "steps": tf.constant([len(logits)])}
        answer = self.task.greedy_outputs(outputs)
        return answer["text"].numpy()[0].decode(), float(answer["confidence"][0])

    def _words(self, logits: np.ndarray, ids: Any, first: int) -> list[Word]:
        """Words of a segment that begins at step `first`, with their times."""
        step = self.chunks.timing.seconds_per_step
        try:
            aligned = alignment.align_words(_log_softmax(logits), np.asarray(ids), self.vocabulary, step)
        except ValueError:  # a text of a beam search or of attention may need more steps than the segment has
            return [(word, None, None) for word in self.vocabulary.decode(ids).split()]
        return [(word, start + first * step, end + first * step) for word, start, end in aligned]


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    return tf.nn.log_softmax(logits).numpy()
