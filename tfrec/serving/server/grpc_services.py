"""The gRPC interface."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from tfrec.serving.server.api import API
from tfrec.serving.server.errors import ServingError

SERVING = b"\x08\x01"  # a HealthCheckResponse
NO_DEADLINE_S = 1e9  # what gRPC reports without a deadline is above this


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Requests to models."""

    def __init__(self, api: API) -> None:
        self._api = api

    def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802, D102, the protocol's name
        return _answer(self._api, "Predict", request.model_spec.name, context, self._api.predict, request)

    def Classify(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        return _answer(self._api, "Classify", request.model_spec.name, context, self._api.classify, request)

    def Regress(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        return _answer(self._api, "Regress", request.model_spec.name, context, self._api.regress, request)

    def MultiInference(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        name = request.tasks[0].model_spec.name if request.tasks else ""
        return _answer(self._api, "MultiInference", name, context, self._api.multi_inference, request)

    def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        name = request.model_spec.name
        return _answer(self._api, "GetModelMetadata", name, context, lambda one, _: self._api.metadata(one), request)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Requests about models."""

    def __init__(self, api: API) -> None:
        self._api = api

    def GetModelStatus(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        name = request.model_spec.name
        return _answer(self._api, "GetModelStatus", name, context, lambda one, _: self._api.status(one), request)

    def HandleReloadConfigRequest(self, request: Any, context: Any) -> Any:  # noqa: N802, D102
        return _answer(self._api, "ReloadConfig", "", context, lambda one, _: self._api.reload(one), request)


def _answer(
    api: API,
    method: str,
    model: str,
    context: Any,
    call: Callable[[Any, float | None], Any],
    request: Any,
) -> Any:
    try:
        with api.request(model, method, "GRPC", method in ("Predict", "Classify", "Regress", "MultiInference")):
            left_s = context.time_remaining()
            return call(request, left_s if left_s is not None and left_s < NO_DEADLINE_S else None)
    except ServingError as error:
        context.abort(grpc.StatusCode[error.code], error.grpc_message)


def _health() -> Any:
    """The standard health check; a server that answers has loaded its models."""
    check = grpc.unary_unary_rpc_method_handler(lambda request, context: SERVING)
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})


def start(api: API, host: str, port: int, max_message_bytes: int, threads: int) -> tuple[Any, int]:
    """Starts a server.

    Args:
        api: answers the requests.
        host: address to listen at.
        port: 0 for a free one.
        max_message_bytes: of a request.
        threads: requests at once; more of them wait.

    Returns:
        The server and its port; 0 where the port is taken.
    """
    options = [("grpc.max_receive_message_length", max_message_bytes), ("grpc.max_send_message_length", -1)]
    # Else two servers on one port share its clients.
    server = grpc.server(futures.ThreadPoolExecutor(threads), options=[*options, ("grpc.so_reuseport", 0)])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(api), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(api), server)
    server.add_generic_rpc_handlers((_health(),))
    try:
        chosen = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError:
        return server, 0
    if chosen:
        server.start()
    return server, chosen
