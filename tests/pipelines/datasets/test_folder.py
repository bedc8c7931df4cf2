"""Folders of pictures and audio."""

import shutil

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines import decoders
from pipelines.datasets import folder
from pipelines.errors import UserError


@pytest.fixture(params=["stack", "soundfile"])
def stack(request, monkeypatch):
    if request.param == "soundfile":
        monkeypatch.setattr(decoders, "tensorflow_io", lambda: None)


def pictures(path, count=10, classes=("cat", "dog"), suffixes=(".png", ".jpg", ".bmp", ".gif")):
    """Class k's pictures are gray, 50 + 100 k, and grow from picture to picture."""
    for number, name in enumerate(classes):
        (path / name).mkdir(parents=True)
        for i in range(count):
            picture = Image.new("RGB", (4 + i, 5), (50 + 100 * number,) * 3)
            picture.save(path / name / f"{i}{suffixes[i % len(suffixes)]}")
    return path


def clips(path, count=10, classes=("no", "yes"), rates=(16000,), suffixes=(".wav", ".flac")):
    for number, name in enumerate(classes):
        (path / name).mkdir(parents=True)
        for i in range(count):
            rate = rates[i % len(rates)]
            samples = np.full(rate // 10 + i, 0.25 + 0.5 * number)
            soundfile.write(path / name / f"{i}{suffixes[i % len(suffixes)]}", samples, rate, subtype="PCM_16")
    return path


def load(path, sample_rate_hz=None, **fields):
    return folder.load(folder.Config(path=str(path), **fields), sample_rate_hz)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures(tmp_path, channels):
    corpus = load(pictures(tmp_path), channels=channels)
    assert (corpus.modality, corpus.class_names, corpus.sample_rate_hz) == ("image", ("cat", "dog"), None)
    assert {name: split.size for name, split in corpus.splits.items()} == {"train": 14, "validation": 2, "test": 4}
    sources = []
    for split in corpus.splits.values():
        examples = list(split.examples.as_numpy_iterator())
        assert len(examples) == split.size == len(split.sources)
        for example, label, source in zip(examples, split.labels, split.sources, strict=True):
            assert example["label"] == label == ("dog" in source)
            assert example["image"].dtype == np.uint8
            assert example["image"].shape == (5, 4 + int(source.split("/")[-1].split(".")[0]), channels)
            np.testing.assert_allclose(example["image"].astype(int), 50 + 100 * label, atol=2)
        sources += split.sources
    assert len(set(sources)) == 20
    assert load(tmp_path, channels=channels).splits["train"].sources == corpus.splits["train"].sources
    assert load(tmp_path, split_seed=1).splits["test"].sources != corpus.splits["test"].sources


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("to_hz", [None, 8000])
def test_audio_of_several_rates_and_formats(tmp_path, to_hz):
    clips(tmp_path, rates=(16000, 16000, 22050))
    corpus = load(tmp_path, to_hz)
    rate = to_hz or 16000
    assert (corpus.modality, corpus.class_names, corpus.sample_rate_hz) == ("audio", ("no", "yes"), rate)
    for split in corpus.splits.values():
        for example, label, source in zip(split.examples.as_numpy_iterator(), split.labels, split.sources, strict=True):
            i = int(source.split("/")[-1].split(".")[0])
            from_hz = (16000, 16000, 22050)[i % 3]
            assert example["label"] == label == ("yes" in source)
            assert example["audio"].dtype == np.float32
            assert len(example["audio"]) == -(-(from_hz // 10 + i) * rate // from_hz)
            np.testing.assert_allclose(example["audio"][len(example["audio"]) // 2], 0.25 + 0.5 * label, atol=1e-3)


def test_files_that_are_all_alike(tmp_path):
    corpus = load(clips(tmp_path, suffixes=(".wav",)))
    example = next(iter(corpus.splits["train"].examples.as_numpy_iterator()))
    np.testing.assert_array_equal(np.unique(example["audio"]), [0.25 + 0.5 * example["label"]])


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        (("train", "validation", "test"), {"train": 12, "validation": 4, "test": 8}),
        (("train", "val", "test"), {"train": 12, "validation": 4, "test": 8}),
        (("train", "test"), {"train": 10, "validation": 2, "test": 8}),
        (("train", "val"), {"train": 9, "validation": 4, "test": 3}),
    ],
)
def test_splits_by_folder(tmp_path, names, sizes):
    counts = {"train": 6, "validation": 2, "val": 2, "test": 4}
    for name in names:
        pictures(tmp_path / name, counts[name])
    corpus = load(tmp_path)
    assert {name: split.size for name, split in corpus.splits.items()} == sizes
    assert corpus.class_names == ("cat", "dog")
    if "test" in names:
        assert all("/test/" in source for source in corpus.splits["test"].sources)
    assert all("/train/" in source for source in corpus.splits["train"].sources)


def test_ignored_files_and_files_of_a_class(tmp_path):
    pictures(tmp_path, 9)
    for name in (".DS_Store", "README.md", "labels.json", "cat/notes.txt", "cat/Thumbs.db", "dog/.hidden.png"):
        (tmp_path / name).write_text("clutter")
    (tmp_path / ".git").mkdir()
    (tmp_path / "cat" / "more" / "deep").mkdir(parents=True)
    shutil.copy(tmp_path / "cat" / "0.png", tmp_path / "cat" / "more" / "deep" / "LOUD.PNG")
    (tmp_path / "cat" / "circle").symlink_to(tmp_path / "cat")
    corpus = load(tmp_path)
    assert sum(split.size for split in corpus.splits.values()) == 19
    assert any("deep/LOUD.PNG" in source for split in corpus.splits.values() for source in split.sources)


def empty_class(path):
    (path / "fox").mkdir()


def stray_file(path):
    shutil.copy(path / "cat" / "0.png", path / "stray.png")


def strange_file(path):
    (path / "cat" / "model.xyz").write_bytes(b"x")


def audio_among_pictures(path):
    soundfile.write(path / "cat" / "meow.wav", np.zeros(100), 8000)


def one_class(path):
    shutil.rmtree(path / "cat")


def no_class(path):
    shutil.rmtree(path / "cat")
    shutil.rmtree(path / "dog")


def splits_and_classes(path):
    for name in ("train", "test"):
        pictures(path / name, 1)


def lonely_example(path):
    (path / "fox").mkdir()
    shutil.copy(path / "cat" / "0.png", path / "fox" / "0.png")


def class_only_in_test(path):
    no_class(path)
    pictures(path / "train", 4)
    pictures(path / "test", 2, ("cat", "dog", "fox"))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (empty_class, "class folder .*fox holds no pictures"),
        (stray_file, r"stray\.png is outside of the class folders"),
        (strange_file, r"model\.xyz is neither a picture nor audio"),
        (audio_among_pictures, "cannot be mixed"),
        (one_class, "only the class 'dog'"),
        (no_class, "holds no class folders"),
        (splits_and_classes, "keep splits or classes there"),
        (lonely_example, "Class 'fox' has too few examples, 1: train, test and validation need one each"),
        (class_only_in_test, "Class 'fox' .* is in test but not in train"),
    ],
)
def test_user_errors(tmp_path, break_it, message):
    pictures(tmp_path)
    break_it(tmp_path)
    with pytest.raises(UserError, match=message):
        load(tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [({}, "data.path is needed"), ({"path": "/no/such/folder"}, "/no/such/folder is not a folder")],
)
def test_no_folder(fields, message):
    with pytest.raises(UserError, match=message):
        folder.load(folder.Config(**fields))


def test_channels_of_pictures(tmp_path):
    with pytest.raises(UserError, match=r"data\.channels must be 1 .* Received: 2"):
        load(pictures(tmp_path), channels=2)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_broken_pictures_are_counted_and_named(tmp_path, suffix):
    pictures(tmp_path, suffixes=(suffix,))
    whole = (tmp_path / "cat" / f"3{suffix}").read_bytes()
    (tmp_path / "cat" / f"3{suffix}").write_bytes(whole[:-25])
    (tmp_path / "dog" / f"5{suffix}").write_bytes(whole[:-25])
    with pytest.raises(UserError, match=rf"2 of 20 files cannot be used.*cat/3\{suffix} cannot be (decoded|read)"):
        load(tmp_path)
    assert load(tmp_path, verify=False).modality == "image"


@pytest.mark.usefixtures("stack")
def test_broken_audio_is_counted_and_named(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 20000)
    clips(tmp_path)
    for name in ("no/1.flac", "yes/5.flac"):
        soundfile.write(tmp_path / name, noise, 16000)
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"2 of 20 files cannot be used.*no/1\.flac cannot be decoded"):
        load(tmp_path)
    # Headers are read in any case.
    (tmp_path / "yes" / "2.wav").write_bytes(b"")
    with pytest.raises(UserError, match=r"1 of 20 files cannot be used.*yes/2\.wav is empty"):
        load(tmp_path, verify=False)


def test_modality(tmp_path):
    assert folder.modality(folder.Config(path=str(pictures(tmp_path / "a", 1)))) == "image"
    assert folder.modality(folder.Config(path=str(clips(tmp_path / "b", 1)))) == "audio"
