"""Raw examples and files of every kind with the trained model's answers, and requests made of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import UserError
from tfrec.serving import examples, savedmodel
from tfrec.serving.certificate import sample_files
from tfrec.serving.examples import Answers
from tfrec.serving.graph.rules import Limits

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

ROWS_IN_BATCH = 16
TEXT_SEEDS = 16  # of generated clips, tried until one has a text
TEXT_OUTPUT = "text"


@dataclasses.dataclass(frozen=True)
class Case:
    """One example.

    Attributes:
        name: for messages.
        raw: pixels, or samples at the model's rate, as the trained model takes them.
        expected: its answers.
        contents: the file, of cases for signatures of bytes; from it `raw` was read as training reads files.
    """

    name: str
    raw: np.ndarray
    expected: Answers
    contents: bytes | None = None


@dataclasses.dataclass(frozen=True)
class Request:
    """A request and the cases of its rows."""

    signature: str
    inputs: dict[str, np.ndarray]
    cases: Sequence[Case]


def collect(recognizer: Recognizer) -> list[Case]:
    """The held-out examples of the recognizer's run, or noise, and one file of every kind made of them.

    Where no example of a transcriber has a text, a clip of noise that has one joins them. What is beyond the limits of
    the export is left out.
    """
    limits = savedmodel.limits_of(recognizer)
    if recognizer.run is None:
        raw = examples.generate(recognizer)
        expected = examples.answer_each(recognizer, raw)
    else:
        raw, expected = examples.read(recognizer.run)
        if recognizer.config.export.beam_width > 1 or set(expected[0]) != set(answers_of(recognizer, raw[0])):
            expected = examples.answer_each(recognizer, raw)  # the run holds other answers than the export gives
    cases = [Case(f"example {i}", *pair) for i, pair in enumerate(zip(raw, expected, strict=True))]
    if recognizer.modality == "audio":  # so that a batch has padding, also where all examples are equally long
        half = cases[0].raw[: len(cases[0].raw) // 2]
        cases.append(Case(f"half of {cases[0].name}", half, answers_of(recognizer, half)))
    if TEXT_OUTPUT in expected[0] and not has_texts(cases):
        cases += _spoken_noise(recognizer)
    cases = [case for case in cases if _is_within(case, limits, recognizer)]
    if not cases:
        raise UserError("Not published: every example is beyond the limits of the export: raise export.max_seconds.")
    return cases + [case for case in _files(recognizer, cases) if _is_within(case, limits, recognizer)]


def _is_within(case: Case, limits: Limits, recognizer: Recognizer) -> bool:
    """Whether the export takes an example at all."""
    if recognizer.modality == "image":
        return int(np.prod(case.raw.shape[:2])) <= limits.pixels
    seconds = len(case.raw) / recognizer.config.frontend.sample_rate_hz
    return len(case.raw) >= savedmodel.window(recognizer) and seconds <= limits.seconds


def answers_of(recognizer: Recognizer, raw: np.ndarray) -> Answers:
    """The recognizer's answers to one raw example."""
    return examples.answer_each(recognizer, [raw])[0]


def has_texts(cases: Sequence[Case]) -> bool:
    """Whether some expected text is not empty; True for tasks without texts."""
    texts = [str(case.expected[TEXT_OUTPUT]) for case in cases if TEXT_OUTPUT in case.expected]
    return not texts or any(texts)


def _spoken_noise(recognizer: Recognizer) -> Iterator[Case]:
    """One clip of noise to which the model answers a text, if there is one: equal empty texts prove nothing."""
    rate = recognizer.config.frontend.sample_rate_hz
    for seed in range(TEXT_SEEDS):
        random = np.random.default_rng(seed)
        envelope = np.sin(np.arange(2 * rate) / rate * np.pi * 2 ** (seed % 6)) ** 2
        scale = (0.003, 0.03, 0.1, 0.3)[seed % 4]
        wave = np.clip(random.normal(scale=scale, size=2 * rate) * envelope, -1, 1)
        clip = np.round(wave * 32767).astype("float32") / 32768
        expected = answers_of(recognizer, clip)
        if str(expected[TEXT_OUTPUT]):
            yield Case(f"generated clip {seed}", clip, expected)
            return


