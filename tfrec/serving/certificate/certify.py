"""Sends cases to an export by every loader, and compares."""

from __future__ import annotations

import datetime
import importlib.util
import textwrap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.serving import protos, savedmodel
from tfrec.serving.certificate import cases as certified_cases
from tfrec.serving.certificate.cases import Case, Request
from tfrec.serving.certificate.compare import TOLERANCE, Comparison, DifferenceError
from tfrec.serving.loaders import c_api, process

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

SESSION = "v1_session"
LOADERS: dict[str, tuple[str, Callable[[], bool]]] = {
    SESSION: ("TensorFlow's v1 session in a process without Keras", lambda: True),
    "c_api": ("TensorFlow's C library, as a server runs it", lambda: c_api.library_path() is not None),
    "openvino": ("OpenVINO, numbers alone", lambda: importlib.util.find_spec("openvino") is not None),
}
NOT_INSTALLED = "not run: it is not installed"
MAX_REASON = 160  # characters
NO_TEXTS = "texts: the model's answers to all clips are empty, so that equality is no proof"

Answers = dict[str, np.ndarray]
Numbered = list[tuple[int, Request]]


def certify(recognizer: Recognizer, folder: Any, cases: Sequence[Case]) -> dict[str, Any]:
    """What an export answers, compared with the trained model.

    Args:
        recognizer: the trained model.
        folder: of the SavedModel, not published yet.
        cases: what `cases.collect` returned.

    Returns:
        The certificate, see `document`.

    Raises:
        UserError: where an answer differs, or a loader fails.
    """
    signatures = {name: set(definition.inputs) for name, definition in protos.signatures(folder).items()}
    limits, rate = savedmodel.limits_of(recognizer), getattr(recognizer.config.frontend, "sample_rate_hz", 1)
    requests = list(enumerate(certified_cases.requests(cases, signatures, limits, rate)))
    numeric = "logits" if "logits" in signatures else "tensor"
    chosen = {
        name: [pair for pair in requests if name != "openvino" or pair[1].signature == numeric]
        for name, (_, is_installed) in LOADERS.items()
        if is_installed()
    }
    answers = _answers(folder, chosen)
    references = _references(requests, answers[SESSION])
    results: dict[str, Any] = dict.fromkeys(LOADERS, NOT_INSTALLED)
    for name, given in answers.items():
        results[name] = given if isinstance(given, str) else _compared(name, chosen[name], given, references)
    return {
        "passed": True,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "tensorflow": tf.__version__,
        "tolerance": TOLERANCE,
        "inputs": [case.name for case in cases],
        "examples": "held out of the training" if recognizer.run else "generated noise",
        "signatures": sorted(signatures),
        "loaders": {name: {"what": LOADERS[name][0], "result": result} for name, result in results.items()},
        "not_proved": [] if certified_cases.has_texts(cases) else [NO_TEXTS],
    }


def _answers(folder: Any, chosen: dict[str, Numbered]) -> dict[str, Any]:
    """Answers by loader, of processes that run at the same time; a text where OpenVINO cannot convert the graph."""

    def run(name: str) -> Any:
        requests = {(number, request.signature): request.inputs for number, request in chosen[name]}
        try:
            return process.answer(name, folder, requests)
        except process.LoaderError as error:
            if name == "openvino":
                return f"not run: {textwrap.shorten(str(error), MAX_REASON)}"
            raise UserError(f"Not published: {LOADERS[name][0]}: {error}; the run is unchanged.") from None

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(chosen, pool.map(run, chosen), strict=True))


def _references(requests: Numbered, answers: Answers) -> dict[tuple[str, int], Answers]:
    """Expected outputs of each signature and case: the trained model's.

    Outputs that only a signature of its own has, such as features, must equal those of the case by itself.
    """
    references: dict[tuple[str, int], Answers] = {}
    for number, request in requests:
        if len(request.cases) == 1:
            own = {key: value[0] for key, value in _outputs(answers, number).items()}
            references[request.signature, id(request.cases[0])] = own | request.cases[0].expected
    return references


def _outputs(answers: Answers, number: int) -> Answers:
    prefix = f"{number}/"
    return {key.removeprefix(prefix): value for key, value in answers.items() if key.startswith(prefix)}


def _compared(
    loader: str, requests: Numbered, answers: Answers, references: dict[tuple[str, int], Answers]
) -> dict[str, Any]:
    """The result of one loader."""
    comparison = Comparison()
    for number, request in requests:
        outputs = _outputs(answers, number)
        for row, case in enumerate(request.cases):
            expected = references.get((request.signature, id(case)), case.expected)
            try:
                comparison.add({key: value[row] for key, value in outputs.items()}, expected)
            except DifferenceError as error:
                kind = f"{case.name} in a batch of {len(request.cases)}"
                raise UserError(
                    f"Not published: by {LOADERS[loader][0]} the signature {request.signature} answers {kind}: {error};"
                    " the run is unchanged."
                ) from None
    return {
        "requests": len(requests),
        "outputs_compared": comparison.rows,
        "texts_not_empty": comparison.texts,
        "largest_difference": float(f"{comparison.difference:.2g}"),
        "ties": comparison.ties,
    }
