"""Sends cases to an export by every loader, and compares."""

from __future__ import annotations

import datetime
import importlib.util
import textwrap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.serving import protos, savedmodel
from tfrec.serving.certificate import cases as certified_cases
from tfrec.serving.certificate.cases import TEXT_OUTPUT, Case, Request
from tfrec.serving.certificate.compare import FLOAT32_TOLERANCE, Comparison, DifferenceError, tolerance_of
from tfrec.serving.loaders import c_api, process

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

LOADERS = {
    "c_api": "TensorFlow's C library, as a server runs it",
    "v1_session": "TensorFlow's v1 session in a process without Keras",
    "openvino": "OpenVINO, numbers alone",
}
# Loaders of TensorFlow; of these the last one that is installed answers the warm-up records too.
RUNTIMES = ("v1_session", "c_api")
NOT_INSTALLED = "not run: it is not installed"
FLOAT32_ALONE = "not run: it computes in float32, and the network in half precision"
MAX_REASON = 160  # characters
NO_TEXTS = "texts: the model's answers to all clips are empty, so that equality is no proof"

Answers = dict[str, np.ndarray]
Numbered = list[tuple[int, Request]]
Warmup = tuple[str, dict[str, np.ndarray]]


def certify(
    recognizer: Recognizer, folder: Any, cases: Sequence[Case], warmup: Sequence[Warmup] = ()
) -> dict[str, Any]:
    """What an export answers, compared with the trained model.

    Each loader has a process of its own, without Keras. One answers the cases and then the warm-up records, so that
    TensorFlow prepares each graph once: the C library, or the v1 session where TensorFlow's wheel has no such library.

    Args:
        recognizer: the trained model.
        folder: of the SavedModel, not published yet.
        cases: what `cases.collect` returned.
        warmup: the requests of the warm-up records, signature and inputs; they need only be answered.

    Returns:
        The certificate, see `document`.

    Raises:
        UserError: where an answer differs, or a loader fails.
    """
    signatures = {name: set(definition.inputs) for name, definition in protos.signatures(folder).items()}
    limits, rate = savedmodel.limits_of(recognizer), getattr(recognizer.config.frontend, "sample_rate_hz", 1)
    requests = list(enumerate(certified_cases.requests(cases, signatures, limits, rate)))
    runtimes = [name for name in RUNTIMES if name != "c_api" or c_api.library_path() is not None]
    chosen, openvino = dict.fromkeys(runtimes, requests), NOT_INSTALLED
    if recognizer.config.fit.precision != "float32":
        openvino = FLOAT32_ALONE
    elif importlib.util.find_spec("openvino") is not None:
        numeric = "logits" if "logits" in signatures else "tensor"
        chosen["openvino"] = [pair for pair in requests if pair[1].signature == numeric]
    numbered = {(i, name): inputs for i, (name, inputs) in enumerate(warmup, start=1)}
    answers = _answers(folder, chosen, {runtimes[-1]: numbered})
    references = _references(requests, answers[runtimes[-1]])
    results: dict[str, Any] = {**dict.fromkeys(RUNTIMES, NOT_INSTALLED), "openvino": openvino}
    for name, given in answers.items():
        if not isinstance(given, str):
            given = _compared(recognizer, name, chosen[name], given, references)
        results[name] = given
    return {
        "passed": True,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "tensorflow": tf.__version__,
        "tolerance": _tolerance(recognizer),
        "inputs": [case.name for case in cases],
        "examples": "held out of the training" if recognizer.run else "generated noise",
        "signatures": sorted(signatures),
        "loaders": {name: {"what": LOADERS[name], "result": result} for name, result in results.items()},
        "warmup_records": len(warmup),
        "not_proved": [] if certified_cases.has_texts(cases) else [NO_TEXTS],
    }


def _answers(folder: Any, chosen: dict[str, Numbered], warmup: dict[str, process.Requests]) -> dict[str, Any]:
    """Answers by loader, of processes that run at the same time; a text where OpenVINO cannot convert the graph."""

    def run(name: str) -> Any:
        requests = {(number, request.signature): request.inputs for number, request in chosen[name]}
        try:
            return process.answer(name, folder, requests, warmup.get(name))
        except process.LoaderError as error:
            if name == "openvino":
                return f"not run: {textwrap.shorten(str(error), MAX_REASON)}"
            advice = ": change export.warmup_batches" if str(error).startswith("warm-up") else ""
            raise UserError(f"Not published: {LOADERS[name]}: {error}; the run is unchanged{advice}.") from None

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
            references[request.signature, id(request.cases[0])] = own | request.cases[0].expected_by(request.signature)
    return references


def _outputs(answers: Answers, number: int) -> Answers:
    prefix = f"{number}/"
    return {key.removeprefix(prefix): value for key, value in answers.items() if key.startswith(prefix)}


def _tolerance(recognizer: Recognizer) -> float:
    """Of the numbers that the network computes; the frontend computes in float32."""
    return tolerance_of(keras.DTypePolicy(recognizer.config.fit.precision).compute_dtype)


def _compared(
    recognizer: Recognizer,
    loader: str,
    requests: Numbered,
    answers: Answers,
    references: dict[tuple[str, int], Answers],
) -> dict[str, Any]:
    """The result of one loader."""
    known = recognizer.description
    comparison = Comparison(_tolerance(recognizer), known.get("threshold"), known.get("set_threshold"))
    frontend = Comparison(FLOAT32_TOLERANCE)
    for number, request in requests:
        outputs = _outputs(answers, number)
        compared = frontend if request.signature == savedmodel.FEATURES else comparison
        for row, case in enumerate(request.cases):
            expected = references.get((request.signature, id(case)), case.expected_by(request.signature))
            try:
                compared.add({key: value[row] for key, value in outputs.items()}, expected)
            except DifferenceError as error:
                if TEXT_OUTPUT in outputs and _has_other_texts(recognizer, case, comparison.tolerance):
                    comparison.ties += 1
                    continue
                kind = f"{case.name} in a batch of {len(request.cases)}"
                raise UserError(
                    f"Not published: by {LOADERS[loader]} the signature {request.signature} answers {kind}: {error};"
                    " the run is unchanged."
                ) from None
    return {
        "requests": len(requests),
        "outputs_compared": comparison.rows + frontend.rows,
        "texts_not_empty": comparison.texts,
        "largest_difference": float(f"{max(comparison.difference, frontend.difference):.2g}"),
        "ties": comparison.ties,
    }


def _has_other_texts(recognizer: Recognizer, case: Case, tolerance: float) -> bool:
    """Whether at some step the two best tokens are equally probable within the tolerance: another text is right too.

    The logits themselves, of a signature of their own, must still agree.
    """
    outputs = recognizer(recognizer.batch_of_one(case.raw))
    logits = tf.cast(outputs["logits"], tf.float32)[0, : int(outputs["steps"][0])]
    best = tf.math.top_k(tf.nn.softmax(logits), 2).values.numpy()
    return bool(np.any(best[:, 0] - best[:, 1] <= 2 * tolerance))
