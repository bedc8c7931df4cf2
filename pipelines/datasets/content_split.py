"""Splits of people's own files by their content: copies stay together, and added files move no others.

The side of an example follows from a hash of the seed and of its identity, and from nothing else: not from the other
examples, their number or their order. Its identity is the content of its file (and its piece of the file), or its
speaker or group where the data is split by these.
"""

import collections
import dataclasses
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.counts import counted, verb
from pipelines.datasets import fingerprints
from pipelines.datasets.base import FilesConfig
from pipelines.datasets.files import Row
from pipelines.errors import UserError

SHOWN = 3  # names in a note
FEW = 2  # training examples of a class that are reported
_ORDER = ("train", "test", "validation")  # in which a rare class gets its examples

Intervals = dict[str, tuple[float, float]]  # split -> hashes from the first number up to the second


@dataclasses.dataclass(frozen=True)
class FileSplit:
    """Rows with fingerprints, split name -> sorted indices of rows, and sentences for the reader."""

    rows: list[Row]
    parts: dict[str, np.ndarray]
    notes: tuple[str, ...]


def split_files(rows: Sequence[Row], labels: np.ndarray, config: FilesConfig, by: str | None = None) -> FileSplit:
    """Cuts rows into splits: the rows' own, and by hash where they name no validation or no test split.

    The fractions hold approximately. Where a class has no example in a split by its hash, the example with the nearest
    hash moves there, which a note says.

    Args:
        rows: One per example.
        labels: int64 `(examples,)`, the classes; all zero where the data has no classes.
        config: Its fractions, seed and `near_duplicates` apply.
        by: "speaker" or "group": each is in one split only, and classes are not balanced. None: by content.

    Raises:
        UserError: A split would be empty, or a class is not in the training split.
    """
    rows = fingerprints.add(rows)
    identities, notes = _identities(rows, config, by)
    named = {name: [i for i, row in enumerate(rows) if row.split == name] for name in ("test", "validation")}
    intervals = _intervals(config, {name for name, indices in named.items() if indices})
    unreadable = [i for i, row in enumerate(rows) if row.fingerprint == row.path and row.split not in named]
    free = [i for i, row in enumerate(rows) if row.split in ("", "train") and row.fingerprint != row.path]
    different = len({identities[i] for i in free})
    if by is None and different < len(intervals) <= len(free):
        identities = _numbered(identities)
        notes.append(
            f"Only {counted(different, 'example')} for {_names(intervals)} {verb(different, 'is', 'are')} different,"
            f" so that copies of the same"
            " example are in several splits: their scores are meaningless."
        )
    assigned = _Assignment(free, identities, labels, intervals, config.split_seed)
    if len(intervals) > 1:
        assigned.mend(each_class=by is None)
        assigned.require_no_empty(by)
    named["train"] = unreadable  # they are left out, or an error; a split of them alone would be empty
    parts = {name: np.array(sorted([*assigned.indices(name), *named.get(name, [])]), np.int64) for name in _ORDER}
    _require_trained(rows, labels, parts)
    notes += fingerprints.copy_notes(rows, parts)
    notes += assigned.notes(rows, by) + _rare_notes(rows, labels, parts)
    return FileSplit(rows, parts, tuple(notes))


def position(seed: int, identity: str) -> float:
    """Hashes an identity to a number.

    Args:
        seed: Another seed gives other, independent numbers.
        identity: Any text.

    Returns:
        A number in [0, 1), uniformly distributed over identities.
    """
    data = f"{seed}:{identity}".encode(errors="surrogateescape")
    return int.from_bytes(hashlib.blake2b(data, digest_size=6).digest()) / 2**48


def _identities(rows: Sequence[Row], config: FilesConfig, by: str | None) -> tuple[list[str], list[str]]:
    """The identity of every row, and notes on near copies."""
    if by:
        ignored = (
            [f"data.near_duplicates has no effect, since the data is split by {by}."] if config.near_duplicates else []
        )
        return [f"{by} {getattr(row, by)}" for row in rows], ignored
    identities = [fingerprints.identity(row) for row in rows]
    if not config.near_duplicates:
        return identities, []
    from pipelines.datasets import near_duplicates

    return near_duplicates.merge(rows, identities)


def _numbered(identities: Sequence[str]) -> list[str]:
    """Other identities for the second, third, ... of several equal ones."""
    seen: collections.Counter[str] = collections.Counter()
    result = []
    for identity in identities:
        result.append(f"{identity}#{seen[identity]}" if seen[identity] else identity)
        seen[identity] += 1
    return result


def _names(intervals: Intervals) -> str:
    *names, last = intervals
    return f"{', '.join(names)} and {last}"


def _intervals(config: FilesConfig, named: set[str]) -> Intervals:
    """The intervals of the splits that hashes fill."""
    test = 0.0 if "test" in named else config.test_fraction
    validation = test if "validation" in named else test + (1 - test) * config.validation_fraction
    intervals = {"train": (validation, 1.0), "test": (0.0, test), "validation": (test, validation)}
    return {name: interval for name, interval in intervals.items() if name not in named}


