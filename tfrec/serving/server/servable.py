"""One version of a model, loaded through the v1 session as TensorFlow Serving loads it."""

from __future__ import annotations

import contextlib
import pathlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.serving.server.errors import ServingError, invalid
from tfrec.serving.server.tensors import type_name

DEFAULT_SIGNATURE = "serving_default"
GRACE_S = 600.0  # the longest time that unloading waits for requests

Tensors = dict[str, np.ndarray]


class Signature:
    """A signature's tensors by name.

    Attributes:
        definition: the SignatureDef.
        inputs, outputs: name -> tensor of the graph; sparse ones, which have no name there, are left out.
    """

    def __init__(self, name: str, definition: Any, graph: Any) -> None:
        self.name, self.definition = name, definition
        self.inputs = {name: graph.get_tensor_by_name(one.name) for name, one in sorted(definition.inputs.items())}
        self.outputs = {
            name: graph.get_tensor_by_name(one.name) for name, one in sorted(definition.outputs.items()) if one.name
        }

    @property
    def types(self) -> dict[str, Any]:
        """Name -> type of each input."""
        return {name: tensor.dtype for name, tensor in self.inputs.items()}

    def check_inputs(self, inputs: Tensors) -> None:
        """Raises ServingError for names, types and ranks that the signature does not have.

        A wrong rank reaches the graph in TensorFlow Serving, which aborts where the graph does not check it.
        """
        if inputs.keys() != self.inputs.keys():
            sent, needed = sorted(inputs), sorted(self.inputs)
            extra, missing = sorted({*sent} - {*needed}), sorted({*needed} - {*sent})
            if len(sent) == len(needed):
                raise invalid(
                    f"input tensor alias not found in signature: {extra[0]}. Inputs expected to be in the set"
                    f" {{{','.join(needed)}}}."
                )
            raise invalid(
                f"input size does not match signature: {len(sent)}!={len(needed)} len({{{','.join(sent)}}}) !="
                f" len({{{','.join(needed)}}}). Sent extra: {{{','.join(extra)}}}. Missing but required:"
                f" {{{','.join(missing)}}}."
            )
        for number, (name, tensor) in enumerate(self.inputs.items()):
            array = inputs[name]
            dtype = tf.string if array.dtype.kind in "OSU" else tf.as_dtype(array.dtype)
            if dtype != tensor.dtype:
                raise invalid(
                    f"Expects arg[{number}] to be {type_name(tensor.dtype)} but {type_name(dtype)} is provided"
                )
            if not tensor.shape.is_compatible_with(array.shape):
                raise invalid(f"Input {name} has shape {list(array.shape)}, and the signature takes {tensor.shape}")

    def choose_outputs(self, wanted: Sequence[str]) -> list[str]:
        """The outputs that a request filters, or all."""
        for number, name in enumerate(wanted):
            if name not in self.outputs:
                raise invalid(
                    f"output tensor alias not found in signature: {name} Outputs expected to be in the set"
                    f" {{{','.join(self.outputs)}}}."
                )
            if name in wanted[:number]:
                raise invalid(f"duplicate output tensor alias: {name}")
        return list(wanted or self.outputs)


class Servable:
    """A SavedModel in a session of its own.

    Args:
        path: the version's folder.

    Raises:
        Exception: of any kind, where TensorFlow cannot load it.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        try:
            with graph.as_default(), _without_advice():
                meta_graph = tf.compat.v1.saved_model.loader.load(self._session, ["serve"], str(path))
            self.definitions = dict(meta_graph.signature_def)
            self.signatures = {
                name: Signature(name, definition, graph)
                for name, definition in self.definitions.items()
                if name != "__saved_model_init_op"
            }
            graph.finalize()
        except BaseException:
            self._session.close()
            raise
        self.batcher: Any = None  # merges its requests, where it has one of its own
        self._uses = 0
        self._idle = threading.Condition()

    def signature(self, name: str, code: str = "INVALID_ARGUMENT") -> Signature:
        """The signature of a name, "" for the default one; ServingError for any other."""
        name = name or DEFAULT_SIGNATURE
        if name in self.signatures:
            return self.signatures[name]
        if code == "FAILED_PRECONDITION":
            raise ServingError(code, f'Serving signature key "{name}" not found.')
        raise ServingError(code, f'Serving signature name: "{name}" not found in signature def')

    def run(self, signature: Signature, inputs: Tensors, wanted: Sequence[str], timeout_s: float | None) -> Tensors:
        """Outputs for checked inputs.

        Args:
            signature: one of this servable.
            inputs: those that `check_inputs` has passed.
            wanted: names of outputs.
            timeout_s: seconds until DEADLINE_EXCEEDED; None is no limit.
        """
        options = None
        if timeout_s is not None:
            options = tf.compat.v1.RunOptions(timeout_in_ms=max(1, int(timeout_s * 1000)))
        feed = {signature.inputs[name]: array for name, array in inputs.items()}
        values = self._session.run([signature.outputs[name] for name in wanted], feed, options)
        return {name: _array(value) for name, value in zip(wanted, values, strict=True)}

    @contextlib.contextmanager
    def use(self) -> Iterator[Servable]:
        """Context in which the session stays open."""
        with self._idle:
            self._uses += 1
        try:
            yield self
        finally:
            with self._idle:
                self._uses -= 1
                self._idle.notify_all()

    def close(self) -> None:
        """Waits for the requests that run, and closes the session."""
        with self._idle:
            self._idle.wait_for(lambda: self._uses == 0, GRACE_S)
        if self.batcher is not None:
            self.batcher.close()
        self._session.close()


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """Hides TensorFlow's warning that the loader is deprecated: it is the one that servers use."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def _array(value: Any) -> np.ndarray:
    """A fetched value; strings keep their trailing zeros as objects."""
    return np.array(value, dtype=object) if isinstance(value, bytes) else np.asarray(value)


def signature_map(servable: Servable) -> Mapping[str, Any]:
    """Every SignatureDef, the one that initializes included, as the metadata has them."""
    return servable.definitions
