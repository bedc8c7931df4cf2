"""A folder of noises."""

import numpy as np
import pytest
import soundfile

from pipelines import noises
from pipelines.errors import UserError


def test_sorted_and_resampled(tmp_path):
    (tmp_path / "deep").mkdir()
    for name, value, rate in (("b.wav", 0.5, 16000), ("a.wav", 0.25, 8000), ("deep/c.flac", 0.75, 16000)):
        soundfile.write(tmp_path / name, np.full(rate, value), rate)
    (tmp_path / "README.txt").write_text("noises")
    found = noises.load(tmp_path, 8000)
    assert [len(noise) for noise in found] == [8000] * 3
    assert [round(float(noise[4000]), 2) for noise in found] == [0.25, 0.5, 0.75]
    assert all(noise.dtype == np.float32 for noise in found)


def test_real_noises(data_dir):
    found = noises.load(data_dir / "noise" / "wind", 16000)
    assert len(found) == 9
    assert all(16000 < len(noise) < 21 * 16000 and np.abs(noise).max() <= 1 for noise in found)


def test_mistakes(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        noises.load(tmp_path / "nothing", 16000)
    (tmp_path / "readme.txt").write_text("no noise here")
    with pytest.raises(UserError, match="holds no audio"):
        noises.load(tmp_path, 16000)
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    with pytest.raises(UserError, match=r"bad\.wav"):
        noises.load(tmp_path, 16000)
