"""A page with the most confident errors of a classifier: the picture or the sound, and what led to each answer."""

from __future__ import annotations

import base64
import io
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import soundfile

from pipelines.counts import counted
from pipelines.datasets.base import Split
from tfrec.explain import audible
from tfrec.explain.example import of_class
from tfrec.explain.integrated_gradients import integrated_gradients
from tfrec.recognizer import Recognizer
from tfrec.reports import explanations as drawings
from tfrec.reports import pages

NAME = "mistakes.html"
MAX_SECONDS = 20.0  # of a clip that can be played
COLUMNS = ("label", "answer", "speaker", "group")  # by which the page can be filtered


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
    raw = dict(_raw_examples(split, set(shown)))
    mistakes = [_mistake(recognizer, raw[i], predictions[i], _columns(split, i)) for i in shown]
    filters = {name: sorted({each["values"][name] for each in mistakes} - {""}) for name in COLUMNS}
    page = pages.render(
        "tfrec.reports",
        "mistakes.html.j2",
        summary=f"{counted(len(wrong), 'error')} in {counted(len(predictions), 'example')}",
        total=len(wrong),
        mistakes=mistakes,
        filters={name: values for name, values in filters.items() if len(values) > 1},
    )
    path.write_text(page, encoding="utf-8")
    return path


def _raw_examples(split: Split, numbers: set[int]) -> Iterator[tuple[int, Any]]:
    """The raw inputs of some examples."""
    for number, example in enumerate(split.examples.as_numpy_iterator()):
        if number in numbers:
            raw = {name: example[name] for name in ("image", "audio") if name in example}
            yield number, raw if len(raw) > 1 else next(iter(raw.values()))


def _columns(split: Split, number: int) -> dict[str, str]:
    """Speaker and group of an example, empty where they are not known."""
    row = split.rows[number] if split.rows is not None else None
    return {name: str(getattr(row, name, None) or "") for name in ("speaker", "group")}


def _mistake(
    recognizer: Recognizer, raw: Any, prediction: Mapping[str, Any], columns: Mapping[str, str]
) -> dict[str, Any]:
    """What the template shows of an error."""
    found: dict[str, Any] = {
        "name": prediction["path"],
        "confidence": f"{prediction['probability']:.1%}",
        "values": {"label": prediction["label"], "answer": prediction["answer"], **columns},
        "sound": None,
        "pictures": [],
    }
    if isinstance(raw, dict):  # of pairs both inputs, without an explanation
        found["sound"] = _sound(raw["audio"], recognizer.frontend.parts()["audio"].config.sample_rate_hz)
        found["pictures"] = [_drawn(drawings.plain, raw["image"])]
        return found
    example, _ = of_class(recognizer, raw)
    relevance, title = integrated_gradients(example), f"why {prediction['answer']}"
    if recognizer.modality == "image":
        resized = np.asarray(recognizer.frontend.parts()["image"].resize(raw[None].astype("float32")))[0]
        found["pictures"] = [_drawn(drawings.picture, resized, relevance, title)]
        return found
    found["sound"] = _sound(raw, recognizer.frontend.parts()["audio"].config.sample_rate_hz)
    if recognizer.frontend.trim is None:  # else the map has no known place in the clip
        where = audible.axes(recognizer.frontend, len(raw), example.cells)
        found["pictures"] = [_drawn(drawings.clip, *audible.shown(example.features, relevance, where), title)]
    return found


def _drawn(draw: Any, *values: Any) -> str:
    """A drawing as base64 of PNG."""
    contents = io.BytesIO()
    draw(*values, contents)
    return base64.b64encode(contents.getvalue()).decode()


def _sound(samples: np.ndarray, rate: int) -> str:
    """The start of a clip as base64 of a WAV file."""
    contents = io.BytesIO()
    soundfile.write(contents, np.clip(samples[: round(MAX_SECONDS * rate)], -1, 1), rate, "PCM_16", format="WAV")
    return base64.b64encode(contents.getvalue()).decode()
