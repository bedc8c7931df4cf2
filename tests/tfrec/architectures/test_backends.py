"""Every architecture under JAX: it is built, run on a small input, and differentiated, in a process of its own.

TensorFlow is installed in addition to JAX, but no layer of an architecture may call it.
"""

import json
import os
import subprocess
import sys

import pytest

from tests.tfrec.architectures.small_networks import ONE_OF_EACH_MODULE

UNSUPPORTED: dict[str, str] = {}  # what cannot run under JAX, and why
RUN = """
import json, sys, traceback
import jax, keras, numpy as np
from tests.tfrec.architectures.small_networks import batch, build, perturb
from tfrec import architectures

def run(name):
    kind = architectures.find(name).input_kinds[0]
    net = perturb(build(name, kind, 5))
    inputs = batch(kind)
    if isinstance(net.input, dict) and "tokens" in net.input:
        inputs["tokens"] = np.array([[0, 1, 2]] * 4, "int32")
    outputs = net(inputs)
    state = [variable.value for variable in net.non_trainable_variables]

    def loss(weights):
        outputs, _ = net.stateless_call(weights, state, inputs, training=True)
        outputs = outputs if isinstance(outputs, dict) else {"vector": outputs}
        return sum((value**2).sum() for value in outputs.values() if value.dtype == "float32")

    gradients = jax.jit(jax.grad(loss))([variable.value for variable in net.trainable_variables])
    values = [*jax.tree.leaves(outputs), *gradients]
    assert all(np.isfinite(value).all() for value in values)
    assert any(np.abs(gradient).max() > 0 for gradient in gradients)
    return jax.tree.map(lambda value: list(value.shape), outputs)

assert keras.backend.backend() == "jax"
for name in sys.argv[1:]:
    try:
        print(json.dumps([name, run(name), None]), flush=True)
    except Exception:
        print(json.dumps([name, None, traceback.format_exc()]), flush=True)
"""


@pytest.fixture(scope="module")
def results():
    """{name: (shapes of outputs, error)}, computed in one process."""
    pytest.importorskip("jax")
    flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"  # faster to compile
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    names = [name for name in ONE_OF_EACH_MODULE if name not in UNSUPPORTED]
    process = subprocess.run(
        [sys.executable, "-c", RUN, *names], capture_output=True, text=True, env=environment, check=False
    )
    assert process.returncode == 0, process.stderr
    return {name: (shapes, error) for name, shapes, error in map(json.loads, process.stdout.splitlines())}


def test_unsupported_architectures_exist():
    assert set(UNSUPPORTED) <= set(ONE_OF_EACH_MODULE)


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_OF_EACH_MODULE)
def test_runs_under_jax(name, results):
    if name in UNSUPPORTED:
        pytest.skip(UNSUPPORTED[name])
    shapes, error = results[name]
    assert error is None, error
    if isinstance(shapes, dict):
        shapes = shapes["logits"][::2] if "logits" in shapes else shapes["image"]
    assert shapes == [4, 5]
