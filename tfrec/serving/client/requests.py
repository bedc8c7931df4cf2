"""Where a model is served, how a request fails, and when it is sent again."""

from __future__ import annotations

import dataclasses
import random
import re
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import tensorflow as tf

from pipelines.errors import UserError

FORMS = "http://HOST:8501/v1/models/NAME or grpc://HOST:8500/NAME, with /versions/N or /labels/LABEL behind NAME"
TRANSIENT = ("RESOURCE_EXHAUSTED", "UNAVAILABLE")
REFUSED = ("INVALID_ARGUMENT", "OUT_OF_RANGE")  # codes of a request that is wrong by itself
MAX_MESSAGE = 300  # characters of a server's message that has no sentence of the export

T = TypeVar("T")


class RequestError(UserError):
    """A request that a server does not answer.

    Attributes:
        code: a name of gRPC's status codes, such as "NOT_FOUND".
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later."""
        return self.code in TRANSIENT

    @property
    def is_refused(self) -> bool:
        """Whether the input is to blame, rather than the server."""
        return self.code in REFUSED


class Address(NamedTuple):
    """A model on a server."""

    scheme: str  # http, https or grpc
    host: str  # HOST:PORT
    prefix: str  # of the path, before /v1; empty for gRPC
    model: str
    version: int | None
    label: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """The parts of a URL; UserError for one of another form.

        >>> Address.parse("grpc://localhost:8500/digits/labels/stable").label
        'stable'
        """
        parts = urllib.parse.urlsplit(url)
        is_grpc = parts.scheme == "grpc"
        start = "/" if is_grpc else "(?P<prefix>.*)/v1/models/"
        found = re.fullmatch(
            rf"{start}(?P<model>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?/?", parts.path
        )
        if parts.scheme not in ("http", "https", "grpc") or not parts.hostname or not found:
            raise UserError(f"Cannot send to {url}: give {FORMS}.")
        name, label = (urllib.parse.unquote(found[key] or "") for key in ("model", "label"))
        version = int(found["version"]) if found["version"] else None
        return cls(parts.scheme, parts.netloc, "" if is_grpc else found["prefix"], name, version, label)

    def __str__(self) -> str:
        """The server and the model, for messages."""
        return f"{self.model} at {self.scheme}://{self.host}"


@dataclasses.dataclass(frozen=True)
class Retries:
    """How often a request that failed for a moment is sent again, and after which times."""

    count: int = 5  # after the first attempt
    first_s: float = 0.1  # before the first of them; doubled each time, and drawn between half of it and all
    most_s: float = 5.0

    def call(self, function: Callable[[], T]) -> T:
        """Calls a function until it returns; RequestError where it fails for good."""
        for attempt in range(self.count + 1):
            try:
                return function()
            except RequestError as error:
                if attempt == self.count or not error.is_transient:
                    raise
            time.sleep(min(self.most_s, self.first_s * 2**attempt) * random.uniform(0.5, 1.0))
        raise AssertionError("not reached")


def sentence(message: str) -> str:
    """What of a server's message a user can read: the sentence of the export, or the first line."""
    if found := re.search(r"assertion failed: \[(.*?)\](?= \[|$|\s)", message, re.DOTALL):
        return found[1].rstrip(".")
    message = re.sub(r"\{\{.*?\}\}|\[\[.*?\]\]", "", message)
    line = next((line.strip() for line in message.splitlines() if line.strip()), "no message").rstrip(".")
    return line if len(line) <= MAX_MESSAGE else line[:MAX_MESSAGE] + "..."


class Signature(NamedTuple):
    """Names and types of inputs and outputs."""

    inputs: dict[str, Any]  # name -> tf.DType
    outputs: dict[str, Any]


def types_of(numbers: Mapping[str, int]) -> dict[str, Any]:
    """Types by TensorFlow's numbers; an operation that outputs nothing has none, and is left out."""
    return {name: tf.as_dtype(number) for name, number in numbers.items() if number}
