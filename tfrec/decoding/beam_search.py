"""Prefix beam search (Graves 2012; Hannun et al. 2014, arXiv:1408.2873, algorithm 1) without a language model."""

from typing import Any

import tensorflow as tf

from tfrec.decoding import ctc

Tensor = Any


def search(logits: Tensor, steps: Tensor, width: int = 16) -> tuple[Tensor, Tensor, Tensor]:
    """Finds the likeliest text in a beam; it is never less likely than the greedy text.

    Works in a graph, for batches of any size, and in an export.

    Args:
        logits: (batch, steps, n + 1), or log-probabilities.
        steps: int32 (batch,), the number of steps of each clip, without padding.
        width: number of prefixes kept at each step.

    Returns:
        ids, int32 (batch, steps), left-aligned and padded with 0; their number, int32 (batch,); and the
        log-probability of the text summed over all its alignments, float32 (batch,), as `ctc.score` computes it.
    """
    # The kernels reject an empty batch and a batch without steps: one of each is added, and removed at the end.
    logits = tf.pad(tf.cast(logits, tf.float32), [[0, 1], [0, 1], [0, 0]])
    steps = tf.pad(tf.cast(steps, tf.int32), [[0, 1]])
    logits = tf.where(tf.sequence_mask(steps, tf.shape(logits)[1])[:, :, None], logits, 0.0)
    greedy, likely = ctc.greedy(logits, steps)[0], _search(logits, steps, width)
    greedy_score, score = ctc.score(logits, steps, greedy), ctc.score(logits, steps, likely)
    ids = tf.where((score > greedy_score)[:, None], likely, greedy)[:-1, :-1]
    return ids, tf.math.count_nonzero(ids, axis=1, dtype=tf.int32), tf.maximum(score, greedy_score)[:-1]


def _search(logits: Tensor, steps: Tensor, width: int) -> Tensor:
    """The best text of TensorFlow's beam search, int32 (batch, steps), whose blank is last and whose ids start at 0."""
    blank_last = tf.transpose(tf.roll(logits, -1, axis=-1), [1, 0, 2])
    (sparse,), _ = tf.nn.ctc_beam_search_decoder(blank_last, steps, beam_width=width, top_paths=1)
    ids = tf.sparse.to_dense(sparse, default_value=-1) + 1
    return tf.cast(tf.pad(ids, [[0, 0], [0, tf.shape(logits)[1] - tf.shape(ids)[1]]]), tf.int32)
