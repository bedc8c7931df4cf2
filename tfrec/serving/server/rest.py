"""The REST interface."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import re
import urllib.parse
from collections.abc import Callable
from typing import Any

from aiohttp import web
from tensorflow_serving.apis import classification_pb2, model_pb2, regression_pb2

from tfrec.serving.deployment.services import METRICS_PATH
from tfrec.serving.server import examples, json_values
from tfrec.serving.server.api import API
from tfrec.serving.server.errors import ServingError, invalid

_MODEL = r"/v1/models/([^/:]+)(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
PREDICTION = re.compile(rf"{_MODEL}:(classify|regress|predict)", re.IGNORECASE)
STATUS = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?(?:/(metadata))?", re.IGNORECASE
)
GRACE_S = 1.0  # that a request past its deadline has to end by itself
MAX_VERSION = 2**63


class REST:
    """The application that answers HTTP.

    Args:
        api: answers the requests.
        max_body_bytes: of a request, decompressed.
        timeout_s: from a request's head to its answer; 504 past it.
        body_timeout_s: that a client may take to send a body; 408 past it.
        threads: requests that run at once.
    """

    def __init__(self, api: API, max_body_bytes: int, timeout_s: float, body_timeout_s: float, threads: int) -> None:
        self._api, self._timeout_s, self._body_timeout_s = api, timeout_s, body_timeout_s
        self._max_body_bytes = max_body_bytes
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix="rest")
        self.application = web.Application(client_max_size=max_body_bytes)
        self.application.router.add_route("*", "/{path:.*}", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path
        if path == METRICS_PATH:
            return web.Response(text=self._api.metrics.page(), content_type="text/plain")
        if not path.lower().startswith("/v1/"):
            return web.Response(status=404, text="Not Found")
        try:
            return web.Response(body=await self._body(request, path), content_type="application/json")
        except ServingError as error:
            return _error(error.http_status, error.message)
        except web.HTTPRequestEntityTooLarge:
            return _error(413, f"The body of a request may have {self._max_body_bytes} bytes at most")
        except TimeoutError:
            return _error(408, f"The body did not arrive within {self._body_timeout_s:g} s")
        except (web.RequestPayloadError, ValueError) as error:
            return _error(400, f"The body cannot be read: {error}")

    async def _body(self, request: web.Request, path: str) -> bytes:
        found = PREDICTION.fullmatch(path) if request.method == "POST" else None
        if found:
            name, version, label, method = found.groups()
            spec = _spec(name, version, label)
            body = await asyncio.wait_for(request.read(), self._body_timeout_s)
            return await self._run(_METHODS[method.lower()], spec, body)
        found = STATUS.fullmatch(path) if request.method == "GET" else None
        if not found:
            raise invalid(f"Malformed request: {request.method} {path}")
        name, version, label, subject = found.groups()
        spec = _spec(name or "", version, label)
        with self._api.request(spec.name, "GetModelMetadata" if subject else "GetModelStatus", "REST", False):
            return self._api.metadata_json(spec) if subject else self._api.status_json(spec)

    async def _run(self, method: _Method, spec: Any, body: bytes) -> bytes:
        """Runs a method in a thread; its answer may come too late for the client, and is dropped then."""
        loop = asyncio.get_running_loop()
        try:
            running = loop.run_in_executor(self._pool, method, self._api, spec, body, self._timeout_s)
            return await asyncio.wait_for(asyncio.shield(running), self._timeout_s + GRACE_S)
        except TimeoutError:
            running.add_done_callback(_drop)
            raise ServingError("DEADLINE_EXCEEDED", f"The request took longer than {self._timeout_s:g} s") from None

    def close(self) -> None:
        """Waits for the requests that run."""
        self._pool.shutdown(wait=True)


_Method = Callable[[API, Any, bytes, float], bytes]


def _predict(api: API, spec: Any, body: bytes, timeout_s: float) -> bytes:
    with api.request(spec.name, "Predict", "REST"):
        return api.predict_json(spec, body, timeout_s)


def _classify(api: API, spec: Any, body: bytes, timeout_s: float) -> bytes:
    with api.request(spec.name, "Classify", "REST"):
        request = classification_pb2.ClassificationRequest(model_spec=spec)
        examples.fill_request(request, json_values.parse(body))
        return json.dumps({"results": examples.result_of(api.classify(request, timeout_s))}).encode()


def _regress(api: API, spec: Any, body: bytes, timeout_s: float) -> bytes:
    with api.request(spec.name, "Regress", "REST"):
        request = regression_pb2.RegressionRequest(model_spec=spec)
        examples.fill_request(request, json_values.parse(body))
        return json.dumps({"results": examples.result_of(api.regress(request, timeout_s))}).encode()


_METHODS: dict[str, _Method] = {call.__name__.strip("_"): call for call in (_predict, _classify, _regress)}


def _spec(name: str, version: str | None, label: str | None) -> Any:
    spec = model_pb2.ModelSpec(name=urllib.parse.unquote(name))
    if version is not None:
        if int(version) >= MAX_VERSION:
            raise invalid(f"Failed to convert version: {version} to numeric.")
        spec.version.value = int(version)
    if label is not None:
        spec.version_label = urllib.parse.unquote(label)
    return spec


def _error(status: int, message: str) -> web.Response:
    body = json.dumps({"error": message}).encode()
    return web.Response(status=status, body=body, content_type="application/json")


def _drop(done: asyncio.Future[bytes]) -> None:
    """Takes the error of a late answer, which else is logged as never retrieved."""
    with contextlib.suppress(asyncio.CancelledError):
        done.exception()
