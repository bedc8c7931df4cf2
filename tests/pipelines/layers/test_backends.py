"""Every layer runs on JAX as on TensorFlow: the layers are written in keras.ops."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from pipelines.layers import LAYERS
from pipelines.layers.base import RandomLayer
from tests.pipelines.layers import backend_outputs

ROOT = pathlib.Path(backend_outputs.__file__).parents[3]
AUGMENTATIONS = [name for name, kind in LAYERS.items() if issubclass(kind, RandomLayer) and name != "fixed_frames"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """The outputs of every layer by backend, from one process each."""
    pytest.importorskip("jax")
    folder = tmp_path_factory.mktemp("backends")
    results = {}
    for backend in ("tensorflow", "jax"):
        path = folder / f"{backend}.npz"
        environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "-1"}
        command = [sys.executable, "-m", "tests.pipelines.layers.backend_outputs", str(path)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        with np.load(path) as values:
            results[backend] = dict(values)
    return results["tensorflow"], results["jax"]


def keys(values, name):
    return sorted(key for key in values if key.split("/")[0] == name)


@pytest.mark.parametrize("name", LAYERS)
def test_jax_agrees_with_tensorflow(name, outputs):
    tensorflow, jax = outputs
    assert keys(tensorflow, name) == keys(jax, name) != []
    for key in keys(jax, name):
        assert jax[key].shape == tensorflow[key].shape, key
        assert jax[key].dtype == tensorflow[key].dtype, key
        assert np.isfinite(jax[key]).all(), key
        if "/True/" not in key:  # the backends draw different random numbers
            np.testing.assert_allclose(jax[key], tensorflow[key], rtol=0, atol=1e-4, err_msg=key)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation_on_jax_is_the_identity_without_training(name, outputs):
    _, jax = outputs
    kind, _ = backend_outputs.CASES[name]
    np.testing.assert_array_equal(jax[f"{name}/False/0"], backend_outputs.inputs()[kind][0])
    assert not np.array_equal(jax[f"{name}/True/0"], jax[f"{name}/False/0"])
