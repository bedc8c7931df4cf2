"""The index of embeddings: search against a plain sort, files that change, damage, and processes that are killed."""

import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import types

import numpy as np
import pytest

from pipelines.errors import UserError
from tfrec.inference import approximate_search, embedding_index
from tfrec.inference.embedding_index import LISTING, EmbeddingIndex, update

UNITS = 8


def vector_of(path):
    """A made embedding: of the file's content."""
    content = pathlib.Path(path).read_bytes()
    if content == b"broken":
        raise UserError(f"{path} cannot be read.")
    value = np.random.default_rng(list(content)).normal(size=UNITS).astype("float32")
    return value / np.linalg.norm(value)


def each(embed):
    """An `Embed` of a function from one path to its embedding."""

    def embed_all(paths):
        for path in paths:
            try:
                yield embed(path)
            except UserError as error:
                yield error

    return embed_all


class Embed:
    """`vector_of`, which counts."""

    def __init__(self):
        self.paths = []

    def __call__(self, path):
        self.paths.append(os.path.basename(path))
        return vector_of(path)


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for i in range(20):
        (folder / f"{i:02d}.png").write_bytes(bytes([i + 1]))
    return folder


def listed(folder):
    return [str(path) for path in folder.iterdir()]


def names(index):
    return [os.path.basename(file.path) for file in index.files]


def build(tmp_path, files, embed=vector_of, model="a"):
    return update(tmp_path / "index", listed(files), each(embed), UNITS, model)


@pytest.mark.parametrize("chunk", [1, 100, 2**26])
def test_search_equals_a_sort(tmp_path, files, chunk, monkeypatch):
    monkeypatch.setattr(embedding_index, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(embedding_index, "BLOCK_QUERIES", 2)
    index = build(tmp_path, files)
    queries = np.random.default_rng(0).normal(size=(5, UNITS)).astype("float32")
    for query, found in zip(queries, index.search(queries, 7), strict=True):
        similarities = {path: float(vector_of(path) @ query) for path in listed(files)}
        expected = sorted(similarities, key=similarities.get, reverse=True)[:7]
        assert [match.path for match in found] == expected
        np.testing.assert_allclose(
            [match.similarity for match in found], [similarities[each] for each in expected], rtol=1e-5
        )
    assert len(index.search(queries[:1], 99)[0]) == 20
    with pytest.raises(ValueError, match=r"must be \(queries, 8\)"):
        index.search(queries[:, :3])


def test_only_new_and_changed_files_are_embedded(tmp_path, files):
    first = Embed()
    build(tmp_path, files, first)
    assert len(first.paths) == 20
    again = Embed()
    before = (tmp_path / "index" / LISTING).stat().st_mtime_ns
    build(tmp_path, files, again)
    assert again.paths == []
    assert (tmp_path / "index" / LISTING).stat().st_mtime_ns == before

    (files / "03.png").write_bytes(b"longer")  # another size
    (files / "04.png").write_bytes(b"x")  # the same size, another time
    os.utime(files / "04.png", ns=(1, 1))
    (files / "05.png").rename(files / "renamed.png")
    (files / "06.png").unlink()
    (files / "new.png").write_bytes(b"new")
    later = Embed()
    index = build(tmp_path, files, later)
    assert sorted(later.paths) == ["03.png", "04.png", "new.png", "renamed.png"]
    assert set(names(index)) == {path.name for path in files.iterdir()}
    for file, vector in zip(index.files, index.vectors, strict=True):
        np.testing.assert_array_equal(vector, vector_of(file.path))
    assert len(list((tmp_path / "index").iterdir())) == 2  # the old embeddings are gone


def test_another_model_embeds_all_again(tmp_path, files):
    build(tmp_path, files)
    again = Embed()
    build(tmp_path, files, again, model="b")
    assert len(again.paths) == 20
    for path in files.iterdir():
        path.unlink()
    assert names(build(tmp_path, files, model="a")) == []


def test_files_that_cannot_be_read_are_left_out_until_they_change(tmp_path, files, caplog):
    (files / "07.png").write_bytes(b"broken")
    assert "07.png" not in names(build(tmp_path, files))
    assert "07.png cannot be read." in caplog.text
    again = Embed()
    build(tmp_path, files, again)
    assert again.paths == []
    (files / "07.png").write_bytes(b"repaired")
    assert "07.png" in names(build(tmp_path, files))


def test_no_files(tmp_path, files):
    for path in files.iterdir():
        path.unlink()
    assert build(tmp_path, files).search(np.zeros((2, UNITS), "float32")) == [[], []]


def truncate(folder):
    (path,) = folder.glob("*.npy")
    path.write_bytes(path.read_bytes()[:-5])


def replace_by_pickle(folder):
    (path,) = folder.glob("*.npy")
    np.save(path.with_suffix(""), np.array([{}] * 20, object), allow_pickle=True)


def rewrite(**changes):
    def change(folder):
        listing = json.loads((folder / LISTING).read_text())
        (folder / LISTING).write_text(json.dumps({**listing, **changes}))

    return change


def store(value, shape=(20, UNITS)):
    def change(folder):
        (path,) = folder.glob("*.npy")
        np.save(path, np.full(shape, value))

    return change


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        replace_by_pickle,
        lambda folder: next(folder.glob("*.npy")).unlink(),
        lambda folder: (folder / LISTING).write_text("{"),
        lambda folder: (folder / LISTING).write_bytes(b"\xff\xfe"),
        lambda folder: (folder / LISTING).write_text("[]"),
        rewrite(format=99),
        rewrite(embeddings="../../etc/passwd"),
        rewrite(files=[["a", "b", 3]]),
        rewrite(files=[["a", 1, 3]]),
        rewrite(units=0),
        rewrite(approximate={"file": "../x"}),
        store(np.float64(0.5)),
        store(np.float32(0.5), (20, UNITS + 1)),
    ],
)
def test_a_damaged_index_is_an_error(tmp_path, files, damage):
    build(tmp_path, files)
    damage(tmp_path / "index")
    with pytest.raises(UserError, match=r"delete .*to build the index again|delete the folder"):
        EmbeddingIndex.open(tmp_path / "index")
    with pytest.raises(UserError):
        build(tmp_path, files)


