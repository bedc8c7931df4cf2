"""A client of a model: files in, answers out."""

from __future__ import annotations

import functools
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import tensorflow as tf

from pipelines.errors import FileError, UserError
from tfrec import tasks
from tfrec.inference import reader
from tfrec.serving import stubs
from tfrec.serving.client.requests import Address, RequestError, Retries, Signature
from tfrec.serving.client.rest import RESTTransport
from tfrec.tasks.base import Answer

SIGNATURES = ("serving_default", "encoded")  # those that may take the bytes of files, the first one first


class Client:
    """A model on TensorFlow Serving, or on its stand-in; several threads may use one.

    Args:
        url: `http://HOST:8501/v1/models/NAME` or `grpc://HOST:8500/NAME`, with `/versions/N` or `/labels/LABEL` behind.
        timeout_s: of one attempt.
        retries: when a request that the server is too busy for is sent again.

    Raises:
        UserError: for a URL of another form, and where the extra `serve` is missing for gRPC.
    """

    def __init__(self, url: str, timeout_s: float = 30.0, retries: Retries | None = None) -> None:
        self.address = Address.parse(url)
        self._retries = retries or Retries()
        self._transport: Any
        if self.address.scheme == "grpc":
            stubs.require()
            from tfrec.serving.client.grpc_transport import GRPCTransport

            self._transport = GRPCTransport(self.address, timeout_s)
        else:
            self._transport = RESTTransport(self.address, timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    @functools.cached_property
    def signatures(self) -> dict[str, Signature]:
        """The signatures of the model; RequestError where it is not served."""
        return self._retries.call(self._transport.signatures)

    def outputs(self, inputs: Mapping[str, Any], signature: str = SIGNATURES[0]) -> dict[str, np.ndarray]:
        """Outputs of a signature.

        Args:
            inputs: name -> array, or anything that numpy makes one of; strings are bytes.
            signature: its name.

        Raises:
            RequestError: where the server refuses the request or cannot be reached.
        """
        if signature not in self.signatures:
            known = ", ".join(sorted(self.signatures))
            raise UserError(f"{self.address} has no signature {signature!r}: known are {known}.")
        types = self.signatures[signature]
        arrays = {name: _array(value, types.inputs.get(name)) for name, value in inputs.items()}
        return self._retries.call(lambda: self._transport.predict(signature, types, arrays))

    def predict(self, sources: Any) -> Iterator[Answer]:
        """Yields the answer for each source, as `tfrec.load(...).predict` does.

        Args:
            sources: a path, the bytes of a file, or several of these; the server decodes them.

        Raises:
            UserError: at a source that cannot be read, or that the server refuses.
        """
        return (self.answer(source) for source in reader.listed(sources))

    def answer(self, source: str | os.PathLike[str] | bytes) -> Answer:
        """The answer for one source of `predict`."""
        name = self._signature_of_files
        contents = source if isinstance(source, bytes) else _read(source)
        shown = "The bytes" if isinstance(source, bytes) else os.fspath(source)
        try:
            outputs = self.outputs({next(iter(self.signatures[name].inputs)): [contents]}, name)
        except RequestError as error:
            if not error.is_refused:
                raise
            raise RequestError(error.code, f"{shown}: {error}") from None
        status = outputs.get("status")
        if status is not None and (text := status[0].decode()) not in ("", "ok"):
            raise RequestError("INVALID_ARGUMENT", f"{shown}: {text.rstrip('.')}.")
        return tasks.of_outputs(outputs).served_answers(outputs)[0]

    @functools.cached_property
    def _signature_of_files(self) -> str:
        """The name of the signature whose only input is a string for each file."""
        for name in SIGNATURES:
            if name in self.signatures and list(self.signatures[name].inputs.values()) == [tf.string]:
                return name
        raise UserError(f"{self.address} has no signature that takes the bytes of files: was it exported by tfrec?")


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"{os.fspath(path)}: {error.strerror}.", "cannot be read") from None


def _array(value: Any, dtype: Any) -> np.ndarray:
    if dtype == tf.string:
        return np.array(value, dtype=object)
    return np.asarray(value, None if dtype is None else dtype.as_numpy_dtype)
