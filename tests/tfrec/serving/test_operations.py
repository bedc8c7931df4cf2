"""Exports of strangers: what does more than compute does not run."""

import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfrec
from pipelines.errors import UserError
from tfrec.commands import predict
from tfrec.serving import operations, protos
from tfrec.serving.deployment import model_config
from tfrec.serving.server.models import Model


@pytest.fixture
def copy(published, tmp_path):
    """The folder of an export that can be changed, and a function that changes its graph."""
    path = pathlib.Path(shutil.copytree(published, tmp_path / "mine" / "1"))

    def change(edit):
        saved = protos.read_saved_model(path)
        edit(saved.meta_graphs[0])
        (path / "saved_model.pb").write_bytes(saved.SerializeToString())

    return path, change


def functions(graph):
    """(those for saving and restoring, the others)"""
    own = list(graph.graph_def.library.function)
    saving = [each for each in own if "traced_save" in each.signature.name or "traced_restore" in each.signature.name]
    return saving, [each for each in own if each not in saving]


def called(graph):
    return {each.signature.name for each in graph.graph_def.library.function}


def test_an_export_of_ours_is_allowed(published):
    (graph,) = protos.read_saved_model(published).meta_graphs
    found = {node.op for each in functions(graph)[1] for node in each.node_def}
    assert {"DecodeJpeg", "Conv2D", "Softmax"} <= found <= operations.ALLOWED | called(graph)
    assert operations.require_allowed(published) is None


@pytest.mark.parametrize("name", ["ReadFile", "WriteFile", "SaveV2", "RestoreV2", "PrintV2", "EagerPyFunc", "Other>Op"])
def test_an_operation_in_a_function(copy, name):
    path, change = copy
    change(lambda graph: functions(graph)[1][0].node_def.add(name="extra", op=name))
    with pytest.raises(UserError, match=f"1 is not run: its function .* has the operation {name}, .*--trust"):
        tfrec.load(path)


def test_an_operation_in_the_graph(copy):
    path, change = copy
    change(lambda graph: graph.graph_def.node.add(name="extra", op="WriteFile"))
    with pytest.raises(UserError, match="its graph has the operation WriteFile"):
        operations.require_allowed(path)


def test_saving_is_for_the_saver_alone(copy):
    """A function that requests can reach calls the one that writes the weights."""
    path, change = copy

    def call(graph):
        saving, others = functions(graph)
        writer = next(each for each in saving if "traced_save" in each.signature.name)
        node = others[0].node_def.add(name="extra", op="StatefulPartitionedCall")
        node.attr["f"].func.name = writer.signature.name

    change(call)
    with pytest.raises(UserError, match=r"has the operation (SaveV2|ShardedFilename|MergeV2Checkpoints)"):
        operations.require_allowed(path)


def save_writer(folder, victim):
    """A SavedModel whose answers write a file."""

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 1), tf.float32)])
        def answer(self, image):
            tf.io.write_file(str(victim), "x")
            return {"probabilities": tf.ones((tf.shape(image)[0], 10)) / 10}

    module = Module()
    tf.saved_model.save(module, str(folder), {"serving_default": module.answer, "tensor": module.answer})


def test_one_that_writes_a_file(copy, tmp_path, fails):
    path, _ = copy
    victim = tmp_path / "written"
    save_writer(tmp_path / "saved", victim)
    shutil.copy(tmp_path / "saved" / "saved_model.pb", path / "saved_model.pb")
    Image.fromarray(np.zeros((8, 8), "uint8")).save(tmp_path / "a.png")
    assert "has the operation WriteFile" in fails(predict, path, tmp_path / "a.png")
    assert not victim.exists()
    tfrec.load(path, trust=True).answers({"image": np.zeros((1, 8, 8, 1), "float32")})
    assert victim.exists()


def test_the_server_loads_what_only_computes(tmp_path):
    save_writer(tmp_path / "writer" / "1", tmp_path / "written")
    (config,) = model_config.in_folder(tmp_path / "writer", model_config.NO_LABELS)
    refusing, trusting = (Model(config, lambda *_: None, trust) for trust in (False, True))
    refusing.poll()
    assert refusing.versions[1].state == "END"
    assert "has the operation WriteFile" in refusing.versions[1].error.message
    trusting.poll()
    assert trusting.versions[1].state == "AVAILABLE"
    trusting.close()
