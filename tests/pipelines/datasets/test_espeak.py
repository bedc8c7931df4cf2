"""The engine of synthetic speech."""

import pathlib
import sys

import numpy as np
import pytest

from pipelines.datasets import espeak


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_library_is_unloaded():
    loader = pytest.importorskip("espeakng_loader")
    name = pathlib.Path(loader.get_library_path()).name

    def is_loaded():
        return name in pathlib.Path("/proc/self/maps").read_text()

    with espeak.LOCK:
        with espeak.engine():
            assert is_loaded()
        assert not is_loaded()


def test_trim_and_vary():
    clip = np.array([0, 0.001, 0.5, -0.25, 0.001, 0], np.float32)
    np.testing.assert_array_equal(espeak.trim(clip), np.array([0.5, -0.25], np.float32))
    varied = espeak.vary(clip, 1000, np.random.default_rng(0))
    assert varied.dtype == np.float32
    assert len(clip) <= len(varied) < len(clip) + 200
    assert 10 ** (-12 / 20) <= np.abs(varied).max() <= 1
