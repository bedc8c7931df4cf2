"""An export's answers and the expected ones: texts and truth values identical, numbers within a tolerance."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import ml_dtypes
import numpy as np

FLOAT32_TOLERANCE = 1e-4  # float32 itself resolves 1.2e-7; sums of thousands of terms in another order differ by more
ROUNDINGS = 8  # epsilons of a half precision, whose every layer rounds: sums in another order round the other way

# Outputs whose numbers a network sums up together: what is rounded off one of them is as large as the largest allows.
VECTORS = ("logits", "embedding")
LENGTHS = ("steps", "frames")  # outputs with the true length of others


def tolerance_of(dtype: str) -> float:
    """How much a number of a network that computes in a dtype may differ: absolute, or relative to numbers above 1.

    Of a vector such as the logits, it is relative to the vector's largest number.

    1e-4 for float32, 0.0078 for float16 and 0.0625 for bfloat16.
    """
    return max(FLOAT32_TOLERANCE, ROUNDINGS * float(ml_dtypes.finfo(dtype).eps))


class DifferenceError(Exception):
    """An answer that is not the expected one: a clause."""


@dataclasses.dataclass
class Comparison:
    """What has been compared so far.

    Attributes:
        tolerance: of a number, see `tolerance_of`.
        threshold: of the output "probability", from which on an answer is "accepted".
        set_threshold: of the output "probabilities", from which on a class is in its "prediction_sets".
        rows: compared rows of outputs.
        texts: texts among them that are not empty.
        difference: the largest one of a number.
        ties: labels that differ where the model's two best classes are as probable.
    """

    tolerance: float = FLOAT32_TOLERANCE
    threshold: float | None = None
    set_threshold: float | None = None
    rows: int = 0
    texts: int = 0
    difference: float = 0.0
    ties: int = 0

    def add(self, answer: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
        """Compares the outputs of one row that both have.

        Raises:
            DifferenceError: at the first that differs.
        """
        is_tie = self._is_tie(expected.get("probabilities"))
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
            elif is_tie or self._is_either_right(name, value, expected):
                self.ties += 1
            else:
                raise DifferenceError(f"{name} is {_shown(value)} where the trained model's is {_shown(reference)}")

    def _add_numbers(self, name: str, value: np.ndarray, reference: np.ndarray) -> None:
        if not reference.size:
            return
        value, reference = value.astype("float64"), reference.astype("float64")
        same = (value == reference) | (np.isnan(value) & np.isnan(reference))
        size = np.abs(reference)
        if name in VECTORS:
            size = np.max(size, axis=-1, keepdims=True)
        distance = np.where(same, 0.0, np.abs(value - reference) / np.maximum(1.0, size))
        difference = float(np.max(np.where(np.isnan(distance), np.inf, distance)))
        if not difference <= self.tolerance:
            raise DifferenceError(
                f"{name} differs from the trained model's by {difference:.1e}, more than {self.tolerance:.2g}"
            )
        self.difference = max(self.difference, difference)

    def _is_tie(self, probabilities: np.ndarray | None) -> bool:
        """Whether the two best classes are equally probable within the tolerance, so that either is right."""
        if probabilities is None or np.size(probabilities) < 2:
            return False
        second, first = np.sort(np.ravel(probabilities))[-2:]
        return bool(first - second <= 2 * self.tolerance)

    def _is_either_right(self, name: str, value: np.ndarray, expected: Mapping[str, np.ndarray]) -> bool:
        """Whether an answer other than the expected one is as right within the tolerance."""
        if name == "accepted" and self.threshold is not None and "probability" in expected:
            return bool(abs(float(expected["probability"]) - self.threshold) <= self.tolerance)
        if name == "prediction_sets" and self.set_threshold is not None:
            probabilities = np.asarray(expected["probabilities"])[value != expected[name]]
            return bool(np.all(np.abs(probabilities - self.set_threshold) <= self.tolerance))
        if name != "top_labels":
            return False
        # Each label at another place must be as probable as the one expected there, or as the last of all.
        labels = expected["top_labels"].tolist()
        by_label = dict(zip(labels, np.asarray(expected["top_probabilities"]).tolist(), strict=True))
        last = min(by_label.values())
        return all(
            abs(by_label[right] - by_label.get(label, last)) <= 2 * self.tolerance
            for label, right in zip(value.tolist(), labels, strict=True)
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
