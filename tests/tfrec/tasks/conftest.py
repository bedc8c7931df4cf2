"""What tests of tasks share."""

import numpy as np
import pytest
import soundfile


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """A folder of two types of noise."""
    folder = tmp_path_factory.mktemp("noise")
    for name in ("hiss", "hum"):
        (folder / name).mkdir()
        wave = np.random.default_rng(0).normal(scale=0.1, size=16000)
        soundfile.write(folder / name / "0.wav", wave.clip(-1, 1), 8000)
    return folder
