"""Folders of pictures and audio."""

import os
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
    assert {name: split.size for name, split in corpus.splits.items()} == {"train": 15, "validation": 2, "test": 3}
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
        (("Training", "Testing"), {"train": 10, "validation": 2, "test": 8}),
        (("Train", "valid", "Test"), {"train": 12, "validation": 4, "test": 8}),
        (("TRAIN", "dev", "test"), {"train": 12, "validation": 4, "test": 8}),
        (("train", "eval"), {"train": 9, "validation": 4, "test": 3}),
    ],
)
def test_splits_by_folder(tmp_path, names, sizes):
    for name in names:
        pictures(tmp_path / name, {"tr": 6, "te": 4}.get(name.lower()[:2], 2))
    corpus = load(tmp_path)
    assert {name: split.size for name, split in corpus.splits.items()} == sizes
    assert corpus.class_names == ("cat", "dog")
    if len({"test", "Test", "Testing"} & set(names)):
        assert all("/test" in source.lower() for source in corpus.splits["test"].sources)
    assert all("/train" in source.lower() for source in corpus.splits["train"].sources)


def test_classes_named_as_splits(tmp_path):
    # Folders of files next to other folders of files are classes, whatever their names.
    assert load(pictures(tmp_path, classes=("bus", "train", "test"))).class_names == ("bus", "test", "train")


def test_classes_that_are_integers_are_in_their_order(tmp_path):
    names = [str(i) for i in range(1, 13)]
    assert load(pictures(tmp_path / "a", 4, names)).class_names == tuple(names)
    assert load(pictures(tmp_path / "b", 4, ("x10", "x9"))).class_names == ("x10", "x9")


def test_clutter_is_left_out_and_other_files_are_counted(tmp_path):
    pictures(tmp_path / "P")
    for name in ("__MACOSX/cat", "@eaDir", "cat/@eaDir/1.jpg", ".ipynb_checkpoints", "lost+found", "docs", ".git"):
        (tmp_path / "P" / name).mkdir(parents=True)
    clutter = ("cat/Icon\r", "dog/desktop.ini", ".DS_Store", "dog/Thumbs.db", "__MACOSX/cat/._0.png", "dog/._1.png")
    other = ("README", "data.yaml", "LICENSE", "cat/notes.TXT", "dog/more.txt", "docs/a.xml")
    for name in (*clutter, *other):
        (tmp_path / "P" / name).write_bytes(b"x")
    shutil.copy(tmp_path / "P" / "cat" / "0.png", tmp_path / "P" / "cat" / "@eaDir" / "1.jpg" / "SYNO_THUMB_M.jpg")
    shutil.copy(tmp_path / "P" / "cat" / "0.png", tmp_path / "P" / ".ipynb_checkpoints" / "0-checkpoint.png")
    corpus = load(tmp_path / "P")
    assert corpus.class_names == ("cat", "dog")
    assert sum(split.size for split in corpus.splits.values()) == 20
    assert tuple(note for note in corpus.notes if "splits lack no class" not in note) == (
        "2 pictures or audio files of hidden folders or files, or of folders of file managers, left out: "
        ".ipynb_checkpoints, @eaDir.",
        "6 files with other endings were left out: (none) 2, .txt 2, .yaml 1, .xml 1.",
        "No class was made of folders without pictures and audio: docs.",
    )


def test_links_are_followed_and_circles_are_not(tmp_path):
    pictures(tmp_path / "elsewhere", classes=("dog", "cat"))
    root = tmp_path / "P"
    pictures(root, classes=("cat",))
    (root / "dog").symlink_to(tmp_path / "elsewhere" / "dog")
    (root / "cat" / "more").symlink_to(tmp_path / "elsewhere" / "cat")
    (root / "cat" / "again").symlink_to(".")
    (root / "cat" / "up").symlink_to("..")
    (root / "loop").symlink_to(".")
    corpus = load(root)
    assert corpus.class_names == ("cat", "dog")
    assert sum(split.size for split in corpus.splits.values()) == 30
    assert not any(" link" in note or "left out" in note for note in corpus.notes)


def test_a_folder_without_permission_is_one_sentence(tmp_path, monkeypatch):
    pictures(tmp_path)
    scandir = folder.media_files.os.scandir

    def refuse(path):
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(folder.media_files.os, "scandir", refuse)
    with pytest.raises(UserError, match=r"dog cannot be read: Permission denied; change its permissions, or remove"):
        load(tmp_path)


def test_paths_as_people_write_them(tmp_path, monkeypatch):
    pictures(tmp_path / "my pictures" / "P")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    url = f"file://{tmp_path}/my%20pictures/P"
    for path in ("~/my pictures/P", url, "my pictures\\P", ".\\my pictures\\P\\"):
        assert load(path).class_names == ("cat", "dog"), path


