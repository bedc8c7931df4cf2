"""Serve exports for development, or write the files to deploy TensorFlow Serving: `tfrec serve saved_models/`."""

import dataclasses
import pathlib
import shlex
import signal
import threading
from collections.abc import Sequence
from typing import Any

import tyro

from pipelines.errors import UserError
from tfrec.config import flags
from tfrec.serving import stubs
from tfrec.utils.console import console


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Answer as TensorFlow Serving does, for development and tests, or write the files to deploy it."""

    source: tyro.conf.Positional[pathlib.Path]  # saved_models/, saved_models/NAME, or a model config file
    labels: tuple[str, ...] = ()  # of versions: MODEL:LABEL=VERSION, such as digits:stable=1 digits:canary=2
    host: str = "127.0.0.1"  # address to listen at; 0.0.0.0 is every one of this machine
    rest_port: int = 8501  # 0 is a free one
    grpc_port: int = 8500  # 0 is a free one
    batching: pathlib.Path | None = None  # batching file of TensorFlow Serving; None answers each request by itself
    per_model_batching: bool = False  # read batching_params.pbtxt in the folders of versions
    max_requests: int = 64  # at once; more are refused with 503
    max_body_mb: int = 64  # of a request
    timeout_s: float = 30.0  # until a REST request is answered with 504
    trust: bool = False  # load an export though it has operations that do more than compute, such as writing files
    write_config: pathlib.Path | None = None  # folder for Docker Compose and Kubernetes files; then nothing is served
    with_batching: bool = False  # --write-config: also servers that merge requests
    image: str | None = None  # --write-config: None is a tensorflow/serving that is not older than the exports

    def __post_init__(self) -> None:
        if min(self.max_requests, self.max_body_mb) < 1 or self.timeout_s <= 0:
            raise ValueError("max_requests, max_body_mb and timeout_s must be positive")
        if not all(0 <= port < 65536 for port in (self.rest_port, self.grpc_port)):
            raise ValueError("A port must be between 0 and 65535")
        if self.write_config is None and (self.with_batching or self.image):
            raise ValueError("with_batching and image need write_config")


def main(argv: Sequence[str]) -> int:
    """Serves until SIGTERM or Ctrl-C, or writes files."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec serve")
    stubs.require()
    return _serve(arguments) if arguments.write_config is None else _write(arguments, arguments.write_config)


def _write(arguments: Arguments, folder: pathlib.Path) -> int:
    from tfrec.serving.deployment import exports, writer

    labels = exports.labels_of(arguments.labels)
    for sentence in writer.write(folder, arguments.source, labels, arguments.image, arguments.with_batching):
        console.print(sentence)
    console.print("Next:")
    console.print(f"    docker compose -f {shlex.quote(str(folder / 'docker-compose.yml'))} up -d")
    return 0


def _serve(arguments: Arguments) -> int:
    from tfrec.serving.deployment import exports
    from tfrec.serving.server.process import Server

    console.print("This is tfrec's stand-in for development and tests. It is not TensorFlow Serving.")
    labels = exports.labels_of(arguments.labels)
    if labels and arguments.source.is_file():
        raise UserError("--labels: a model config file has its own version_labels; leave it out.")
    if labels:
        exports.find(arguments.source, labels)  # which names what does not exist
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    with Server(arguments.source, _options(arguments), labels) as server:
        for name in server.models.models:
            console.print(f"REST  http://{arguments.host}:{server.rest_port}/v1/models/{name}")
            console.print(f"gRPC  {arguments.host}:{server.grpc_port}, model {name}")
        stop.wait()
        console.print("Stopping: requests that run are answered.")
    return 0


def _options(arguments: Arguments) -> Any:
    from tfrec.serving.deployment import batching_config
    from tfrec.serving.server.process import Options

    batching = None
    if arguments.batching:
        try:
            text = arguments.batching.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"The batching file {arguments.batching} cannot be read: {error.strerror}.") from None
        batching = batching_config.parse(text, str(arguments.batching))
    return Options(
        host=arguments.host,
        rest_port=arguments.rest_port,
        grpc_port=arguments.grpc_port,
        max_requests=arguments.max_requests,
        max_body_bytes=arguments.max_body_mb << 20,
        rest_timeout_s=arguments.timeout_s,
        batching=batching,
        per_model_batching=arguments.per_model_batching,
        trust=arguments.trust,
    )
