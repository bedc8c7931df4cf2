"""Warm-up requests of an export: `assets.extra/tf_serving_warmup_requests`, a TFRecord of PredictionLog."""

from __future__ import annotations

import pathlib

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from tfrec.serving.layout import MAX_WARMUP_RECORDS, WARMUP_RECORDS
from tfrec.serving.server import tensors
from tfrec.serving.server.errors import invalid
from tfrec.serving.server.servable import Servable


def run(servable: Servable, path: pathlib.Path) -> int:
    """Answers every warm-up request of a version.

    Returns:
        The number of records.

    Raises:
        ServingError, tf.errors.OpError: for the first record that fails.
    """
    if not (path / WARMUP_RECORDS).is_file():
        return 0
    count = 0
    for record in tf.data.TFRecordDataset(str(path / WARMUP_RECORDS)).as_numpy_iterator():
        count += 1
        if count > MAX_WARMUP_RECORDS:
            raise invalid(
                f"Number of warmup records exceeds the maximum ({MAX_WARMUP_RECORDS}) at {path / WARMUP_RECORDS}"
            )
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record)
        except DecodeError as error:
            raise invalid(
                f"Failed to parse warmup record: {record[:40]!r} from {path / WARMUP_RECORDS}: {error}"
            ) from None
        kind = log.WhichOneof("log_type")
        if kind != "predict_log":
            raise invalid(f"Unsupported log_type for warmup: {kind}")
        request = log.predict_log.request
        signature = servable.signature(request.model_spec.signature_name)
        inputs = {name: tensors.to_array(name, proto) for name, proto in request.inputs.items()}
        signature.check_inputs(inputs)
        servable.run(signature, inputs, signature.choose_outputs(request.output_filter), None)
    return count
