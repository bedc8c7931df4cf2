"""OpenVINO, whose kernels are not TensorFlow's: the numbers of a signature that takes and gives numbers alone.

Its outputs of strings crash when they are freed, and what makes texts does not convert, so that a copy of the graph
with one signature and its outputs of floating-point numbers is converted.
"""

from __future__ import annotations

import pathlib
import shutil
import tempfile
from collections.abc import Callable

import numpy as np

from tfrec.serving import protos

NUMBERS = (1, 2)  # DT_FLOAT, DT_DOUBLE


def open_saved_model(path: str) -> Callable[[str, dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """A function from a signature and its inputs to those of its outputs that are floating-point numbers."""
    import openvino

    core, compiled = openvino.Core(), {}

    def answer(signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if signature not in compiled:
            with tempfile.TemporaryDirectory() as folder:
                _write_one_signature(pathlib.Path(path), pathlib.Path(folder), signature)
                # Some CPUs would compute with bfloat16.
                model = core.compile_model(core.read_model(folder), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            compiled[signature] = model
        model = compiled[signature]
        results = model(inputs)
        return {name: results[model.output(name)] for name in _names(path, signature)}

    return answer


def _names(path: str, signature: str) -> list[str]:
    outputs = protos.signatures(path)[signature].outputs
    return [name for name, info in outputs.items() if info.dtype in NUMBERS]


def _write_one_signature(path: pathlib.Path, folder: pathlib.Path, signature: str) -> None:
    """A copy of a SavedModel in which `signature` is `serving_default`, with its outputs of numbers, and alone."""
    saved = protos.read_saved_model(path)
    for graph in saved.meta_graphs:
        chosen = type(graph.signature_def[signature])()
        chosen.CopyFrom(graph.signature_def[signature])
        for name in [name for name, info in chosen.outputs.items() if info.dtype not in NUMBERS]:
            del chosen.outputs[name]
        for name in list(graph.signature_def):
            del graph.signature_def[name]
        graph.signature_def["serving_default"].CopyFrom(chosen)
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    shutil.copytree(path / "variables", folder / "variables", copy_function=lambda a, b: pathlib.Path(b).symlink_to(a))
