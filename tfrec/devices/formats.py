"""The formats of files for devices."""

from __future__ import annotations

import dataclasses
import importlib.util
import pathlib

from pipelines.errors import UserError

SIGNATURE = "serving_default"  # of the SavedModel that is converted, and of LiteRT files
FEATURES, NETWORK = "features", "network"  # begin the names of what belongs to either
OUTPUT = "output"  # of networks with one
MAX_BYTES = 2**31 - 1  # of a file: both formats have offsets of 32 bits


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        ending: of the names of its files, after the model's name.
        runtime: a key of `worker.runtimes.RUNTIMES`.
        modules: that writing a file needs.
        extra: of the package, which installs them.
        is_exact: whether the network computes as it was trained; otherwise its weights are rounded to 8 bits.
        has_fft: whether the runtime computes spectra by an FFT; otherwise they are matrix products.
    """

    ending: str
    runtime: str
    modules: tuple[str, ...]
    extra: str
    is_exact: bool = True
    has_fft: bool = True


FORMATS = {
    "litert": Format(".tflite", "litert", ("ai_edge_litert",), "litert"),
    "litert-int8": Format("-int8.tflite", "litert", ("ai_edge_litert", "ai_edge_quantizer"), "litert", is_exact=False),
    "onnx": Format(".onnx", "onnx", ("onnx", "tf2onnx", "onnxruntime"), "onnx", has_fft=False),
}
SUFFIXES = {pathlib.Path(f"model{each.ending}").suffix: each.runtime for each in FORMATS.values()}


def is_file(path: pathlib.Path) -> bool:
    """Whether a path is a file that by its name is one for a device."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def require_modules(name: str) -> None:
    """Raises UserError where a format's packages are not installed."""
    chosen = FORMATS[name]
    if missing := [module for module in chosen.modules if importlib.util.find_spec(module) is None]:
        raise UserError(f"--format {name} needs {', '.join(missing)}: pip install 'tfrec[{chosen.extra}]'.")
