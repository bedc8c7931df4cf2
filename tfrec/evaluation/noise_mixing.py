"""A split mixed with noises: every clip with every type of noise at every ratio."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines import noises
from pipelines.datasets.base import Split
from pipelines.layers.background import mix_at_snr
from tfrec.evaluation.noise_conditions import CLEAN, Conditions

BLOCK_CLIPS = 64  # mixed at once

Condition = tuple[str | None, float]  # type of noise, None for clean speech, and ratio in decibels
Places = dict[Condition, np.ndarray]  # indices (repeats, clips) of the clips of each condition


def mix_split(
    split: Split, loaded: Mapping[str, list[np.ndarray]], conditions: Conditions, sample_rate_hz: int
) -> tuple[Split, Places]:
    """All mixes of a split, as one split, so that one compiled program serves all conditions.

    The clips are mixed while they are read. A clip has the same piece of noise at all ratios.

    Args:
        split: clips.
        loaded: the waveforms of each type of noise.
        conditions: ratios, seed and repeats.
        sample_rate_hz: of clips and noises.

    Returns:
        The split of all mixes, and where each condition's clips are in it.
    """
    clean = list(split.examples.as_numpy_iterator())
    waveforms = [example["audio"] for example in clean]
    blocks = [np.arange(len(clean))[start : start + BLOCK_CLIPS] for start in range(0, len(clean), BLOCK_CLIPS)]
    parts = list(itertools.product(blocks, _pieces(conditions, loaded)))

    def examples() -> Iterator[dict[str, Any]]:
        for clips, (name, repeat, ratios) in parts:
            batches: Iterable[list[np.ndarray]] = [[waveforms[clip] for clip in clips]]
            if name is not None:
                seeds = [(conditions.seed, repeat, clip) for clip in clips]
                pieces = [
                    noises.piece(loaded[name], len(waveforms[clip]), name, seed)
                    for clip, seed in zip(clips, seeds, strict=True)
                ]
                batches = mixtures([waveforms[clip] for clip in clips], pieces, ratios, sample_rate_hz)
            for batch in batches:
                yield from ({**clean[clip], "audio": audio} for audio, clip in zip(batch, clips, strict=True))

    order: list[int] = []
    places: Places = {}
    for clips, (name, repeat, ratios) in parts:
        for ratio in ratios:
            shape = (conditions.repeats if name else 1, len(clean))
            places.setdefault((name, ratio), np.zeros(shape, int))[repeat, clips] = len(order) + np.arange(len(clips))
            order += clips.tolist()
    mixed = Split(
        tf.data.Dataset.from_generator(examples, output_signature=split.examples.element_spec),
        len(order),
        texts=split.texts and [split.texts[clip] for clip in order],
        seconds=np.array([len(waveforms[clip]) for clip in order]) / sample_rate_hz,
    )
    return mixed, places


def mixtures(
    waveforms: Sequence[np.ndarray], pieces: Sequence[np.ndarray], ratios_db: Iterable[float], sample_rate_hz: int
) -> Iterator[list[np.ndarray]]:
    """Yields for each ratio the mixes of waveforms with pieces of noise of the same lengths.

    The levels are measured once, at 0 dB; for other ratios the noise that `mix_at` has added is scaled.

    Args:
        waveforms: float32 `(samples,)` each, speech.
        pieces: float32 `(samples,)` each, noise.
        ratios_db: ratios of active speech to noise.
        sample_rate_hz: of both.
    """
    lengths = np.array([len(waveform) for waveform in waveforms], "int32")
    speech, noise = np.zeros((2, len(waveforms), lengths.max()), "float32")
    for row, length in enumerate(lengths):
        speech[row, :length], noise[row, :length] = waveforms[row], pieces[row]
    mixed = mix_at_snr(speech, noise, np.zeros(len(waveforms), "float32"), lengths, sample_rate_hz)
    added = keras.ops.convert_to_numpy(mixed) - speech
    for ratio in ratios_db:
        mixed = speech + np.float32(10 ** (-ratio / 20)) * added
        yield [row[:length] for row, length in zip(mixed, lengths, strict=True)]


def _pieces(conditions: Conditions, names: Iterable[str]) -> list[tuple[str | None, int, list[float]]]:
    """Type of noise or None, repeat, and ratios of each piece of noise that a clip is mixed with."""
    noisy = [ratio for ratio in conditions.snr_db if ratio != CLEAN]
    clean: list[tuple[str | None, int, list[float]]] = [(None, 0, [CLEAN])] if CLEAN in conditions.snr_db else []
    return clean + [(name, repeat, noisy) for name in names for repeat in range(conditions.repeats)]
