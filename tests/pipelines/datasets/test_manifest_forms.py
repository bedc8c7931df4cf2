"""Manifests in the forms that other tools and corpora give them."""

import gzip
import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines.datasets import manifest, manifest_rows
from pipelines.errors import UserError

TEXTS = ("one two", "three", "stop now", "go left")


@pytest.fixture
def clips(tmp_path):
    """12 clips of one second, which ramp from 0 to 0.5, below a folder `clips`."""
    (tmp_path / "clips").mkdir()
    for i in range(12):
        ramp = np.linspace(0, 0.5, 8000)
        ramp[0] = i / 100  # no clip is a copy of another
        soundfile.write(tmp_path / "clips" / f"{i}.wav", ramp, 8000, subtype="PCM_16")
    return tmp_path


def load(path, **fields):
    return manifest.load(manifest.Config(path=str(path), **fields))


def notes_of(corpus):
    """The notes of a corpus but for those on splits, which are not the subject here."""
    return tuple(note for note in corpus.notes if "moved so that" not in note and "Classes with" not in note)


def listed(path):
    """(name of the file, text or label, start, end, speaker, split) of each row."""
    rows = manifest_rows.read(str(path)).rows
    return [
        (row.path.rsplit("/", 1)[1], row.text or row.label, row.start_s, row.end_s, row.speaker, row.split)
        for row in rows
    ]


def table(folder, name, delimiter, header=("path", "text", "speaker"), quote='"'):
    lines = [delimiter.join(header)]
    lines += [delimiter.join((f"clips/{i}.wav", f"{quote}{TEXTS[i % 4]}{quote}", f"s{i % 6}")) for i in range(12)]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


