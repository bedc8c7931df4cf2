"""Try a model on a local web page: `tfrec demo RUN_OR_EXPORT`."""

import dataclasses
import signal
import threading
from collections.abc import Sequence

import tyro

import tfrec
from tfrec.config import flags
from tfrec.demo import _compat, server
from tfrec.demo.subject import Subject
from tfrec.utils.console import console


@dataclasses.dataclass(frozen=True)
class Arguments:
    """A page on which people draw, drop pictures or clips, or speak, and see what a model answers, and why."""

    model: tyro.conf.Positional[str]  # run folder, saved_models/NAME or saved_models/NAME/VERSION
    images: tuple[str, ...] = ()  # folders of pictures, or pictures, that a model of pictures and speech searches
    host: str = "127.0.0.1"  # address to listen at; any other than this opens the page to a network
    port: int = 7860  # 0 is a free one
    max_seconds: float = 60.0  # of a clip
    max_upload_mb: int = 20  # of a file

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65536:
            raise ValueError(f"port must be from 0 to 65,535. Received: {self.port}")
        if not 0 < self.max_seconds <= 3600:
            raise ValueError(f"max_seconds must be above 0 and at most 3,600. Received: {self.max_seconds}")
        if not 1 <= self.max_upload_mb <= 1024:
            raise ValueError(f"max_upload_mb must be from 1 to 1,024. Received: {self.max_upload_mb}")


def main(argv: Sequence[str]) -> int:
    """Serves the page until SIGTERM or Ctrl-C."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec demo")
    _compat.require()
    subject = Subject(tfrec.load(arguments.model), arguments.model, arguments.images, arguments.max_seconds)
    stop = threading.Event()
    with server.serve(subject, arguments.host, arguments.port, arguments.max_upload_mb) as address:
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        signal.signal(signal.SIGINT, lambda *_: stop.set())
        console.print(f"Ready: {address}")
        stop.wait()
    return 0
