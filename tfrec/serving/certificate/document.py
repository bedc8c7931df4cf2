"""What lies in an export for people and for clients: the certificate, a model card, and the names of the classes."""

from __future__ import annotations

import json
import logging
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.counts import counted
from pipelines.errors import UserError
from tfrec.serving.certificate.certify import LOADERS
from tfrec.serving.layout import CARD, CERTIFICATE, DESCRIPTION, LABELS

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

SHOWN_LABELS = 20
LIMITS = {
    "rows": "rows",
    "pixels": "pixels of all pictures together",
    "seconds": "seconds of a clip",
    "total_seconds": "seconds of all clips together, each padded to the longest",
    "seconds_squared": "the same with the square of the longest",
    "samples": "samples of a clip, at least",
}

logger = logging.getLogger(__name__)


def write(recognizer: Recognizer, folder: Any, name: str, certificate: Mapping[str, Any]) -> None:
    """Writes certificate.json, README.md and labels.txt into an export.

    Args:
        recognizer: that was exported.
        folder: of the version.
        name: of the model.
        certificate: what `certify` returned.
    """
    folder = pathlib.Path(folder)
    for path in (CERTIFICATE, LABELS):
        (folder / path).parent.mkdir(exist_ok=True)
    (folder / CERTIFICATE).write_text(json.dumps(certificate, indent=2) + "\n", encoding="utf-8")
    labels = [label.replace("\n", " ") for label in recognizer.task.class_names]
    if labels:
        (folder / LABELS).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    card = "\n".join(_card(recognizer, name, description, certificate))
    (folder / CARD).write_text(card + "\n", encoding="utf-8")
    for line in _results(certificate):
        logger.info("%s", line)
    for gap in certificate["not_proved"]:
        logger.warning("The certificate does not prove %s.", gap)


def _card(
    recognizer: Recognizer, name: str, description: Mapping[str, Any], certificate: Mapping[str, Any]
) -> Iterator[str]:
    config = recognizer.config
    yield f"# {name}"
    yield ""
    date = certificate["date"]
    yield f"A `{config.model.name}` that answers {recognizer.task.describe()}, exported on {date} by tfrec."
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
    yield "A request is refused beyond these limits:"
    yield ""
    yield from (f"- {LIMITS.get(key, key)}: {value:,}" for key, value in description["limits"].items())
    yield ""
    yield "## Training"
    yield ""
    path = getattr(config.data, "path", None)
    yield f"Data: `{config.data.name}`{f' at `{path}`' if path else ''}. Frontend: `{config.frontend.name}`."
    yield from _scores(recognizer)
    yield ""
    yield "## Certificate"
    yield ""
    number, kinds = len(certificate["inputs"]), certificate["examples"]
    yield f"{number} inputs, {kinds}, alone and in padded batches, compared with the trained model:"
    yield ""
    yield from (f"- {line}" for line in _results(certificate))
    yield from (f"- not proved: {gap}" for gap in certificate["not_proved"])
    yield f"- warm-up: {certificate['warmup_records']} records answered"
    yield "- TensorFlow Serving itself: not run"


def _results(certificate: Mapping[str, Any]) -> Iterator[str]:
    for name, loader in certificate["loaders"].items():
        result = loader["result"]
        if isinstance(result, str):
            yield f"{LOADERS[name]}: {result}"
        else:
            difference = result["largest_difference"]
            yield f"{LOADERS[name]}: {result['requests']} requests, largest difference {difference:.1e}"


def _scores(recognizer: Recognizer) -> Iterator[str]:
    """The usual scores of each measured split."""
    if recognizer.run is None:
        return
    try:
        metrics = recognizer.run.read_json("metrics.json")
    except UserError:
        return
    for split, scores in metrics.items():
        if isinstance(scores, dict):
            names = [key for key in recognizer.task.score_names(recognizer.config.task) if key in scores]
            values = ", ".join(f"{key} {scores[key]:.4g}" for key in names if isinstance(scores[key], int | float))
            if values:
                yield f"Scores on {split}: {values}."
