"""Texts from networks whose decoder writes token after token: greedily in a graph, and by a beam that also asks CTC.

A text ends with id 0, which is also what it starts from.
"""

import functools

import numpy as np
import tensorflow as tf

from tfrec.decoding.ctc_prefix import Prefixes


def build(config, vocabulary, decoder):
    """The decoder of texts that a DecodeConfig describes.

    `decoder` maps {"encoded": (batch, steps, units), "steps": (batch,), "tokens": int32 (batch, length)} to logits
    (batch, length, n + 1) of the token after each. The result takes encoded, steps and CTC's log-probabilities, an
    array (batch, steps, n + 1), and gives a list of texts. Of width 1 and without CTC it is `greedy`.
    """

    def write(encoded, steps):
        return greedy(decoder, encoded, steps, config.max_length)[0]

    def after(encoded, steps, tokens):
        given = {"encoded": encoded, "steps": steps, "tokens": tokens}
        return tf.nn.log_softmax(tf.cast(decoder(given, training=False)[:, -1], tf.float32))

    @functools.cache
    def traced(units, dtype):
        """Both as graphs that are traced only once, whatever the sizes."""
        ids = tf.TensorSpec([None, None], tf.int32)
        given = [tf.TensorSpec([None, None, units], dtype), tf.TensorSpec([None], tf.int32)]
        return tf.function(write, input_signature=given), tf.function(after, input_signature=[*given, ids])

    def clip(after, encoded, true, log_probs):
        def step(tokens):
            beam = len(tokens)
            return after(tf.repeat(encoded[None], beam, 0), tf.fill([beam], true), tf.constant(tokens)).numpy()

        limit = true if config.max_length is None else min(true, config.max_length)
        heard = Prefixes(log_probs[:true]) if config.ctc_weight and true else None
        return search(step, limit, config.width, config.length_penalty, heard, config.ctc_weight)[0]

    def decode(encoded, steps, log_probs):
        encoded, steps = tf.convert_to_tensor(encoded), np.asarray(steps, "int32")
        write, after = traced(encoded.shape[-1], encoded.dtype)
        if config.width == 1 and not config.ctc_weight:
            found = write(encoded, steps).numpy()
        else:
            clips = zip(encoded, steps.tolist(), np.asarray(log_probs), strict=True)
            found = [clip(after, *each) for each in clips]
        return [vocabulary.decode(ids) for ids in found]

    return decode


def greedy(decoder, encoded, steps, max_length=None):
    """The text of the likeliest next tokens. Works in a graph, for any batch, and in an export.

    Args:
        decoder: see `build`.
        encoded: (batch, steps, units).
        steps: int32 (batch,), the true steps of each clip; no text has more symbols than its clip has steps.
        max_length: symbols of a text, at most.

    Returns:
        ids, int32 (batch, length), padded with 0; their number, int32 (batch,); and the log-probability of the tokens
        with their end, float32 (batch,).
    """
    steps = tf.cast(steps, tf.int32)
    limits = steps if max_length is None else tf.minimum(steps, max_length)
    batch = tf.shape(encoded)[0]

    def more(_tokens, ended, _nats):
        return ~tf.reduce_all(ended)

    def write(tokens, ended, nats):
        logits = decoder({"encoded": encoded, "steps": steps, "tokens": tokens}, training=False)[:, -1]
        log_probs = tf.nn.log_softmax(tf.cast(logits, tf.float32))
        full = tf.shape(tokens)[1] > limits
        token = tf.where(ended | full, 0, tf.argmax(log_probs, axis=-1, output_type=tf.int32))
        nats += tf.where(ended, 0.0, tf.gather(log_probs, token, batch_dims=1))
        return tf.concat([tokens, token[:, None]], axis=1), ended | (token == 0), nats

    start = tf.zeros([batch, 1], tf.int32), tf.zeros([batch], tf.bool), tf.zeros([batch])
    shapes = tf.TensorShape([None, None]), tf.TensorShape([None]), tf.TensorShape([None])
    tokens, _, nats = tf.while_loop(more, write, start, shape_invariants=shapes)
    ids = tokens[:, 1:-1]
    return ids, tf.math.count_nonzero(ids, axis=1, dtype=tf.int32), nats


def search(step, max_length, width=16, length_penalty=0.0, heard=None, ctc_weight=0.0):
    """The best text of one clip that a beam finds: (ids, a list of int, and its score).

    The score is (1 - ctc_weight) * log p(decoder) + ctc_weight * log p(CTC) (Watanabe et al. 2017),
    divided by ((5 + tokens) / 6) ** length_penalty (Wu et al. 2016, arXiv:1609.08144, equation 14), the end being a
    token too. The beam stops once no longer text can be better than the best that has ended.

    Args:
        step: tokens, int32 (beam, length), each from 0 on -> log-probabilities of the next token (beam, n + 1).
        max_length: symbols of a text, at most.
        width: texts kept at each step.
        length_penalty: 0 or more.
        heard: ctc_prefix.Prefixes of the clip, or None.
        ctc_weight: 0 to 1, of `heard`.
    """
    tokens, written, best = np.zeros((1, 1), "int32"), np.zeros(1), ([], -np.inf)
    weight = ctc_weight if heard is not None else 0.0
    for length in range(max_length + 1):
        totals = written[:, None] + np.asarray(step(tokens), float)
        candidates = _likeliest(totals, 2 * width)
        scores = (1 - weight) * np.take_along_axis(totals, candidates, axis=1)
        ends = (1 - weight) * totals[:, 0]
        if weight:
            scores = scores + weight * heard.extended(candidates)
            ends = ends + weight * heard.whole()
        ends = ends / _penalty(length + 1, length_penalty)
        if ends.max() > best[1]:
            best = tokens[ends.argmax(), 1:].tolist(), float(ends.max())
        order = np.argsort(-scores, axis=None, kind="stable")[:width]
        order = order[np.isfinite(scores.flat[order])]
        if not len(order) or scores.flat[order[0]] / _penalty(max_length + 1, length_penalty) <= best[1]:
            break
        rows, columns = np.unravel_index(order, scores.shape)
        symbols = candidates[rows, columns]
        tokens = np.concatenate([tokens[rows], symbols[:, None].astype("int32")], axis=1)
        written = totals[rows, symbols]
        if weight:
            heard = heard.after(rows, columns)
    return best


def _likeliest(totals, count):
    """The symbols 1..n with the highest totals (beam, n + 1) of each row: (beam, count or n)."""
    count = min(count, totals.shape[1] - 1)
    return np.argpartition(-totals[:, 1:], count - 1, axis=1)[:, :count] + 1


def _penalty(tokens, exponent):
    return ((5 + tokens) / 6) ** exponent
