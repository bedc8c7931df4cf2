"""Decoding of attention decoders: greedily in a graph, or by joint CTC/attention beam search.

Texts start from id 0, and end with it.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.decoding.config import DecodeConfig
from tfrec.decoding.ctc_prefix import CTCPrefixScorer
from tfrec.text.tokenizers import Vocabulary

Tensor = Any


def build(
    config: DecodeConfig, vocabulary: Vocabulary, decoder: Callable[..., Tensor]
) -> Callable[[Tensor, Tensor, np.ndarray], list[str]]:
    """Builds a decoder of texts; with width 1 and without CTC it is `greedy`.

    Args:
        config: the settings: width, length_penalty, ctc_weight, max_length.
        vocabulary: the vocabulary of the network's n symbols.
        decoder: the network's decoder, which maps {"encoded": (batch, steps, units), "steps": int32 (batch,), "tokens":
            int32 (batch, length)} and `training` to the logits (batch, length, n + 1) of the token after each.

    Returns:
        A function from encoder outputs (batch, steps, units), each clip's number of steps, int (batch,), and CTC's
        log-probabilities, an array (batch, steps, n + 1), to a list of texts.
    """

    def greedy_ids(encoded: Tensor, steps: Tensor) -> Tensor:
        return greedy(decoder, encoded, steps, config.max_length)[0]

    def next_log_probs(encoded: Tensor, steps: Tensor, tokens: Tensor) -> Tensor:
        logits = decoder({"encoded": encoded, "steps": steps, "tokens": tokens}, training=False)
        return tf.nn.log_softmax(tf.cast(logits[:, -1], tf.float32))

    @functools.cache
    def traced(units: int, dtype: Any) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
        """Both as graphs that are traced once for all batch sizes and lengths."""
        encoded = [tf.TensorSpec([None, None, units], dtype), tf.TensorSpec([None], tf.int32)]
        tokens = tf.TensorSpec([None, None], tf.int32)
        return (
            tf.function(greedy_ids, input_signature=encoded),
            tf.function(next_log_probs, input_signature=[*encoded, tokens]),
        )

    def decode(encoded: Tensor, steps: Tensor, log_probs: np.ndarray) -> list[str]:
        encoded, steps = tf.convert_to_tensor(encoded), np.asarray(steps, "int32")
        greedy_graph, next_graph = traced(encoded.shape[-1], encoded.dtype)
        if config.width == 1 and not config.ctc_weight:
            return [vocabulary.decode(ids) for ids in greedy_graph(encoded, steps).numpy()]
        clips = zip(encoded, steps.tolist(), np.asarray(log_probs), strict=True)
        return [vocabulary.decode(_search_clip(next_graph, config, *clip)) for clip in clips]

    return decode


def _search_clip(
    next_log_probs: Callable[..., Tensor], config: DecodeConfig, encoded: Tensor, steps: int, log_probs: np.ndarray
) -> list[int]:
    """The ids that beam search finds for one clip: encoded (steps, units), CTC's log_probs (steps, n + 1)."""

    def score_next(tokens: np.ndarray) -> np.ndarray:
        beam = len(tokens)
        repeated = tf.repeat(encoded[None], beam, 0)
        return next_log_probs(repeated, tf.fill([beam], steps), tf.constant(tokens)).numpy()

    max_length = steps if config.max_length is None else min(steps, config.max_length)
    ctc_scorer = CTCPrefixScorer(log_probs[:steps]) if config.ctc_weight and steps else None
    return search(score_next, max_length, config.width, config.length_penalty, ctc_scorer, config.ctc_weight)[0]


