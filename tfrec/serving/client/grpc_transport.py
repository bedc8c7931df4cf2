"""Requests by gRPC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2, predict_pb2, prediction_service_pb2_grpc

from tfrec.serving.client.requests import Address, RequestError, Signature, sentence, types_of

OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class GRPCTransport:
    """Sends requests over one channel.

    Args:
        address: of the model.
        timeout_s: of one attempt, the deadline that the server is given.
    """

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._address, self._timeout_s = address, timeout_s
        self._channel = grpc.insecure_channel(address.host, OPTIONS)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._spec = model_pb2.ModelSpec(name=address.model, version_label=address.label)
        if address.version is not None:
            self._spec.version.value = address.version

    def signatures(self) -> dict[str, Signature]:
        """The signatures of the model, by name."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec, metadata_field=["signature_def"]
        )
        response = self._call(self._stub.GetModelMetadata, request)
        definitions = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(definitions)
        return {
            name: Signature(_types(definition.inputs), _types(definition.outputs))
            for name, definition in definitions.signature_def.items()
        }

    def predict(self, signature_name: str, signature: Signature, inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Outputs of a signature, as arrays of its types."""
        request = predict_pb2.PredictRequest(model_spec=self._spec)
        request.model_spec.signature_name = signature_name
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array, signature.inputs[name]))
        outputs = self._call(self._stub.Predict, request).outputs
        return {name: tf.make_ndarray(proto) for name, proto in outputs.items()}

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return method(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            code, details = error.code().name, error.details() or ""
        if code == "DEADLINE_EXCEEDED":
            raise RequestError(code, f"{self._address} does not answer within {self._timeout_s:g} s.")
        if code == "UNAVAILABLE" and ("failed to connect" in details or "Socket closed" in details):
            raise RequestError(code, f"Cannot reach {self._address}: {sentence(details)}.")
        raise RequestError(code, f"{self._address} refuses: {sentence(details)}.")


def _types(tensors: Mapping[str, Any]) -> dict[str, Any]:
    return types_of({name: tensor.dtype for name, tensor in tensors.items()})
