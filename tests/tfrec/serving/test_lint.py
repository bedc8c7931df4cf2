"""`tfrec export --check`: each rule finds what breaks it, in SavedModels of any origin."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.serving import layout, protos
from tfrec.serving.lint import report
from tfrec.serving.warmup import records

ROWS = tf.TensorSpec([None, 4], tf.float32, name="x")


class Network(tf.Module):
    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(tf.ones([4, 2]), name="weight")


def save(folder, answer, spec=ROWS, signature="serving_default"):
    """A SavedModel whose signature is `answer(network, x)`."""
    network = Network()
    function = tf.function(lambda x: answer(network, x), input_signature=[spec])
    tf.saved_model.save(network, str(folder), signatures={signature: function.get_concrete_function()})
    return folder


def good(network, x):
    return {"y": tf.matmul(tf.ensure_shape(x, [None, 4]), network.weight)}


@pytest.fixture(scope="module")
def good_export(tmp_path_factory):
    folder = save(tmp_path_factory.mktemp("models") / "m" / "1", good)
    (folder / "assets.extra").mkdir()
    tensors = [records.tensor_proto(np.ones((rows, 4), "float32")) for rows in (1, 8)]
    records.write(folder / layout.WARMUP_RECORDS, [("serving_default", {"x": tensor}) for tensor in tensors])
    folder.parent.parent.chmod(0o755)
    return folder


@pytest.fixture
def export(good_export, tmp_path):
    """A copy to break."""
    return shutil.copytree(good_export, tmp_path / "m" / "1")


def problems(folder, status="problem", check=report.check):
    return {each.rule: each.text for each in check(report.open_folder(folder)) if each.status == status}


def test_a_good_export_has_no_problem(good_export, capsys):
    assert report.run(good_export.parent) == 0  # the highest version
    printed = capsys.readouterr().out
    assert f"needs TensorFlow Serving {'.'.join(tf.__version__.split('.')[:2])} or newer" in printed
    assert problems(good_export, "not checked").keys() == {"merged requests"}
    assert "2 requests" in problems(good_export, "ok")["runs"]


def on_gpu(network, x):
    with tf.device("/GPU:0"):
        return good(network, x)


BROKEN = {
    "unchecked rank": (lambda n, x: {"y": tf.matmul(x, n.weight)}, "tf.ensure_shape", "x of serving_default.* MatMul"),
    "scalar": (lambda n, x: good(n, x) | {"z": tf.reduce_sum(n.weight)}, "batch dimension", "output z .* is a scalar"),
    "one row": (lambda n, x: good(n, x) | {"z": tf.ones([1, 2])}, "batch dimension", "always has 1 rows"),
    "half": (lambda n, x: {"y": tf.cast(good(n, x)["y"], tf.float16)}, "dtypes", "output y .* is half"),
    "python": (lambda n, x: good(n, x) | {"z": tf.numpy_function(abs, [x], tf.float32)}, "ops", "PyFunc calls Python"),
    "device": (on_gpu, "devices", "pinned to /device:GPU:0"),
    "constant": (
        lambda n, x: {"y": tf.matmul(tf.ensure_shape(x, [None, 4]), np.random.rand(4, 10**6).astype("float32"))},
        "size",
        "16 MB of the graph are constants",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_graphs_that_break_a_rule(name, tmp_path):
    answer, rule, message = BROKEN[name]
    found = problems(save(tmp_path / "1", answer), check=report.check_files)
    assert re.search(message, found[rule])


def test_a_signature_of_another_name(tmp_path):
    assert (
        "(other)"
        in problems(save(tmp_path / "1", good, signature="other"), check=report.check_files)["serving_default"]
    )


def edit(folder, change):
    saved = protos.read_saved_model(folder)
    change(saved)
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


def rename_op(saved, name):
    for function in saved.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if node.op == "MatMul":
                node.op = name


def sparse(saved):
    outputs = saved.meta_graphs[0].signature_def["serving_default"].outputs
    outputs["y"].coo_sparse.values_tensor_name = outputs["y"].name


@pytest.mark.parametrize(
    ("rule", "change", "message"),
    [
        ("tags", lambda saved: saved.meta_graphs[0].meta_info_def.tags.append("gpu"), "serve alone"),
        ("names", sparse, "coo_sparse: return a dense tensor"),
        ("ops", lambda saved: rename_op(saved, "IO>Decode"), "IO>Decode is of another library"),
        ("ops", lambda saved: rename_op(saved, "CudnnRNNV3"), "use_cudnn=False"),
        ("ops", lambda saved: rename_op(saved, "BatchFFT"), "no kernel for CPUs"),
        ("ops", lambda saved: rename_op(saved, "Nonsense"), "unknown to this TensorFlow"),
    ],
)
def test_messages_that_break_a_rule(rule, change, message, export):
    edit(export, change)
    assert message in problems(export, check=report.check_files)[rule]


def close(path):
    path.chmod(0o600)


def leave(folder):
    (folder.parent / ".tmp-host-1-abc").mkdir()


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-3])


@pytest.mark.parametrize(
    ("rule", "change", "message"),
    [
        ("variables", lambda folder: (folder / "variables/variables.index").unlink(), "variables.index is missing"),
        ("variables", lambda folder: next(folder.glob("variables/*.data*")).unlink(), "0 of 1 files"),
        ("permissions", lambda folder: close(folder / "saved_model.pb"), "has mode 600: chmod o+r"),
        ("place", leave, ".tmp-host-1-abc is left of a publication"),
        ("place", lambda folder: folder.rename(folder.parent / "new"), "'new' is no version"),
        ("warm-up", lambda folder: cut_off(folder / layout.WARMUP_RECORDS), "record 2 is cut off"),
        ("warm-up", lambda folder: (folder / layout.WARMUP_RECORDS).write_bytes(b""), "0 records"),
        ("loads", lambda folder: cut_off(next(folder.glob("variables/*.data*"))), "session loader"),
    ],
)
def test_folders_that_break_a_rule(rule, change, message, export):
    change(export)
    path = export if export.exists() else export.parent / "new"
    check = report.check if rule in ("warm-up", "loads") else report.check_files
    assert message in problems(path, check=check)[rule]


@pytest.mark.parametrize(
    ("signature", "inputs", "rule", "message"),
    [
        ("other", {"x": np.ones((1, 4), "float32")}, "warm-up", "for the signature 'other'"),
        ("serving_default", {"z": np.ones((1, 4), "float32")}, "warm-up", "gives ['z']"),
        ("serving_default", {"x": np.ones((1, 5), "float32")}, "runs", "request 1, of the signature serving_default"),
    ],
)
def test_records_that_would_fail(signature, inputs, rule, message, export):
    requests = [(signature, {name: records.tensor_proto(value) for name, value in inputs.items()})]
    records.write(export / layout.WARMUP_RECORDS, requests)
    assert message in problems(export)[rule]


def test_a_damaged_file_and_no_folder(export):
    (export / "saved_model.pb").write_bytes(b"not a message")
    with pytest.raises(UserError, match="is damaged"):
        report.open_folder(export)
    with pytest.raises(UserError, match="holds no SavedModel"):
        report.open_folder(export.parent / "absent")


def test_the_command_imports_neither_tensorflow_nor_keras(good_export, export):
    script = "import sys; sys.modules['keras'] = sys.modules['tensorflow.python'] = None; from tfrec import __main__"
    leave(export)
    for folder, status, line in ((good_export, 0, "no problems; "), (export, 1, "1 problem; ")):
        words = f"; __main__.main(['export', '--check', {str(folder)!r}])"
        done = subprocess.run([sys.executable, "-c", script + words], capture_output=True, text=True, env=os.environ)
        assert (done.returncode, done.stderr) == (status, "")
        assert line in done.stdout.splitlines()[-1]
