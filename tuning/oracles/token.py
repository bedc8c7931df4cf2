"""The token that the chief of a sweep shares with its workers: calls without it are refused.

It is in the file `token` of the chief's folder, which only its owner can read, or in the variable TFREC_SWEEP_TOKEN.
"""

import hmac
import os
import pathlib
import secrets
import types
from collections.abc import Callable
from typing import Any

import grpc

VARIABLE = "TFREC_SWEEP_TOKEN"
FILE = "token"
KEY = "tfrec-token"  # of the metadata of a call

DETAILS = ("method", "timeout", "metadata", "credentials", "wait_for_ready", "compression")  # of a call


def create(folder: pathlib.Path) -> str:
    """The token of a chief: that of the variable, that of its folder, or a new one, which is written there."""
    if token := read(folder):
        return token
    token = secrets.token_urlsafe(32)
    descriptor = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(f"{token}\n")
    return token


def read(folder: pathlib.Path) -> str:
    """The token that the variable or a folder holds; empty without one."""
    if token := os.environ.get(VARIABLE, "").strip():
        return token
    try:
        return (folder / FILE).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


class Guard(grpc.ServerInterceptor):
    """Refuses calls without the token.

    Args:
        token: That of the chief.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """Passes a call on, or answers that it is not allowed."""
        given = dict(handler_call_details.invocation_metadata).get(KEY, "")
        if hmac.compare_digest(str(given).encode(), self._token):
            return continuation(handler_call_details)
        return grpc.unary_unary_rpc_method_handler(_refuse)


class Pass(grpc.UnaryUnaryClientInterceptor):
    """Adds the token to calls.

    Args:
        folder: Of the worker; it is read at each call, since the chief may start later.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def intercept_unary_unary(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """Sends a call with the token."""
        details = {name: getattr(client_call_details, name, None) for name in DETAILS}
        metadata = [*(client_call_details.metadata or ()), (KEY, read(self._folder))]
        return continuation(types.SimpleNamespace(**{**details, "metadata": metadata}), request)


def _refuse(request: Any, context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "This call has not the token of the sweep.")
