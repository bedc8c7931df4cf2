"""Corpora of spoken captions in their official layouts, in small."""

import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines import datasets
from pipelines.datasets import flickr8k_audio, places_audio
from pipelines.errors import UserError


def picture(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 10), (number, 0, 0)).save(path)


def clip(path, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(samples, 0.25), 16000)


@pytest.fixture
def flickr(tmp_path):
    """Six pictures with two captions each, and one that is in no split."""
    captions, speakers, texts = [], [], []
    for i in range(7):
        picture(tmp_path / "Flicker8k_Dataset" / f"{i}_ab.jpg", i)
        for number in range(2):
            name = f"{i}_ab_{number}.wav"
            clip(tmp_path / "flickr_audio" / "wavs" / name, 1600 + 10 * i + number)
            captions.append(f"{name} {i}_ab.jpg #{number}")
            speakers.append(f"{name} {i % 3}")
            texts.append(f"{i}_ab.jpg#{number}\tA dog , number {i} .")
    (tmp_path / "flickr_audio" / "wav2capt.txt").write_text("\n".join(captions))
    (tmp_path / "flickr_audio" / "wav2spk.txt").write_text("\n".join(speakers))
    (tmp_path / "Flickr8k.token.txt").write_text("\n".join(texts))
    for name, numbers in (("train", (0, 1, 2)), ("dev", (3,)), ("test", (4, 5))):
        (tmp_path / f"Flickr_8k.{name}Images.txt").write_text("".join(f"{i}_ab.jpg\n" for i in numbers))
    return tmp_path


def test_flickr8k(flickr):
    corpus = datasets.load(flickr8k_audio.Config(path=str(flickr)))
    assert (corpus.modality, corpus.sample_rate_hz) == ("image_audio", 16000)
    assert {name: split.size for name, split in corpus.splits.items()} == {"train": 6, "validation": 2, "test": 4}
    test = corpus.splits["test"]
    assert test.labels[0] == test.labels[1] != test.labels[2] == test.labels[3]
    assert test.texts[0] == "A dog , number 4 ."
    assert test.speakers == ["1", "1", "2", "2"]
    lengths = [len(example["audio"]) for example in test.examples.as_numpy_iterator()]
    assert lengths == [1640, 1641, 1650, 1651]


def test_flickr8k_refusals(flickr):
    (flickr / "Flicker8k_Dataset" / "4_ab.jpg").unlink()
    with pytest.raises(UserError, match=r"wav2capt\.txt:9: there is no file .*4_ab\.jpg: extract all archives"):
        datasets.load(flickr8k_audio.Config(path=str(flickr)))
    (flickr / "Flickr_8k.devImages.txt").unlink()
    with pytest.raises(UserError, match=r"has no file Flickr_8k\.devImages\.txt"):
        datasets.load(flickr8k_audio.Config(path=str(flickr)))
    with pytest.raises(UserError, match=r"data\.path is needed"):
        datasets.load(flickr8k_audio.Config())


def places(folder, lists):
    """A folder of captions with these lists of pictures, and a folder of pictures."""
    for name, numbers in lists.items():
        entries = []
        for i in numbers:
            picture(folder / "pictures" / "a" / "abbey" / f"{i}.jpg", i)
            clip(folder / "captions" / "wavs" / "1" / f"{i}.wav", 1600 + i)
            image, wav = f"a/abbey/{i}.jpg", f"wavs/1/{i}.wav"
            entries.append({"uttid": f"u{i}", "speaker": "A1", "asr_text": "AN ABBEY", "wav": wav, "image": image})
        (folder / "captions" / "metadata").mkdir(exist_ok=True)
        (folder / "captions" / "metadata" / name).write_text(json.dumps({"image_base_path": "/x", "data": entries}))
    return {"path": str(folder / "captions"), "images": str(folder / "pictures")}


def test_places_with_all_lists(tmp_path):
    lists = {"train_2020.json": range(4), "dev_seen_2020.json": (4, 5), "test_seen_2020.json": (6,)}
    lists |= {"dev_unseen_2020.json": (7,), "test_unseen_2020.json": (8, 9)}
    paths = places(tmp_path, lists)
    for speakers, sizes in (("seen", (4, 2, 1)), ("unseen", (4, 1, 2))):
        splits = datasets.load(places_audio.Config(**paths, speakers=speakers)).splits
        assert tuple(splits[name].size for name in ("train", "validation", "test")) == sizes
    assert splits["test"].texts == ["AN ABBEY"] * 2
    assert [len(example["audio"]) for example in splits["test"].examples.as_numpy_iterator()] == [1608, 1609]


def test_places_with_two_lists(tmp_path):
    paths = places(tmp_path, {"train.json": range(10), "val.json": (10, 11, 12)})
    splits = datasets.load(places_audio.Config(**paths, validation_fraction=0.2)).splits
    assert tuple(splits[name].size for name in ("train", "validation", "test")) == (8, 2, 3)
    (tmp_path / "captions" / "metadata" / "val.json").write_text("[]")
    with pytest.raises(UserError, match=r'val\.json must be a JSON object with "data"'):
        datasets.load(places_audio.Config(**paths))
    (tmp_path / "captions" / "metadata" / "train.json").unlink()
    with pytest.raises(UserError, match=r"has neither train_2020\.json nor train\.json"):
        datasets.load(places_audio.Config(**paths))
