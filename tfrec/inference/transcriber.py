"""From the sound of a recording to its text and the times of its words."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfrec.decoding import alignment, ctc
from tfrec.decoding.config import DecodeConfig
from tfrec.inference.chunking import CHUNK_SECONDS, OVERLAP_SECONDS, Chunks, segments


@dataclasses.dataclass(frozen=True)
class Transcript:
    """What was said."""

    text: str
    confidence: float  # geometric mean of the probabilities of the best symbol of each step
    words: tuple | None = None  # (word, start_s, end_s) of each, seconds None where unknown; None for an export


class Transcriber:
    """Sound to Transcript by a Recognizer that transcribes; recordings of any length, see `long_audio.Chunks`.

    `decode` is a DecodeConfig, None for its defaults. What is longer than a chunk is decoded in parts that end between
    words, but for the greedy text, which needs no parts. Raises UserError for a decoder that the network lacks and for
    a language model that cannot be used.
    """

    def __init__(self, recognizer, decode=None, chunk_seconds=CHUNK_SECONDS, overlap_seconds=OVERLAP_SECONDS):
        decode = decode or DecodeConfig()
        self.task, self.vocabulary = recognizer.task, recognizer.task.vocabulary
        self.chunks = Chunks(recognizer, chunk_seconds, overlap_seconds)
        greedy = decode.resolved == "greedy"
        self.decoder = None if greedy else self.task.decoder(recognizer.net, decode)

    def __call__(self, samples):
        """Samples, float32 numpy (n,) in [-1, 1] at the recognizer's rate -> Transcript."""
        outputs = self.chunks.outputs(samples)
        logits = outputs["logits"]
        answer = self.task.answer({"logits": logits[None], "steps": tf.constant([len(logits)])})
        text, confidence = answer["text"].numpy()[0].decode(), float(answer["confidence"][0])
        texts, words = [], []
        for first, last, space in segments(logits, self.vocabulary.pieces, self.chunks.longest):
            part = {name: value[None, first:last] for name, value in outputs.items()}
            part["steps"] = np.array([last - first], "int32")
            if self.decoder:
                found = self.decoder(part)[0]
                ids = self.vocabulary.encode(found)
                texts += [space, found] if found and any(texts) else [found]
            else:
                ids = ctc.greedy(part["logits"], part["steps"])[0].numpy()[0]
            more = self._words(part["logits"][0], ids, first)
            if words and more and not space:  # the cut was within a word
                (begun, start, _), (rest, _, end) = words.pop(), more.pop(0)
                more.insert(0, (begun + rest, start, end))
            words += more
        return Transcript("".join(texts) if self.decoder else text, confidence, tuple(words))

    def _words(self, logits, ids, first):
        """(word, start_s, end_s) of a part of a recording that begins at step `first`."""
        step = self.chunks.timing.seconds_per_step
        try:
            found = alignment.align_words(tf.nn.log_softmax(logits).numpy(), np.asarray(ids), self.vocabulary, step)
        except ValueError:  # what a beam or attention wrote may need more steps than there are
            return [(word, None, None) for word in self.vocabulary.decode(ids).split()]
        return [(word, start + first * step, end + first * step) for word, start, end in found]
