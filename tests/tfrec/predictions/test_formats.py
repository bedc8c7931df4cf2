"""`predict` into every format: what is written, where, and when."""

import csv
import io
import json

import numpy as np
import pysubs2
import pytest
import soundfile
from PIL import Image

import tfrec
from pipelines.errors import UserError
from tests.tfrec import untrained
from tfrec.commands import predict
from tfrec.predictions import formats, sources
from tfrec.serving import savedmodel
from tfrec.tasks.label import Label
from tfrec.utils import progress


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A run that transcribes, a folder of recordings, and a call of two channels."""
    folder = tmp_path_factory.mktemp("formats")
    built = untrained.recognizer("bilstm_ctc")
    untrained.run(folder / "run", built)
    (folder / "TALKS" / "more").mkdir(parents=True)
    (folder / "TALKS" / "notes.txt").write_text("not audio")
    for name, seconds in (("a.wav", 1.6), ("a.flac", 1.2), ("more/b.wav", 1.5)):
        soundfile.write(folder / "TALKS" / name, untrained.sound(seconds, seed=len(name)), untrained.RATE_HZ)
    left, right = untrained.sound(3.0, seed=1), untrained.sound(3.0, seed=2)
    soundfile.write(folder / "call.wav", np.stack([left, right], axis=1), untrained.RATE_HZ, subtype="PCM_16")
    for name, wave in (("left", left), ("right", right)):
        soundfile.write(folder / f"{name}.wav", wave, untrained.RATE_HZ, subtype="PCM_16")
    return folder


def run(capsys, home, *words, status=0, model="run"):
    """What `predict` prints; words that name something of the folder are made paths."""
    words = [str(home / word) if (home / word).exists() else word for word in (model, *words)]
    assert predict.main(words) == status
    return capsys.readouterr().out


def test_a_folder_is_read_recursively_into_each_format(home, capsys):
    rows = json.loads(run(capsys, home, "TALKS", "--json"))
    assert [row["file"] for row in rows] == [str(home / "TALKS" / name) for name in ("a.flac", "a.wav", "more/b.wav")]
    assert all(row["words"] for row in rows)
    assert json.loads(run(capsys, home, "TALKS", "--format", "json")) == rows
    lines = run(capsys, home, "TALKS", "--format", "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == rows
    table = list(csv.DictReader(io.StringIO(run(capsys, home, "TALKS", "--format", "csv"))))
    assert list(table[0]) == ["file", "text", "confidence"]
    assert [row["text"] for row in table] == [row["text"] for row in rows]
    text = run(capsys, home, "TALKS")
    assert all(row["text"] in text for row in rows)


@pytest.mark.parametrize("form", ["text", "json", "jsonl", "csv", "srt", "vtt"])
def test_a_file_for_each_recording(home, capsys, tmp_path, form):
    assert run(capsys, home, "TALKS", "--format", form, "--output", str(tmp_path / "answers")) == ""
    suffix = "txt" if form == "text" else form
    names = [f"a.flac.{suffix}", f"a.wav.{suffix}", f"more/b.{suffix}"]
    files = sorted(path for path in (tmp_path / "answers").rglob("*") if path.is_file())
    assert [path.relative_to(tmp_path / "answers").as_posix() for path in files] == names
    (row,) = json.loads(run(capsys, home, "TALKS/more/b.wav", "--json"))
    contents = files[-1].read_text(encoding="utf-8")
    if form == "text":
        assert contents == row["text"] + "\n"
    elif form in ("srt", "vtt"):
        read = pysubs2.SSAFile.from_string(contents, format_=form)
        assert " ".join(event.plaintext for event in read).split() == row["text"].split()
        assert read[0].start == pytest.approx(1000 * row["words"][0]["start_s"])
    else:
        assert row["text"] in contents


def test_one_file_for_all(home, capsys, tmp_path):
    for form in ("json", "jsonl", "csv", "text"):
        path = tmp_path / f"all.{form}"
        assert run(capsys, home, "TALKS", "--format", form, "--output", str(path)) == ""
        printed = run(capsys, home, "TALKS", "--format", form)
        assert path.read_text(encoding="utf-8").split() == printed.split()
    with pytest.raises(UserError, match="srt writes a file for each recording: name a folder"):
        run(capsys, home, "TALKS", "--format", "srt", "--output", str(tmp_path / "all.srt"))
    assert run(capsys, home, "call.wav", "--format", "vtt").startswith("WEBVTT\n\n")


def test_answers_are_written_as_they_are_known(home, capsys, tmp_path, monkeypatch):
    path, sizes = tmp_path / "all.jsonl", []
    update = progress.Progress.update
    monkeypatch.setattr(progress.Progress, "update", lambda *a: sizes.append(path.stat().st_size) or update(*a))
    run(capsys, home, "TALKS", "nowhere.wav", "--format", "jsonl", "--output", str(path), status=1)
    assert 0 < sizes[0] < sizes[1] < sizes[2] == sizes[3]


def test_channels_apart(home, capsys):
    rows = json.loads(run(capsys, home, "call.wav", "--channels", "apart", "--json"))
    alone = json.loads(run(capsys, home, "left.wav", "right.wav", "--json"))
    assert [row.pop("speaker") for row in rows] == ["channel 1", "channel 2"]
    assert [row | {"file": ""} for row in rows] == [row | {"file": ""} for row in alone]
    cues = run(capsys, home, "call.wav", "--channels", "apart", "--format", "vtt")
    assert "<v channel 1>" in cues
    assert "<v channel 2>" in cues
    read = pysubs2.SSAFile.from_string(cues, format_="vtt")
    assert [event.start for event in read] == sorted(event.start for event in read)
    assert "\nchannel 2: " in run(capsys, home, "call.wav", "--channels", "apart", "--format", "srt")
    assert "call.wav, channel 2 (" in run(capsys, home, "call.wav", "--channels", "apart")


def test_top(trained, tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    path = trained("digits")[0].path
    for name in ("a.png", "b.png"):
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8), "uint8")).save(folder / name)
    (folder / "c.wav").write_bytes(b"")
    rows = json.loads(run(capsys, folder, str(folder), "--json", "--top", "2", model=str(path)))
    whole = json.loads(run(capsys, folder, str(folder), "--json", model=str(path)))
    assert len(rows) == len(whole) == 2
    for row, full in zip(rows, whole, strict=True):
        best = sorted(full["probabilities"].items(), key=lambda item: -item[1])[:2]
        assert list(row["probabilities"].items()) == best
        assert (row["label"], row["probability"]) == (full["label"], full["probability"]) == best[0]
    (one, _) = csv.DictReader(
        io.StringIO(run(capsys, folder, str(folder), "--format", "csv", "--top", "3", model=str(path)))
    )
    assert list(one) == [
        "file",
        "label",
        "probability",
        "accepted",
        "label_2",
        "probability_2",
        "label_3",
        "probability_3",
    ]
    assert one["label_2"] == best[1][0]
    with pytest.raises(UserError, match="top must be 1 or more"):
        run(capsys, folder, str(folder), "--top", "0", model=str(path))
    with pytest.raises(UserError, match=r"--channels apart: task\.name classify does not take this"):
        run(capsys, folder, str(folder), "--channels", "apart", model=str(path))
    run(capsys, folder, str(folder / "a.png"), "--format", "srt", model=str(path), status=1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["call.wav", "--top", "2"], r"--top: task\.name transcribe has no classes"),
        (["call.wav", "--json", "--format", "csv"], "exclude each other"),
        (["call.wav", "--format", "docx"], "docx"),
        (["call.wav", "--stream", "--output", "x"], "leave out --output, or --stream"),
    ],
)
def test_what_does_not_fit_is_refused(home, capsys, words, message):
    with pytest.raises(UserError, match=message):
        run(capsys, home, *words)


def test_a_folder_without_recordings_is_named_and_the_others_are_answered(home, capsys, tmp_path):
    words = [str(home / "run"), str(tmp_path), str(home / "left.wav"), "--json"]
    assert predict.main(words) == 1
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 1
    assert err == f"error: {tmp_path} holds no audio files: name a folder with some, or the files.\n"


def test_the_suffix_of_the_output_chooses_the_format(home, capsys, tmp_path):
    run(capsys, home, "left.wav", "--output", str(tmp_path / "left.vtt"))
    assert (tmp_path / "left.vtt").read_text().startswith("WEBVTT")
    run(capsys, home, "left.wav", "--output", str(tmp_path / "left.txt"))
    assert "left.wav (confidence" in (tmp_path / "left.txt").read_text()


def test_a_recording_is_never_overwritten(home, capsys):
    before = (home / "left.wav").read_bytes()
    with pytest.raises(UserError, match="is a file to recognize"):
        run(capsys, home, "left.wav", "--json", "--output", str(home / "TALKS" / ".." / "left.wav"))
    assert (home / "left.wav").read_bytes() == before


def test_an_output_that_cannot_be_made(home, capsys):
    with pytest.raises(UserError, match="cannot be made"):
        run(capsys, home, "call.wav", "--output", str(home / "left.wav" / "answers"))


def test_names_of_answers_never_meet(tmp_path):
    for name in ("x/a.wav", "y/a.wav", "y/a.mp3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = sources.find([str(tmp_path / "x" / "a.wav"), str(tmp_path / "y")], "audio")
    assert len({source.name for source in found}) == 3


@pytest.mark.slow
def test_subtitles_of_an_old_export_are_refused(tmp_path, home, capsys):
    savedmodel.write(untrained.recognizer("bilstm_ctc"), tmp_path / "saved")
    file = tmp_path / "saved" / "assets.extra" / "tfrec.json"
    description = json.loads(file.read_text())
    assert run(capsys, home, "left.wav", "--format", "vtt", model=str(tmp_path / "saved")).count("-->")
    del description["timing"]
    file.write_text(json.dumps(description))
    assert predict.main([str(tmp_path / "saved"), str(home / "left.wav"), "--format", "vtt"]) == 1
    assert "need a transcript with the times of its words" in capsys.readouterr().err
    assert tfrec.load(tmp_path / "saved").modality == "audio"


@pytest.mark.parametrize("kind", [formats.PlainText, formats.JSON, formats.JSONLines, formats.CSV])
def test_names_control_no_terminal(kind):
    """Labels are names of folders, which may hold any character."""
    answer = Label(("=1\x1b[2J\x9b2J\u202e", "b"), np.array([0.9, 0.1]))
    stream = io.StringIO()
    writer = kind(stream)
    writer.add("\x1b]0;x\x07.png", [answer])
    writer.end()
    written = stream.getvalue()
    assert all(character.isprintable() for character in written.replace("\n", ""))
    if kind is formats.JSONLines:
        assert json.loads(written)["label"] == answer.label
    if kind is formats.CSV:
        assert next(csv.DictReader(io.StringIO(written)))["label"].startswith("'=1")