def test_values_that_are_not_finite_are_an_error(tmp_path, files):
    build(tmp_path, files)
    store(np.float32("nan"))(tmp_path / "index")
    with pytest.raises(UserError, match="not finite"):
        EmbeddingIndex.open(tmp_path / "index").search(np.ones((1, UNITS), "float32"))
    with pytest.raises(UserError, match="no embedding of 8 finite numbers"):
        update(tmp_path / "other", listed(files), each(lambda path: np.full(UNITS, np.nan)), UNITS, "a")
    assert list((tmp_path / "other").iterdir()) == []


def test_folders_of_something_else(tmp_path, files):
    with pytest.raises(UserError, match="holds no index of embeddings"):
        EmbeddingIndex.open(files)
    with pytest.raises(UserError, match="is not an index of embeddings, and is not empty"):
        update(files, listed(files), each(vector_of), UNITS, "a")
    assert len(list(files.iterdir())) == 20


def test_names_that_are_not_utf8(tmp_path, files):
    path = os.fsencode(files) + b"/caf\xe9.png"
    with open(path, "wb") as stream:
        stream.write(b"cafe")
    index = build(tmp_path, files)
    (found,) = index.search(vector_of(os.fsdecode(path))[None], 1)
    assert os.fsencode(found[0].path) == path


def test_an_interrupt_keeps_what_is_embedded(tmp_path, files):
    def interrupted(path):
        if path.endswith("12.png"):
            raise KeyboardInterrupt
        return vector_of(path)

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, files, interrupted)
    rest = Embed()
    build(tmp_path, files, rest)
    assert sorted(rest.paths) == [f"{i:02d}.png" for i in range(12, 20)]


KILL = """
import os, signal, sys
from tests.tfrec.inference.test_embedding_index import UNITS, each, listed, update, vector_of
import pathlib
folder, when = pathlib.Path(sys.argv[1]), sys.argv[2]

def embed(path):
    if when == "embedding":
        os.kill(os.getpid(), signal.SIGKILL)
    return vector_of(path)

if when == "replacing":
    os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
update(folder / "index", listed(folder / "files"), each(embed), UNITS, "a")
"""


