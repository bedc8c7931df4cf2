"""Embeddings of files in batches: those of each file alone, in order, with the errors of files."""

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines.errors import UserError
from tfrec.inference import file_embedding
from tfrec.inference.file_embedding import FileEmbedder
from tfrec.serving.exported import ExportedRecognizer


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Pictures of three sizes and of two depths, clips of many lengths, and two files that are neither."""
    folder, random = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    for i in range(9):
        height, width = ((12, 16), (30, 20), (16, 12))[i % 3]
        pixels = random.integers(0, 256, (height, width), "uint8")
        Image.fromarray(pixels if i < 7 else pixels.astype("uint16") * 257).save(folder / f"{i}.png")
        soundfile.write(folder / f"{i}.wav", 0.1 * random.normal(size=random.integers(300, 4000)), 8000)
    (folder / "3.png").write_bytes(b"no picture")
    (folder / "5.wav").write_bytes(b"no sound")
    return sorted(str(path) for path in folder.iterdir())


@pytest.fixture(params=["run", "export"])
def model(request, trained):
    if request.param == "run":
        return trained("dual_encoder")[1]
    return ExportedRecognizer.open(request.getfixturevalue("exported")("dual_encoder"))


def alone(answer, file):
    """The embedding of one file, or the text of its error."""
    try:
        return answer(file).vector
    except UserError as error:
        return str(error)


def compare(model, files):
    """Compares the results of batches with the answer to each file alone; returns the number of errors."""
    answer, errors = model.predictor(), 0
    for file, result in zip(files, FileEmbedder(model)(files), strict=True):
        expected = alone(answer, file)
        if isinstance(expected, str):
            assert str(result) == expected
            errors += 1
        else:
            np.testing.assert_allclose(result, expected, atol=1e-5)
    return errors


@pytest.mark.parametrize(("batch", "window", "size"), [(32, 128, 2**28), (3, 5, 2**28), (2, 4, 3000)])
def test_batches_change_nothing(batch, window, size, model, files, monkeypatch):
    monkeypatch.setattr(file_embedding, "BATCH_FILES", batch)
    monkeypatch.setattr(file_embedding._OfRun, "rows", batch)
    monkeypatch.setattr(file_embedding, "WINDOW_FILES", window)
    monkeypatch.setattr(file_embedding, "WINDOW_BYTES", size)
    assert compare(model, files) == 2
    assert list(FileEmbedder(model)([])) == []


def test_pictures_of_a_run_share_batches_whatever_their_sizes(trained, files, monkeypatch):
    embedder, sizes = FileEmbedder(trained("dual_encoder")[1]), []
    embed = embedder._embedder.embed
    monkeypatch.setattr(
        embedder._embedder,
        "embed",
        lambda kind, inputs: sizes.append(len(next(iter(inputs.values())))) or embed(kind, inputs),
    )
    assert len(list(embedder(files))) == 18
    assert sizes == [8, 8]  # clips, then pictures


def test_long_clips_are_batches_by_themselves(trained, files, monkeypatch):
    monkeypatch.setattr(file_embedding, "BATCH_SECONDS", 0.2)
    assert compare(trained("dual_encoder")[1], files) == 2


def test_a_file_that_the_export_refuses_is_named(exported, files, tmp_path):
    long = str(tmp_path / "long.wav")
    soundfile.write(long, np.full(8000 * 121, 0.1), 8000)
    model = ExportedRecognizer.open(exported("dual_encoder"))
    first, refused, last = FileEmbedder(model)([files[1], long, files[3]])
    assert str(refused).startswith(f"{long}: ")
    assert "120" in str(refused)
    for file, result in ((files[1], first), (files[3], last)):
        np.testing.assert_allclose(result, model.predictor()(file).vector, atol=1e-5)


def test_rows_that_an_export_fills_are_errors(exported, files, monkeypatch):
    model = ExportedRecognizer.open(exported("dual_encoder"))
    answers = model.answers
    status = {"status": np.array([b"", b"row 1 is bad"], object)}
    monkeypatch.setattr(model, "answers", lambda *args, **options: answers(*args, **options) | status)
    clips = [file for file in files if file.endswith("0.wav") or file.endswith("1.wav")]
    results = {True: 0, False: 0}
    for file, result in zip(clips, FileEmbedder(model)(clips), strict=True):
        results[isinstance(result, UserError)] += 1
        assert not isinstance(result, UserError) or str(result) == f"{file}: row 1 is bad"
    assert results == {True: 1, False: 1}
