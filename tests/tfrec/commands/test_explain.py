"""`tfrec explain` as its user sees it."""

import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines.errors import UserError
from tests.tfrec.conftest import train
from tfrec.commands import explain
from tfrec.config import flags


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


@pytest.fixture(scope="module")
def davenet(pairs, tmp_path_factory):
    """A run of davenet, which has matchmaps."""
    words = ["--data.name", "paired", "--data.path", str(pairs), "--data.channels", "1", "--fit.epochs", "1"]
    words += ["--model.name", "davenet", "--model.width_multiplier", "0.05", "--task.embedding_dim", "8"]
    words += ["--model.similarity", "misa", "--model.batch_norm"]
    return train(flags.to_config(flags.parse_fit(words)[1]), tmp_path_factory.mktemp("runs") / "davenet")


def test_matchmaps(davenet, pairs, tmp_path, capsys):
    run, recognizer = davenet
    files = [str(pairs.parent / name) for name in ("0.wav", "0.png", "1.png", "1.wav")]  # in any order of two
    assert explain.main([str(run.path), *files, "--json", "--output", str(tmp_path / "out")]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for row, (image, audio) in zip(rows, ((files[1], files[0]), (files[2], files[3])), strict=True):
        assert row["file"] == f"{image} + {audio}"
        expected = next(recognizer.predict([{"image": image, "audio": audio}])).value
        assert row["similarity"] == pytest.approx(expected, abs=1e-4)
    for name in ("pair-1.png", "pair-2.png"):
        with Image.open(tmp_path / "out" / name) as drawn:
            assert min(drawn.size) > 200


def test_matchmaps_of_a_list(davenet, pairs, tmp_path):
    rows = [f"{pairs.parent}/{i}.png,{pairs.parent}/{i}.wav" for i in range(2)]
    (tmp_path / "two.csv").write_text("\n".join(["image,audio", *rows]))
    assert explain.main([str(davenet[0].path), str(tmp_path / "two.csv"), "--output", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"two-1.png", "two-2.png"}


def test_mistakes_of_matchmaps(davenet, pairs):
    run, files = str(davenet[0].path), [str(pairs.parent / name) for name in ("0.png", "1.png")]
    for named in (files, files[:1]):
        with pytest.raises(UserError, match="name pictures and clips in turn"):
            explain.main([run, *named])
    with pytest.raises(UserError, match="--target and --keep: a matchmap compares"):
        explain.main([run, *files, "--target", "a", "--keep", "0.2"])


def test_mistakes(trained, picture, tmp_path, capsys):
    run = str(trained("digits")[0].path)
    with pytest.raises(UserError, match="Unknown class '33'"):
        explain.main([run, str(picture), "--target", "33"])
    with pytest.raises(UserError, match="Name at least one file"):
        explain.main([run])
    with pytest.raises(UserError, match=r"model\.name dual_encoder has no maps of pictures and clips"):
        explain.main([str(trained("dual_encoder")[0].path), str(picture)])
    with pytest.raises(UserError, match=r"task\.name retrieve gives no classes and no text"):
        explain.main([str(trained("dual_encoder")[0].path), str(picture), "--method", "occlusion"])
    with pytest.raises(UserError, match="--method matchmap compares pictures with clips"):
        explain.main([run, str(picture), "--method", "matchmap"])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert explain.main([run, str(tmp_path / "broken.png"), str(picture), "--output", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert "error: " in captured.err
    assert "broken.png" in captured.err
    assert "picture.png" in captured.out