@pytest.mark.parametrize("when", ["embedding", "replacing"])
def test_a_killed_process_leaves_the_old_index(tmp_path, files, when):
    build(tmp_path, files)
    old = names(EmbeddingIndex.open(tmp_path / "index"))
    (files / "new.png").write_bytes(b"new")
    process = subprocess.run([sys.executable, "-c", KILL, str(tmp_path), when], check=False)
    assert process.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "index").iterdir())) > 2
    index = EmbeddingIndex.open(tmp_path / "index")
    assert names(index) == old
    assert index.search(vector_of(str(files / "05.png"))[None], 1)[0][0].path == str(files / "05.png")
    assert "new.png" in names(build(tmp_path, files))
    assert len(list((tmp_path / "index").iterdir())) == 2


def test_two_processes_do_not_write_one_index(tmp_path, files):
    def second(path):
        with pytest.raises(UserError, match="Another process builds the index"):
            build(tmp_path, files)
        return vector_of(path)

    build(tmp_path, files, second)


def test_memory_is_reported_and_checked_before(tmp_path, files, caplog, monkeypatch):
    with caplog.at_level(logging.INFO, "tfrec"):
        build(tmp_path, files)
    assert "The index of 20 files takes 0.0 MB on disk" in caplog.text
    assert embedding_index.memory_needed(1_000_000, 1024) == (4_096_000_000, 4_000_000 + 2**26)
    monkeypatch.setattr(embedding_index.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=100))
    (files / "new.png").write_bytes(b"new")
    with pytest.raises(UserError, match=r"needs 0.0 MB in .*, which has 0.0 MB free"):
        build(tmp_path, files)


@pytest.fixture
def many(tmp_path, monkeypatch):
    """Folder and 3,000 files, more than are compared exactly, around 30 centers."""
    monkeypatch.setattr(embedding_index, "EXACT_ITEMS", 1000)
    random = np.random.default_rng(0)
    centers = random.normal(size=(30, 32))
    vectors = centers[random.integers(30, size=3000)] + 0.3 * random.normal(size=(3000, 32))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("float32")
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(3000):
        (folder / f"{i:04d}").touch()
    return listed(folder), lambda path: vectors[int(os.path.basename(path))], vectors


def test_more_files_are_searched_by_faiss(tmp_path, many, caplog):
    pytest.importorskip("faiss")
    files, embed, vectors = many
    with caplog.at_level(logging.INFO, "tfrec"):
        index = update(tmp_path / "index", files, each(embed), 32, "a")
    assert "recall at 10 against exact search" in caplog.text
    assert index.approximate.recall > 0.95
    assert index.approximate.index.nprobe < index.approximate.index.nlist
    queries = vectors[:50] + np.float32(0.01)
    found = EmbeddingIndex.open(tmp_path / "index").search(queries, 10)
    exact = np.argsort(-queries @ vectors.T, axis=1)[:, :10]
    shares = [
        np.isin([int(os.path.basename(match.path)) for match in row], best).mean()
        for row, best in zip(found, exact, strict=True)
    ]
    assert np.mean(shares) > 0.9
    np.testing.assert_allclose(found[0][0].similarity, queries[0] @ vectors[exact[0][0]], rtol=1e-6)
    (path,) = (tmp_path / "index").glob("*.faiss")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="faiss is damaged"):
        EmbeddingIndex.open(tmp_path / "index")


def test_without_faiss_all_are_compared(tmp_path, many, caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    files, embed, vectors = many
    index = update(tmp_path / "index", files, each(embed), 32, "a")
    assert index.approximate is None
    assert r"install tfrec[search]" in caplog.text
    assert os.path.basename(index.search(vectors[7:8], 1)[0][0].path) == "0007"
    stored = {"file": f"approximate-{'0' * 16}.faiss", "size": 3, "probes": 1, "recall": 0.9}
    assert approximate_search.read(tmp_path, stored, (3000, 32)) is None