def _files(recognizer: Recognizer, cases: Sequence[Case]) -> Iterator[Case]:
    """A file of each kind, made of the examples in turn; what training reads from it is the input."""
    config = recognizer.config.frontend
    is_image = recognizer.frontend.modality == "image"
    kinds = list(sample_files.PICTURES if is_image else sample_files.SOUNDS)
    # The last ones first: a generated clip with a text is among them.
    for kind, case in zip(kinds, _repeated(cases[::-1]), strict=False):
        if is_image:
            contents = sample_files.picture(kind, case.raw)
        else:
            contents = sample_files.sound(kind, case.raw, config.sample_rate_hz)
        raw = recognizer.read(contents)
        if raw.dtype != case.raw.dtype and is_image:
            raw = np.rint(raw).astype(case.raw.dtype) if case.raw.dtype == np.uint8 else raw.astype(case.raw.dtype)
        yield Case(f"{case.name} as {kind}", raw, answers_of(recognizer, raw), contents)


def _repeated(cases: Sequence[Case]) -> Iterator[Case]:
    while True:
        yield from cases


def requests(cases: Sequence[Case], signatures: dict[str, set[str]], limits: Limits, rate: int = 1) -> list[Request]:
    """Every case by itself, and cases of all kinds and sizes together, for every signature.

    Args:
        cases: what to send.
        signatures: the inputs of each signature.
        limits: of a request.
        rate: samples a second, of clips.
    """
    made = []
    for signature, inputs in signatures.items():
        of_bytes = inputs == {"encoded"}
        taken = [case for case in cases if (case.contents is not None) == of_bytes]
        # The alias gets the mixed batches alone.
        groups = [] if signature == savedmodel.ENCODED else [[case] for case in taken]
        if of_bytes or inputs == {"audio", "length"}:
            groups += _batches(taken, limits, rate)
        elif inputs == {"image"}:
            for shape in sorted({case.raw.shape for case in taken}):
                groups += _batches([case for case in taken if case.raw.shape == shape], limits, rate)
        else:
            raise UserError(f"Not published: no request is known for the inputs {sorted(inputs)} of {signature}.")
        made += [Request(signature, _inputs(group, inputs), group) for group in groups]
    return made


def _batches(cases: Sequence[Case], limits: Limits, rate: int) -> list[list[Case]]:
    """Cases in their order, as many together as the limits of a request allow."""
    batches: list[list[Case]] = []
    for case in cases:
        if batches and _fits([*batches[-1], case], limits, rate):
            batches[-1].append(case)
        else:
            batches.append([case])
    return batches


def _fits(cases: Sequence[Case], limits: Limits, rate: int) -> bool:
    if len(cases) > min(limits.rows, ROWS_IN_BATCH):
        return False
    if cases[0].raw.ndim > 1:
        return sum(int(np.prod(case.raw.shape[:2])) for case in cases) <= limits.pixels
    longest = max(len(case.raw) for case in cases) / rate
    total, squared = len(cases) * longest, len(cases) * longest**2
    return total <= limits.total_seconds and squared <= (limits.seconds_squared or squared)


def _inputs(cases: Sequence[Case], names: set[str]) -> dict[str, np.ndarray]:
    if "encoded" in names:
        contents = np.empty(len(cases), object)
        contents[:] = [case.contents for case in cases]
        return {"encoded": contents}
    raw = [case.raw for case in cases]
    return {"image": np.stack(raw)} if "image" in names else _padded(raw)


def _padded(clips: Sequence[np.ndarray]) -> dict[str, Any]:
    """Padded as TensorFlow Serving pads when it merges requests: with a clip's first sample, not with 0."""
    lengths = [len(clip) for clip in clips]
    audio = [np.pad(clip, (0, max(lengths) - len(clip)), constant_values=clip[0] if len(clip) else 0) for clip in clips]
    return {"audio": np.stack(audio), "length": np.array(lengths, "int32")}
