"""A page with the most confident errors of a classifier: the picture or the sound, and what led to each answer."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.counts import counted
from pipelines.datasets import example_columns
from pipelines.datasets.base import Split
from pipelines.errors import UserError
from tfrec.explain import drawing
from tfrec.explain.example import of_class
from tfrec.explain.integrated_gradients import integrated_gradients
from tfrec.recognizer import Recognizer
from tfrec.reports.gallery import media, page

NAME = "mistakes.html"


def write(
    recognizer: Recognizer, split: Split, predictions: Sequence[Mapping[str, Any]], folder: pathlib.Path, limit: int
) -> pathlib.Path | None:
    """Writes the page, one self-contained HTML file.

    Args:
        recognizer: A classifier.
        split: The examples.
        predictions: "path", "label", "answer" and "probability" of each example, in the order of the split.
        folder: Where the page is written.
        limit: Errors that are shown, the most confident ones.

    Returns:
        Its path; None where every answer is right.
    """
    wrong = [i for i, row in enumerate(predictions) if row["label"] != row["answer"]]
    path = folder / NAME
    if not wrong:
        path.unlink(missing_ok=True)
        return None
    shown = sorted(wrong, key=lambda i: -predictions[i]["probability"])[:limit]
    raw = dict(media.raw_examples(split, set(shown)))
    known = {name: example_columns.values(split, name) for name in example_columns.names(split)}
    columns = [{name: values[i] for name, values in known.items()} for i in shown]
    items = [_item(recognizer, raw[i], predictions[i], own) for i, own in zip(shown, columns, strict=True)]
    summary = f"{counted(len(wrong), 'error')} in {counted(len(predictions), 'example')}"
    if len(items) < len(wrong):
        summary += f", the {len(items)} most confident of which are shown"
    page.write(path, "Mistakes", f"{summary}.", items)
    return path


def _item(recognizer: Recognizer, raw: Any, prediction: Mapping[str, Any], columns: Mapping[str, str]) -> page.Item:
    """An error on the page; of pairs both inputs, without an explanation."""
    speech = recognizer.frontend.parts().get("audio")
    pictures, sound = media.plain(raw, speech.config.sample_rate_hz if speech else None)
    if not isinstance(raw, dict):
        example, _ = of_class(recognizer, raw)
        title = f"why {prediction['answer']}"
        with contextlib.suppress(UserError):  # of a clip in which the map has no known place, its spectrogram is shown
            pictures = [media.drawn(drawing.draw, recognizer, raw, example, integrated_gradients(example), title)]
    label, answer = prediction["label"], prediction["answer"]
    facts = (
        page.Fact("wrong", "answer", f"{answer}, {prediction['probability']:.1%}"),
        page.Fact("right", "label", label),
        *(page.Fact("plain", name, value) for name, value in columns.items()),
    )
    return page.Item(prediction["path"], facts, {**columns, "label": label, "answer": answer}, pictures, sound)
