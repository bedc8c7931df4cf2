"""`tfrec search`: ranks, pictures of them, the index that stays, and mistakes."""

import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines.errors import UserError
from tfrec.commands import search
from tfrec.inference import embedding_index, file_search
from tfrec.inference.embedding_index import EmbeddingIndex


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A working folder and a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def files(pairs, tmp_path_factory):
    """A folder with eight of the pictures and clips."""
    folder = tmp_path_factory.mktemp("files")
    for path in [pairs.parent / f"{i}.{suffix}" for i in range(8) for suffix in ("png", "wav")]:
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def results(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(("query", "among"), [("0.wav", "--images"), ("1.png", "--audio")])
def test_matches_are_ranked_by_similarity(query, among, trained, files, tmp_path, capsys):
    run, recognizer = trained("dual_encoder")
    query = str(files / query)
    words = [str(run.path), "--query", query, among, str(files), "--count", "5", "--json", "--index", "kept"]
    assert search.main(words) == 0
    matches = results(capsys)
    assert [match["rank"] for match in matches] == [1, 2, 3, 4, 5]
    answer, found = recognizer.predictor(), sorted(files.glob("*.png" if among == "--images" else "*.wav"))
    similarities = {str(path): float(answer(str(path)).vector @ answer(query).vector) for path in found}
    assert [match["file"] for match in matches] == sorted(similarities, key=similarities.get, reverse=True)[:5]
    expected = sorted(similarities.values(), reverse=True)[:5]
    np.testing.assert_allclose([match["similarity"] for match in matches], expected, atol=1e-5)
    with Image.open(tmp_path / "search.png") as sheet:
        assert min(sheet.size) > 100


def test_the_index_is_built_once(trained, files, tmp_path, capsys, monkeypatch):
    run, _ = trained("dual_encoder")
    query = str(files / "0.wav")
    words = [str(run.path), "--query", query, "--images", str(files), "--json", "--sheet", "None"]
    assert search.main(words) == 0
    first = results(capsys)
    (folder,) = (tmp_path / "cache" / "tfrec" / "search").iterdir()
    assert len(EmbeddingIndex.open(folder).files) == 8
    embedded = []
    monkeypatch.setattr(file_search.FileEmbedder, "__call__", lambda self, files: embedded.extend(files))
    assert search.main(words) == 0
    assert results(capsys) == first
    assert embedded == []
    assert not (tmp_path / "search.png").exists()


def test_a_table_and_another_folder_for_the_index(trained, files, tmp_path, capsys):
    run, _ = trained("dual_encoder")
    images = [str(files / f"{i}.png") for i in range(3)]
    words = [str(run.path), "--query", images[0], "--images", *images, "--index", "kept", "--sheet", "sheet.png"]
    assert search.main(words) == 0
    printed = capsys.readouterr().out
    assert "similarity" in printed
    assert printed.count(".png") == 3
    assert (tmp_path / "kept" / embedding_index.LISTING).is_file()
    assert (tmp_path / "sheet.png").is_file()


class FakeMicrophone:
    """Gives the samples of a file, and then silence."""

    def __init__(self, rate, seconds):
        self.samples = np.concatenate([self.recorded, np.full(10 * rate, 1e-3, "float32")])
        self.size, self.is_open = round(rate * seconds), False

    def __enter__(self):
        self.is_open = True
        return self

    def __exit__(self, *_):
        self.is_open = False

    def __iter__(self):
        for start in range(0, len(self.samples), self.size):
            assert self.is_open
            yield self.samples[start : start + self.size]


def test_the_microphone_is_a_query(trained, files, capsys, monkeypatch, tmp_path):
    run, _ = trained("dual_encoder")
    recorded, rate = soundfile.read(files / "3.wav", dtype="float32")
    monkeypatch.setattr(FakeMicrophone, "recorded", recorded, raising=False)
    monkeypatch.setattr(search, "Microphone", FakeMicrophone)
    others = ["--images", str(files), "--count", "5", "--json", "--index", "kept"]
    seconds = ["--seconds", str(len(recorded) / rate)]
    assert search.main([str(run.path), "--query", "mic", *seconds, *others]) == 0
    of_microphone = results(capsys)
    assert search.main([str(run.path), "--query", str(files / "3.wav"), *others]) == 0
    of_file = results(capsys)
    assert [match["file"] for match in of_microphone] == [match["file"] for match in of_file]
    for one, other in zip(of_microphone, of_file, strict=True):
        assert one["similarity"] == pytest.approx(other["similarity"], abs=1e-3)
    assert (tmp_path / "search.png").is_file()
    assert not list(tmp_path.glob("**/*.wav"))


def test_mistakes(trained, pairs, files, tmp_path):
    run, _ = trained("dual_encoder")
    folder, query = str(files), str(files / "0.wav")
    start = [str(run.path), "--query", query]
    (tmp_path / "empty").mkdir()
    for words, message in (
        ([*start, "--images", folder, "--sheet", "sheet.jpg"], r"--sheet sheet\.jpg must end in \.png"),
        ([*start, "--images", folder, "--sheet", "no/sheet.png"], r"--sheet no/sheet\.png cannot be written"),
        ([*start, "--images", "empty"], "empty holds no pictures"),
        ([*start, "--images", str(pairs)], r"None of the files .* can be read"),
        ([*start, "--images", folder, "--index", folder], "is not an index of embeddings"),
        ([str(run.path), "--query", "none.wav", "--images", folder], "none.wav"),
        ([str(trained("digits")[0].path), "--query", query, "--images", folder], "does not embed pictures and speech"),
        (
            [str(trained("av_fusion")[0].path), "--query", query, "--images", folder],
            "does not embed pictures and speech",
        ),
    ):
        with pytest.raises(UserError, match=message):
            search.main(words)
    for words in (
        [*start],
        [*start, "--images", folder, "--audio", folder],
        [*start, "--images", folder, "--count", "0"],
        [str(run.path), "--query", "mic", "--images", folder, "--seconds", "0"],
    ):
        with pytest.raises((UserError, SystemExit)):
            search.main(words)
