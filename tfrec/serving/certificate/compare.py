"""An export's answers and the expected ones: texts and truth values identical, numbers to 1e-4."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

TOLERANCE = 1e-4  # of a number: absolute, or relative to numbers above 1

LENGTHS = ("steps", "frames")  # outputs with the true length of others


class DifferenceError(Exception):
    """An answer that is not the expected one: a clause."""


@dataclasses.dataclass
class Comparison:
    """What has been compared so far.

    Attributes:
        rows: compared rows of outputs.
        texts: texts among them that are not empty.
        difference: the largest one of a number.
        ties: labels that differ where the model's two best classes are as probable.
    """

    rows: int = 0
    texts: int = 0
    difference: float = 0.0
    ties: int = 0

    def add(self, answer: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
        """Compares the outputs of one row that both have.

        Raises:
            DifferenceError: at the first that differs.
        """
        is_tie = _is_tie(expected.get("probabilities"))
        steps = next((int(expected[name]) for name in LENGTHS if name in expected), None)
        for name in sorted(expected.keys() & answer.keys()):
            value, reference = np.asarray(answer[name]), np.asarray(expected[name])
            if steps is not None and value.ndim > 1:  # (steps, units): what follows the last step is padding
                value, reference = value[:steps], reference[:steps]
            value, reference = _same_shape(value, reference)
            self.rows += 1
            if reference.dtype.kind not in "Ub":
                self._add_numbers(name, value, reference)
            elif np.array_equal(value, reference):
                self.texts += int(np.sum(reference != "")) if reference.dtype.kind == "U" else 0
            elif is_tie or (name == "top_labels" and _are_ties(value, reference, expected["top_probabilities"])):
                self.ties += 1
            else:
                raise DifferenceError(f"{name} is {_shown(value)} where the trained model's is {_shown(reference)}")

    def _add_numbers(self, name: str, value: np.ndarray, reference: np.ndarray) -> None:
        if not reference.size:
            return
        value, reference = value.astype("float64"), reference.astype("float64")
        same = (value == reference) | (np.isnan(value) & np.isnan(reference))
        distance = np.where(same, 0.0, np.abs(value - reference) / np.maximum(1.0, np.abs(reference)))
        difference = float(np.max(np.where(np.isnan(distance), np.inf, distance)))
        if not difference <= TOLERANCE:
            raise DifferenceError(
                f"{name} differs from the trained model's by {difference:.1e}, more than {TOLERANCE:.0e}"
            )
        self.difference = max(self.difference, difference)


def _is_tie(probabilities: np.ndarray | None) -> bool:
    """Whether the two best classes are equally probable within the tolerance, so that either is right."""
    if probabilities is None or np.size(probabilities) < 2:
        return False
    second, first = np.sort(np.ravel(probabilities))[-2:]
    return bool(first - second <= 2 * TOLERANCE)


def _are_ties(labels: np.ndarray, expected: np.ndarray, probabilities: np.ndarray) -> bool:
    """Whether each label at another place is as probable as the one that is expected there, or as the last of all."""
    by_label = dict(zip(expected.tolist(), np.asarray(probabilities).tolist(), strict=True))
    last = min(by_label.values())
    return all(
        abs(by_label[right] - by_label.get(label, last)) <= 2 * TOLERANCE
        for label, right in zip(labels.tolist(), expected.tolist(), strict=True)
    )


def _same_shape(value: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both padded to the same shape: a row of a batch is as long as the longest of it, padded with 0 or ""."""
    if value.shape == reference.shape or value.ndim != reference.ndim:
        return value, reference
    shape = np.maximum(value.shape, reference.shape)
    return _pad(value, shape), _pad(reference, shape)


def _pad(value: np.ndarray, shape: np.ndarray) -> np.ndarray:
    padded = np.zeros(tuple(shape), value.dtype)
    padded[tuple(slice(size) for size in value.shape)] = value
    return padded


def _shown(value: np.ndarray) -> str:
    text = ", ".join(map(str, np.ravel(value)[:5]))
    return text if value.dtype.kind != "U" else repr(text[:100])
