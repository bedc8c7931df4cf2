"""Requests and answers as .npz files: a request's arrays are NUMBER/SIGNATURE/INPUT, an answer's NUMBER/OUTPUT.

Byte strings are in base 64, since numpy drops their trailing zeros.
"""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def write_requests(path: Any, requests: Mapping[tuple[int, str], Mapping[str, Any]]) -> None:
    """Writes `{(number, signature): {input: array}}`; arrays of byte strings have dtype object."""
    arrays = {
        f"{number}/{signature}/{name}": _encoded(np.asarray(value))
        for (number, signature), inputs in requests.items()
        for name, value in inputs.items()
    }
    np.savez(path, **arrays)


def read_requests(path: Any) -> dict[tuple[int, str], Arrays]:
    """What `write_requests` has written, in its order."""
    requests: dict[tuple[int, str], Arrays] = {}
    with np.load(path, allow_pickle=False) as stored:
        for key in stored.files:
            number, signature, name = key.split("/")
            requests.setdefault((int(number), signature), {})[name] = _decoded(stored[key])
    return requests


def write_answers(path: Any, answers: Mapping[str, np.ndarray]) -> None:
    """Writes `{NUMBER/OUTPUT: array}`."""
    np.savez(path, **{name: _encoded(np.asarray(value)) for name, value in answers.items()})


def read_answers(path: Any) -> Arrays:
    """What `write_answers` has written; byte strings as an array of texts."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: _as_text(_decoded(stored[name])) for name in stored.files}


def _encoded(value: np.ndarray) -> np.ndarray:
    if value.dtype != object:
        return value
    return np.array([base64.b64encode(row) for row in value.flat], dtype=bytes).reshape(value.shape)


def _decoded(value: np.ndarray) -> np.ndarray:
    if value.dtype.kind != "S":
        return value
    decoded = np.empty(value.shape, object)
    for place, row in np.ndenumerate(value):
        decoded[place] = base64.b64decode(row)
    return decoded


def _as_text(value: np.ndarray) -> np.ndarray:
    if value.dtype != object:
        return value
    return np.array([row.decode(errors="surrogateescape") for row in value.flat], dtype=str).reshape(value.shape)
