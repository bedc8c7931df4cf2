"""The files of a record are read as they were read for the training."""

import dataclasses

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines.datasets import folder, recorded


def stereo(path):
    """Clips with a tone on the right channel, a louder one on the left."""
    for i in range(12):
        name = path / "ab"[i % 2] / f"{i}.wav"
        name.parent.mkdir(exist_ok=True)
        tone = np.sin(np.arange(800) * (i + 1) / 20)
        soundfile.write(name, np.stack([0.8 * tone**2, 0.1 * tone], 1), 8000, subtype="PCM_16")


def transparent(path):
    """Pictures that the background shows through."""
    for i in range(12):
        name = path / "ab"[i % 2] / f"{i}.png"
        name.parent.mkdir(exist_ok=True)
        Image.new("RGBA", (4, 4), (20 * i, 0, 0, 100)).save(name)


@pytest.mark.parametrize(
    ("write", "key", "settings"),
    [
        (stereo, "audio", {"audio_channel": "right"}),
        (transparent, "image", {"background": "#00ff00"}),
        (transparent, "image", {"channels": 4}),
    ],
)
def test_settings_of_the_training_apply(tmp_path, write, key, settings):
    write(tmp_path)
    config = folder.Config(path=str(tmp_path), **settings)
    trained = folder.load(config)
    rows = [dataclasses.replace(row, split="train") for row in trained.splits["train"].rows]
    again = recorded.load(config, rows, ["train"], class_names=trained.class_names)
    pairs = zip(trained.splits["train"].examples, again.splits["train"].examples, strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one[key], other[key])
