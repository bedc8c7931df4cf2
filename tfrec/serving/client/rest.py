"""Requests by REST."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from pipelines.errors import UserError
from tfrec.serving.client.requests import Address, RequestError, Signature, sentence, types_of

CODES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}  # INTERNAL for any other status


class RESTTransport:
    """Sends requests over connections that are kept open, one for each thread.

    Args:
        address: of the model.
        timeout_s: of one attempt.
    """

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._address, self._timeout_s = address, timeout_s
        self._local = threading.local()
        self._path = f"{address.prefix}/v1/models/{urllib.parse.quote(address.model, safe='')}"
        if address.version is not None:
            self._path += f"/versions/{address.version}"
        if address.label:
            self._path += f"/labels/{urllib.parse.quote(address.label, safe='')}"

    def signatures(self) -> dict[str, Signature]:
        """The signatures of the model, by name."""
        answer = self._request("GET", f"{self._path}/metadata")
        try:
            definitions = answer["metadata"]["signature_def"]["signature_def"]
            return {
                name: Signature(_types(definition.get("inputs", {})), _types(definition.get("outputs", {})))
                for name, definition in definitions.items()
            }
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._no_server() from None

    def predict(self, signature_name: str, signature: Signature, inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Outputs of a signature, as arrays of its types."""
        columns = {name: _values(array) for name, array in inputs.items()}
        body = json.dumps({"signature_name": signature_name, "inputs": columns}).encode()
        answer = self._request("POST", f"{self._path}:predict", body)
        try:
            columns = answer["outputs"]
            if len(signature.outputs) == 1:
                columns = {next(iter(signature.outputs)): columns}
            return {name: _array(columns[name], dtype) for name, dtype in signature.outputs.items()}
        except (KeyError, TypeError, ValueError):
            raise self._no_server() from None

    def close(self) -> None:
        """Closes the connection of this thread."""
        connection = getattr(self._local, "connection", None)
        if connection:
            connection.close()

    def _request(self, method: str, path: str, body: bytes | None = None) -> Any:
        try:
            status, text = self._exchange(method, path, body)
        except TimeoutError:
            message = f"{self._address} does not answer within {self._timeout_s:g} s."
            raise RequestError("DEADLINE_EXCEEDED", message) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise RequestError("UNAVAILABLE", f"Cannot reach {self._address}: {reason}.") from None
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if status == 200 and isinstance(answer, dict):
            return answer
        if isinstance(answer, dict) and isinstance(answer.get("error"), str):
            code = CODES.get(status, "INTERNAL")
            raise RequestError(code, f"{self._address} refuses: {sentence(answer['error'])}.")
        if status in (429, 503):  # of a proxy before the server
            raise RequestError(CODES[status], f"{self._address} is busy: HTTP status {status}.")
        raise self._no_server(status)

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        connection = getattr(self._local, "connection", None)
        is_old = connection is not None
        if connection is None:
            kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
            connection = kinds[self._address.scheme](self._address.host, timeout=self._timeout_s)
        self._local.connection = None  # until the exchange has succeeded
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            connection.close()
            if is_old:  # the server has closed a connection that was idle
                return self._exchange(method, path, body)
            raise
        except BaseException:
            connection.close()
            raise
        self._local.connection = connection
        return response.status, text

    def _no_server(self, status: int = 200) -> UserError:
        return UserError(
            f"{self._address} does not answer as TensorFlow Serving does (HTTP status {status}): is this its REST port,"
            " by default 8501?"
        )


def _types(tensors: Mapping[str, Any]) -> dict[str, Any]:
    return types_of({name: types_pb2.DataType.Value(tensor["dtype"]) for name, tensor in tensors.items()})


def _values(array: np.ndarray) -> Any:
    if array.dtype.kind != "O":
        return array.tolist()
    return [{"b64": base64.b64encode(one).decode()} for one in array.tolist()]


def _array(values: Any, dtype: Any) -> np.ndarray:
    if dtype != tf.string:
        return np.array(values, dtype.as_numpy_dtype)

    def encoded(value: Any) -> Any:
        if isinstance(value, list):
            return [encoded(one) for one in value]
        return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()

    return np.array(encoded(values), dtype=object)
