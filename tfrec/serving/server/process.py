"""The stand-in as a whole: models, both interfaces, and its end."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import pathlib
import threading
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from pipelines.errors import UserError
from tfrec.serving.deployment import batching_config, model_config
from tfrec.serving.deployment.batching_config import BatchingConfig
from tfrec.serving.server import grpc_services
from tfrec.serving.server.api import API
from tfrec.serving.server.batching import Batcher
from tfrec.serving.server.errors import ServingError
from tfrec.serving.server.metrics import Metrics
from tfrec.serving.server.models import Models
from tfrec.serving.server.rest import REST
from tfrec.serving.server.servable import Servable

PER_MODEL_BATCHING = "batching_params.pbtxt"

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Options:
    """Where the server listens, and what it bears."""

    host: str = "127.0.0.1"
    rest_port: int = 8501  # 0 is a free one
    grpc_port: int = 8500
    max_requests: int = 64  # at once, those that wait included
    max_body_bytes: int = 64 << 20  # of a request
    rest_timeout_s: float = 30.0  # until 504
    body_timeout_s: float = 30.0  # that a client may take to send a body
    shutdown_s: float = 30.0  # that requests have to end when the server stops
    batching: BatchingConfig | None = None
    per_model_batching: bool = False  # batching_params.pbtxt in a version's folder
    trust: bool = False  # load a version though it has operations that do more than compute


class Server:
    """A context in which the stand-in answers.

    Args:
        source: a folder of models, a folder of versions, or a model config file.
        labels: model -> label -> version, for a folder.
        options: addresses and limits.

    Attributes:
        rest_port, grpc_port: where it listens.

    Raises:
        UserError: where there is nothing to serve, or a port is taken.
    """

    def __init__(
        self,
        source: pathlib.Path,
        options: Options | None = None,
        labels: Mapping[str, Mapping[str, int]] = model_config.NO_LABELS,
    ) -> None:
        self.options = options or Options()
        self._source = pathlib.Path(os.path.abspath(source))
        self._batcher = Batcher(self.options.batching) if self.options.batching else None
        self.models = Models(self._finder(labels), self._on_load, self.options.trust)
        self.api = API(self.models, Metrics(), self._batcher_of, self.options.max_requests)
        self.rest_port = self.grpc_port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rest-loop", daemon=True)
        self._runner: Any = None
        self._grpc: Any = None
        self._rest: REST | None = None

    def __enter__(self) -> Server:
        try:
            self.models.start()
            self._check_models()
            self._listen()
        except ServingError as error:
            self.close()
            raise UserError(f"{error.message}.") from None
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Refuses new requests, answers those that run, and unloads everything."""
        if self._grpc:
            self._grpc.stop(self.options.shutdown_s).wait()
        if self._runner:
            asyncio.run_coroutine_threadsafe(_clean_up(self._runner), self._loop).result()
        if self._rest:
            self._rest.close()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        if not self._loop.is_closed():
            self._loop.close()
        self.models.stop()
        if self._batcher:
            self._batcher.close()
        self._runner = self._grpc = self._rest = self._batcher = None

    def _finder(self, labels: Mapping[str, Mapping[str, int]]) -> Any:
        if self._source.is_file():
            configs = model_config.from_file(self._source)
            return lambda: configs
        if not self._source.is_dir():
            raise UserError(f"{self._source} is neither a folder of exports nor a model config file.")
        if not model_config.in_folder(self._source):
            raise UserError(f"{self._source} holds no export: name the folder of NAME/VERSION/, or export a run.")
        return lambda: model_config.in_folder(self._source, labels)

    def _check_models(self) -> None:
        for name, model in self.models.models.items():
            if not model.versions:
                raise UserError(f"The model {name} has no version at {model.config.base_path}.")
            if not any(version.servable for version in model.versions.values()):
                error = next(version.error for version in model.versions.values() if version.error)
                raise UserError(f"No version of {name} can be loaded: {error.message.splitlines()[0]}")

    def _listen(self) -> None:
        options = self.options
        self._grpc, self.grpc_port = grpc_services.start(
            self.api, options.host, options.grpc_port, options.max_body_bytes, 2 * options.max_requests
        )
        if not self.grpc_port:
            self._grpc = None
            raise UserError(f"Port {options.grpc_port} of {options.host} is taken: choose another with --grpc-port.")
        self._rest = REST(
            self.api, options.max_body_bytes, options.rest_timeout_s, options.body_timeout_s, 2 * options.max_requests
        )
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start_rest(), self._loop).result()

    async def _start_rest(self) -> None:
        assert self._rest is not None
        runner = web.AppRunner(self._rest.application, access_log=None, shutdown_timeout=self.options.shutdown_s)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.options.host, self.options.rest_port).start()
        except OSError as error:
            await runner.cleanup()
            raise UserError(
                f"Cannot listen at {self.options.host}, port {self.options.rest_port}: {error.strerror}; choose another"
                " with --rest-port."
            ) from None
        self._runner, self.rest_port = runner, runner.addresses[0][1]

    def _on_load(self, name: str, number: int, servable: Servable) -> None:
        """Gives a version a batcher of its own where its folder describes one."""
        path = servable.path / PER_MODEL_BATCHING
        if self.options.per_model_batching and path.is_file():
            servable.batcher = Batcher(batching_config.parse(path.read_text(encoding="utf-8"), str(path)))

    def _batcher_of(self, servable: Servable) -> Batcher | None:
        return servable.batcher or self._batcher


async def _clean_up(runner: Any) -> None:
    """Ends the REST interface, and the tasks of connections that clients keep open."""
    await runner.cleanup()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
