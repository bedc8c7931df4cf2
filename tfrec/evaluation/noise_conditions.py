"""The conditions of a noise report: types of noise, ratios of speech to noise, and what of the noises is held out."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pipelines import noises
from pipelines.errors import UserError, unknown

logger = logging.getLogger(__name__)

CLEAN = math.inf  # decibels: speech without noise
AVERAGED_DB = (20.0, 15.0, 10.0, 5.0, 0.0)  # the ratios that Aurora-2 averages over (Hirsch & Pearce 2000)
MAX_RATIO_DB = 100  # beyond it float32 loses the weaker signal


@dataclasses.dataclass(frozen=True)
class Conditions:
    """What determines the mixes of a corpus with noises; the same for every recognizer.

    Set A holds the noises `seen`, without the first `seen_fraction` of each file; set B holds the others.
    """

    noise: str  # folder
    snr_db: tuple[float, ...] = (CLEAN, *AVERAGED_DB, -5.0)
    seen: tuple[str, ...] = ()  # types of noise
    seen_fraction: float = 0.0  # of each file
    seed: int = 0
    repeats: int = 1  # mixes of each clip with each type of noise
    split: str = "test"

    @classmethod
    def for_run(
        cls,
        frontend: Any,
        noise: str | os.PathLike[str],
        seen: Sequence[str] | None = None,
        seen_fraction: float | None = None,
        **others: Any,
    ) -> Conditions:
        """The Conditions that hold out the noise of a training.

        Args:
            frontend: the SpeechConfig of the run.
            noise: folder of noises.
            seen: types of noise in set A; None for those of the training.
            seen_fraction: the first part of each file of set A, which is left out; None for that of the training.
            **others: further fields.

        Raises:
            UserError: for types that the folder does not hold.
        """
        types = noises.type_names(noise)
        for name in seen or ():
            if name not in types:
                raise unknown(f"type of noise in {noise}", name, types)
        if seen is None:
            seen = [name for name in _training_noises(frontend) if name in types]
        if seen and seen_fraction is None:
            if not _trained_in_noise(frontend):
                raise UserError(
                    "--seen needs --seen-fraction F, since this run was trained without noise: the first part of each"
                    " file, which is left out."
                )
            seen_fraction = frontend.noise_fraction
        if seen and seen_fraction == 1:
            logger.warning(
                "Training used the whole of each noise %s: set A holds recordings that the run was trained with. Train"
                " with --frontend.noise_fraction 0.65 to keep the rest for this report.",
                ", ".join(seen),
            )
            seen_fraction = 0.0
        return cls(noise=str(noise), seen=tuple(seen), seen_fraction=seen_fraction or 0.0, **others)

    def load(self, sample_rate_hz: int) -> dict[str, list[np.ndarray]]:
        """The waveforms of each type of noise; UserError for a folder that does not hold them."""
        loaded = noises.load(self.noise, sample_rate_hz)
        if self.seen:
            loaded |= noises.load(self.noise, sample_rate_hz, self.seen, "test", self.seen_fraction)
        return loaded

    def sets(self, names: Iterable[str]) -> dict[str, str]:
        """The set of each type of noise: "A" for those of the training, "B" for others."""
        return {name: "A" if name in self.seen else "B" for name in names}


def parse_ratios(text: str) -> tuple[float, ...]:
    """Ratios separated by commas -> decibels in descending order, infinity for "clean".

    >>> parse_ratios("0, clean, 20")
    (inf, 20.0, 0.0)

    Raises:
        ValueError: for anything else, a ratio that is given twice, and "clean" without another ratio.
    """
    ratios: list[float] = []
    for word in map(str.strip, text.split(",")):
        try:
            ratio = CLEAN if word == "clean" else round(float(word), 3) + 0.0  # no -0
        except ValueError:
            ratio = math.nan
        if word != "clean" and not abs(ratio) <= MAX_RATIO_DB:
            raise ValueError(f"snr must be clean or decibels from -100 to 100, with commas. Received: {word!r}")
        if ratio in ratios:
            raise ValueError(f"snr must name each ratio once. Received: {word!r} again in {text!r}")
        ratios.append(ratio)
    if ratios == [CLEAN]:
        raise ValueError("snr must name a ratio in addition to clean. Received: 'clean'")
    return tuple(sorted(ratios, reverse=True))


def ratio_name(ratio_db: float) -> str:
    """A ratio as it is a key in results: "20", "-2.5", "clean"."""
    return "clean" if ratio_db == CLEAN else f"{ratio_db:g}"


def _trained_in_noise(frontend: Any) -> bool:
    return frontend.noise_path is not None and frontend.noise_probability > 0


def _training_noises(frontend: Any) -> Sequence[str]:
    """The types of noise that a training has mixed in."""
    if not _trained_in_noise(frontend):
        return ()
    if frontend.noise_types:
        return frontend.noise_types
    if not os.path.isdir(frontend.noise_path):
        raise UserError(
            f"The noise folder of the training, {frontend.noise_path}, does not exist: name its types by --seen."
        )
    return noises.type_names(frontend.noise_path)
