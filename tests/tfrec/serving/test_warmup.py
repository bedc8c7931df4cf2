"""Warm-up records: what a server reads of them."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.config.schema import ExportConfig
from tfrec.serving import layout
from tfrec.serving.certificate import cases, certify
from tfrec.serving.loaders import process
from tfrec.serving.warmup import records, requests

VALUES = [
    np.array([b"\x89PNG", b"", b"a\0b"], object),
    np.zeros((2, 3), "float32"),
    np.float32([[1, 2, 2], [2, 2, 2]]),
    np.arange(6, dtype="uint8").reshape(1, 2, 3),
    np.int32([7]),
    np.zeros((0, 4), "float32"),
]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_tensors_are_what_a_server_reads(value):
    tensor = records.tensor_proto(value)
    for read in (tf.make_ndarray(tensor), records.array(tensor)):
        assert (read.shape, read.dtype) == (value.shape, value.dtype)
        assert read.tolist() == value.tolist()


def test_what_ends_in_one_value_takes_no_space():
    audio = np.zeros((8, 160_000), "float32")
    audio[0, :100] = 0.5
    assert records.tensor_proto(audio).ByteSize() < 1000


def test_the_file_is_a_tfrecord_of_prediction_logs(tmp_path):
    tensors = {"image": records.tensor_proto(np.full((1, 2, 2, 3), 7, "uint8"))}
    records.write(tmp_path / "warm", [("tensor", tensors), ("serving_default", {})], model="m")
    contents = [record.numpy() for record in tf.data.TFRecordDataset(str(tmp_path / "warm"))]
    assert len(contents) == 2
    (first, inputs), (second, nothing) = records.read(tmp_path / "warm")
    assert (first, second, nothing) == ("tensor", "serving_default", {})
    assert records.array(inputs["image"]).sum() == 84
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    log = logs.PredictionLog.FromString(contents[0])
    assert log.WhichOneof("log_type") == "predict_log"
    spec = log.predict_log.request.model_spec
    assert (spec.name, spec.signature_name) == ("m", "tensor")
    assert tf.make_ndarray(log.predict_log.request.inputs["image"]).sum() == 84


def test_damage_is_found(tmp_path):
    records.write(tmp_path / "warm", [("tensor", {})] * 2)
    contents = (tmp_path / "warm").read_bytes()
    for damaged in (contents[:-1], contents[:14] + b"?" + contents[15:], contents + b"rest"):
        (tmp_path / "warm").write_bytes(damaged)
        with pytest.raises(records.RecordError, match=r"record [123] is cut off or damaged"):
            records.read(tmp_path / "warm")


@pytest.mark.parametrize(
    ("found", "expected"),
    [([100_000], [50_000, 75_000, 100_000]), ([8000, 9000, 20_000], [8000, 9000, 20_000]), ([5], [1600, 2400, 3200])],
)
def test_lengths_are_spread(found, expected):
    assert requests.lengths([np.zeros(length) for length in found], 8000) == expected


def test_every_signature_and_batch_size_three_times(exported, trained, tmp_path):
    folder, recognizer = exported("cnn"), trained("cnn")[1]
    raw = recognizer.examples()
    export = dataclasses.replace(recognizer.config.export, warmup_batches=(1, 3))
    recognizer = recognizer.replace(config=dataclasses.replace(recognizer.config, export=export))
    made = requests.collect(folder, recognizer, raw)
    assert len(made) == 30
    requests.write(tmp_path, made)
    written = records.read(tmp_path / layout.WARMUP_RECORDS)
    for signature in ("embedding", "encoded", "features", "serving_default", "tensor"):
        inputs = [
            {name: records.array(tensor) for name, tensor in each.items()} for key, each in written if key == signature
        ]
        assert sorted(len(next(iter(each.values()))) for each in inputs) == [1, 1, 1, 3, 3, 3]
        if signature == "tensor":
            assert len({each["audio"].shape[1] for each in inputs}) == 3
            assert len({*inputs[-1]["length"].tolist()}) == 3


@pytest.mark.slow
def test_a_record_that_fails_fails_the_export(exported, trained, monkeypatch):
    def fails(*_):
        raise process.LoaderError("warm-up request 3, of the signature tensor, fails: too long")

    monkeypatch.setattr(process, "answer", fails)
    recognizer = trained("digits")[1]
    message = r"Not published: .*: warm-up request 3, .* is unchanged: change export\.warmup_batches"
    with pytest.raises(UserError, match=message):
        certify.certify(recognizer, exported("digits"), cases.collect(recognizer))


@pytest.mark.parametrize("batches", [(0,), (2000,), (1,) * 17])
def test_batch_sizes_are_bounded(batches):
    with pytest.raises(ValueError, match=r"export\.warmup_batches must be at most 16 sizes from 1 to 1,024"):
        ExportConfig(warmup_batches=batches)
