"""Rules on ops, on size, and on the server's version."""

from __future__ import annotations

import re

from tfrec.serving.lint.finding import NOT_CHECKED, OK, Finding, Folder, result

MAX_GRAPH_BYTES = 2**30
LARGE_CONSTANT_BYTES = 10_000_000
PYTHON = ("PyFunc", "EagerPyFunc")


def ops(folder: Folder, registered: dict[str, bool] | None) -> Finding:
    """Only ops that TensorFlow itself registers, with kernels for CPUs.

    Args:
        folder: the version.
        registered: {op: whether it has a kernel for CPUs}; None where TensorFlow's C library is not installed.
    """
    used = {node.op for node in folder.nodes()} - set(folder.functions)
    problems = []
    for op in sorted(used):
        if ">" in op:
            problems.append(f"{op} is of another library, which no server has: replace it by ops of TensorFlow")
        elif op.startswith(PYTHON):
            problems.append(f"{op} calls Python, which no server has: write it with ops of TensorFlow")
        elif op.startswith("Cudnn"):
            problems.append(f"{op} runs on GPUs alone: build the layer with use_cudnn=False")
        elif registered is not None and op not in registered:
            problems.append(f"{op} is unknown to this TensorFlow: replace it, or check with the version that wrote it")
        elif registered is not None and not registered[op]:
            problems.append(f"{op} has no kernel for CPUs: replace it")
    if registered is None and not problems:
        return Finding("ops", NOT_CHECKED, "TensorFlow's C library is not installed: install tensorflow, check again")
    return result("ops", problems, f"TensorFlow registers all {len(used)} of them, with kernels for CPUs")


def devices(folder: Folder) -> Finding:
    """No node is pinned to a device that a server may lack."""
    pinned = sorted({node.device for node in folder.nodes() if re.search(r"(?i)GPU|TPU", node.device)})
    problems = [f"nodes are pinned to {device}: export outside tf.device" for device in pinned]
    return result("devices", problems, "no node is pinned to one")


def size(folder: Folder) -> Finding:
    """A server rejects a graph over 1 GiB, and constants are in it."""
    total = (folder.path / "saved_model.pb").stat().st_size
    constants = [node.ByteSize() for node in folder.nodes() if node.op == "Const"]
    large = sum(size for size in constants if size > LARGE_CONSTANT_BYTES)
    problems = []
    if total > MAX_GRAPH_BYTES:
        problems.append(f"the graph has {total / 2**30:.1f} GiB, and a server takes 1: keep weights as variables")
    elif large:
        problems.append(f"{large / 1e6:.0f} MB of the graph are constants: keep weights as variables")
    return result("size", problems, f"a graph of {total / 1e6:.1f} MB")


def server_version(folder: Folder) -> str | None:
    """The lowest version of TensorFlow Serving that is sure to run it, such as "2.17"; None where it is not written.

    A version of TensorFlow Serving has the TensorFlow of the same number. An older one may lack an op, or an attribute
    of one.
    """
    found = re.match(r"(\d+)\.(\d+)", folder.graph.meta_info_def.tensorflow_version)
    return f"{found[1]}.{found[2]}" if found else None


def version(folder: Folder) -> Finding:
    """A server must not be older than TensorFlow was when it wrote the graph."""
    written, producer = folder.graph.meta_info_def.tensorflow_version, folder.graph.graph_def.versions.producer
    lowest = server_version(folder)
    if lowest is None:
        text = "the meta graph names no version of TensorFlow: write it with tf.saved_model.save"
        return Finding("server version", NOT_CHECKED, text)
    text = f"TensorFlow Serving {lowest} or newer: written by TensorFlow {written}, graph version {producer}"
    return Finding("server version", OK, text)
