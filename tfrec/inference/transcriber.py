"""From the samples of a recording to its text and the times of its words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import tensorflow as tf

from tfrec.decoding import alignment
from tfrec.decoding.config import DecodeConfig
from tfrec.decoding.word_confidence import WordConfidence
from tfrec.decoding.words import UNSCALED, GreedyPath, Word, WordBuilder
from tfrec.inference.chunking import CHUNK_SECONDS, OVERLAP_SECONDS, ChunkedOutputs, segments
from tfrec.inference.delay import output_delay
from tfrec.text.tokenizers import Vocabulary

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer
    from tfrec.tasks.transcription import Transcription


class TimedText(NamedTuple):
    """The text of a recording."""

    text: str
    confidence: float  # geometric mean of the probabilities of the tokens where they are output; 0 of an empty text
    words: tuple[Word, ...] | None  # None where their times are unknown


class Transcriber:
    """Samples -> TimedText; recordings of any length, see `ChunkedOutputs`.

    A recording longer than a chunk is decoded in segments that end between words; the greedy text needs none, and is
    decoded while the recording is read.

    Args:
        chunks: gives the logits of a recording.
        vocabulary: of the logits.
        decoder: from outputs of `chunks`, with "steps", as a batch, to texts; None is the greedy decoder.
        delay_s: how much later than a sound its symbol is output; the times of words are earlier by it.
        confidence: from the mean log-probability of a word's symbols to its confidence.
    """

    def __init__(
        self,
        chunks: ChunkedOutputs,
        vocabulary: Vocabulary,
        decoder: Callable[[Any], list[str]] | None = None,
        delay_s: float = 0.0,
        confidence: WordConfidence = UNSCALED,
    ) -> None:
        self.chunks, self.vocabulary, self.decoder, self.delay_s = chunks, vocabulary, decoder, delay_s
        self.confidence = confidence

    @classmethod
    def from_recognizer(
        cls,
        recognizer: Recognizer,
        decode: DecodeConfig | None = None,
        chunk_seconds: float = CHUNK_SECONDS,
        overlap_seconds: float = OVERLAP_SECONDS,
    ) -> Transcriber:
        """The Transcriber of a recognizer that transcribes.

        Args:
            recognizer: its task is a Transcription.
            decode: how texts are decoded, None for the defaults.
            chunk_seconds: longer recordings are cut into chunks of this length.
            overlap_seconds: context of a chunk on either side.

        Raises:
            UserError: for a decoder that the network lacks and for a language model that cannot be used.
        """
        decode = decode or DecodeConfig()
        task = cast("Transcription", recognizer.task)
        chunks = ChunkedOutputs.from_recognizer(recognizer, chunk_seconds, overlap_seconds)
        decoder = None if decode.resolved == "greedy" else task.decoder(recognizer, decode)
        return cls(chunks, task.vocabulary, decoder, output_delay(recognizer, chunks), task.word_confidence)

    def __call__(self, samples: np.ndarray | Iterable[np.ndarray]) -> TimedText:
        """Transcribes float32 `(samples,)` in [-1, 1] at the recognizer's rate, or blocks of them."""
        blocks = [samples] if isinstance(samples, np.ndarray) else samples
        return self._decode(self.chunks.outputs(blocks)) if self.decoder else self._greedy(blocks)

    def _greedy(self, blocks: Iterable[np.ndarray]) -> TimedText:
        path = GreedyPath(self.vocabulary, self.chunks.timing.seconds_per_step, self.delay_s, self.confidence)
        for outputs in self.chunks.parts(blocks):
            path.feed(outputs["logits"])
        path.end()
        return TimedText(path.text, path.confidence, tuple(path.builder.words()))

    def _decode(self, outputs: dict[str, np.ndarray]) -> TimedText:
        """The text of a decoder, in segments."""
        assert self.decoder is not None
        texts: list[str] = []
        log_probs: list[float] = []  # of the tokens at their steps
        step_s = self.chunks.timing.seconds_per_step
        words = WordBuilder(self.vocabulary.pieces, step_s, self.delay_s, self.confidence)
        for first, last, space in segments(outputs["logits"], self.vocabulary.pieces, self.chunks.longest):
            segment = {name: value[None, first:last] for name, value in outputs.items()}
            segment["steps"] = np.array([last - first], "int32")
            text = self.decoder(segment)[0]
            texts += [space, text] if text and any(texts) else [text]
            if space:
                words.separate()
            log_probs += self._add_words(words, segment["logits"][0], text, first)
        confidence = float(np.exp(np.mean(log_probs))) if any(texts) else 0.0
        return TimedText("".join(texts), confidence, tuple(words.words()))

    def _add_words(self, words: WordBuilder, logits: np.ndarray, text: str, first: int) -> list[float]:
        """Adds the words of a segment that begins at step `first`; returns its tokens' log-probabilities."""
        rows = tf.nn.log_softmax(logits).numpy()
        ids = self.vocabulary.encode(text)
        try:
            spans = alignment.align_symbols(rows, ids).tolist()
        except ValueError:  # a text of a beam search or of attention may need more steps than the segment has
            words.add_text(text)
            return [-np.inf]
        log_probs: list[float] = []
        for symbol, (start, end) in zip(ids, spans, strict=True):
            of_symbol = rows[start:end, symbol].tolist()
            words.add(symbol, first + start, first + end, of_symbol)
            log_probs += of_symbol
        return log_probs
