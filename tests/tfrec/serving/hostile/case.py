"""A hostile request."""

import dataclasses
from collections.abc import Callable

import numpy as np

REFUSE, ANSWER, EITHER = "refused", "answered", "either"


@dataclasses.dataclass(frozen=True)
class Case:
    """A request and its right outcome: INVALID_ARGUMENT, an answer, or either of the two."""

    name: str
    signature: str
    build: Callable[[], dict]  # the inputs
    outcome: str
    heavy: bool = False  # takes long, or much memory, to build or to answer


def strings(name, *rows):
    value = np.empty(len(rows), object)
    value[:] = rows
    return {name: value}
