"""The runtimes of devices, in the worker's process: TensorFlow is not imported."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tfrec.devices import contents
from tfrec.devices.contents import ContentsError

Arrays = dict[str, np.ndarray]
_ONNX_TYPES = {"tensor(float)": "float32", "tensor(int32)": "int32", "tensor(bool)": "bool"}


class Opened(NamedTuple):
    """A file that its runtime has loaded."""

    texts: Mapping[str, str]  # see `contents`
    inputs: Mapping[str, tuple[list[int], str]]  # shape and type of each
    answer: Callable[[Arrays], Arrays]


def litert(path: str) -> Opened:
    """Loads a file by LiteRT's interpreter, with one thread."""
    from ai_edge_litert.interpreter import Interpreter

    texts = contents.read_litert(path)
    # Not by its path: a file that changes below a memory map ends the process.
    interpreter = Interpreter(model_content=pathlib.Path(path).read_bytes(), num_threads=1)
    if len(interpreter.get_signature_list()) != 1:
        raise ContentsError("has not the one signature that tfrec writes")
    run = interpreter.get_signature_runner()
    details: dict[str, Any] = run.get_input_details()
    inputs = {name: (each["shape"].tolist(), np.dtype(each["dtype"]).name) for name, each in details.items()}
    return Opened(texts, inputs, lambda given: run(**given))


def onnx(path: str) -> Opened:
    """Loads a file by onnxruntime, with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Not by its path, so that it cannot name other files that hold its weights.
    content = pathlib.Path(path).read_bytes()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    inputs = {each.name: (list(each.shape), _ONNX_TYPES.get(each.type, each.type)) for each in session.get_inputs()}
    names = [each.name for each in session.get_outputs()]
    texts = {name: text for name, text in session.get_modelmeta().custom_metadata_map.items() if isinstance(text, str)}
    return Opened(texts, inputs, lambda given: dict(zip(names, session.run(names, given), strict=True)))


RUNTIMES = {"litert": litert, "onnx": onnx}
