"""From the sound of a recording to its text and the times of its words."""

import dataclasses

import numpy as np
import tensorflow as tf

from pipelines.errors import UserError
from tfrec import decoding
from tfrec.decoding import align, ctc
from tfrec.decoding.config import DecodeConfig
from tfrec.long_audio import CHUNK_SECONDS, OVERLAP_SECONDS, Chunks, segments


@dataclasses.dataclass(frozen=True)
class Transcript:
    """What was said."""

    text: str
    confidence: float  # geometric mean of the probabilities of the best symbol of each step
    words: tuple | None = None  # (word, start_s, end_s) of each; None where no times are known


class Transcriber:
    """Sound to Transcript by a Recogniser that transcribes; recordings of any length, see `long_audio.Chunks`.

    `decode` is a DecodeConfig of a method of CTC, None for its defaults. A beam decodes what is longer than a chunk in
    parts that end between words. UserError for a language model that cannot be used, and for method attention.
    """

    def __init__(self, recogniser, decode=None, chunk_seconds=CHUNK_SECONDS, overlap_seconds=OVERLAP_SECONDS):
        decode = decode or DecodeConfig()
        method = decode.resolved(has_ctc=True)
        if method == "attention":
            raise UserError("decode.method attention is for `python -m tfrec.evaluate`: take greedy or beam for files.")
        self.task, self.vocabulary = recogniser.task, recogniser.task.vocabulary
        self.chunks = Chunks(recogniser, chunk_seconds, overlap_seconds)
        self.decoder = None if method == "greedy" else decoding.build(decode, self.vocabulary)

    def __call__(self, samples):
        """Samples, float32 numpy (n,) in [-1, 1] at the recogniser's rate -> Transcript."""
        logits = self.chunks.logits(samples)
        answer = self.task.answer({"logits": logits[None], "steps": tf.constant([len(logits)])})
        text, confidence = answer["text"].numpy()[0].decode(), float(answer["confidence"][0])
        log_probs = tf.nn.log_softmax(logits).numpy()
        texts, words = [], []
        for first, last, space in segments(log_probs, self.vocabulary.pieces, self.chunks.longest):
            part = log_probs[first:last]
            if self.decoder:
                found = self.decoder(part[None], [len(part)])[0]
                ids = self.vocabulary.encode(found)
                texts += [space, found] if found and any(texts) else [found]
            else:
                ids = ctc.greedy(part[None], [len(part)])[0].numpy()[0]
            words += self._words(part, ids, first)
        return Transcript("".join(texts) if self.decoder else text, confidence, tuple(words))

    def _words(self, log_probs, ids, first):
        """(word, start_s, end_s) of a part of a recording that begins at step `first`."""
        step = self.chunks.timing.seconds_per_step
        try:
            found = align.words(log_probs, np.asarray(ids), self.vocabulary, step)
        except ValueError:  # sub-words of a beam may be spelt again as more of them than there are steps
            return [(word, None, None) for word in self.vocabulary.decode(ids).split()]
        return [(word, start + first * step, end + first * step) for word, start, end in found]
