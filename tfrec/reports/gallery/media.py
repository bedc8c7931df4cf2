"""Raw examples, and drawings and sounds as texts that a page can hold."""

import base64
import io
from collections.abc import Iterator, Set
from typing import Any

import numpy as np
import soundfile

from pipelines.datasets.base import Split
from tfrec.reports import explanations as drawings

MAX_SECONDS = 20.0  # of a clip that can be played


def raw_examples(split: Split, numbers: Set[int]) -> Iterator[tuple[int, Any]]:
    """The raw inputs of some examples.

    Args:
        split: The examples.
        numbers: Their places in the split.

    Yields:
        The number, and pixels, samples, or the dict of both of a pair.
    """
    for number, example in enumerate(split.examples.as_numpy_iterator()):
        if number in numbers:
            raw = {name: example[name] for name in ("image", "audio") if name in example}
            yield number, raw if len(raw) > 1 else next(iter(raw.values()))


def drawn(draw: Any, *values: Any) -> str:
    """A drawing as base64 of PNG; `draw` takes the values and a file."""
    contents = io.BytesIO()
    draw(*values, contents)
    return base64.b64encode(contents.getvalue()).decode()


def sound(samples: np.ndarray, rate: int) -> str:
    """The start of a clip as base64 of a WAV file."""
    contents = io.BytesIO()
    soundfile.write(contents, np.clip(samples[: round(MAX_SECONDS * rate)], -1, 1), rate, "PCM_16", format="WAV")
    return base64.b64encode(contents.getvalue()).decode()


def plain(raw: Any, rate: int | None) -> tuple[list[str], str | None]:
    """An example as it is: the picture, or the spectrogram and the sound, or of a pair all of them.

    Args:
        raw: What `raw_examples` yields.
        rate: Samples per second; None without sound.

    Returns:
        Pictures and the sound of an Item.
    """
    parts = raw if isinstance(raw, dict) else {"image" if raw.ndim == 3 else "audio": raw}
    pictures = [drawn(drawings.plain, parts["image"])] if "image" in parts else []
    if "audio" not in parts:
        return pictures, None
    assert rate is not None
    start = parts["audio"][: round(MAX_SECONDS * rate)]
    return [*pictures, drawn(drawings.spectrogram, start, rate)], sound(start, rate)