class _Assignment:
    """Which identity is in which split."""

    def __init__(
        self, free: Sequence[int], identities: Sequence[str], labels: np.ndarray, intervals: Intervals, seed: int
    ) -> None:
        self.intervals = intervals
        self.members: dict[str, list[int]] = collections.defaultdict(list)
        for i in free:
            self.members[identities[i]].append(i)
        self.classes = {name: {int(labels[i]) for i in indices} for name, indices in self.members.items()}
        self.positions = {name: position(seed, name) for name in self.members}
        self.sides = {name: self._side(self.positions[name]) for name in self.members}
        # How many identities of a class are in a split.
        self.counts = collections.Counter(
            (side, label) for name, side in self.sides.items() for label in self.classes[name]
        )
        self.sizes = collections.Counter(self.sides.values())
        self.moved: list[tuple[str, str]] = []  # identity, the split it is in now

    def indices(self, split: str) -> list[int]:
        """Rows in a split."""
        return [i for name, side in self.sides.items() if side == split for i in self.members[name]]

    def mend(self, each_class: bool) -> None:
        """Moves identities to the splits that lack a class, and to empty splits."""
        totals = collections.Counter(label for labels in self.classes.values() for label in labels)
        order = [name for name in _ORDER if name in self.intervals]
        needed = {label: order[: totals[label] if each_class else 1] for label in totals}
        for label in sorted(totals, key=lambda label: (totals[label], label)):
            for split in needed[label]:
                if not self.counts[split, label]:
                    names = [name for name in self.sides if label in self.classes[name]]
                    self._move_nearest(names, split, needed)
        only_train = {key: ["train"] for key in totals}
        for split in order:
            for kept in (needed, only_train):
                if not self.sizes[split]:
                    self._move_nearest(list(self.sides), split, kept)

    def require_no_empty(self, by: str | None) -> None:
        """Raises UserError where a split has no example."""
        for split in self.intervals:
            if not self.sizes[split]:
                raise UserError(
                    f"The corpus has too few {f'{by}s' if by else 'different examples'}, {len(self.sides)}:"
                    f" {_names(self.intervals)} need one each."
                )

    def notes(self, rows: Sequence[Row], by: str | None) -> list[str]:
        """Says what `mend` has moved."""
        if not self.moved:
            return []
        shown = [f"{self._name(rows, name, by)} to {split}" for name, split in self.moved[:SHOWN]]
        text = ", ".join([*shown, *(["..."] if len(self.moved) > SHOWN else [])])
        subject = f"1 {by or 'example'} is" if len(self.moved) == 1 else f"{len(self.moved)} {by or 'example'}s are"
        return [f"{subject} moved so that splits lack no class: {text}."]

    def _name(self, rows: Sequence[Row], identity: str, by: str | None) -> str:
        row = rows[self.members[identity][0]]
        return getattr(row, by) if by else row.path

    def _side(self, number: float) -> str:
        return next(name for name, (start, stop) in self.intervals.items() if start <= number < stop)

    def _move_nearest(self, names: Sequence[str], split: str, needed: Mapping[int, Sequence[str]]) -> None:
        """Moves that of the identities whose hash is nearest to the split, if no other split then lacks a class."""
        start, stop = self.intervals[split]
        candidates = [name for name in names if self._is_free(name, needed)]
        if not candidates:
            return

        def distance(name: str) -> tuple[float, str]:
            number = self.positions[name]
            return max(start - number, number - stop, 0.0), name

        chosen = min(candidates, key=distance)
        before = self.sides[chosen]
        self.sizes.update({before: -1, split: 1})
        for label in self.classes[chosen]:
            self.counts.update({(before, label): -1, (split, label): 1})
        self.sides[chosen] = split
        self.moved.append((chosen, split))

    def _is_free(self, name: str, needed: Mapping[int, Sequence[str]]) -> bool:
        side = self.sides[name]
        spare = (self.counts[side, label] > 1 or side not in needed[label] for label in self.classes[name])
        return self.sizes[side] > 1 and all(spare)


def _require_trained(rows: Sequence[Row], labels: np.ndarray, parts: Mapping[str, np.ndarray]) -> None:
    """UserError for a class without training examples."""
    trained = set(labels[parts["train"]].tolist())
    for name in ("test", "validation"):
        for i in parts[name]:
            if labels[i] not in trained:
                row = rows[i]
                raise UserError(
                    f"Class {row.label!r} of {row.where or row.path} is in {name} but not in train: add examples of it."
                )


def _rare_notes(rows: Sequence[Row], labels: np.ndarray, parts: Mapping[str, np.ndarray]) -> list[str]:
    """Says which classes have few training examples, and which have none in another split."""
    names = {int(label): row.label for label, row in zip(labels, rows, strict=True) if row.label}
    counts = {split: collections.Counter(labels[indices].tolist()) for split, indices in parts.items()}
    few = [
        f"{name!r} ({counts['train'][label]})" for label, name in sorted(names.items()) if counts["train"][label] <= FEW
    ]
    notes = [f"Classes with one or two training examples: {_listed(few)}."] if few else []
    for split in ("validation", "test"):
        missing = [repr(name) for label, name in sorted(names.items()) if not counts[split][label]]
        if missing:
            notes.append(f"Classes without {split} examples: {_listed(missing)}; add examples to measure them.")
    return notes


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
