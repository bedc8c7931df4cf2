"""Prepared shards: the same examples as from the files, with everything that is known of them."""

import dataclasses
import json
import tarfile

import fsspec
import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines import assemble, datasets, frontends
from pipelines.datasets import digits, folder, manifest, shards
from pipelines.errors import UserError
from pipelines.shards import index, writer
from tests.pipelines.datasets.test_folder import clips, pictures

FIELDS = ("labels", "texts", "speakers", "groups", "numbers", "seconds")


def prepare(corpus, path, shard_bytes=1000, verified=True):
    """A folder of several shards; returns its path."""
    path.mkdir(parents=True)
    writer.write(corpus, path, shard_bytes, verified)
    return path


def reload(path, sample_rate_hz=None, **fields):
    return datasets.load(shards.Config(path=str(path), **fields), sample_rate_hz)


def assert_same(corpus, other):
    """Equal in everything but the places of the files."""
    assert (other.modality, other.class_names) == (corpus.modality, corpus.class_names)
    assert other.sample_rate_hz == corpus.sample_rate_hz
    for name, split in corpus.splits.items():
        twin = other.splits[name]
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(twin, field), getattr(split, field), err_msg=field)
        assert [row.fingerprint for row in twin.rows] == [row.fingerprint for row in split.rows]
        for example, same in zip(split.examples, twin.examples, strict=True):
            assert example.keys() == same.keys()
            for key in example:
                assert example[key].dtype == same[key].dtype
                np.testing.assert_array_equal(example[key], same[key])


@pytest.fixture
def photos(tmp_path):
    """Files of many formats: turned by EXIF, transparent, of 16 bits, and one that its decoder reports as damaged."""
    path = pictures(tmp_path / "photos", suffixes=(".png", ".jpg", ".bmp", ".gif", ".webp"))
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.effect_noise((30, 20), 80).save(path / "cat" / "turned.jpg", exif=tags.tobytes())
    Image.new("RGBA", (7, 5), (200, 100, 50, 100)).save(path / "dog" / "clear.png")
    noise = np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)
    Image.fromarray(noise).save(path / "dog" / "odd.v2.jpg")
    data = (path / "dog" / "odd.v2.jpg").read_bytes()
    (path / "dog" / "odd.v2.jpg").write_bytes(data[:-2] + b"\x00\x11\x22" + data[-2:])
    return path


def test_pictures(photos, tmp_path):
    corpus = datasets.load(folder.Config(path=str(photos)))
    path = prepare(corpus, tmp_path / "shards")
    assert len(list(path.glob("train-*.tar"))) > 1
    assert_same(corpus, reload(path))
    assert_same(corpus, reload(path, verify=False))  # what the check found out is in the index
    (path / "index.jsonl").unlink()
    assert_same(corpus, reload(path))  # as any tool of WebDataset's would have written them


@pytest.mark.parametrize("placement", ["device", "host"])
def test_the_same_batches(photos, tmp_path, placement):
    corpora = [datasets.load(folder.Config(path=str(photos)))]
    corpora.append(reload(prepare(corpora[0], tmp_path / "shards")))
    config = frontends.ImageConfig(placement=placement, height=8, width=8, horizontal_flip=True)
    batches = []
    for corpus in corpora:
        split = corpus.splits["train"]
        frontend = frontends.build(frontends.resolve(config, corpus), split=split)
        batches.append(list(assemble.training_batches(split, frontend, 4, seed=3, epochs=2)))
    for (one, label), (other, other_label) in zip(*batches, strict=True):
        np.testing.assert_array_equal(label, other_label)
        np.testing.assert_array_equal(one, other)


def test_the_same_batches_of_clips_after_a_part_of_an_epoch(tmp_path):
    """With buckets; the files of a block are read at once, those of an epoch's first batches not at all."""
    corpora = [datasets.load(folder.Config(path=str(clips(tmp_path / "clips", suffixes=(".wav",)))))]
    corpora.append(reload(prepare(corpora[0], tmp_path / "shards")))
    config, batches = frontends.SpeechConfig(placement="host", mels=8, low_hz=100.0), []
    for corpus in corpora:
        split = corpus.splits["train"]
        frontend = frontends.build(frontends.resolve(config, corpus), split=split)
        shapes = assemble.bucket_plan(split, frontend, 4)
        batches.append(list(assemble.training_batches(split, frontend, 4, 3, 2, shapes=shapes, first_batch=1)))
    assert [corpus.splits["train"].late().block for corpus in corpora] == [1, 64]
    assert len(batches[0]) >= 2 * assemble.steps_per_epoch(corpora[0].splits["train"], 4) - 1
    for (one, label), (other, other_label) in zip(*batches, strict=True):
        np.testing.assert_array_equal(label, other_label)
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


