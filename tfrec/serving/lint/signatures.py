"""Rules on tags and signatures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tfrec.serving import protos
from tfrec.serving.lint.finding import Finding, Folder, result

DTYPES = frozenset(
    [
        "DT_FLOAT",
        "DT_DOUBLE",
        "DT_INT8",
        "DT_INT16",
        "DT_INT32",
        "DT_INT64",
        "DT_UINT8",
        "DT_UINT32",
        "DT_UINT64",
        "DT_BOOL",
        "DT_STRING",
    ]
)
CALLS = ("PartitionedCall", "StatefulPartitionedCall")
PASSING = ("Identity", "IdentityN")
SHAPE_ONLY = ("EnsureShape", "Shape", "ShapeN", "Size", "Rank", "NoOp")  # safe with every rank


def tags(folder: Folder) -> Finding:
    """A server asks for the tag `serve` and nothing else."""
    found = [sorted(graph.meta_info_def.tags) for graph in folder.graphs]
    wrong = f"the meta graphs have the tags {found}: write one with the tag serve alone"
    return result("tags", [] if found == [["serve"]] else [wrong], "one meta graph, with the tag serve")


def default(folder: Folder) -> Finding:
    """A client that names no signature gets `serving_default`."""
    names = ", ".join(folder.signatures) or "none"
    missing = f"there is no serving_default among the signatures ({names}): name one so"
    return result("serving_default", [] if "serving_default" in folder.signatures else [missing], f"among {names}")


def names(folder: Folder) -> Finding:
    """Sparse and ragged tensors lose their names; each tensor is dense and in the graph."""
    problems = [
        f"{where} is {tensor.WhichOneof('encoding') or 'without a tensor'}: return a dense tensor"
        for where, tensor in _tensors(folder)
        if tensor.WhichOneof("encoding") != "name" or not tensor.name
    ]
    problems += [
        f"the signature {name} has no {kind}: give it some"
        for name, signature in folder.signatures.items()
        for kind, tensors in (("inputs", signature.inputs), ("outputs", signature.outputs))
        if not tensors
    ]
    return result("names", problems, f"{len(list(_tensors(folder)))} inputs and outputs are named and dense")


def dtypes(folder: Folder) -> Finding:
    """What JSON and the typed fields of a TensorProto carry."""
    problems = []
    for where, tensor in _tensors(folder):
        name = protos.module("framework.types_pb2").DataType.Name(tensor.dtype)
        if name not in DTYPES:
            problems.append(f"{where} is {name.removeprefix('DT_').lower()}, which JSON cannot carry: cast it")
    return result("dtypes", problems, "JSON and gRPC carry all of them")


def batch(folder: Folder) -> Finding:
    """Every tensor has a leading dimension of any size: rows of JSON, and batching, need it."""
    problems = []
    for where, tensor in _tensors(folder):
        shape = tensor.tensor_shape
        if shape.unknown_rank:
            problems.append(f"{where} has no rank: declare its shape")
        elif not shape.dim:
            problems.append(f"{where} is a scalar: give it a batch dimension")
        elif shape.dim[0].size != -1:
            problems.append(f"{where} always has {shape.dim[0].size} rows: leave its first dimension open")
    return result("batch dimension", problems, "every input and output begins with one")


def ensure_shape(folder: Folder) -> Finding:
    """A request of another rank can abort the server inside a kernel, so that `tf.ensure_shape` comes first."""
    problems = []
    for name, signature in folder.signatures.items():
        for key, tensor in sorted(signature.inputs.items()):
            node, _, index = tensor.name.partition(":")
            for op in sorted(set(_first_ops(folder, node, int(index or 0))) - set(SHAPE_ONLY)):
                problems.append(f"{key} of {name} reaches {op} unchecked: begin with tf.ensure_shape")
    return result("tf.ensure_shape", problems, "checks the rank of every input first")


def _tensors(folder: Folder) -> Iterator[tuple[str, Any]]:
    """("output NAME of SIGNATURE", its TensorInfo)."""
    for name, signature in folder.signatures.items():
        for kind, tensors in (("input", signature.inputs), ("output", signature.outputs)):
            for key in sorted(tensors):
                yield f"{kind} {key} of {name}", tensors[key]


def _first_ops(folder: Folder, node: str, index: int) -> Iterator[str]:
    """The ops that read an output of a graph's node, through function calls."""
    names = {node, f"{node}:{index}"} if index == 0 else {f"{node}:{index}"}
    yield from _readers(folder, folder.graph.graph_def.node, names, set())


def _readers(folder: Folder, nodes: Any, names: set[str], visited: set[tuple[str, str]]) -> Iterator[str]:
    for node in nodes:
        for position, source in enumerate(node.input):
            if source not in names:
                continue
            function = node.attr["f"].func.name if node.op in CALLS else node.op
            if function in folder.functions:
                called = folder.functions[function]
                argument = called.signature.input_arg[position].name
                if (function, argument) not in visited:
                    visited.add((function, argument))
                    yield from _readers(folder, called.node_def, {argument}, visited)
            elif node.op in PASSING:
                # In a function an output is NODE:NAME:INDEX.
                outputs = {node.name, f"{node.name}:{position}", f"{node.name}:output:{position}"}
                yield from _readers(folder, nodes, outputs, visited)
            else:
                yield node.op
