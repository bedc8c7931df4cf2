"""Raw examples and files of every kind with the trained model's answers, and requests made of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
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
KINDS = {"image": sample_files.PICTURES, "audio": sample_files.SOUNDS}  # of files
TEXT_SEEDS = 16  # of generated clips, tried until one has a text
TEXT_OUTPUT = "text"


@dataclasses.dataclass(frozen=True)
class Case:
    """One example.

    Attributes:
        name: for messages.
        raw: pixels, or samples at the model's rate, as the trained model takes them; of pairs a dict of both.
        expected: its answers.
        contents: the file, or those of a pair by the names of raw inputs, of cases for signatures of bytes; from it
            `raw` was read as training reads files.
        alone: of pairs, answers to one input alone by the signatures that take it.
    """

    name: str
    raw: Any
    expected: Answers
    contents: Mapping[str, bytes] | None = None
    alone: Mapping[str, Answers] = dataclasses.field(default_factory=dict)

    def expected_by(self, signature: str) -> Answers:
        """The trained model's answers to what a signature takes of the example."""
        return self.alone.get(signature, self.expected)

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """`raw` by the names of raw inputs."""
        return examples.parts_of(self.raw)


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
    if "audio" in recognizer.frontend.parts():  # so that a batch has padding, also where all clips are equally long
        half = _halved(cases[0].raw)
        cases.append(Case(f"half of {cases[0].name}", half, answers_of(recognizer, half)))
    if TEXT_OUTPUT in expected[0] and not has_texts(cases):
        cases += _spoken_noise(recognizer)
    cases = [case for case in cases if _is_within(case, limits, recognizer)]
    if not cases:
        raise UserError("Not published: every example is beyond the limits of the export: raise export.max_seconds.")
    cases += [case for case in _files(recognizer, cases) if _is_within(case, limits, recognizer)]
    return [dataclasses.replace(case, alone=_alone(recognizer, case)) for case in cases]


def _alone(recognizer: Recognizer, case: Case) -> dict[str, Answers]:
    """Answers to the picture and to the clip of a pair, by the signatures of each."""
    expected: dict[str, Answers] = {}
    for part, alone in recognizer.of_single_inputs().items():
        answers = answers_of(alone, {part: case.parts[part]})
        expected |= dict.fromkeys(savedmodel.single_input_names(part), answers)
    return expected


def _is_within(case: Case, limits: Limits, recognizer: Recognizer) -> bool:
    """Whether the export takes an example at all."""
    if "image" in case.parts and int(np.prod(case.parts["image"].shape[:2])) > limits.pixels:
        return False
    if "audio" not in case.parts:
        return True
    samples = len(case.parts["audio"])
    seconds = samples / recognizer.frontend.parts()["audio"].config.sample_rate_hz
    return samples >= savedmodel.window(recognizer) and seconds <= limits.seconds


def _halved(raw: Any) -> Any:
    """The first half of a clip, of pairs with its picture."""
    if isinstance(raw, dict):
        return {**raw, "audio": _halved(raw["audio"])}
    return raw[: len(raw) // 2]


def answers_of(recognizer: Recognizer, raw: Any) -> Answers:
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
    inputs = recognizer.frontend.parts()
    kinds = [list(KINDS[name]) for name in inputs]
    count = max(map(len, kinds))
    # The last ones first: a generated clip with a text is among them.
    for number, case in zip(range(count), _repeated(cases[::-1]), strict=False):
        chosen = {name: each[number % len(each)] for name, each in zip(inputs, kinds, strict=True)}
        contents, raw = {}, {}
        for name, kind in chosen.items():
            contents[name], raw[name] = _file(recognizer, name, kind, case.parts[name])
        read = raw if len(raw) > 1 else next(iter(raw.values()))
        yield Case(f"{case.name} as {' and '.join(chosen.values())}", read, answers_of(recognizer, read), contents)


def _file(recognizer: Recognizer, name: str, kind: str, raw: np.ndarray) -> tuple[bytes, np.ndarray]:
    """A file of a kind, and what training reads from it."""
    if name == "audio":
        contents = sample_files.sound(kind, raw, recognizer.frontend.parts()[name].config.sample_rate_hz)
        return contents, recognizer.read_part(contents, name)
    contents = sample_files.picture(kind, raw)
    read = recognizer.read_part(contents, name)
    if read.dtype != raw.dtype:
        read = np.rint(read).astype(raw.dtype) if raw.dtype == np.uint8 else read.astype(raw.dtype)
    return contents, read


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
        of_bytes = all(name.startswith(savedmodel.ENCODED) for name in inputs)
        if not of_bytes and not inputs <= {"image", "audio", "length"}:
            raise UserError(f"Not published: no request is known for the inputs {sorted(inputs)} of {signature}.")
        taken = [case for case in cases if (case.contents is not None) == of_bytes]
        # The alias gets the mixed batches alone.
        groups = [] if signature == savedmodel.ENCODED else [[case] for case in taken]
        shapes = {case.parts["image"].shape for case in taken} if "image" in inputs else {None}
        for shape in sorted(shapes, key=str):  # pixels of different sizes do not fit into one tensor
            together = [case for case in taken if shape in (None, case.parts.get("image", np.zeros(0)).shape)]
            groups += _batches(together, limits, rate)
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
    pictures = [case.parts["image"] for case in cases if "image" in case.parts]
    if sum(int(np.prod(picture.shape[:2])) for picture in pictures) > limits.pixels:
        return False
    longest = max((len(case.parts["audio"]) for case in cases if "audio" in case.parts), default=0) / rate
    total, squared = len(cases) * longest, len(cases) * longest**2
    return total <= limits.total_seconds and squared <= (limits.seconds_squared or squared)


def _inputs(cases: Sequence[Case], names: set[str]) -> dict[str, np.ndarray]:
    inputs: dict[str, np.ndarray] = {}
    for name in names:
        if name.startswith(savedmodel.ENCODED):
            contents = np.empty(len(cases), object)
            part = name.removeprefix(savedmodel.ENCODED).removeprefix("_")
            files = [case.contents or {} for case in cases]
            contents[:] = [each[part] if part else next(iter(each.values())) for each in files]
            inputs[name] = contents
    if "image" in names:
        inputs["image"] = np.stack([case.parts["image"] for case in cases])
    return inputs | (_padded([case.parts["audio"] for case in cases]) if "audio" in names else {})


def _padded(clips: Sequence[np.ndarray]) -> dict[str, Any]:
    """Padded as TensorFlow Serving pads when it merges requests: with a clip's first sample, not with 0."""
    lengths = [len(clip) for clip in clips]
    audio = [np.pad(clip, (0, max(lengths) - len(clip)), constant_values=clip[0] if len(clip) else 0) for clip in clips]
    return {"audio": np.stack(audio), "length": np.array(lengths, "int32")}