MIXED = (("wav", 8000), ("flac", 8000), ("ogg", 8000), ("wav", 11025))


@pytest.mark.parametrize("kinds", [(("wav", 8000),), pytest.param(MIXED, marks=pytest.mark.slow)])
def test_clips_with_transcripts_speakers_groups_and_splits(tmp_path, kinds):
    """Of a list with whole files and parts of files."""
    random, rows = np.random.default_rng(0), []
    for i in range(12):
        suffix, rate = kinds[i % len(kinds)]
        soundfile.write(tmp_path / f"{i}.{suffix}", random.uniform(-0.5, 0.5, (9000, 1 + i // 11)), rate)
        row = {
            "path": f"{i}.{suffix}",
            "speaker": f"s{i % 3}",
            "split": ("train", "dev", "test")[i // 4],
            "mood": ("bad", "good")[i % 2],
        }
        parts = [{"start": 0.1, "end": 0.25}, {"start": 0.25}] if i == 4 else [{}]
        rows += [row | part | {"text": f"clip {i} é {n}", "place": "x"} for n, part in enumerate(parts)]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    corpus = datasets.load(manifest.Config(path=str(tmp_path / "list.jsonl")), 8000)
    path = prepare(corpus, tmp_path / "shards", shard_bytes=30_000)
    again = reload(path, 8000)
    assert again.splits["train"].groups == corpus.splits["train"].groups == ["bad", "good"] * 2
    assert_same(corpus, again)
    (path / "index.jsonl").unlink()
    scanned = reload(path, 8000)
    order = [scanned.splits["validation"].texts.index(text) for text in corpus.splits["validation"].texts]
    assert order == list(range(5))
    assert_same(corpus, dataclasses.replace(scanned, notes=()))


def test_numbers(tmp_path):
    pictures(tmp_path / "a")
    files = sorted((tmp_path / "a").rglob("*.*"))
    lines = ["path,number", *(f"{file},{0.1 + i / 3!r}" for i, file in enumerate(files))]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    corpus = datasets.load(manifest.Config(path=str(tmp_path / "list.csv")))
    assert_same(corpus, reload(prepare(corpus, tmp_path / "shards")))


def test_shards_of_shards_and_the_same_bytes_again(photos, tmp_path):
    corpus = datasets.load(folder.Config(path=str(photos)))
    once = prepare(corpus, tmp_path / "once")
    twice = prepare(reload(once), tmp_path / "twice", shard_bytes=10**9)
    assert sorted(path.name for path in twice.iterdir()) == [
        *("index.jsonl", "test-000000.tar", "train-000000.tar", "validation-000000.tar"),
    ]
    assert_same(corpus, reload(twice))
    again = prepare(corpus, tmp_path / "again")
    assert {path.name: path.read_bytes() for path in once.iterdir()} == {
        path.name: path.read_bytes() for path in again.iterdir()
    }


def test_members_are_the_files_byte_by_byte(photos, tmp_path):
    path = prepare(datasets.load(folder.Config(path=str(photos))), tmp_path / "shards")
    found = {}
    for shard in path.glob("*.tar"):
        with tarfile.open(shard) as archive:
            found |= {info.name: archive.extractfile(info).read() for info in archive}
    for file in photos.rglob("*.*"):
        stem = f"{file.parent.name}/{file.stem.replace('.', '_')}"
        name = next(name for name in found if name.startswith(stem) and name.endswith(file.suffix))
        assert found[name] == file.read_bytes()
        labels = json.loads(found[name.removesuffix(file.suffix) + ".json"])
        assert labels["label"] == file.parent.name
        assert found[name.removesuffix(file.suffix) + ".cls"] == str(["cat", "dog"].index(file.parent.name)).encode()


def test_an_object_store(photos, tmp_path):
    corpus = datasets.load(folder.Config(path=str(photos)))
    path = prepare(corpus, tmp_path / "shards")
    store = fsspec.filesystem("memory")
    store.put(str(path), "/bucket/shards", recursive=True)
    try:
        assert_same(corpus, reload("memory://bucket/shards"))
        assert_same(corpus, reload("simplecache::memory://bucket/shards"))
        assert_same(corpus, reload(f"file://{path}"))
        store.rm("/bucket/shards/index.jsonl")
        assert_same(corpus, reload("memory://bucket/shards"))
        one = reload("memory://bucket/shards/train-00000{0..1}.tar")
        assert sum(split.size for split in one.splits.values()) > 0
        store.pipe("/bucket/shards/train-000000.tar", b"")
        with pytest.raises(UserError, match=r"memory://bucket/shards/train-000000\.tar is empty"):
            reload("memory://bucket/shards")
    finally:
        store.rm("/bucket", recursive=True)


def test_what_is_no_corpus_of_files(tmp_path):
    with pytest.raises(UserError, match="digits is not read from single files"):
        writer.rows_of(datasets.load(digits.Config()))
    corpus = datasets.load(folder.Config(path=str(clips(tmp_path)), silence_fraction=0.2))
    with pytest.raises(UserError, match="has examples that are made and are no files: leave out"):
        writer.rows_of(corpus)


def test_a_file_that_changes_between(tmp_path):
    corpus = datasets.load(folder.Config(path=str(clips(tmp_path / "clips"))))
    (tmp_path / "clips" / "no" / "3.flac").write_bytes(b"other")
    with pytest.raises(UserError, match=r"3\.flac has changed since the data was loaded"):
        prepare(corpus, tmp_path / "shards")


def edited(path, change):
    """Applies a change to the objects of an index."""
    lines = [json.loads(line) for line in (path / "index.jsonl").read_text().splitlines()]
    change(lines)
    (path / "index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def shorten_shard(path):
    shard = path / "train-000000.tar"
    shard.write_bytes(shard.read_bytes()[:-512])


def flip_byte(path):
    shard = path / "train-000000.tar"
    data = bytearray(shard.read_bytes())
    data[600] ^= 1
    shard.write_bytes(data)


DAMAGES = {
    "a shard is gone": (lambda path: (path / "train-000000.tar").unlink(), "cannot be read: No such file"),
    "a shard is shorter": (shorten_shard, "copy it again"),
    "a shard is another": (flip_byte, r"train-000000\.tar has changed since it was prepared \(1 of"),
    "a line is missing": (lambda path: edited(path, list.pop), "lists 19 of 20 examples: copy it again"),
    "another format": (lambda path: edited(path, lambda x: x[0].update(format=1)), "no index that this version reads"),
    "no header": (lambda path: edited(path, lambda x: x[0].pop("shards")), "is damaged"),
    "empty": (lambda path: (path / "index.jsonl").write_bytes(b""), "no line of an index"),
    "deep": (lambda path: (path / "index.jsonl").write_bytes(b"[" * 1_000_000), "index"),
    "binary": (lambda path: (path / "index.jsonl").write_bytes(bytes(range(256)) * 9), "no line of an index"),
    "elsewhere": (
        lambda path: edited(path, lambda x: x[0]["shards"][0].update(name="../../etc/a.tar")),
        r"names the shard '\.\./\.\./etc/a\.tar', which is no \.tar in its folder",
    ),
    "outside a shard": (lambda path: edited(path, lambda x: x[3].update(offset=10**9)), "is not inside a shard"),
    "before a shard": (lambda path: edited(path, lambda x: x[3].update(offset=-5)), "is not inside a shard"),
    "upward": (lambda path: edited(path, lambda x: x[3].update(name="../a.png")), "is no path inside a shard"),
    "another place": (lambda path: edited(path, lambda x: x.append(x[1] | {"offset": 0})), "not what an earlier line"),
    "a number as text": (lambda path: edited(path, lambda x: x[3].update(size="9")), "size is missing or damaged"),
    "an unknown decoder": (lambda path: edited(path, lambda x: x[3].update(decoder="eval")), "decoder is missing or"),
    "no label": (lambda path: edited(path, lambda x: x[3]["cells"].pop("label")), "label"),
    "a list as label": (lambda path: edited(path, lambda x: x[3]["cells"].update(label=[1])), "label must be text or"),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    path = tmp_path_factory.mktemp("prepared")
    corpus = datasets.load(folder.Config(path=str(pictures(path / "photos"))))
    return prepare(corpus, path / "shards")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damages_are_one_sentence(prepared, tmp_path, damage):
    change, message = DAMAGES[damage]
    path = tmp_path / "shards"
    path.mkdir()
    for file in prepared.iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    change(path)
    with pytest.raises(UserError, match=message) as error:
        reload(path)
    assert "\n" not in str(error.value)


def test_the_kind_of_examples_is_known_from_the_first_line(prepared, monkeypatch):
    monkeypatch.setattr(index, "read", None)
    assert shards.modality(shards.Config(path=str(prepared))) == "image"
