"""A file for a device in the runtime that devices have, in a process of its own."""

from __future__ import annotations

import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.errors import UserError
from tfrec.devices import formats
from tfrec.devices.worker import messages
from tfrec.serving.loaders.process import ROOT

TIMEOUT_S = 300.0  # of an answer


class Interpreter:
    """A running worker with a loaded file.

    Args:
        path: of the file.

    Attributes:
        path: of the file.
        texts: what the file says of itself, see `contents`.
        inputs: {name: (shape, type)}.

    Raises:
        UserError: where the file cannot be loaded.
    """

    def __init__(self, path: Any) -> None:
        self.path = pathlib.Path(path)
        runtime = formats.SUFFIXES[self.path.suffix.lower()]
        try:
            size = self.path.stat().st_size
        except OSError as error:
            raise UserError(f"Cannot read {self.path}: {error.strerror}.") from None
        if not 16 <= size <= formats.MAX_BYTES:
            raise UserError(f"{self.path} is no model: it has {size:,} bytes.")
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tfrec.devices.worker", runtime, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self._end = weakref.finalize(self, _stop, self._process)
        loaded = self._receive()
        try:
            self.texts: dict[str, str] = json.loads(str(loaded[messages.TEXTS]))
            self.inputs: dict[str, Any] = json.loads(str(loaded[messages.INPUTS]))
        except (KeyError, ValueError):
            raise self._damaged() from None

    def answer(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs for one example; UserError where the runtime fails or ends."""
        return self.measure(inputs, 1)[0]

    def measure(self, inputs: Mapping[str, np.ndarray], repeat: int) -> tuple[dict[str, np.ndarray], float, int]:
        """Outputs, median seconds of a call, and the peak of the memory that the file has needed so far, bytes."""
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(messages.pack({**inputs, messages.REPEAT: np.asarray(repeat)}))
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None
        outputs = self._receive()
        seconds, peak = float(outputs.pop(messages.SECONDS)), int(outputs.pop(messages.PEAK_BYTES))
        return outputs, seconds, peak

    def close(self) -> None:
        """Ends the worker."""
        self._end()

    def _receive(self) -> dict[str, np.ndarray]:
        limit = time.monotonic() + TIMEOUT_S
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()

        def read(size: int) -> bytes:
            parts, missing = [], size
            while missing:
                if not select.select([descriptor], [], [], max(0.0, limit - time.monotonic()))[0]:
                    self.close()
                    raise UserError(f"{self.path} gives no answer within {TIMEOUT_S:.0f} seconds.")
                part = os.read(descriptor, min(missing, 1 << 20))
                if not part:
                    break
                parts.append(part)
                missing -= len(part)
            return b"".join(parts)

        try:
            message = messages.read(read)
        except EOFError:
            raise self._ended() from None
        except ValueError:
            raise self._damaged() from None
        if messages.FAULT in message:
            raise UserError(f"{self.path} {message[messages.FAULT]}.")
        return message

    def _damaged(self) -> UserError:
        return UserError(f"{self.path} is damaged: export the run again.")

    def _ended(self) -> UserError:
        status = self._process.wait()
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
        return UserError(f"{self.path} is damaged, or too large for this machine: its runtime ended {how}.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
