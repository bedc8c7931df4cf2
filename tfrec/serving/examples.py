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
RAW = "raw"  # name of an example's raw input in it; "raw.image" and "raw.audio" of a pair
EXAMPLES = 8  # kept in a run
MAX_BYTES = 1_000_000_000  # of all of them, unpacked
GENERATED_EXAMPLES = 3  # where a recognizer has no run

Answers = dict[str, np.ndarray]  # a number, an array or a text for each output


def parts_of(raw: Any) -> dict[str, np.ndarray]:
    """A raw example by the names of its raw inputs: "image", "audio", or both."""
    return raw if isinstance(raw, dict) else {"audio" if raw.ndim == 1 else "image": raw}


def choose(split: Split) -> list[Any]:
    """A few raw examples of a split."""
    examples = split.examples.take(8 * EXAMPLES).shard(8, 0)
    return [_raw(example) for example in examples.as_numpy_iterator()]


def write(run: Run, recognizer: Recognizer, raw: Sequence[Any]) -> None:
    """Writes raw examples and the recognizer's answers into a run."""
    arrays: dict[str, Any] = {}
    for i, (example, answers) in enumerate(zip(raw, answer_each(recognizer, raw), strict=True)):
        inputs = {f"{RAW}.{name}": value for name, value in example.items()} if isinstance(example, dict) else None
        arrays |= {f"{i}/{name}": value for name, value in {**(inputs or {RAW: example}), **answers}.items()}
    np.savez_compressed(run.path / FILE, **arrays)


def read(run: Run) -> tuple[list[Any], list[Answers]]:
    """Raw inputs and answers of a run's examples; UserError where the run has none."""
    examples: dict[int, Answers] = {}
    try:
        with zipfile.ZipFile(run.path / FILE) as packed:
            if sum(member.file_size for member in packed.infolist()) > MAX_BYTES:
                raise ValueError(f"its arrays have more than {MAX_BYTES:,} bytes")
        with np.load(run.path / FILE, allow_pickle=False) as stored:
            for key in stored.files:
                number, name = key.split("/")
                examples.setdefault(int(number), {})[name] = stored[key]
        raw = [_pop_raw(examples[i]) for i in range(len(examples))]
        return raw, [examples[i] for i in range(len(examples))]
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise UserError(
            f"Cannot read {run.path / FILE}, the examples that an export must repeat: {error}; finish the run with"
            f" `python -m tfrec.fit --run {shlex.quote(str(run.path))} --resume`."
        ) from None


def _pop_raw(arrays: Answers) -> Any:
    """Takes the raw input, or the dict of those of a pair, out of what is stored of an example."""
    names = [name for name in arrays if name.partition(".")[0] == RAW]
    parts = {name.partition(".")[2]: arrays.pop(name) for name in names}
    return parts[""] if set(parts) <= {""} else parts


def generate(recognizer: Recognizer) -> list[Any]:
    """Noise as raw inputs: pictures of the frontend's size, or clips of about a second."""
    random = np.random.default_rng(0)
    return [recognizer.frontend.noise(random, number) for number in range(GENERATED_EXAMPLES)]


def answer_each(recognizer: Recognizer, raw: Sequence[Any]) -> list[Answers]:
    """The recognizer's answers to raw inputs, one by one."""
    answers = []
    for example in raw:
        outputs = recognizer.answers(recognizer.batch_of_one(example))
        answers.append({name: _storable(value[0]) for name, value in outputs.items()})
    return answers


def _raw(example: dict[str, Any]) -> Any:
    """An example as a client sends it: audio on the grid of 16 bits, so that a WAV file can hold it."""
    raw = {name: example[name] for name in ("image", "video", "audio") if name in example}
    if "audio" in raw:
        raw["audio"] = np.clip(np.round(raw["audio"] * 32768), -32768, 32767).astype("float32") / 32768
    return raw if len(raw) > 1 else next(iter(raw.values()))


def _storable(value: Any) -> np.ndarray:
    """Texts as unicode, since numpy stores bytes objects as a pickle."""
    value = np.asarray(value)
    return value if value.dtype.kind not in "OS" else np.vectorize(lambda text: text.decode(), otypes=["U"])(value)
