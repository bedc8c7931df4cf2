"""Prefix beam search (Hannun et al. 2014, arXiv:1408.2873, algorithm 1) of several clips at once, in arrays."""

from typing import NamedTuple

import numpy as np

from tfrec.decoding.shallow_fusion import prefixes
from tfrec.decoding.shallow_fusion.emissions import LOWEST, Emissions
from tfrec.decoding.shallow_fusion.scorers import Scorer, States

IMPOSSIBLE = LOWEST / 2  # nats; such a sum has a factor that is 0

_EMPTY_PREFIX, _NO_PREFIX, _NO_PARENT = 2, 0, 1


class _Beams:
    """The prefixes of each clip's beam: views (clips, width) of two arrays.

    An empty place has log-probabilities of -inf.
    """

    def __init__(self, floats: np.ndarray, integers: np.ndarray) -> None:
        self.floats, self.integers = floats, integers
        self.blank, self.symbol = floats[..., 0], floats[..., 1]  # log-probabilities, by how the outputs end
        self.column = integers[..., 0]  # of the last symbol, 0 for the empty prefix
        self.name, self.parent = integers[..., 1], integers[..., 2]  # of it, and of it without its last symbol
        self.states = States(floats[..., 2], integers[..., 3], integers[..., 4])

    @classmethod
    def start(cls, clips: int, width: int, states: States) -> "_Beams":
        """The empty prefix in the first place."""
        beams = cls(np.full((clips, width, 3), -np.inf), np.zeros((clips, width, 5), np.int64))
        beams.blank[:, 0], beams.parent[:] = 0.0, _NO_PARENT
        beams.name[:, 0] = _EMPTY_PREFIX
        for field, values in zip(beams.states, states, strict=True):
            field[:] = values
        return beams

    def first(self, clips: int) -> "_Beams":
        """The beams of the first clips, as views."""
        return _Beams(self.floats[:clips], self.integers[:clips])


class _Extensions(NamedTuple):
    """Prefixes that are one symbol longer: arrays (n,)."""

    clip: np.ndarray
    place: np.ndarray  # of the prefix in its beam
    rank: np.ndarray  # of the symbol
    log_prob: np.ndarray
    states: States
    score: np.ndarray  # what ranks it


def search(emissions: Emissions, scorer: Scorer, width: int) -> np.ndarray:
    """Finds the best prefixes by the sum of the log-probability and the score.

    Args:
        emissions: of several clips.
        scorer: of the language model.
        width: number of prefixes kept at each step.

    Returns:
        The ids of the prefixes of each clip, padded with 0 at their ends, int (clips, width, any). Places that a beam
        does not fill hold the empty prefix.
    """
    return _Search(emissions, scorer, width).run()


