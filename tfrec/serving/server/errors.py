"""Errors of requests, with the codes and the texts that TensorFlow Serving gives them."""

from __future__ import annotations

import re

import grpc
import tensorflow as tf

MAX_GRPC_MESSAGE = 1024  # characters; the rest of a message is cut off
HTTP_STATUS = {
    "OK": 200,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}  # 500 for any other code
_CODES = {code.value[0]: code.name for code in grpc.StatusCode}


class ServingError(Exception):
    """A request that fails.

    Attributes:
        code: a name of gRPC's status codes, such as "INVALID_ARGUMENT".
        message: what the client reads.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def http_status(self) -> int:
        """The status of the REST interface."""
        return HTTP_STATUS.get(self.code, 500)

    @property
    def number(self) -> int:
        """The code as TensorFlow numbers it."""
        return int(grpc.StatusCode[self.code].value[0])

    @property
    def grpc_message(self) -> str:
        """The message as gRPC sends it."""
        is_long = len(self.message) > MAX_GRPC_MESSAGE
        return self.message[:MAX_GRPC_MESSAGE] + "...TRUNCATED" if is_long else self.message


def invalid(message: str) -> ServingError:
    """The error of a request that can never succeed."""
    return ServingError("INVALID_ARGUMENT", message)


def from_exception(error: BaseException) -> ServingError:
    """Any exception as the error that a client receives."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        # The session adds to the text of the runtime where in a Python program the node was made.
        cause = error.__context__ if isinstance(error.__context__, tf.errors.OpError) else error
        message = re.split(r"\n\s*Original stack trace for|\n\s*Detected at node", cause.message or str(cause))[0]
        return ServingError(_CODES.get(error.error_code, "UNKNOWN"), message)
    if isinstance(error, MemoryError):
        return ServingError("RESOURCE_EXHAUSTED", "Out of memory")
    return ServingError("INTERNAL", f"{type(error).__name__}: {error}")
