"""What lies in an export for people and for clients: the certificate, a model card, and the names of the classes."""

from __future__ import annotations

import json
import logging
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tfrec.serving.certificate.certify import LOADERS
from tfrec.serving.layout import CARD, CERTIFICATE, DESCRIPTION, LABELS
from tfrec.serving.model_card import card

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

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
    text = card.write(recognizer, name, description, certificate, _results(certificate))
    (folder / CARD).write_text(text, encoding="utf-8")
    for line in _results(certificate):
        logger.info("%s", line)
    for gap in certificate["not_proved"]:
        logger.warning("The certificate does not prove %s.", gap)


def _results(certificate: Mapping[str, Any]) -> Iterator[str]:
    for name, loader in certificate["loaders"].items():
        result = loader["result"]
        if isinstance(result, str):
            yield f"{LOADERS[name]}: {result}"
        else:
            difference = result["largest_difference"]
            yield f"{LOADERS[name]}: {result['requests']} requests, largest difference {difference:.1e}"
