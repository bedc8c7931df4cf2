"""Scores of a recognizer in noise: a split mixed with every type of noise at every ratio of speech to noise."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.datasets import example_columns
from pipelines.datasets.base import Corpus
from pipelines.errors import UserError
from tfrec.evaluation import groups, noise_mixing, noise_scores
from tfrec.evaluation.noise_conditions import CLEAN, Conditions
from tfrec.evaluation.noise_mixing import Condition

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

logger = logging.getLogger(__name__)

SILENT = 1e-4  # no sample is above it: 80 dB below full scale


def measure(
    recognizer: Recognizer,
    corpus: Corpus,
    conditions: Conditions,
    batch_size: int = 64,
    columns: Sequence[str] = (),
) -> dict[str, Any]:
    """Scores of a split of the recognizer's corpus in all conditions, as plain dicts, lists and numbers.

    Args:
        recognizer: what is measured.
        corpus: its data.
        conditions: noises, ratios and split.
        batch_size: maximum number of clips in a batch.
        columns: of the data, by which the clips are also grouped, see `example_columns`.

    Returns:
        The fields of the conditions, and:

        - "measure": the task's usual score, such as "accuracy", "wer" or "per". "clean" and each noise's "snr" hold it
          under that name, with a 95 % interval for the number of clips (see `per_example.cell`): a clip counts once in
          the interval, however often it is mixed.
        - "averages" over 20 to 0 dB, of each noise and of the sets A, B and all, where all of those ratios are
          measured. Their 95 % intervals, and those of the "sets" at each ratio, are a percentile bootstrap over the
          clips, since a clip is in many conditions.
        - "silent": types of noise that add nothing, which are left out of everything else.
        - "confusion" (truth, answer), summed over the noises for each ratio, and under "noisy" over all but the clean
          clips; "recall" of each class. Both are empty for tasks without classes.
        - of classes "calibration" and "conformal", as `evaluate` has them, of all noisy clips together.
        - "groups" where columns are given: {column: {ratio: what `groups.score` returns}}.

    Raises:
        UserError: for noises that cannot be read or are all silent.
    """
    rate = recognizer.config.frontend.sample_rate_hz
    split = corpus.splits[conditions.split]
    values = {column: example_columns.values(split, column) for column in columns}
    loaded, silent = audible(conditions.load(rate), conditions.noise)
    mixed, places = noise_mixing.mix_split(split, loaded, conditions, rate)
    scores = recognizer.task.per_example(recognizer, mixed, batch_size)
    summary = noise_scores.summarize(scores, places, conditions.sets(loaded), recognizer.task.class_names, shared=True)
    noisy = [clips.ravel() for (_, ratio), clips in places.items() if ratio != CLEAN]
    if noisy:
        summary |= recognizer.task.reliability(scores, np.concatenate(noisy))
    if columns:
        summary["groups"] = {name: groups.score_mixes(scores, places, own, name) for name, own in values.items()}
    return {**dataclasses.asdict(conditions), "seen": list(conditions.seen), "silent": silent, **summary}


def measure_noisy_corpus(
    recognizer: Recognizer, corpus: Corpus, split: str = "test", batch_size: int = 64
) -> dict[str, Any]:
    """The same for a split that comes with noises, see `Split.conditions`; its one set is "all".

    Every noise has its own clips there, the same at all ratios.

    Raises:
        UserError: for a corpus without noises, and for a split that does not hold each noise at each ratio alike.
    """
    conditions = corpus.splits[split].conditions
    if conditions is None:
        raise UserError(f"{corpus.name} comes without noises: give --noise FOLDER to mix them in.")
    clips: dict[Condition, list[int]] = {}
    for clip, (name, ratio) in enumerate(conditions):
        clips.setdefault((None if ratio == CLEAN else name, ratio), []).append(clip)
    noises = sorted({name for name, _ in clips if name})
    if not noises:
        raise UserError(f"The {split} split of {corpus.name} holds only clean speech: choose another.")
    ratios = {ratio for name, ratio in clips if name}
    if any(len({len(clips.get((name, ratio), ())) for ratio in ratios}) > 1 for name in noises):
        raise UserError(
            f"The {split} split of {corpus.name} does not have the same clips of a noise at all its ratios, as the test"
            " split should: choose --split test, or copy the corpus again."
        )
    scores = recognizer.task.per_example(recognizer, corpus.splits[split], batch_size)
    places = {condition: np.array(numbers)[None] for condition, numbers in clips.items()}
    summary = noise_scores.summarize(
        scores, places, dict.fromkeys(noises, ""), recognizer.task.class_names, shared=False
    )
    return {"noise": None, "split": split, "silent": [], **summary, "examples": len(scores.counts)}


def audible(loaded: dict[str, list[np.ndarray]], folder: str) -> tuple[dict[str, list[np.ndarray]], list[str]]:
    """The noises without silent waveforms, and the types that hold nothing else; UserError where all are silent."""
    audible = {}
    for name, waveforms in loaded.items():
        kept = [waveform for waveform in waveforms if np.abs(waveform).max(initial=0) > SILENT]
        if kept:
            audible[name] = kept
        if 0 < len(kept) < len(waveforms):
            logger.warning(
                "%s of %s waveforms of the noise %s are silent and are left out.",
                len(waveforms) - len(kept),
                len(waveforms),
                name,
            )
    silent = [name for name in loaded if name not in audible]
    if not audible:
        raise UserError(f"The noises in {folder} are all silent: no sample is above -80 dB of full scale.")
    if silent:
        logger.warning("Noises that are silent add nothing and are left out: %s.", ", ".join(silent))
    return audible, silent