class _Search:
    def __init__(self, emissions: Emissions, scorer: Scorer, width: int) -> None:
        self._emissions, self._scorer, self._width = emissions, scorer, width
        clips = len(emissions.order)
        self._rows = np.arange(clips)[:, None]
        self._beams = _Beams.start(clips, width, scorer.start((clips, width)))
        self._symbols = len(scorer.vocabulary.pieces)
        self._steps: list[tuple[np.ndarray, np.ndarray]] = []  # of each step: places before it, and symbols added

    def run(self) -> np.ndarray:
        """Runs all steps."""
        for step, clips in enumerate(self._emissions.counts.tolist()):
            self._advance(self._beams.first(clips), step)
        return self._prefixes()

    def _advance(self, beams: _Beams, step: int) -> None:
        """Changes beams by the passive steps before an active one, and by that."""
        emissions, clips = self._emissions, len(beams.blank)
        rows, passed, left = (field[step, :clips] for field in (emissions.rows, emissions.passed, emissions.left))
        places = beams.column + self._rows[:clips] * rows.shape[1]
        blank = np.logaddexp(beams.blank, beams.symbol + left.take(places)) + passed[:, :1]
        symbol = beams.symbol + passed.take(places)
        either = np.logaddexp(blank, symbol)
        most = emissions.most[step]
        columns = emissions.columns[step, :clips, :most]
        repeats = beams.column[:, :, None] == columns[:, None, :]
        # The same symbol again is a new one only after a blank.
        longer = np.where(repeats, blank[:, :, None], either[:, :, None])
        longer += emissions.emitted[step, :clips, None, :most]
        beams.blank[:], beams.symbol[:] = either + rows[:, :1], symbol + rows.take(places)
        self._merge(beams, longer, repeats)
        now = beams.states.nats + self._scorer.bound(beams.states.unfinished)
        scores = np.logaddexp(beams.blank, beams.symbol) + now
        extensions = self._extensions(beams, longer, now, scores.min(axis=1), emissions.symbols[step, :clips, :most])
        if len(extensions.clip):
            self._select(beams, scores, extensions, columns, emissions.symbols[step, :clips])

    def _merge(self, beams: _Beams, longer: np.ndarray, repeats: np.ndarray) -> None:
        """Moves the log-probabilities of longer prefixes that are in the beam already to these."""
        clip, child, parent = np.nonzero(beams.parent[:, :, None] == beams.name[:, None, :])
        pair, rank = np.nonzero(repeats[clip, child])
        clip, child, parent = clip[pair], child[pair], parent[pair]
        beams.symbol[clip, child] = np.logaddexp(beams.symbol[clip, child], longer[clip, parent, rank])
        longer[clip, parent, rank] = -np.inf

    def _extensions(
        self, beams: _Beams, longer: np.ndarray, now: np.ndarray, thresholds: np.ndarray, symbols: np.ndarray
    ) -> _Extensions:
        """The longer prefixes that can be among the best, with their states."""
        highest = longer + now[:, :, None]
        highest += self._scorer.most[symbols][:, None, :]
        clip, place, rank = np.nonzero(highest >= np.maximum(thresholds, IMPOSSIBLE)[:, None, None])
        before = States(*(field[clip, place] for field in beams.states))
        after = self._scorer.extend(before, symbols[clip, rank])
        log_prob = longer[clip, place, rank]
        score = log_prob + after.nats + self._scorer.bound(after.unfinished)
        return _Extensions(clip, place, rank, log_prob, after, score)

    def _select(
        self, beams: _Beams, scores: np.ndarray, extensions: _Extensions, columns: np.ndarray, symbols: np.ndarray
    ) -> None:
        """Replaces the beams by the best of their prefixes and the longer ones."""
        clips, width = scores.shape
        most = columns.shape[1]
        every = np.full((clips, width * (1 + most)), -np.inf)
        every[:, :width] = scores
        target = extensions.clip * every.shape[1] + width + extensions.place * most + extensions.rank
        every.reshape(-1)[target] = extensions.score
        number = np.zeros(every.size, np.int64)
        number[target] = np.arange(len(target))
        chosen = np.argpartition(every, every.shape[1] - width, axis=1)[:, -width:]
        chosen = (chosen + self._rows[:clips] * every.shape[1]).reshape(-1)
        place_in_all = chosen % every.shape[1]
        is_longer = place_in_all >= width
        score = every.take(chosen)
        new_places = np.flatnonzero(is_longer & (score > -np.inf))
        new = number[chosen[new_places]]
        places = np.where(is_longer, 0, place_in_all)
        places[new_places] = extensions.place[new]
        taken = places + np.repeat(self._rows[:clips, 0] * width, width)
        floats = beams.floats.reshape(clips * width, -1).take(taken, axis=0)
        integers = beams.integers.reshape(clips * width, -1).take(taken, axis=0)
        empty = np.flatnonzero(score == -np.inf)
        floats[empty, :2], integers[empty, 1], integers[empty, 2] = -np.inf, _NO_PREFIX, _NO_PARENT
        added = np.zeros(clips * width, np.int64)
        clip, rank, names = extensions.clip[new], extensions.rank[new], integers[new_places, 1]
        added[new_places] = symbols[clip, rank]
        longer_names = prefixes.extend(names, added[new_places], self._symbols)
        nats, history, unfinished = (field[new] for field in extensions.states)
        nothing = np.full(len(new), -np.inf)
        floats[new_places] = np.stack([nothing, extensions.log_prob[new], nats], axis=1)
        integers[new_places] = np.stack([columns[clip, rank], longer_names, names, history, unfinished], axis=1)
        beams.floats[:] = floats.reshape(beams.floats.shape)
        beams.integers[:] = integers.reshape(beams.integers.shape)
        self._steps.append((places.reshape(clips, width), added.reshape(clips, width)))

    def _prefixes(self) -> np.ndarray:
        """The ids of the prefixes in the beams, from the steps that added them."""
        clips = len(self._emissions.order)
        places = np.tile(np.arange(self._width), (clips, 1))
        ids = np.zeros((clips, self._width, len(self._steps)), np.int64)
        for step in range(len(self._steps) - 1, -1, -1):
            before, added = self._steps[step]
            now = places[: len(before)] + self._rows[: len(before)] * self._width
            ids[: len(before), :, step] = added.take(now)
            places[: len(before)] = before.take(now)
        return prefixes.left_aligned(ids)
