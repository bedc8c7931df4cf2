"""Starts the workers of a training on several processes of one machine, or one worker of several machines.

It imports no TensorFlow: the workers do.
"""

import argparse
import contextlib
import dataclasses
import inspect
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import NoReturn

from pipelines.errors import UserError
from tfrec.utils import console
from tfrec.utils.processes import POLL_INTERVAL_S, error_message

PORT = 29400  # of the workers on several machines
END_TIMEOUT_S = 30.0  # between the end of one worker and the signal that ends the others
KILL_TIMEOUT_S = 10.0  # between that signal and SIGKILL
USAGE = "tfrec launch [--workers N] -- fit [EXPERIMENT | DATA] [FLAGS]"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Start the workers of a training: `tfrec launch [FLAGS] -- fit ...`, whose words stand behind two dashes."""

    workers: int = 2  # number of processes on this machine
    hosts: str | None = None  # instead one worker of several machines: all of them, HOST or HOST:PORT, with commas
    index: int = 0  # with hosts: the number of this machine, from 0; machine 0 is the chief, which writes the run
    port: int = PORT  # with hosts: port of the workers, where none is named


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message[:1].upper()}{message[1:]}; the form is {USAGE}.")


def run_command(words: Sequence[str]) -> NoReturn:
    """`tfrec launch WORDS`; exits with its status."""
    console.run(lambda: main(words))


def main(words: Sequence[str]) -> int:
    """Starts what the words after `launch` say; returns the exit status.

    Raises:
        UserError: for words that do not fit, and where a worker fails.
    """
    arguments = parse(words)
    command = [sys.executable, "-m", "tfrec", *_with_strategy(arguments.command)]
    if arguments.hosts is None:
        return run_workers(command, arguments.workers)
    addresses = [host if ":" in host else f"{host}:{arguments.port}" for host in arguments.hosts.split(",")]
    if not 0 <= arguments.index < len(addresses):
        raise UserError(f"--index must be from 0 to {len(addresses) - 1}, a place in --hosts.")
    os.environ["TF_CONFIG"] = tf_config(addresses, arguments.index)
    os.execv(command[0], command)


def tf_config(addresses: Sequence[str], index: int) -> str:
    """The value of TF_CONFIG for worker `index` of the workers at some addresses."""
    return json.dumps({"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}})


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The flags of `launch`, and `command`, the words of the training; UserError for words that do not fit."""
    parser = _Parser("tfrec launch", usage=USAGE, description=Arguments.__doc__, allow_abbrev=False)
    comments = dict(re.findall(r"(\w+): .*  # (.+)", inspect.getsource(Arguments)))
    for field in dataclasses.fields(Arguments):
        kind = str if field.default is None else int
        parser.add_argument(f"--{field.name}", type=kind, default=field.default, help=comments[field.name])
    place = list(words).index("--") if "--" in words else len(words)
    arguments = parser.parse_args([*words[:place]])
    arguments.command = list(words[place + 1 :])
    if arguments.command[:1] != ["fit"]:
        raise UserError(f"launch takes a training behind two dashes; the form is {USAGE}.")
    if not 1 <= arguments.workers <= 64:
        raise UserError(f"--workers must be from 1 to 64. Received: {arguments.workers}")
    return arguments


def _with_strategy(command: Sequence[str]) -> list[str]:
    is_given = any(word.partition("=")[0] == "--fit.strategy" for word in command)
    return [*command] if is_given else [*command, "--fit.strategy", "multi_worker"]


def run_workers(command: Sequence[str], count: int) -> int:
    """Runs the workers of a training on this machine; the chief has this terminal."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    with tempfile.TemporaryDirectory() as folder:
        logs = [pathlib.Path(folder) / f"worker{i}.log" for i in range(count)]
        with _started(command, addresses, logs) as workers:
            first = _first_failure(workers)
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.wait()
        if first is None:
            return 0
        status = workers[first].returncode
        if first == 0 and status > 0:  # it has printed its error
            return status
        reason = f"signal {signal.Signals(-status).name}" if status < 0 else error_message(logs[first], 0)
        raise UserError(f"Worker {first} of {count} has ended: {reason}")


def _first_failure(workers: Sequence[subprocess.Popen[bytes]]) -> int | None:
    """Waits for all workers; ends all where one has failed, and returns its number."""
    first, ends_at = None, float("inf")
    while any(worker.poll() is None for worker in workers):
        failed = [i for i, worker in enumerate(workers) if worker.poll() not in (None, 0)]
        if failed and first is None:
            # Of several that have ended since the last look, one that was killed is the reason for the others.
            first = min(failed, key=lambda i: (workers[i].returncode > 0, i))
            ends_at = time.monotonic() + END_TIMEOUT_S
        if time.monotonic() > ends_at:
            return first
        time.sleep(POLL_INTERVAL_S)
    failed = [i for i, worker in enumerate(workers) if worker.returncode != 0]
    return first if first is not None else failed[0] if failed else None


@contextlib.contextmanager
def _started(
    command: Sequence[str], addresses: Sequence[str], logs: Sequence[pathlib.Path]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Running workers, which end with the block."""
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for i, log in enumerate(logs):
            environment = {**os.environ, "TF_CONFIG": tf_config(addresses, i)}
            with log.open("wb") as file:
                output = None if i == 0 else file
                workers.append(subprocess.Popen(command, env=environment, stdout=output, stderr=output))
        yield workers
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.terminate()
        deadline = time.monotonic() + KILL_TIMEOUT_S
        while any(worker.poll() is None for worker in workers) and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL_S)
        for worker in workers:
            if worker.poll() is None:
                worker.kill()


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing uses."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
