"""Lists of pairs of pictures and clips."""

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines import datasets
from pipelines.datasets import paired
from pipelines.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Pictures and clips 0 to 11; picture i has the brightness 20 i, clip i the length 800 + i."""
    for i in range(12):
        Image.new("RGB", (8 + i, 6), (20 * i, 0, 0)).save(tmp_path / f"{i}.png")
        soundfile.write(tmp_path / f"{i}.wav", np.full(800 + i, 0.25), 8000)
    return tmp_path


def write(folder, lines, head="image,audio"):
    path = folder / "pairs.csv"
    path.write_text("\n".join([head, *lines]), encoding="utf-8")
    return str(path)


def load(path, **fields):
    return datasets.load(paired.Config(path=path, **fields))


def test_pairs_of_the_same_picture_match_and_are_in_one_split(folder):
    path = write(folder, [f"{i // 2}.png,{i}.wav" for i in range(12)])
    corpus = load(path, test_fraction=0.3, validation_fraction=0.3)
    assert (corpus.modality, corpus.class_names, corpus.sample_rate_hz) == ("image_audio", (), 8000)
    assert sum(split.size for split in corpus.splits.values()) == 12
    seen = set()
    for split in corpus.splits.values():
        pictures = set(split.image_sources)
        assert not pictures & seen
        seen |= pictures
        assert len(set(split.labels)) == len(pictures) == split.size / 2
        for i, example in enumerate(split.examples.as_numpy_iterator()):
            clip = example["audio"].shape[0] - 800
            assert example["image"].shape == (6, 8 + clip // 2, 3)
            assert split.audio_sources[i].endswith(f"/{clip}.wav")
            assert split.image_sources[i].endswith(f"/{clip // 2}.png")
            assert example["label"] == split.labels[i]
            assert split.seconds[i] == pytest.approx((800 + clip) / 8000)


def test_columns(folder):
    lines = [f"{i}.png,{i}.wav,{'ab'[i % 2]},Say {i},s{i},{['train', 'dev', 'test'][i % 3]}" for i in range(12)]
    corpus = load(write(folder, lines, "image_path,wav,group,text,speaker,split"))
    assert {name: split.size for name, split in corpus.splits.items()} == {"train": 4, "validation": 4, "test": 4}
    train = corpus.splits["train"]
    assert train.labels.tolist() == [0, 1, 0, 1]
    assert (train.texts, train.speakers) == ([f"Say {i}" for i in (0, 3, 6, 9)], [f"s{i}" for i in (0, 3, 6, 9)])


@pytest.mark.parametrize(
    ("lines", "head", "message"),
    [
        (["0.png,0.wav"], "image,sound", "the column 'audio' is missing; it has"),
        (["0.png,99.wav"], "image,audio", r"pairs\.csv:2: there is no file .*99\.wav"),
        (["0.png,"], "image,audio", r"pairs\.csv:2: audio is empty"),
        (["0.wav,0.wav"], "image,audio", r"0\.wav in the column 'image' is of another kind"),
        (["0.png,0.wav,train", "1.png,1.wav,"], "image,audio,split", r"pairs\.csv:3: split is empty, but other"),
        (["0.png,0.wav,tran"], "image,audio,split", r"pairs\.csv:2: Unknown split 'tran': did you mean 'train'"),
        ([], "image,audio", "lists no pairs"),
    ],
)
def test_refusals(folder, lines, head, message):
    with pytest.raises(UserError, match=message):
        load(write(folder, lines, head))


def test_damaged_files(folder):
    path = write(folder, [f"{i}.png,{i}.wav" for i in range(12)])
    (folder / "3.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UserError, match=r"3\.png"):
        load(path)
    with pytest.raises(UserError, match=r"data\.path is needed"):
        load("")
