"""Prefix beam search (Graves 2012; Hannun et al. 2014, arXiv:1408.2873, algorithm 1) without a language model."""

import tensorflow as tf

from tfrec.decoding import ctc


def search(logits, steps, width=16):
    """The likeliest text that a beam finds, never less likely than the greedy one.

    Works in a graph, for any batch, and in an export.

    Args:
        logits: (batch, steps, n + 1), or log-probabilities.
        steps: int32 (batch,), the true steps of each clip.
        width: prefixes kept at each step.

    Returns:
        ids, int32 (batch, steps), left-aligned and padded with 0; their number, int32 (batch,); and the
        log-probability of the text summed over all its alignments, float32 (batch,): `ctc.score`.
    """
    # The kernels refuse an empty batch and a batch without steps: one of each is added, and taken off at the end.
    logits = tf.pad(tf.cast(logits, tf.float32), [[0, 1], [0, 1], [0, 0]])
    steps = tf.pad(tf.cast(steps, tf.int32), [[0, 1]])
    logits = tf.where(tf.sequence_mask(steps, tf.shape(logits)[1])[:, :, None], logits, 0.0)
    greedy, likely = ctc.greedy(logits, steps)[0], _beam(logits, steps, width)
    greedy_score, score = ctc.score(logits, steps, greedy), ctc.score(logits, steps, likely)
    ids = tf.where((score > greedy_score)[:, None], likely, greedy)[:-1, :-1]
    return ids, tf.math.count_nonzero(ids, axis=1, dtype=tf.int32), tf.maximum(score, greedy_score)[:-1]


def _beam(logits, steps, width):
    """The first text of TensorFlow's beam, int32 (batch, steps); it has the blank last, so ids are one less there."""
    last = tf.transpose(tf.roll(logits, -1, axis=-1), [1, 0, 2])
    (found,), _ = tf.nn.ctc_beam_search_decoder(last, steps, beam_width=width, top_paths=1)
    ids = tf.sparse.to_dense(found, default_value=-1) + 1
    return tf.cast(tf.pad(ids, [[0, 0], [0, tf.shape(logits)[1] - tf.shape(ids)[1]]]), tf.int32)
