"""Connectionist temporal classification (Graves et al. 2006): loss, score of a text, and greedy decoding.

The blank is id 0; targets are padded with 0.
"""

from typing import Any

import tensorflow as tf

# The kernel computes with probabilities, not with their logarithms: one below 1e-38 makes a loss infinite.
SMALLEST_LOG_PROBABILITY = -80.0

Tensor = Any


def losses(logits: Tensor, steps: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Computes the negative log-probability of each target, summed over all its alignments (Graves et al., section 4).

    The kernel runs on the CPU, wherever the logits are: there it is several times as fast as a loop over the steps
    in TensorFlow. It does not exist under XLA.

    Args:
        logits: (batch, steps, n + 1). The padding past a clip's steps may be anything and gets a gradient of exactly 0.
        steps: int32 (batch,), the number of steps of each clip, without padding.
        targets: int32 (batch, length), ids 1..n, padded with 0.

    Returns:
        The losses in nats, float32 (batch,), and whether the steps suffice for the target, bool (batch,). Where they
        do not, the loss and its gradient are 0.
    """
    targets, steps = tf.cast(targets, tf.int32), tf.cast(steps, tf.int32)
    inside = tf.sequence_mask(steps, tf.shape(logits)[1])
    logits = _bounded(tf.where(inside[:, :, None], tf.cast(logits, tf.float32), 0.0))
    possible = steps_needed(targets) <= steps
    targets = tf.where(possible[:, None], targets, 0)
    empty = tf.reduce_all(targets == 0, axis=1)
    placeholder = tf.cast(empty, tf.int32)[:, None]  # the kernel rejects an empty target; its loss is computed below
    labels = tf.sparse.from_dense(tf.concat([placeholder, targets], axis=1))
    loss = tf.raw_ops.CTCLoss(
        inputs=tf.transpose(tf.roll(logits, -1, axis=-1), [1, 0, 2]),  # the kernel has the blank last
        labels_indices=labels.indices,
        labels_values=labels.values - 1,
        sequence_length=steps,
        ignore_longer_outputs_than_inputs=True,
    ).loss
    blanks = tf.reduce_sum(tf.where(inside, tf.nn.log_softmax(logits)[:, :, 0], 0.0), axis=1)
    return tf.where(possible, tf.where(empty, -blanks, loss), 0.0), possible


def steps_needed(targets: Tensor) -> Tensor:
    """Counts the fewest steps that can hold each target: one for each label, one between equal neighbors.

    Args:
        targets: (batch, length), ids 1..n, padded with 0.

    Returns:
        int32 (batch,).
    """
    labels = tf.cast(targets, tf.int32)
    repeats = (labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] != 0)
    return tf.math.count_nonzero(labels, axis=1, dtype=tf.int32) + tf.math.count_nonzero(
        repeats, axis=1, dtype=tf.int32
    )


def score(logits: Tensor, steps: Tensor, ids: Tensor) -> Tensor:
    """Computes the log-probability of each text, summed over all its alignments.

    Args:
        logits: see `losses`.
        steps: see `losses`.
        ids: int32 (batch, length), ids 1..n, padded with 0.

    Returns:
        float32 (batch,), in nats; -inf where the text needs more steps than there are.
    """
    loss, possible = losses(logits, steps, ids)
    return tf.where(possible, -loss, -float("inf"))


def greedy(logits: Tensor, steps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Decodes the likeliest path (best path decoding, Graves et al. 2006, section 3.2).

    Works in a graph, for batches of any size, and in an export.

    Args:
        logits: (batch, steps, n + 1), or log-probabilities.
        steps: int32 (batch,), the number of steps of each clip, without padding.

    Returns:
        ids, int32 (batch, steps), left-aligned and padded with 0; their number, int32 (batch,); and the
        log-probability of the path, float32 (batch,), which is at most the `score` of the text.
    """
    logits = tf.cast(logits, tf.float32)
    inside = tf.sequence_mask(steps, tf.shape(logits)[1])
    path = tf.where(inside, tf.argmax(logits, axis=-1, output_type=tf.int32), 0)
    kept = (path != 0) & (path != before_each(path))
    ids = _left_aligned(path, kept)
    best = tf.reduce_max(tf.nn.log_softmax(logits), axis=-1)
    return ids, tf.math.count_nonzero(kept, axis=1, dtype=tf.int32), tf.reduce_sum(tf.where(inside, best, 0.0), axis=1)


def before_each(path: Tensor) -> Tensor:
    """The id before each of `(batch, steps)`, 0 before the first."""
    return tf.pad(path[:, :-1], [[0, 0], [1, 0]])[:, : tf.shape(path)[1]]


def _left_aligned(ids: Tensor, kept: Tensor) -> Tensor:
    """Moves the kept ids of each row to its start, followed by 0."""
    places = tf.where(kept)
    columns = tf.gather_nd(tf.cumsum(tf.cast(kept, tf.int64), axis=1) - 1, places)
    return tf.scatter_nd(tf.stack([places[:, 0], columns], axis=1), ids[kept], tf.shape(ids, tf.int64))


def _bounded(logits: Tensor) -> Tensor:
    """Raises logits that are further below the highest of their step than the kernel allows; passes gradients on."""
    lowest = tf.reduce_max(logits, axis=-1, keepdims=True) + SMALLEST_LOG_PROBABILITY
    return logits + tf.stop_gradient(tf.maximum(logits, lowest) - logits)