EXPECTED = [(f"{i}.wav", TEXTS[i % 4], 0.0, None, f"s{i % 6}", "") for i in range(12)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt"])
def test_delimiters(clips, delimiter, suffix):
    path = table(clips, f"t{suffix}", delimiter, quote="" if delimiter == "\t" else '"')
    assert listed(path) == EXPECTED
    assert notes_of(load(path)) == ()


@pytest.mark.parametrize(
    "header",
    [
        ("audio_filepath", "text", "speaker"),
        ("file_name", "transcription", "speaker_id"),
        ("Path", "Sentence", "client_id"),
        ("wav", "wrd", "spk_id"),
        ("wav_filename", "transcript", "Speaker"),
        (" File Name ", "TEXT", "spk"),
    ],
)
def test_columns_of_other_tools(clips, header):
    assert listed(table(clips, "t.csv", ",", header)) == EXPECTED


def test_labels_by_other_names(tmp_path):
    for i in range(12):
        Image.new("L", (4, 4), 20 * i).save(tmp_path / f"{i}.png")
    for name in ("class", "category", "Target"):
        (tmp_path / "t.csv").write_text(f"image,{name}\n" + "".join(f"{i}.png,{i % 3}\n" for i in range(12)))
        assert load(tmp_path / "t.csv").class_names == ("0", "1", "2")
    (tmp_path / "t.csv").write_text("image,label\n" + "".join(f"{i}.png,{8 + i % 4}\n" for i in range(12)))
    assert load(tmp_path / "t.csv").class_names == ("8", "9", "10", "11")
    # The usual name goes first, and the other is named.
    (tmp_path / "t.csv").write_text("image,target,category\n" + "".join(f"{i}.png,{i},{i % 2}x\n" for i in range(12)))
    corpus = load(tmp_path / "t.csv")
    assert corpus.class_names == ("0x", "1x")
    assert notes_of(corpus) == (f"The column 'target' of {tmp_path}/t.csv is not used in training.",)


def test_nemo(clips):
    rows = [{"audio_filepath": f"clips/{i}.wav", "duration": 1.0, "text": TEXTS[i % 4]} for i in range(12)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    for name in ("nemo.jsonl", "nemo.json", "nemo.ndjson"):
        (clips / name).write_text(lines)
        assert listed(clips / name) == [(*row[:4], "", "") for row in EXPECTED]
        assert notes_of(load(clips / name)) == ()
    rows = [row | {"offset": 0.25 * (i % 2), "duration": 0.5} for i, row in enumerate(rows)]
    (clips / "nemo.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [row[2:4] for row in listed(clips / "nemo.json")] == [(0.0, 0.5), (0.25, 0.75)] * 6
    assert {float(s) for split in load(clips / "nemo.json").splits.values() for s in split.seconds} == {0.5}
    # A row without offset of a file that others take pieces of is its beginning.
    pieces = [
        {"audio_filepath": "clips/0.wav", "duration": 0.5, "text": "first"},
        {"audio_filepath": "clips/0.wav", "offset": 0.5, "duration": 0.5, "text": "second"},
    ]
    (clips / "pieces.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pieces))
    assert [row[2:4] for row in listed(clips / "pieces.jsonl")] == [(0.0, 0.5), (0.5, 1.0)]


def test_a_list_in_json(clips):
    rows = [{"path": f"clips/{i}.wav", "text": TEXTS[i % 4], "speaker": f"s{i % 6}"} for i in range(12)]
    for indent in (None, 2):
        (clips / "t.json").write_text(json.dumps(rows, indent=indent))
        assert listed(clips / "t.json") == EXPECTED
    assert [row.where.rsplit(":", 1)[1] for row in manifest_rows.read(str(clips / "t.json")).rows] == [
        str(2 + 5 * i) for i in range(12)
    ]
    (clips / "t.json").write_text(json.dumps(rows, indent=2).replace("},\n", "}\n", 1))
    with pytest.raises(UserError, match=r"t\.json:2: not JSON: a comma or \] must follow"):
        load(clips / "t.json")


def test_hugging_face_folder(clips):
    table(clips, "metadata.csv", ",", ("file_name", "transcription", "speaker"))
    assert listed(clips) == EXPECTED
    with pytest.raises(UserError, match=r"clips is a folder with neither Kaldi's wav\.scp nor metadata\.csv"):
        load(clips / "clips")


def kaldi(folder, segments=False):
    root = folder / "data"
    root.mkdir()
    (root / "wav.scp").write_text("".join(f"u{i} ../clips/{i}.wav\n" for i in range(12)))
    names = [f"u{i}-a" if segments else f"u{i}" for i in range(12)]
    (root / "text").write_text("".join(f"{name} {TEXTS[i % 4]}\n" for i, name in enumerate(names)))
    (root / "utt2spk").write_text("".join(f"{name} s{i % 6}\n" for i, name in enumerate(names)))
    if segments:
        (root / "segments").write_text("".join(f"{name} u{i} 0.25 0.75\n" for i, name in enumerate(names)))
    return root


def test_kaldi(clips):
    root = kaldi(clips)
    assert listed(root) == EXPECTED
    assert manifest_rows.read(str(root)).rows[3].where == f"{root}/text:4"
    assert load(root, split_by="speaker").splits["train"].texts
    (root / "utt2spk").unlink()
    assert [row[4] for row in listed(root)] == [""] * 12


def test_kaldi_segments(clips):
    assert [row[:4] for row in listed(kaldi(clips, segments=True))] == [(*row[:2], 0.25, 0.75) for row in EXPECTED]


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("wav.scp", "u12 sox clips/0.wav -t wav - |\n", r"wav\.scp:13: the recording is the output of a command"),
        ("text", "u12 more\n", r"text:13: 'u12' is not in wav\.scp"),
        ("text", "u0 more\n", r"text:13: 'u0' is already in .*text:1"),
        ("segments", "u0 u0 0 1\n", r"text:2: 'u1' is not in segments"),
        ("segments", "u0 0 1\n", r"segments:1: not of the form UTTERANCE RECORDING START END"),
    ],
)
def test_user_errors_in_kaldis_folders(clips, name, line, message):
    root = kaldi(clips)
    with open(root / name, "a") as file:
        file.write(line)
    with pytest.raises(UserError, match=message):
        load(root)


def cut(i, **fields):
    source = {"type": "file", "channels": [0], "source": f"clips/{i}.wav"}
    recording = {"id": f"r{i}", "sources": [source], "sampling_rate": 8000, "num_samples": 8000, "duration": 1.0}
    supervision = {"id": f"u{i}", "recording_id": f"r{i}", "start": 0.0, "duration": 0.5, "channel": 0}
    supervision |= {"text": TEXTS[i % 4], "speaker": f"s{i % 6}", "language": "en" if i % 2 else "ur"}
    return {
        **{"id": f"c{i}", "start": 0.25, "duration": 0.5, "channel": 0, "supervisions": [supervision]},
        **{"recording": recording, "type": "MonoCut"},
        **fields,
    }


def test_lhotse(clips):
    lines = "".join(json.dumps(cut(i)) + "\n" for i in range(12))
    (clips / "cuts.jsonl").write_text(lines)
    with gzip.open(clips / "cuts.jsonl.gz", "wt") as file:
        file.write(lines)
    for name in ("cuts.jsonl", "cuts.jsonl.gz"):
        assert listed(clips / name) == [(*row[:2], 0.25, 0.75, *row[4:]) for row in EXPECTED]
        corpus = load(clips / name)
        assert set(corpus.splits["train"].groups) == {"en", "ur"}
        np.testing.assert_allclose(corpus.splits["train"].seconds, 0.5)
    (clips / "cuts.jsonl.gz").write_bytes((clips / "cuts.jsonl.gz").read_bytes()[:-20])
    with pytest.raises(UserError, match=r"cuts\.jsonl\.gz cannot be read: not a whole gzip file"):
        load(clips / "cuts.jsonl.gz")


def test_user_errors_in_lhotses_cuts(clips):
    command = cut(0)
    command["recording"]["sources"][0] |= {"type": "command", "source": "rm -r /"}
    mixed = {"id": "m", "tracks": [], "supervisions": [], "type": "MixedCut"}
    for value, message in (
        (command, "has 1 sources, the first of type 'command'"),
        (mixed, "mixes several recordings"),
        ({"supervisions": 1, "recording": {}}, "not a cut of Lhotse: KeyError"),
    ):
        (clips / "cuts.jsonl").write_text(json.dumps(value) + "\n")
        with pytest.raises(UserError, match=rf"cuts\.jsonl:1: .*{message}"):
            load(clips / "cuts.jsonl")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_and_line_ends(clips, encoding):
    lines = ["path,text"] + [f"clips/{i}.wav,straße {i % 3} ü" for i in range(12)]
    for end in ("\n", "\r\n", "\r"):
        (clips / "t.csv").write_bytes((end.join(lines) + end).encode(encoding))
        assert {row[1] for row in listed(clips / "t.csv")} == {f"straße {i} ü" for i in range(3)}
    # Tables that were put together have marks inside.
    (clips / "t.csv").write_text("\ufeffpath,text\n\ufeffclips/0.wav,\ufeffa\n", encoding="utf-8")
    assert listed(clips / "t.csv")[0][:2] == ("0.wav", "a")


def test_encodings_that_are_not_read_name_the_byte(clips):
    filler = "clips/0.wav,hello\n" * 2000  # more than a buffer
    (clips / "t.csv").write_bytes(f"path,text\n{filler}clips/1.wav,caf\xe9\n".encode("latin-1"))
    with pytest.raises(
        UserError, match=r"t\.csv is not UTF-8 text: byte 36025 \(line 2002\) is 0xe9; save it as UTF-8"
    ):
        load(clips / "t.csv")
    (clips / "t.csv").write_bytes("path,text\nclips/0.wav,a\n".encode("utf-16-le"))
    with pytest.raises(UserError, match=r"t\.csv is not UTF-8 text: byte 1 is 0x00"):
        load(clips / "t.csv")


def test_splits_by_other_names(clips):
    names = ("Train", "training", "dev", "Test")
    for other in ("dev", "eval", "valid", "Val", "validation"):
        rows = [(f"clips/{i}.wav", TEXTS[i % 4], other if names[i % 4] == "dev" else names[i % 4]) for i in range(12)]
        (clips / "t.csv").write_text("path,text,split\n" + "".join(",".join(row) + "\n" for row in rows))
        sizes = {name: split.size for name, split in load(clips / "t.csv").splits.items()}
        assert sizes == {"train": 6, "validation": 3, "test": 3}


def test_rows_are_named_by_the_line_where_they_begin(clips):
    (clips / "t.csv").write_text('path,text\n\nclips/0.wav,"one\ntwo"\nclips/1.wav,three\nclips/none.wav,four\n')
    with pytest.raises(UserError, match=r"t\.csv:6: there is no file"):
        load(clips / "t.csv")
    (clips / "t.csv").write_text('path,text\n\nclips/0.wav,"one\ntwo"\nclips/1.wav,three\n')
    rows = manifest_rows.read(str(clips / "t.csv")).rows
    assert [(row.where.rsplit(":", 1)[1], row.text) for row in rows] == [("3", "one two"), ("5", "three")]
    (clips / "t.csv").write_text('path,text\nclips/0.wav,one\nclips/1.wav,"three\nclips/2.wav,one\n' * 1)
    with pytest.raises(UserError, match=r"t\.csv:3: not CSV: .*a quotation mark that is text must be doubled"):
        load(clips / "t.csv")


def test_quotation_marks_in_tables_with_tabs_are_text(clips):
    lines = ['clips/0.wav\t"one', 'clips/1.wav\ttwo"', 'clips/2.wav\t"three" four', 'clips/3.wav\t"']
    (clips / "t.tsv").write_text("\n".join(["path\tsentence", *lines]) + "\n")
    assert [row[1] for row in listed(clips / "t.tsv")] == ['"one', 'two"', '"three" four', '"']


def test_further_columns(clips):
    rows = [
        {"path": f"clips/{i}.wav", "text": TEXTS[i % 4], "id": i, "duration": 1.0, "accent": "us" if i % 2 else "in"}
        for i in range(12)
    ]
    rows = [row | {"up_votes": 2, "extra": {"snr": [1, 2]}, "split": ("train", "train", "val", "test")[i // 3]}
            for i, row in enumerate(rows)]  # fmt: skip
    (clips / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = load(clips / "t.jsonl")
    assert notes_of(corpus) == (
        "Scores are also given for each value of the column 'accent'.",
        f"The columns 'id', 'up_votes', 'extra' of {clips}/t.jsonl are not used in training.",
    )
    assert corpus.splits["train"].groups == ["in", "us"] * 3
    # A column that is meant as a group, and one whose name is nearly ours.
    rows = [row | {"group": "ab"[i % 2], "splt": row.pop("split")} for i, row in enumerate(rows)]
    (clips / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = load(clips / "t.jsonl")
    assert set(corpus.splits["train"].groups) == {"a", "b"}
    assert "'splt' (did you mean 'split'?)" in notes_of(corpus)[0]
    with pytest.raises(UserError, match=r"speaker is empty, but data\.split_by is 'speaker'"):
        load(clips / "t.jsonl", split_by="speaker")


def test_ends_past_the_file_by_less_than_a_frame(clips):
    (clips / "t.csv").write_text("path,text,end\n" + "".join(f"clips/{i}.wav,a,1.02\n" for i in range(12)))
    for split in load(clips / "t.csv").splits.values():
        assert (split.seconds == 1).all()
        assert all(len(example["audio"]) == 8000 for example in split.examples.as_numpy_iterator())
    (clips / "t.csv").write_text("path,text,end\n" + "".join(f"clips/{i}.wav,a,1.05\n" for i in range(12)))
    with pytest.raises(UserError, match=r"t\.csv:2: end 1\.05 is past the end"):
        load(clips / "t.csv")


def test_paths_as_people_write_them(clips, monkeypatch):
    monkeypatch.setenv("HOME", str(clips))
    monkeypatch.chdir(clips)
    (clips / "lists").mkdir()
    for path in (
        *(".\\..\\clips\\{}.wav", "..\\clips\\{}.wav", "~/clips/{}.wav", f"file://{clips}/clips/{{}}.wav"),
        f"{clips}/clips/{{}}.wav",
    ):
        lines = "".join(f"{path.format(i)},a\n" for i in range(12))
        (clips / "lists" / "t.csv").write_text("path,text\n" + lines)
        corpus = load("~\\lists\\t.csv")
        assert (sum(split.size for split in corpus.splits.values()), notes_of(corpus)) == (12, ()), path
    (clips / "lists" / "t.csv").write_text("path,text\n" + "".join(f"clips/{i}.wav,a\n" for i in range(12)))
    assert notes_of(load("lists/t.csv")) == (
        "12 paths in lists/t.csv start from the working folder and not from the folder of the list: a command in"
        " another folder does not find them.",
    )
    (clips / "t.csv").write_text("path,text\nC:\\clips\\0.wav,a\n")
    with pytest.raises(UserError, match=r"t\.csv:2: there is no file .*back-slashes, which do not separate folders"):
        load("t.csv")


def test_rows_that_are_there_more_than_once(clips):
    table(clips, "t.csv", ",")
    text = (clips / "t.csv").read_text()
    (clips / "t.csv").write_text(text + "".join(text.splitlines(keepends=True)[1:]) * 3)
    notes = "\n".join(load(clips / "t.csv").notes)
    assert "36 of 48 rows of" in notes
    assert f"such as {clips}/t.csv:14" in notes
    rows = [f"clips/{i % 10}.wav,{'a' if i < 11 else 'b'},{'train' if i < 8 else 'val' if i < 10 else 'test'}\n"
            for i in range(12)]  # fmt: skip
    (clips / "t.csv").write_text("path,text,split\n" + "".join(rows))
    notes = load(clips / "t.csv").notes
    first, second, third = (note for note in notes if note.startswith(("2 of 12 rows", "2 files are", "1 file is")))
    assert first.startswith("2 of 12 rows")
    assert second.startswith(f"2 files are listed in more than one split, such as {clips}/t.csv:2 and {clips}/t.csv:12")
    assert third.startswith(f"1 file is listed with different labels or texts, such as {clips}/t.csv:3 and")


def test_columns_without_names_and_cells_without_columns(clips):
    # A spreadsheet's empty columns, and pandas's index.
    lines = "".join(f"{i};clips/{i}.wav;a;;\n" for i in range(12))
    (clips / "t.csv").write_text(";path;text;;\n" + lines)
    assert [row[:2] for row in listed(clips / "t.csv")] == [(f"{i}.wav", "a") for i in range(12)]


def test_rows_without_files_are_counted_or_left_out(clips):
    lines = ["path,text", *(f"clips/{i}.wav,one" for i in range(8)), "gone.wav,two", "lost.wav,three"]
    (clips / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(
        UserError, match=r"t\.csv:10: there is no file .*gone\.wav \(2 of 10 rows have no file\): data\.skip"
    ):
        load(clips / "t.csv")
    corpus = load(clips / "t.csv", skip_broken=True)
    assert sum(split.size for split in corpus.splits.values()) == 8
    assert any("2 of 10 files cannot be used (2 missing)" in note for note in corpus.notes)


def test_labels_that_look_the_same_are_one(clips):
    labels = ("caf\u00e9", "cafe\u0301", "dog")
    lines = ["path,label", *(f"clips/{i}.wav,{labels[i % 3]}" for i in range(12))]
    (clips / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    assert load(clips / "t.csv").class_names == ("caf\u00e9", "dog")


def test_addresses_are_named(clips):
    (clips / "t.csv").write_text("path,label\nhttps://example.org/0.wav,a\nclips/1.wav,b\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"t\.csv:2: https://example\.org/0\.wav is an address: download the file"):
        load(clips / "t.csv")
