"""Weights files that are damaged, malicious, or of another kind: always one sentence."""

import h5py
import numpy as np
import pytest

from pipelines.errors import UserError
from tests.tfrec.pretrained.helpers import LABELS, config, load, random_net
from tfrec import architectures
from tfrec.pretrained import pretrained_weights, transfer, weights_file

CLASSES = 5


def bomb(file):
    del file["layers/conv2d/vars/0"]
    file.create_dataset("layers/conv2d/vars/0", (2**20, 2**20), "float32", chunks=(1024, 1024), compression="gzip")


def outside(file):
    del file["layers/conv2d/vars/0"]
    with h5py.File(f"{file.filename}.other", "w") as other:
        other["x"] = np.zeros((3, 3, 3, 4), "float32")
    file["layers/conv2d/vars/0"] = h5py.ExternalLink(f"{file.filename}.other", "x")


def raw_outside(file):
    del file["layers/conv2d/vars/0"]
    file.create_dataset(
        "layers/conv2d/vars/0", (3, 3, 3, 4), "float32", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
    )


def soft(file):
    file.move("layers/conv2d", "elsewhere")
    file["layers/conv2d"] = h5py.SoftLink("/elsewhere")


def whole_numbers(file):
    del file["layers/conv2d/vars/0"]
    file["layers/conv2d/vars/0"] = np.zeros((3, 3, 3, 4), "int64")


def twice(file):
    file["layers/conv2d_1/vars"].attrs["name"] = "block0_0_conv"


def nameless(file):
    del file["layers/conv2d_1/vars"].attrs["name"]


def many_names(file):
    del file["layers/conv2d_1/vars"].attrs["name"]
    file["layers/conv2d_1/vars"].attrs["name"] = ["block0_0_conv", "block1_0_conv"]


def endless(file):
    file["layers/conv2d/inside"] = file["layers/conv2d"]


def an_array_for_a_layer(file):
    file["layers/conv2d_9"] = np.zeros(3)


def empty(file):
    del file["layers"]


@pytest.mark.parametrize(
    "change",
    [
        bomb,
        outside,
        raw_outside,
        soft,
        whole_numbers,
        twice,
        nameless,
        many_names,
        endless,
        an_array_for_a_layer,
        empty,
    ],
    ids=lambda change: change.__name__,
)
def test_manipulated_files(tmp_path, change):
    target = architectures.build_network(config().model, (8, 8, 3), CLASSES, "image")
    with pytest.raises(
        UserError, match=r"is damaged or not a .weights.h5 file|holds a part 'inside' in the weights"
    ) as refusal:
        load(random_net(config()), target, tmp_path, config(), change)
    assert "\n" not in str(refusal.value)


def test_truncated_files(tmp_path):
    net = random_net(config())
    net.save_weights(tmp_path / "whole.weights.h5")
    content = (tmp_path / "whole.weights.h5").read_bytes()
    path = tmp_path / "part.weights.h5"
    settings = config(weights=str(path))
    for size in (0, 8, 100, 2000, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(UserError, match=r"part.weights.h5 is damaged or not a .weights.h5 file"):
            transfer.load(pretrained_weights.find(settings), net, settings, LABELS)


def test_strings_with_wrong_lengths(tmp_path):
    """HDF5 2.0 would loop forever, or read past the end."""
    random_net(config()).save_weights(tmp_path / "some.weights.h5")
    content = (tmp_path / "some.weights.h5").read_bytes()
    weights_file._check_strings(tmp_path / "some.weights.h5")
    start = content.index(b"GCOL")
    for place, length in ((start + 16, 2**40), (content.index(bytes(8), start + 100), 0)):
        damaged = bytearray(content)
        damaged[place + 8 : place + 16] = length.to_bytes(8, "little")
        (tmp_path / "bad.weights.h5").write_bytes(damaged)
        with pytest.raises(ValueError, match="its strings are damaged"):
            weights_file._check_strings(tmp_path / "bad.weights.h5")


def test_files_of_another_kind(tmp_path):
    net = random_net(config())
    net.save(tmp_path / "whole.keras")
    net.save(tmp_path / "legacy.h5")
    (tmp_path / "text.weights.h5").write_text("dear")
    for name in ("whole.keras", "legacy.h5", "text.weights.h5"):
        settings = config(weights=str(tmp_path / name))
        with pytest.raises(UserError, match=f"{name} is damaged or not a .weights.h5 file"):
            transfer.load(pretrained_weights.find(settings), net, settings, LABELS)
