"""Raw examples and a recognizer's answers to them, which its export must repeat: a run's examples.npz, or noise."""

from __future__ import annotations

import shlex
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.datasets.base import Split
from pipelines.errors import UserError
from tfrec.runs.run import Run

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

FILE = "examples.npz"
EXAMPLES = 8  # kept in a run
GENERATED_EXAMPLES = 3  # where a recognizer has no run

Answers = dict[str, np.ndarray]  # a number, an array or a text for each output


def choose(split: Split) -> list[np.ndarray]:
    """A few raw examples of a split."""
    examples = split.examples.take(8 * EXAMPLES).shard(8, 0)
    return [_raw(example) for example in examples.as_numpy_iterator()]


def write(run: Run, recognizer: Recognizer, raw: Sequence[np.ndarray]) -> None:
    """Writes raw examples and the recognizer's answers into a run."""
    arrays: dict[str, Any] = {}
    for i, (example, answers) in enumerate(zip(raw, answer_each(recognizer, raw), strict=True)):
        arrays |= {f"{i}/{name}": value for name, value in {"raw": example, **answers}.items()}
    np.savez_compressed(run.path / FILE, **arrays)


def read(run: Run) -> tuple[list[np.ndarray], list[Answers]]:
    """Raw inputs and answers of a run's examples; UserError where the run has none."""
    examples: dict[int, Answers] = {}
    try:
        with np.load(run.path / FILE, allow_pickle=False) as stored:
            for key in stored.files:
                number, name = key.split("/")
                examples.setdefault(int(number), {})[name] = stored[key]
        raw = [examples[i].pop("raw") for i in range(len(examples))]
        return raw, [examples[i] for i in range(len(examples))]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"Cannot read {run.path / FILE}, the examples that an export must repeat: {error}; finish the run with"
            f" `python -m tfrec.fit --run {shlex.quote(str(run.path))} --resume`."
        ) from None


def generate(recognizer: Recognizer) -> list[np.ndarray]:
    """Noise as raw inputs: pictures of the frontend's size, or clips of about a second."""
    random, config = np.random.default_rng(0), recognizer.config.frontend
    if recognizer.frontend.modality == "image":
        shape = (GENERATED_EXAMPLES, config.height, config.width, config.channels)
        return list(random.integers(0, 256, shape).astype(config.pixels or "uint8"))
    sizes = [config.sample_rate_hz + 1000 * i for i in range(GENERATED_EXAMPLES)]
    return [random.integers(-3000, 3000, size).astype("float32") / 32768 for size in sizes]


def answer_each(recognizer: Recognizer, raw: Sequence[np.ndarray]) -> list[Answers]:
    """The recognizer's answers to raw inputs, one by one."""
    answers = []
    for example in raw:
        outputs = recognizer.answers(recognizer.batch_of_one(example))
        answers.append({name: _storable(value[0]) for name, value in outputs.items()})
    return answers


def _raw(example: dict[str, Any]) -> np.ndarray:
    """An example as a client sends it: audio on the grid of 16 bits, so that a WAV file can hold it."""
    if "image" in example:
        return example["image"]
    return np.clip(np.round(example["audio"] * 32768), -32768, 32767).astype("float32") / 32768


def _storable(value: Any) -> np.ndarray:
    """Texts as unicode, since numpy stores bytes objects as a pickle."""
    value = np.asarray(value)
    return value if value.dtype.kind not in "OS" else np.vectorize(lambda text: text.decode(), otypes=["U"])(value)
