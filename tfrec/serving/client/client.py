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

Source = str | os.PathLike[str] | bytes  # of a file

PAIR = ("image", "audio")
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
            sources: a path, the bytes of a file, or several of these; the server decodes them. Of a model of pairs also
                {"image": source, "audio": source}.

        Raises:
            UserError: at a source that cannot be read, or that the server refuses.
        """
        return (self.answer(source) for source in reader.listed(sources))

    @property
    def takes_pairs(self) -> bool:
        """Whether the model answers to a picture and a clip together."""
        return len(self._files) == len(PAIR)

    def answer(self, source: Source | Mapping[str, Source]) -> Answer:
        """The answer for one source of `predict`."""
        if isinstance(source, Mapping) and not self.takes_pairs:
            raise UserError(f"{self.address} takes one file at a time, and no pairs.")
        if isinstance(source, Mapping):
            shown = " + ".join(_shown(source[part]) for part in PAIR)
            name, files = self._default, {f"encoded_{part}": source[part] for part in PAIR}
        elif self.takes_pairs:
            shown, part = _shown(source), reader.kind(source, PAIR)
            name, files = self._signature_of(part), {f"encoded_{part}": source}
        else:
            shown, name, files = _shown(source), self._default, {self._files[0]: source}
        try:
            outputs = self.outputs({key: [_contents(file)] for key, file in files.items()}, name)
        except RequestError as error:
            if not error.is_refused:
                raise
            raise RequestError(error.code, f"{shown}: {error}") from None
        status = outputs.get("status")
        if status is not None and (text := status[0].decode()) not in ("", "ok"):
            raise RequestError("INVALID_ARGUMENT", f"{shown}: {text.rstrip('.')}.")
        return tasks.of_outputs(self.signatures[self._default].outputs).served_answers(outputs)[0]

    @functools.cached_property
    def _default(self) -> str:
        """The name of the signature whose inputs are files: one for each row, or a picture and a clip."""
        of_pairs = {f"encoded_{part}" for part in PAIR}
        for name in SIGNATURES:
            inputs = self.signatures[name].inputs if name in self.signatures else {}
            if set(inputs.values()) == {tf.string} and (len(inputs) == 1 or set(inputs) == of_pairs):
                return name
        raise UserError(f"{self.address} has no signature that takes the bytes of files: was it exported by tfrec?")

    @property
    def _files(self) -> list[str]:
        """The inputs of the files."""
        return list(self.signatures[self._default].inputs)

    def _signature_of(self, part: str) -> str:
        """The signature of a model of pairs that takes a picture, or a clip, by itself."""
        for name in (f"{part}_only", f"embed_{part}"):
            if name in self.signatures:
                return name
        raise UserError(f"{self.address} needs a picture and a clip together: name both files of each pair.")


def _shown(source: Source) -> str:
    return "The bytes" if isinstance(source, bytes) else os.fspath(source)


def _contents(source: Source) -> bytes:
    return source if isinstance(source, bytes) else _read(source)


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"{os.fspath(path)}: {error.strerror}.", "cannot be read") from None


def _array(value: Any, dtype: Any) -> np.ndarray:
    if dtype == tf.string:
        return np.array(value, dtype=object)
    return np.asarray(value, None if dtype is None else dtype.as_numpy_dtype)
