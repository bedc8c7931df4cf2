"""`tfrec explain` as its user sees it."""

import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines.errors import UserError
from tfrec.commands import explain


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30), "uint8")
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


@pytest.fixture
def clip(tmp_path):
    wave = 0.3 * np.sin(2 * np.pi * 600 * np.arange(4000) / 8000)
    soundfile.write(tmp_path / "clip.wav", wave, 8000)
    return tmp_path / "clip.wav"


def test_a_picture_with_its_checks(trained, picture, tmp_path, capsys):
    run = str(trained("digits")[0].path)
    words = [run, str(picture), "--check", "--json", "--output", str(tmp_path / "out"), "--target", "3"]
    assert explain.main(words) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["class"] == "3"
    assert 0 <= row["probability"] <= 1
    figures = {"similarity_to_random_weights", "deletion", "deletion_random", "insertion", "insertion_random"}
    assert set(row) == {"file", "class", "probability", "method"} | figures
    with Image.open(tmp_path / "out" / "picture.png") as drawn:
        assert np.asarray(drawn).std() > 10


def test_a_clip_is_written_in_two_parts(trained, clip, tmp_path, capsys):
    run = str(trained("cnn")[0].path)
    assert explain.main([run, str(clip), "--output", str(tmp_path / "out")]) == 0
    assert "energy kept" in capsys.readouterr().out.replace("\n", " ")
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert found == {"clip.png", "clip_kept.wav", "clip_removed.wav"}
    parts = [soundfile.read(tmp_path / "out" / f"clip_{kind}.wav")[0] for kind in ("kept", "removed")]
    np.testing.assert_allclose(sum(parts), soundfile.read(clip)[0], atol=2e-4)


def test_a_transcript(trained, melodies, tmp_path, capsys):
    run, recognizer = trained("bilstm_ctc")
    source = next(path for path in sorted(melodies.parent.rglob("*.wav")) if next(recognizer.predict([str(path)])).text)
    assert explain.main([str(run.path), str(source), "--json", "--output", str(tmp_path)]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["text"] == next(recognizer.predict([str(source)])).text
    assert len(row["strongest_s"]) == len(row["text"].split())
    with pytest.raises(UserError, match="--target: of a transcriber the words are explained"):
        explain.main([str(run.path), str(source), "--target", "a"])


def test_mistakes(trained, picture, tmp_path, capsys):
    run = str(trained("digits")[0].path)
    with pytest.raises(UserError, match="Unknown class '33'"):
        explain.main([run, str(picture), "--target", "33"])
    with pytest.raises(UserError, match="Name at least one file"):
        explain.main([run])
    with pytest.raises(UserError, match=r"task\.name retrieve gives no classes and no text"):
        explain.main([str(trained("dual_encoder")[0].path), str(picture)])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert explain.main([run, str(tmp_path / "broken.png"), str(picture), "--output", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert "error: " in captured.err
    assert "broken.png" in captured.err
    assert "picture.png" in captured.out
