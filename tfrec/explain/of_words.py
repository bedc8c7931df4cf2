"""Which frames of a recording made each word of its transcript."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.explain.example import Example, baseline_of, features_of
from tfrec.explain.integrated_gradients import integrate

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

MAX_SECONDS = 30.0  # of a recording; the gradients of longer ones take too much memory


def explain_words(recognizer: Recognizer, waveform: np.ndarray) -> tuple[np.ndarray, list[tuple[str, np.ndarray]]]:
    """Integrated gradients of each word of the greedy CTC text.

    What is explained of a word is the sum of the logits of its symbols, at the steps where they are output.

    Args:
        recognizer: A transcriber with CTC.
        waveform: Samples at its rate (samples,).

    Returns:
        The features (frames, bins), and each word with the relevance of every frame (frames,).

    Raises:
        UserError: The recording is longer than `MAX_SECONDS`.
    """
    seconds = len(waveform) / recognizer.config.frontend.sample_rate_hz
    if seconds > MAX_SECONDS:
        raise UserError(f"Of {seconds:.0f} s only up to {MAX_SECONDS:.0f} s can be explained: give a shorter piece.")
    features, others = features_of(recognizer, waveform)
    example = Example(recognizer.inference_network, features, others, _none, baseline_of(recognizer, features))
    outputs = example.network(example.inputs(tf.constant(features[None])), training=False)
    steps = int(outputs["steps"][0])
    best = outputs["logits"][0, :steps].numpy().argmax(axis=-1)
    found = []
    for word, places in _words(best, cast(Any, recognizer.task).vocabulary.pieces):
        at = tf.constant([(step, best[step]) for step in places])
        of_word = dataclasses.replace(example, score=functools.partial(_sum_at, at))
        found.append((word, integrate(of_word).relevance.sum(axis=-1)))
    return features, found


def _none(outputs: object) -> tf.Tensor:
    raise AssertionError("nothing is explained yet")


def _sum_at(at: tf.Tensor, outputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The sum of the logits (batch, steps, tokens) at pairs (step, token), (batch,)."""
    return tf.reduce_sum(tf.gather_nd(tf.transpose(outputs["logits"], (1, 2, 0)), at), axis=0)


def _words(best: np.ndarray, pieces: Sequence[str]) -> list[tuple[str, list[int]]]:
    """The words of the most probable symbols, and the steps at which the symbols of each are output; 0 is the blank."""
    words: list[tuple[str, list[int]]] = []
    before, is_open = 0, False
    for step, symbol in enumerate(best):
        if symbol == 0:
            before = 0
            continue
        text = pieces[symbol]
        if symbol == before:
            if is_open:
                words[-1][1].append(step)
            continue
        before = symbol
        for character in text:
            if character == " ":
                is_open = False
            elif is_open:
                words[-1] = (words[-1][0] + character, words[-1][1])
            else:
                words.append((character, []))
                is_open = True
        if is_open:
            words[-1][1].append(step)
    return words
