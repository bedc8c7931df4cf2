"""Scores of a search in noise: whether a clip that is mixed with noise still finds the pictures that it belongs to."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.datasets import selection
from pipelines.datasets.base import Corpus, Split
from tfrec import architectures
from tfrec.evaluation import noise, noise_mixing, noise_scores
from tfrec.evaluation.metrics import retrieval
from tfrec.evaluation.metrics.per_example import PerExampleScores
from tfrec.evaluation.noise_conditions import Conditions

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

MEASURE = "recall_at_1"


def measure_retrieval(
    recognizer: Recognizer, corpus: Corpus, conditions: Conditions, batch_size: int = 64
) -> dict[str, Any]:
    """Recall at 1 of clips in noise among the pictures of a split.

    Args:
        recognizer: embeds pictures and clips in one space.
        corpus: its data.
        conditions: noises, ratios and split.
        batch_size: maximum number of pairs in a batch; does not change the scores.

    Returns:
        What `noise.measure` returns, with the measure "recall_at_1": the fraction of clips whose most similar picture
        matches. Each clip is a query once in each condition and each picture a candidate, however many pairs have it;
        "candidates" is the number of pictures.

    Raises:
        UserError: for noises that cannot be read or are all silent.
    """
    split, rate = corpus.splits[conditions.split], recognizer.config.frontend.sample_rate_hz
    loaded, silent = noise.audible(conditions.load(rate), conditions.noise)
    clips, pictures = (_each_once(split, names) for names in (split.audio_sources, split.image_sources))
    mixed, places = noise_mixing.mix_split(clips, loaded, conditions, rate)
    queries, wanted = _embed(recognizer, mixed, "audio", batch_size)
    candidates, groups = _embed(recognizer, pictures, "image", batch_size)
    found = retrieval.query_scores(queries, candidates, wanted, groups)[MEASURE]
    scores = PerExampleScores(MEASURE, found, np.ones(mixed.size, int))
    summary = noise_scores.summarize(scores, places, conditions.sets(loaded), (), shared=True)
    noises = {"seen": list(conditions.seen), "silent": silent, "candidates": pictures.size}
    return {**dataclasses.asdict(conditions), **noises, **summary}


def _each_once(split: Split, names: Sequence[str] | None) -> Split:
    """The first pair of each file of one kind; all pairs where the files have no names."""
    if names is None:
        return split
    first = np.unique(np.asarray(names), return_index=True)[1]
    return selection.subset(split, np.isin(np.arange(split.size), first))


def _embed(recognizer: Recognizer, split: Split, kind: str, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """The embeddings (pairs, units) of one kind, and the groups (pairs,)."""
    part = architectures.part_encoder(recognizer.inference_network, kind)
    outputs, groups = recognizer.replace(inference_network=part).outputs(split, batch_size)
    return outputs[kind], groups.astype("int64")