def test_names_that_are_not_utf_8(tmp_path):
    pictures(tmp_path)
    first = os.fsencode(tmp_path / "cat" / "0.png")
    shutil.copy(first, os.fsencode(tmp_path) + b"/cat/caf\xe9.png")
    shutil.copy(first, os.fsencode(tmp_path) + b"/cat/li\nne.png")
    corpus = load(tmp_path)
    sources = [str(source) for split in corpus.splits.values() for source in split.sources]
    assert sum(len(list(split.examples)) for split in corpus.splits.values()) == len(sources) == 22
    assert sum(r"caf\xe9.png" in source or r"li\nne.png" in source for source in sources) == 2
    "".join(sources).encode()


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


def foreign_picture(path):
    (path / "cat" / "photo.HEIC").write_bytes(b"x")
    (path / "dog" / "photo.heic").write_bytes(b"x")


def only_foreign_pictures(path):
    (path / "fox").mkdir()
    (path / "fox" / "photo.heic").write_bytes(b"x")


def broken_link(path):
    (path / "cat" / "b.png").symlink_to("/nowhere/b.png")
    (path / "dog" / "b.png").symlink_to("/nowhere/b.png")


def broken_class_link(path):
    (path / "fox").symlink_to("/nowhere")


def strange_name(path):
    (path / "cat").rename(path / "ca\nt")


def split_without_classes(path):
    splits_and_no_classes(path)
    pictures(path / "Training", 4)


def splits_and_no_classes(path):
    no_class(path)
    pictures(path, 4, ("Training", "val"))


def no_training_split(path):
    no_class(path)
    pictures(path / "val", 4)
    pictures(path / "test", 4)


def split_twice(path):
    no_class(path)
    for name in ("train", "val", "dev"):
        pictures(path / name, 4)


def one_folder_too_high(path):
    no_class(path)
    pictures(path / "Photos", 4)


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


def class_only_in_test(path):
    no_class(path)
    pictures(path / "train", 4)
    pictures(path / "test", 2, ("cat", "dog", "fox"))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (empty_class, "class folder .*fox holds no pictures"),
        (stray_file, r"stray\.png is outside of the class folders"),
        (foreign_picture, r"2 of 22 files cannot be used \(2 no picture\).*photo\.HEIC is not a JPEG, PNG, .* picture"),
        (
            only_foreign_pictures,
            r"1 of 21 files cannot be used \(1 no picture\).*photo\.heic is not a JPEG, PNG, .* picture",
        ),
        (broken_link, r"cat/b\.png is a link to /nowhere/b\.png, which does not exist"),
        (broken_class_link, "fox is a link to /nowhere, which does not exist"),
        (strange_name, r"ca\\nt has a name with line breaks"),
        (split_without_classes, r"Training/ holds no class folders|outside of the class folders"),
        (splits_and_no_classes, r"has Training/, val/, but Training/ holds no class folders"),
        (no_training_split, r"has test/, val/, but no train/"),
        (split_twice, r"dev/ and val/ both name the validation split"),
        (one_folder_too_high, r"only the class 'Photos'.*or set data\.path to .*Photos, which holds folders"),
        (audio_among_pictures, "cannot be mixed"),
        (one_class, "only the class 'dog'"),
        (no_class, "holds no class folders"),
        (splits_and_classes, "keep splits or classes there"),
        (class_only_in_test, "Class 'fox' .* is in test but not in train"),
    ],
)
def test_user_errors(tmp_path, break_it, message):
    pictures(tmp_path)
    break_it(tmp_path)
    with pytest.raises(UserError, match=message):
        load(tmp_path)


def test_class_with_one_example(tmp_path):
    pictures(tmp_path)
    (tmp_path / "fox").mkdir()
    shutil.copy(tmp_path / "cat" / "0.png", tmp_path / "fox" / "0.png")
    corpus = load(tmp_path)
    assert 2 in corpus.splits["train"].labels
    notes = " ".join(corpus.notes)
    assert "1 of 21 examples is an exact copy of another (cat/0.png = fox/0.png)" in notes
    assert "1 of the copied examples has several labels or texts" in notes
    assert "Classes with one or two training examples: 'fox' (1)." in notes
    assert "Classes without test examples: 'fox'" in notes


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


def test_modality(tmp_path):
    assert folder.modality(folder.Config(path=str(pictures(tmp_path / "a", 1)))) == "image"
    assert folder.modality(folder.Config(path=str(clips(tmp_path / "b", 1)))) == "audio"


def test_names_of_classes_that_look_the_same_are_one(tmp_path):
    for name in ("caf\u00e9", "cafe\u0301", "dog", "dog "):
        pictures(tmp_path, classes=(name,))
    corpus = folder.load(folder.Config(path=str(tmp_path)))
    assert corpus.class_names == ("caf\u00e9", "dog")


def test_names_of_classes_that_differ_in_case_are_reported(tmp_path):
    pictures(tmp_path, classes=("Cat", "cat", "1", "1.0", "nan"))
    notes = " ".join(folder.load(folder.Config(path=str(tmp_path))).notes)
    assert "The classes 'Cat' and 'cat' differ in case only" in notes
    assert "The classes '1' and '1.0' are the same number" in notes
    assert "The class 'nan' looks like a missing value" in notes