def greedy(
    decoder: Callable[..., Tensor], encoded: Tensor, steps: Tensor, max_length: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Decodes greedily: the likeliest token after each. Works in a graph, for batches of any size, and in an export.

    Args:
        decoder: see `build`.
        encoded: (batch, steps, units).
        steps: int32 (batch,), the number of steps of each clip, which is also its maximum number of symbols.
        max_length: maximum number of symbols of a text.

    Returns:
        ids, int32 (batch, length), padded with 0; their number, int32 (batch,); and the log-probability of the tokens
        with their end, float32 (batch,).
    """
    steps = tf.cast(steps, tf.int32)
    limits = steps if max_length is None else tf.minimum(steps, max_length)
    batch = tf.shape(encoded)[0]

    def any_unfinished(_tokens: Tensor, ended: Tensor, _nats: Tensor) -> Tensor:
        return ~tf.reduce_all(ended)

    def append_token(tokens: Tensor, ended: Tensor, nats: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = decoder({"encoded": encoded, "steps": steps, "tokens": tokens}, training=False)[:, -1]
        log_probs = tf.nn.log_softmax(tf.cast(logits, tf.float32))
        full = tf.shape(tokens)[1] > limits
        token = tf.where(ended | full, 0, tf.argmax(log_probs, axis=-1, output_type=tf.int32))
        nats += tf.where(ended, 0.0, tf.gather(log_probs, token, batch_dims=1))
        return tf.concat([tokens, token[:, None]], axis=1), ended | (token == 0), nats

    start = tf.zeros([batch, 1], tf.int32), tf.zeros([batch], tf.bool), tf.zeros([batch])
    shapes = tf.TensorShape([None, None]), tf.TensorShape([None]), tf.TensorShape([None])
    tokens, _, nats = tf.while_loop(any_unfinished, append_token, start, shape_invariants=shapes)
    ids = tokens[:, 1:-1]
    return ids, tf.math.count_nonzero(ids, axis=1, dtype=tf.int32), nats


def search(
    step: Callable[[np.ndarray], np.ndarray],
    max_length: int,
    width: int = 16,
    length_penalty: float = 0.0,
    ctc_scorer: CTCPrefixScorer | None = None,
    ctc_weight: float = 0.0,
) -> tuple[list[int], float]:
    """Finds the best text of one clip by beam search; it stops once no longer text can be better than the best.

    The score is (1 - ctc_weight) * log p(decoder) + ctc_weight * log p(CTC) (Watanabe et al. 2017), divided by
    ((5 + tokens) / 6) ** length_penalty (Wu et al. 2016, arXiv:1609.08144, equation 14), where the end is a token too.

    Args:
        step: tokens, int32 (beam, length), each row from 0 on -> log-probabilities of the next token (beam, n + 1).
        max_length: maximum number of symbols of a text.
        width: number of texts kept at each step.
        length_penalty: 0 or more.
        ctc_scorer: the scorer of the clip, or None.
        ctc_weight: 0 to 1, of `ctc_scorer`.

    Returns:
        The ids and their score.
    """
    tokens, written = np.zeros((1, 1), "int32"), np.zeros(1)
    best: tuple[list[int], float] = ([], -np.inf)
    weight = ctc_weight if ctc_scorer is not None else 0.0
    for length in range(max_length + 1):
        totals = written[:, None] + np.asarray(step(tokens), float)
        candidates = _likeliest(totals, 2 * width)
        scores = (1 - weight) * np.take_along_axis(totals, candidates, axis=1)
        ends = (1 - weight) * totals[:, 0]
        if ctc_scorer is not None and weight:
            scores = scores + weight * ctc_scorer.score_extensions(candidates)
            ends = ends + weight * ctc_scorer.score_complete()
        ends = ends / _penalty(length + 1, length_penalty)
        if ends.max() > best[1]:
            best = tokens[ends.argmax(), 1:].tolist(), float(ends.max())
        rows, columns = _best_places(scores, width)
        if not len(rows) or scores[rows[0], columns[0]] / _penalty(max_length + 1, length_penalty) <= best[1]:
            break
        symbols = candidates[rows, columns]
        tokens = np.concatenate([tokens[rows], symbols[:, None].astype("int32")], axis=1)
        written = totals[rows, symbols]
        if ctc_scorer is not None and weight:
            ctc_scorer = ctc_scorer.select(rows, columns)
    return best


def _likeliest(totals: np.ndarray, count: int) -> np.ndarray:
    """The symbols 1..n with the highest totals (beam, n + 1) of each row: (beam, count or n)."""
    count = min(count, totals.shape[1] - 1)
    return np.argpartition(-totals[:, 1:], count - 1, axis=1)[:, :count] + 1


def _best_places(scores: np.ndarray, width: int) -> tuple[np.ndarray, ...]:
    """Rows and columns of the `width` highest finite scores, the highest first."""
    order = np.argsort(-scores, axis=None, kind="stable")[:width]
    return np.unravel_index(order[np.isfinite(scores.flat[order])], scores.shape)


def _penalty(tokens: int, exponent: float) -> float:
    return ((5 + tokens) / 6) ** exponent
