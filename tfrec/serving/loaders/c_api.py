"""TensorFlow's C library by ctypes: `TF_LoadSessionFromSavedModel` and `TF_SessionRun`, with no Python in between.

This is what a server does: nothing checks the shape of an input before the graph. TensorFlow is not imported.
"""

from __future__ import annotations

import ctypes
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfrec.serving import protos

STRING = 7
# TF_DataType of what a signature may hold.
DTYPES = {
    **{1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 9: "int64", 10: "bool"},
    **{17: "uint16", 19: "float16", 22: "uint32", 23: "uint64"},
}
NUMBERS = {np.dtype(name): number for number, name in DTYPES.items()}
STRING_BYTES = 24  # of a TF_TString
INVALID_ARGUMENT = 3


class TensorFlowError(Exception):
    """A status other than OK.

    Attributes:
        code: a TF_Code, such as `INVALID_ARGUMENT`.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)  # all arguments, so that it can be pickled
        self.code = code

    def __str__(self) -> str:
        return str(self.args[1])


class _Output(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


class _Buffer(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("deallocator", ctypes.c_void_p))


def library_path() -> pathlib.Path | None:
    """The C library inside the installed wheel; None where it has none."""
    folder = protos.tensorflow_folder()
    found = sorted(folder.glob("libtensorflow_cc.so*")) if folder else []
    return found[0] if found else None


def load_library() -> Any:
    """The C library; OSError where the wheel has none."""
    path = library_path()
    if path is None:
        raise OSError("TensorFlow's wheel holds no libtensorflow_cc")
    library = ctypes.CDLL(str(path))
    pointers = "NewStatus NewGraph NewSessionOptions LoadSessionFromSavedModel GraphOperationByName AllocateTensor "
    for name in (pointers + "TensorData StringGetDataPointer").split():
        getattr(library, f"TF_{name}").restype = ctypes.c_void_p
    library.TF_GetAllOpList.restype = library.TF_GetRegisteredKernelsForOp.restype = ctypes.POINTER(_Buffer)
    library.TF_Message.restype = library.TF_Version.restype = ctypes.c_char_p
    library.TF_StringGetSize.restype = ctypes.c_size_t
    library.TF_Dim.restype = ctypes.c_int64
    return library


class SavedModel:
    """A session of a SavedModel.

    Args:
        path: the version's folder.

    Raises:
        TensorFlowError: where it cannot be loaded.
    """

    def __init__(self, path: str) -> None:
        self._library = load_library()
        self._signatures = protos.signatures(path)
        self._status = ctypes.c_void_p(self._library.TF_NewStatus())
        self._graph = ctypes.c_void_p(self._library.TF_NewGraph())
        options = ctypes.c_void_p(self._library.TF_NewSessionOptions())
        tags = (ctypes.c_char_p * 1)(b"serve")
        folder = str(path).encode()
        self._session = ctypes.c_void_p(
            self._library.TF_LoadSessionFromSavedModel(options, None, folder, tags, 1, self._graph, None, self._status)
        )
        self._check()

    def __call__(self, signature: str, inputs: dict[str, Any]) -> dict[str, np.ndarray]:
        """Outputs of a signature, byte strings with dtype object; TensorFlowError where the graph refuses."""
        definition = self._signatures[signature]
        tensors = [self._tensor(np.asarray(value)) for value in inputs.values()]
        outputs = (ctypes.c_void_p * len(definition.outputs))()
        try:
            self._library.TF_SessionRun(
                *(self._session, None),
                *(self._places([definition.inputs[name].name for name in inputs]),),
                *((ctypes.c_void_p * len(tensors))(*tensors), len(tensors)),
                *(self._places([each.name for each in definition.outputs.values()]), outputs, len(outputs)),
                *(None, 0, None, self._status),
            )
            self._check()
            return {name: self._array(ctypes.c_void_p(each)) for name, each in zip(definition.outputs, outputs)}  # noqa: B905
        finally:
            for tensor in (*tensors, *outputs):
                if tensor:
                    self._library.TF_DeleteTensor(ctypes.c_void_p(tensor))

    def _check(self) -> None:
        if code := self._library.TF_GetCode(self._status):
            raise TensorFlowError(code, self._library.TF_Message(self._status).decode(errors="replace"))

    def _places(self, names: Sequence[str]) -> Any:
        """Tensors of the graph by their names, such as "StatefulPartitionedCall:1"."""
        places = (_Output * len(names))()
        for place, name in zip(places, names, strict=True):
            operation, _, index = name.partition(":")
            found = self._library.TF_GraphOperationByName(self._graph, operation.encode())
            if not found:
                raise TensorFlowError(INVALID_ARGUMENT, f"The graph has no operation {operation!r}")
            place.operation, place.index = found, int(index or 0)
        return places

    def _tensor(self, value: np.ndarray) -> int:
        """A new tensor with the values of an array."""
        is_string = value.dtype == object
        size = value.size * STRING_BYTES if is_string else value.nbytes
        shape = (ctypes.c_int64 * value.ndim)(*value.shape)
        number = STRING if is_string else NUMBERS[value.dtype]
        tensor = self._library.TF_AllocateTensor(number, shape, value.ndim, ctypes.c_size_t(size))
        data = self._library.TF_TensorData(ctypes.c_void_p(tensor))
        if is_string:
            for i, content in enumerate(value.flat):
                place = ctypes.c_void_p(data + i * STRING_BYTES)
                self._library.TF_StringInit(place)
                self._library.TF_StringCopy(place, content, ctypes.c_size_t(len(content)))
        elif size:
            contiguous = np.ascontiguousarray(value)  # a name, which keeps a copy alive while it is read
            ctypes.memmove(data, contiguous.ctypes.data, size)
        return int(tensor)

    def _array(self, tensor: Any) -> np.ndarray:
        library = self._library
        shape = [library.TF_Dim(tensor, axis) for axis in range(library.TF_NumDims(tensor))]
        number, data = library.TF_TensorType(tensor), library.TF_TensorData(tensor)
        if number != STRING:
            array = np.empty(shape, DTYPES[number])
            if array.nbytes:
                ctypes.memmove(array.ctypes.data, data, array.nbytes)
            return array
        texts = np.empty(shape, object)
        for i in range(texts.size):
            place = ctypes.c_void_p(data + i * STRING_BYTES)
            start, length = library.TF_StringGetDataPointer(place), library.TF_StringGetSize(place)
            texts.flat[i] = ctypes.string_at(start, length)
        return texts


def open_saved_model(path: str) -> SavedModel:
    """A function from a signature and its inputs to its outputs, byte strings with dtype object."""
    return SavedModel(path)


def registered_ops() -> dict[str, bool]:
    """{op that TensorFlow itself registers: whether it has a kernel for CPUs}."""
    library = load_library()
    ops = _message(library.TF_GetAllOpList().contents, "framework.op_def_pb2", "OpList")
    status, found = ctypes.c_void_p(library.TF_NewStatus()), {}
    for op in ops.op:
        buffer = library.TF_GetRegisteredKernelsForOp(op.name.encode(), status).contents
        kernels = _message(buffer, "framework.kernel_def_pb2", "KernelList").kernel
        # Ops without any kernel are replaced before a graph runs.
        found[op.name] = not kernels or any(kernel.device_type in ("CPU", "DEFAULT") for kernel in kernels)
    return found


def version() -> str:
    """TensorFlow's version."""
    return str(load_library().TF_Version().decode())


def _message(buffer: Any, module: str, name: str) -> Any:
    message = getattr(protos.module(module), name)()
    message.ParseFromString(ctypes.string_at(buffer.data, buffer.length))
    return message
