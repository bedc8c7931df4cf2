"""What both interfaces answer: requests and responses as TensorFlow Serving's messages, or as JSON."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
)

from tfrec.serving.deployment import model_config
from tfrec.serving.server import errors, examples, json_values, tensors
from tfrec.serving.server.batching import Batcher
from tfrec.serving.server.errors import ServingError
from tfrec.serving.server.metrics import Metrics
from tfrec.serving.server.models import Models
from tfrec.serving.server.servable import DEFAULT_SIGNATURE, Servable, Signature, Tensors, signature_map


class API:
    """The methods of PredictionService and ModelService.

    Args:
        models: what is served.
        metrics: counts the requests.
        batcher_of: the batcher of a servable; None where its requests are not merged.
        max_requests: requests at once, those that wait included; UNAVAILABLE for more.
    """

    def __init__(
        self,
        models: Models,
        metrics: Metrics,
        batcher_of: Callable[[Servable], Batcher | None],
        max_requests: int,
    ) -> None:
        self.models, self.metrics = models, metrics
        self._batcher_of = batcher_of
        self._slots = threading.Semaphore(max_requests)

    @contextlib.contextmanager
    def request(self, model: str, method: str, entrypoint: str, is_limited: bool = True) -> Iterator[None]:
        """Context of one request, which counts it and turns every exception into a ServingError."""
        started, status = time.perf_counter(), "OK"
        if model not in self.models.models:
            model = ""  # else clients could name any number of models, and each would be counted
        if is_limited and not self._slots.acquire(blocking=False):
            self.metrics.add(model, method, entrypoint, "UNAVAILABLE", 0.0)
            raise ServingError("UNAVAILABLE", "The server has as many requests as it takes at once: try again")
        try:
            yield
        except Exception as error:
            known = errors.from_exception(error)
            status = known.code
            raise known from error
        finally:
            if is_limited:
                self._slots.release()
            self.metrics.add(model, method, entrypoint, status, time.perf_counter() - started)

    def run(
        self, servable: Servable, signature: Signature, inputs: Tensors, wanted: Sequence[str], timeout_s: float | None
    ) -> Tensors:
        """Outputs of a signature, by itself or in a batch with other requests."""
        if timeout_s is not None and timeout_s <= 0:
            raise ServingError("DEADLINE_EXCEEDED", "The deadline of the request has passed")
        signature.check_inputs(inputs)
        names = signature.choose_outputs(wanted)
        batcher = self._batcher_of(servable)
        if batcher is not None:
            return batcher.run(servable, signature, inputs, names, timeout_s)
        return servable.run(signature, inputs, names, timeout_s)

    def predict(self, request: Any, timeout_s: float | None) -> Any:
        """PredictRequest -> PredictResponse."""
        with self.models.use(request.model_spec) as (number, servable):
            signature = servable.signature(request.model_spec.signature_name, "FAILED_PRECONDITION")
            inputs = {name: tensors.to_array(name, proto) for name, proto in request.inputs.items()}
            outputs = self.run(servable, signature, inputs, request.output_filter, timeout_s)
        response = predict_pb2.PredictResponse(model_spec=effective_spec(request.model_spec, number))
        tensors.to_protos(outputs, response.outputs)
        return response

    def predict_json(self, spec: Any, body: bytes, timeout_s: float | None) -> bytes:
        """The body of a REST request -> that of its response."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        document = json_values.parse(body)
        with self.models.use(spec) as (_, servable):
            signature = servable.signature(document.get("signature_name", ""))
            inputs, with_rows = json_values.inputs_of(document, signature.types)
            left_s = None if deadline is None else deadline - time.monotonic()
            outputs = self.run(servable, signature, inputs, (), left_s)
        return json.dumps(json_values.answer_of(outputs, with_rows)).encode()

    def classify(self, request: Any, timeout_s: float | None) -> Any:
        """ClassificationRequest -> ClassificationResponse."""
        number, name, result = self._infer(examples.CLASSIFY, request.model_spec, request.input, timeout_s)
        return examples.classification_response(effective_spec(request.model_spec, number, name), result)

    def regress(self, request: Any, timeout_s: float | None) -> Any:
        """RegressionRequest -> RegressionResponse."""
        number, name, result = self._infer(examples.REGRESS, request.model_spec, request.input, timeout_s)
        return examples.regression_response(effective_spec(request.model_spec, number, name), result)

    def multi_inference(self, request: Any, timeout_s: float | None) -> Any:
        """MultiInferenceRequest -> MultiInferenceResponse."""
        examples.check_tasks(request.tasks)
        results = []
        for task in request.tasks:
            number, name, result = self._infer(task.method_name, task.model_spec, request.input, timeout_s)
            results.append((task.method_name, effective_spec(task.model_spec, number, name), result))
        return examples.multi_inference_response(results)

    def _infer(self, method: str, spec: Any, examples_input: Any, timeout_s: float | None) -> tuple[int, str, Tensors]:
        with self.models.use(spec) as (number, servable):
            name = spec.signature_name or DEFAULT_SIGNATURE
            if name not in servable.signatures:
                raise errors.invalid(f"No signature was found with the name: {name}")
            signature = servable.signatures[name]
            examples.check_signature(signature, method)
            serialized = examples.serialized(examples_input)
            outputs = self.run(servable, signature, {next(iter(signature.inputs)): serialized}, (), timeout_s)
            return number, name, outputs

    def metadata(self, request: Any) -> Any:
        """GetModelMetadataRequest -> GetModelMetadataResponse."""
        if not request.metadata_field:
            raise errors.invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise errors.invalid(f"Metadata field {field} is not supported")
        with self.models.use(request.model_spec) as (number, servable):
            definitions = get_model_metadata_pb2.SignatureDefMap()
            for name, definition in signature_map(servable).items():
                definitions.signature_def[name].CopyFrom(definition)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = number
        response.metadata["signature_def"].Pack(definitions)
        return response

    def metadata_json(self, spec: Any) -> bytes:
        """The metadata as REST has them."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        response = self.metadata(request)
        definitions = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(definitions)
        metadata = {"signature_def": _as_dict(definitions)}
        spec_dict = _as_dict(response.model_spec)
        return json.dumps({"model_spec": spec_dict, "metadata": metadata}, indent=1).encode()

    def status(self, request: Any) -> Any:
        """GetModelStatusRequest -> GetModelStatusResponse."""
        spec = request.model_spec
        if not spec.name:
            raise errors.invalid("Missing model name in request.")
        model = self.models.models.get(spec.name)
        versions = dict(model.versions) if model else {}
        if not versions:
            raise ServingError("NOT_FOUND", f"Could not find any versions of model {spec.name}")
        wanted = sorted(versions, reverse=True)
        if spec.version_label:
            if model is None or spec.version_label not in model.labels:
                raise errors.invalid(f"Unrecognized servable version label: {spec.version_label}")
            wanted = [model.labels[spec.version_label]]
        elif spec.HasField("version"):
            wanted = [spec.version.value]
            if wanted[0] not in versions:
                raise ServingError("NOT_FOUND", f"Could not find version {wanted[0]} of model {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for number in wanted:
            version = versions[number]
            status = response.model_version_status.add(version=number)
            status.state = get_model_status_pb2.ModelVersionStatus.State.Value(version.state)
            status.status.error_code = version.error.number if version.error else 0
            status.status.error_message = version.error.message if version.error else ""
        return response

    def status_json(self, spec: Any) -> bytes:
        """The status as REST has it."""
        response = self.status(get_model_status_pb2.GetModelStatusRequest(model_spec=spec))
        return json.dumps(_as_dict(response), indent=1).encode()

    def reload(self, request: Any) -> Any:
        """ReloadConfigRequest -> ReloadConfigResponse."""
        self.models.reload(model_config.from_message(request.config))
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_code = 0
        return response


def effective_spec(spec: Any, number: int, signature: str | None = None) -> Any:
    """The ModelSpec of a response: the version and the signature that answered."""
    result = model_pb2.ModelSpec(name=spec.name)
    result.version.value = number
    result.signature_name = signature or spec.signature_name or DEFAULT_SIGNATURE
    return result


def _as_dict(message: Any) -> Any:
    """A message as JSON: the names of the protocol, numbers of 64 bits as texts, fields that are not set included."""
    options: dict[str, Any] = {"preserving_proto_field_name": True}
    try:
        return json_format.MessageToDict(message, always_print_fields_with_no_presence=True, **options)
    except TypeError:  # protobuf 4
        return json_format.MessageToDict(message, including_default_value_fields=True, **options)
