"""TensorFlow's protocol messages without TensorFlow: the modules of its wheel that hold only messages.

`import tensorflow` takes seconds and imports Keras.
"""

import importlib
import importlib.util
import pathlib
import sys
import types
from typing import Any


def tensorflow_folder() -> pathlib.Path | None:
    """Where TensorFlow is installed; it is not imported."""
    spec = importlib.util.find_spec("tensorflow")
    return pathlib.Path(spec.origin).parent if spec and spec.origin else None


def module(name: str) -> Any:
    """A module of messages, such as "protobuf.saved_model_pb2" for `tensorflow.core.protobuf.saved_model_pb2`."""
    full_name = f"tensorflow.core.{name}"
    if full_name in sys.modules or "tensorflow" in sys.modules:
        return importlib.import_module(full_name)
    package = types.ModuleType("tensorflow")
    package.__path__ = [str(tensorflow_folder())]
    sys.modules["tensorflow"] = package
    try:
        return importlib.import_module(full_name)
    finally:
        del sys.modules["tensorflow"]  # so that a later import is that of the whole package


def signatures(path: Any) -> dict[str, Any]:
    """{name: SignatureDef} of a version's folder, as `read_saved_model` reads it: those of the graph for servers."""
    graphs = read_saved_model(path).meta_graphs
    return named_signatures(next(graph for graph in graphs if "serve" in graph.meta_info_def.tags))


def named_signatures(graph: Any) -> dict[str, Any]:
    """The signatures of a meta graph that a client can name, sorted."""
    return {name: graph.signature_def[name] for name in sorted(graph.signature_def) if not name.startswith("__")}


def read_saved_model(path: Any) -> Any:
    """The SavedModel message of a version's folder.

    Raises:
        OSError: without a saved_model.pb that can be read.
        google.protobuf.message.DecodeError: where it holds something else.
    """
    message = module("protobuf.saved_model_pb2").SavedModel()
    message.ParseFromString((pathlib.Path(path) / "saved_model.pb").read_bytes())
    return message
