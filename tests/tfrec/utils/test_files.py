"""Atomic writes, and the check for free disk space."""

import collections
import shutil

import keras
import pytest

from tfrec.utils.files import atomic_write, require_space


def write_and_raise(path):
    with atomic_write(path) as temporary:
        temporary.write_text("second")
        raise ValueError("diverged")


def test_a_write_is_complete_or_changes_nothing(tmp_path):
    path = tmp_path / "file.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("first")
        assert not path.exists()
    with pytest.raises(ValueError, match="diverged"):
        write_and_raise(path)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_weights_that_do_not_fit_on_the_disk(tmp_path, monkeypatch):
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8)])
    require_space(model, tmp_path / "some.weights.h5")
    usage = collections.namedtuple("usage", "free")(1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"No space left.*some\.weights\.h5"):
        require_space(model, tmp_path / "some.weights.h5")
