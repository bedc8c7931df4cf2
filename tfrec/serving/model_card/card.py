"""The model card, in Markdown; every number comes from the files of the run or from the certificate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.counts import counted
from pipelines.errors import UserError
from tfrec.serving.model_card import origin, robustness, scores

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer
    from tfrec.runs.run import Run

SHOWN_LABELS = 20
LIMITS = {
    "rows": "rows",
    "pixels": "pixels of all pictures together",
    "seconds": "seconds of a clip",
    "total_seconds": "seconds of all clips together, each padded to the longest",
    "seconds_squared": "the same with the square of the longest",
    "samples": "samples of a clip, at least",
}


def write(
    recognizer: Recognizer,
    name: str,
    description: Mapping[str, Any],
    certificate: Mapping[str, Any],
    results: Iterator[str],
) -> str:
    """Writes the card.

    Args:
        recognizer: What was exported.
        name: Of the model.
        description: Of the export, see `savedmodel.describe`.
        certificate: What `certify` returned.
        results: A line for each loader of the certificate.

    Returns:
        Markdown.
    """
    lines = [*_use(recognizer, name, description, certificate)]
    if recognizer.run is None:
        lines += ["## Data and scores", "", "Not recorded: the model was exported without a run.", ""]
    else:
        lines += [*_of_run(recognizer, recognizer.run)]
    lines += [*_limits(recognizer, description), *_certificate(certificate, results)]
    if recognizer.run is not None:
        lines += [*origin.commands(recognizer.run)]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"


def _use(
    recognizer: Recognizer, name: str, description: Mapping[str, Any], certificate: Mapping[str, Any]
) -> Iterator[str]:
    yield f"# {name}"
    yield ""
    model, date = recognizer.config.model.name, certificate["date"]
    yield f"A `{model}` that answers {recognizer.task.describe()}, exported on {date} by tfrec."
    yield ""
    yield "## Use"
    yield ""
    inputs = []
    if "channels" in description:
        inputs.append(f"pictures with {counted(description['channels'], 'channel')}, or JPEG and PNG files")
    if "sample_rate_hz" in description:
        inputs.append(f"audio at {description['sample_rate_hz']:,} Hz, or WAV files")
    yield f"Input: {'; and '.join(inputs)}."
    yield f"Signatures: {', '.join(f'`{each}`' for each in certificate['signatures'])}."
    labels = description.get("labels")
    if isinstance(labels, list):
        more = f" and {len(labels) - SHOWN_LABELS} more" if len(labels) > SHOWN_LABELS else ""
        yield f"Classes, {len(labels)}: {', '.join(map(str, labels[:SHOWN_LABELS]))}{more}."
    yield ""


def _of_run(recognizer: Recognizer, run: Run) -> Iterator[str]:
    """Data, training and scores."""
    metrics, decision = _read(run, "metrics.json"), _read(run, "decision.json")
    task = recognizer.task
    test = metrics.get("test", {})
    yield from origin.data(recognizer.config, run, metrics)
    yield from origin.training(recognizer.config, run, metrics)
    yield "## Scores"
    yield ""
    if not test:
        yield f"The test split: not measured. `tfrec evaluate {run.path}` measures it."
    yield from scores.of_splits(metrics, task.score_names(recognizer.config.task))
    yield from scores.by_class(test)
    yield from scores.by_group(test, str(run.path))
    if task.label_kind == "classes":
        yield from scores.calibration(test, decision, str(run.path))
        if len(recognizer.frontend.parts()) == 1:
            yield from scores.out_of_domain(metrics, str(run.path))
    if task.label_kind == "texts":
        yield from scores.word_confidences(test, str(run.path))
    if recognizer.modality == "audio":
        yield from robustness.noise(run)
    if recognizer.modality == "image" and task.label_kind == "classes":
        yield from robustness.corruptions(run)


def _limits(recognizer: Recognizer, description: Mapping[str, Any]) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield "The scores hold for data like the test split: the same sources, the same conditions, the same classes."
    if recognizer.task.label_kind == "classes":
        yield "Whatever is given, the answer is one of the classes; `accepted` says whether it is to be relied upon."
    yield ""
    yield "A request is refused beyond these limits:"
    yield ""
    yield from (f"- {LIMITS.get(key, key)}: {value:,}" for key, value in description["limits"].items())
    yield ""


def _certificate(certificate: Mapping[str, Any], results: Iterator[str]) -> Iterator[str]:
    yield "## Certificate"
    yield ""
    number, kinds = len(certificate["inputs"]), certificate["examples"]
    yield f"{number} inputs, {kinds}, alone and in padded batches, compared with the trained model:"
    yield ""
    yield from (f"- {line}" for line in results)
    yield from (f"- not proved: {gap}" for gap in certificate["not_proved"])
    yield f"- warm-up: {certificate['warmup_records']} records answered"
    yield "- TensorFlow Serving itself: not run"
    yield ""


def _read(run: Run, name: str) -> Mapping[str, Any]:
    """A JSON object of a run; empty where the run lacks it."""
    try:
        found = run.read_json(name)
    except UserError:
        return {}
    return found if isinstance(found, dict) else {}
