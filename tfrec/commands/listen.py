"""Recognize words in continuous sound as it arrives: `tfrec listen RUN_OR_EXPORT [FILE]`."""

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import tyro

import tfrec
from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.inference import sound_sources
from tfrec.inference.listening import Listener
from tfrec.inference.sound_sources import Microphone
from tfrec.recognizer import Recognizer
from tfrec.utils.console import console


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Words, with their times, of a microphone, of standard input or of a file, until it ends or Ctrl-C.

    A model that classifies clips reports each word once; a causal one that transcribes prints the text as it grows.
    """

    model: tyro.conf.Positional[str]  # run folder, saved_models/NAME or saved_models/NAME/VERSION
    file: tyro.conf.Positional[str | None] = None  # audio file, or - for standard input; None is the microphone
    fast: bool = False  # read a file as fast as it is recognized, not at its own speed
    threshold: float | None = None  # lowest score of a word, from 0 to 1; None is the model's
    piece_ms: float = 100.0  # sound that is taken at once
    format: Literal["s16", "s32", "f32"] = "s16"  # samples of standard input without a header, little-endian
    rate: int | None = None  # their sample rate; None is the model's
    channels: int = 1  # their channels, of which the mean is taken
    json: bool = False  # print JSON lines
    trust: bool = False  # run an export though it has operations that do more than compute, such as writing files

    def __post_init__(self) -> None:
        if not 1 <= self.piece_ms <= 10_000:
            raise ValueError(f"piece_ms must be from 1 to 10,000. Received: {self.piece_ms}")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must be from 0 to 1. Received: {self.threshold}")
        if not 1 <= self.channels <= 64:
            raise ValueError(f"channels must be from 1 to 64. Received: {self.channels}")
        if self.rate is not None and not 1000 <= self.rate <= 384_000:
            raise ValueError(f"rate must be from 1,000 to 384,000. Received: {self.rate}")


@dataclasses.dataclass
class Report:
    """What was recognized in how much sound, and how long it took."""

    seconds: float = 0.0
    busy_s: float = 0.0
    cpu_s: float = 0.0
    delays_s: list[float] = dataclasses.field(default_factory=list)  # from a word's end to its event, in sound

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Adds the time that something takes."""
        started, cpu = time.perf_counter(), time.process_time()
        yield
        self.busy_s += time.perf_counter() - started
        self.cpu_s += time.process_time() - cpu

    def to_dict(self, lost_s: float) -> dict[str, Any]:
        """The figures that end the output."""
        delay = sorted(self.delays_s)[len(self.delays_s) // 2] if self.delays_s else None
        return {
            "seconds": round(self.seconds, 3),
            "real_time_factor": round(self.busy_s / self.seconds, 4) if self.seconds else None,
            "cores": round(self.cpu_s / self.seconds, 4) if self.seconds else None,
            "median_latency_s": None if delay is None else round(delay, 3),
            "lost_seconds": round(lost_s, 3),
        }


def main(argv: Sequence[str]) -> int:
    """Prints words as they are recognized, and at the end latency and real-time factor."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec listen")
    model = tfrec.load(arguments.model, arguments.trust)
    transcribes = model.task.label_kind == "texts"
    recognizer: Any
    if not transcribes:
        recognizer = Listener(model, arguments.threshold)
    elif not isinstance(model, Recognizer):
        raise UserError(f"{arguments.model} is an export that transcribes, which cannot listen: give its run.")
    elif arguments.threshold is not None:
        raise UserError("--threshold is for models that classify clips: leave it out.")
    else:
        recognizer = model.task.stream(model)
    _prepare(recognizer)
    report = Report()
    with contextlib.ExitStack() as stack:
        pieces = _pieces(arguments, recognizer.sample_rate_hz, model.audio_channel, stack)
        with contextlib.suppress(KeyboardInterrupt):
            (_texts if transcribes else _events)(arguments, recognizer, pieces, report)
        lost_s = getattr(pieces, "lost_seconds", 0.0)
    if lost_s:
        print(f"warning: {lost_s:.1f} s of sound were lost: the machine is too slow, or was busy.", file=sys.stderr)
    figures = report.to_dict(lost_s)
    if arguments.json:
        print(json.dumps(figures), flush=True)
    else:
        latency = figures["median_latency_s"]
        console.print(
            f"{report.seconds:.1f} s of sound, real-time factor {figures['real_time_factor']}, {figures['cores']} cores"
            + ("" if latency is None else f", median latency {latency:.2f} s after a word's end")
        )
    return 0


def _prepare(recognizer: Any) -> None:
    """Recognizes a moment of silence, since the first call of a model takes the time of many."""
    recognizer.feed(np.zeros(recognizer.sample_rate_hz, "float32"))
    recognizer.start()


def _pieces(arguments: Arguments, rate: int, channel: str, stack: contextlib.ExitStack) -> Iterable[np.ndarray]:
    """The sound in pieces."""
    seconds = arguments.piece_ms / 1000
    if arguments.file is None:
        return stack.enter_context(Microphone(rate, seconds))
    if arguments.file == "-":
        stream = sys.stdin.buffer
        form, count = arguments.format, arguments.channels
        return sound_sources.from_stream(stream, rate, seconds, form, arguments.rate, count, channel)
    return sound_sources.from_file(arguments.file, rate, seconds, not arguments.fast, channel)


def _events(arguments: Arguments, listener: Listener, pieces: Iterable[np.ndarray], report: Report) -> None:
    """Prints events."""
    for events in _timed(pieces, listener.feed, listener.end, report, listener.sample_rate_hz):
        for event in events:
            report.delays_s.append(listener.seconds - event.end_s)
            if arguments.json:
                print(json.dumps(event.to_dict(), ensure_ascii=False), flush=True)
            else:
                line = f"{event.start_s:9.2f} {event.end_s:9.2f}  {event.word}  {event.probability:.3f}"
                print(line, flush=True)


def _texts(arguments: Arguments, stream: Any, pieces: Iterable[np.ndarray], report: Report) -> None:
    """Prints the text as it grows."""
    shown = ""
    for _ in _timed(pieces, stream.feed, stream.end, report, stream.sample_rate_hz):
        text = stream.text
        if arguments.json and text != shown:
            row = {"seconds": round(report.seconds, 3), "text": text}
            print(json.dumps(row, ensure_ascii=False), flush=True)
        if not arguments.json:
            print(text[len(shown) :], end="", flush=True)
        shown = text
    if not arguments.json:
        print(flush=True)


def _timed(pieces: Iterable[np.ndarray], feed: Any, end: Any, report: Report, rate: int) -> Iterator[Any]:
    """Yields what `feed` returns for each piece, then what `end` returns, and adds up sound and time."""
    for piece in pieces:
        with report.timed():
            result = feed(piece)
        report.seconds += len(piece) / rate
        yield result
    with report.timed():
        result = end()
    yield result
