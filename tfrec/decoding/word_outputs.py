"""Words of greedy transcripts in a graph, with their times and confidences: what `GreedyPath` finds, dense."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfrec.decoding.ctc import before_each
from tfrec.decoding.word_confidence import WordConfidence
from tfrec.decoding.words import UNSCALED

Tensor = Any


def are_supported(pieces: Sequence[str]) -> bool:
    """Whether no piece of a vocabulary has a space inside, so that each belongs to one word."""
    return all(len(piece.split()) <= 1 for piece in pieces)


def find(
    logits: Tensor,
    steps: Tensor,
    pieces: Sequence[str],
    timing: tuple[float, float],
    scaling: WordConfidence = UNSCALED,
) -> dict[str, Tensor]:
    """Finds the words of the likeliest path of CTC.

    Args:
        logits: float32 (batch, steps, n + 1).
        steps: int32 (batch,), the number of steps of each clip, without padding.
        pieces: the text of each id, the first is empty; see `are_supported`.
        timing: seconds between two outputs, and by which a symbol is output later than its sound.
        scaling: from the mean log-probability of a word's symbols to its confidence.

    Returns:
        "words" (batch, words), strings, "" past the last word of a clip; "word_starts", "word_ends" in seconds and
        "word_confidences", float32 (batch, words), 0 there.
    """
    size, count = tf.shape(logits)[0], tf.shape(logits)[1]
    inside = tf.sequence_mask(steps, count)
    path = tf.where(inside, tf.argmax(logits, axis=-1, output_type=tf.int32), 0)
    word, is_first = _word_numbers(path, pieces)
    words = tf.reduce_max(word) + 1
    # Steps without a word go to a segment after all others.
    row = tf.range(size)[:, None]
    segment = tf.reshape(tf.where(word >= 0, row * words + word, size * words), [-1])
    segments, shape = size * words + 1, tf.stack([size, words])

    def per_word(values: Tensor) -> Tensor:
        return tf.reshape(values[:-1], shape)

    step = tf.reshape(tf.broadcast_to(tf.range(count)[None], tf.shape(path)), [-1])
    first = per_word(tf.math.unsorted_segment_min(step, segment, segments))
    last = per_word(tf.math.unsorted_segment_max(step, segment, segments))
    best = tf.reshape(tf.reduce_max(tf.nn.log_softmax(logits), axis=-1), [-1])
    confidence = scaling.in_graph(per_word(tf.math.unsorted_segment_mean(best, segment, segments)))
    texts = tf.where(is_first & (word >= 0), tf.gather(tf.constant([piece.strip() for piece in pieces]), path), "")
    is_word = per_word(tf.math.unsorted_segment_sum(tf.ones_like(segment), segment, segments)) > 0

    def seconds(steps: Tensor) -> Tensor:
        return tf.where(is_word, tf.maximum(tf.cast(steps, tf.float32) * timing[0] - timing[1], 0.0), 0.0)

    return {
        "words": per_word(tf.strings.unsorted_segment_join(tf.reshape(texts, [-1]), segment, segments)),
        "word_starts": seconds(first),
        "word_ends": seconds(last + 1),
        "word_confidences": tf.where(is_word, confidence, 0.0),
    }


def _word_numbers(path: Tensor, pieces: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The word of each step from 0, -1 for none, int32 (batch, steps), and whether a symbol begins at the step."""
    has_text = tf.constant([bool(piece.strip()) for piece in pieces])
    begins = tf.constant([piece[:1] == " " for piece in pieces])
    ends = tf.constant([piece[-1:] == " " for piece in pieces])
    before = before_each(path)
    changes = path != before
    # Numbers of stretches between spaces, of which some hold no text.
    breaks = (changes & tf.gather(begins, path)) | (changes & tf.gather(ends, before))
    stretch = tf.cumsum(tf.cast(breaks, tf.int32), axis=1)
    is_text = tf.gather(has_text, path)
    size, count = tf.shape(path)[0], tf.shape(path)[1] + 1
    place = tf.range(size)[:, None] * count + stretch
    has_word = tf.math.unsorted_segment_max(
        tf.reshape(tf.cast(is_text, tf.int32), [-1]), tf.reshape(place, [-1]), size * count
    )
    number = tf.cumsum(tf.reshape(tf.maximum(has_word, 0), tf.stack([size, count])), axis=1) - 1
    return tf.where(is_text, tf.gather(tf.reshape(number, [-1]), place), -1), changes & (path != 0)
