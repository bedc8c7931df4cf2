"""Manifests: CSV and JSON lines."""

import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines import datasets
from pipelines.datasets import manifest
from pipelines.datasets.selection import join_validation
from pipelines.errors import UserError


@pytest.fixture
def clips(tmp_path):
    """12 clips of one second: clip i has speaker i % 4, label "ab"[i // 4 % 2], and ramps from 0 to 0.5."""
    rows = []
    for i in range(12):
        soundfile.write(tmp_path / f"{i}.wav", np.linspace(0, 0.5, 8000), 8000, subtype="PCM_16")
        rows.append({"path": f"{i}.wav", "label": "ab"[i // 4 % 2], "speaker": f"s{i % 4}"})
    return tmp_path, rows


def write(folder, rows, suffix):
    path = folder / f"list{suffix}"
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        head = list(rows[0])
        lines = [",".join(head)] + [",".join(str(row.get(key, "")) for key in head) for row in rows]
        path.write_text("\n".join(lines) + "\n")
    return str(path)


def load(path, sample_rate_hz=None, **fields):
    return manifest.load(manifest.Config(path=path, **fields), sample_rate_hz)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize("labeled", [False, True])
def test_texts(clips, suffix, labeled):
    folder, rows = clips
    rows = [row | {"text": f" Clip {i} ", "group": "en" if i % 2 else "ur"} for i, row in enumerate(rows)]
    if not labeled:
        rows = [{key: value for key, value in row.items() if key != "label"} for row in rows]
    corpus = load(write(folder, rows, suffix), split_by="speaker")
    assert corpus.class_names == (("a", "b") if labeled else ())
    seen = []
    for split in corpus.splits.values():
        for n, example in enumerate(split.examples.as_numpy_iterator()):
            i = int(split.texts[n].removeprefix("Clip "))
            assert set(example) == {"audio", "label"} if labeled else {"audio"}
            assert (split.speakers[n], split.groups[n]) == (rows[i]["speaker"], rows[i]["group"])
            assert split.sources[n].endswith(f":{i + (2 if suffix == '.csv' else 1)}")
            seen.append(i)
        assert (split.seconds == 1).all()
        assert (split.labels is not None) == labeled
    assert sorted(seen) == list(range(12))


def test_texts_of_segments_and_without_the_rest(clips):
    folder, _ = clips
    rows = [{"path": f"{i}.wav", "text": "word", "start": 0.25, "end": 0.75} for i in range(12)]
    corpus = load(write(folder, rows, ".csv"))
    split = corpus.splits["train"]
    assert (split.speakers, split.groups, split.size) == (None, None, 10)
    np.testing.assert_array_equal(split.seconds, 0.5)
    with pytest.raises(UserError, match=r"data\.classes is given, but .* has no labels"):
        load(write(folder, rows, ".csv"), classes=("a", "b"))
    with pytest.raises(UserError, match="The corpus has too few different examples, 1: train, test and validation"):
        load(write(folder, rows[:2], ".csv"))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_labels_and_sources(clips, suffix):
    folder, rows = clips
    path = write(folder, rows, suffix)
    corpus = load(path)
    assert (corpus.modality, corpus.class_names, corpus.sample_rate_hz) == ("audio", ("a", "b"), 8000)
    assert {name: split.size for name, split in corpus.splits.items()} == {"train": 7, "validation": 3, "test": 2}
    seen = []
    for split in corpus.splits.values():
        for example, label, source in zip(split.examples.as_numpy_iterator(), split.labels, split.sources, strict=True):
            row = rows[int(source.rsplit(":", 1)[1]) - (2 if suffix == ".csv" else 1)]
            assert "ab"[example["label"]] == "ab"[label] == row["label"]
            assert example["audio"].shape == (8000,)
            seen.append(source)
    assert len(set(seen)) == 12
    assert manifest.modality(manifest.Config(path=path)) == "audio"


def test_classes_in_a_given_order(clips):
    folder, rows = clips
    corpus = load(write(folder, rows, ".csv"), classes=("b", "never", "a"))
    assert corpus.class_names == ("b", "never", "a")
    assert set(corpus.splits["train"].labels) == {0, 2}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_numbers_of_clips(clips, suffix):
    folder, rows = clips
    values = [-1.5, 0, 1e-3, 3.25, "+7", ".5", "1e2", "2.", 1 / 3, -0.0, 12, 99999]
    rows = [{"path": row["path"], "number": value} for row, value in zip(rows, values, strict=True)]
    path = write(folder, rows, suffix)
    corpus = load(path)
    assert (corpus.modality, corpus.class_names) == ("audio", ())
    assert {name: split.size for name, split in corpus.splits.items()} == {"train": 7, "validation": 3, "test": 2}
    seen = []
    for split in corpus.splits.values():
        assert split.labels is None
        assert (split.numbers.dtype, split.numbers.shape) == (np.float32, (split.size,))
        for example, number, source in zip(
            split.examples.as_numpy_iterator(), split.numbers, split.sources, strict=True
        ):
            i = int(source.rsplit(":", 1)[1]) - (2 if suffix == ".csv" else 1)
            assert set(example) == {"audio", "label"}
            assert (example["label"].dtype, example["label"].shape) == (np.float32, ())
            assert example["label"] == number == np.float32(values[i])
            seen.append(i)
    assert sorted(seen) == list(range(12))
    assert load(path).splits["test"].sources == corpus.splits["test"].sources
    assert load(path, split_seed=1).splits["test"].sources != corpus.splits["test"].sources


def test_numbers_of_pictures_and_their_splits(tmp_path):
    rows = []
    for i in range(12):
        Image.new("L", (4 + i, 5), 20 * i).save(tmp_path / f"{i}.png")
        rows.append({"path": f"{i}.png", "number": i / 4, "speaker": f"s{i % 4}"})
    corpus = load(write(tmp_path, rows, ".csv"), channels=1, split_by="speaker")
    assert (corpus.modality, corpus.class_names, corpus.sample_rate_hz) == ("image", (), None)
    speakers = [set(split.speakers) for split in corpus.splits.values()]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 4
    for split in corpus.splits.values():
        for example in split.examples.as_numpy_iterator():
            assert example["image"].shape[1] == 4 + 4 * example["label"]
    names = ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    named = load(write(tmp_path, [row | {"split": name} for row, name in zip(rows, names, strict=True)], ".csv"))
    assert named.splits["train"].numbers.tolist() == [i / 4 for i in range(8)]
    joined = join_validation(named, manifest.Config(train_on_validation=True)).splits["train"]
    assert joined.numbers.tolist() == [i / 4 for i in range(10)]
    assert [float(example["label"]) for example in joined.examples] == [i / 4 for i in range(10)]
    with pytest.raises(UserError, match=r"data\.classes is given, but .* has no labels"):
        load(write(tmp_path, rows, ".csv"), classes=("a", "b"))
    with pytest.raises(UserError, match="manifest has no classes"):
        datasets.load(manifest.Config(path=write(tmp_path, rows, ".csv"), examples_per_class=1))


@pytest.mark.parametrize(
    "number",
    ["high", "nan", "-inf", "1e39", "-1e39", "9" * 400, "0x10", "1_000", '"1,5"', "1.5.2", "\u0661", "1e", "."],
)
def test_wrong_numbers(clips, number):
    path = clips[0] / "list.csv"
    path.write_text(f"path,number\n0.wav,1\n1.wav,{number}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"list\.csv:3: number must be a finite decimal number, such as -1\.5\. Rec"):
        load(str(path))


@pytest.mark.parametrize("rate", [8000, 16000])
def test_segments(clips, rate):
    folder, rows = clips
    rows = [{"path": row["path"], "label": row["label"], "start": 0.25, "end": 0.75} for row in rows]
    rows += [
        {"path": "0.wav", "label": "a", "start": 0.5, "end": ""},
        {"path": "1.wav", "label": "b", "start": "", "end": 1},
    ]
    corpus = load(write(folder, rows, ".csv"), rate)
    for split in corpus.splits.values():
        for example, source in zip(split.examples.as_numpy_iterator(), split.sources, strict=True):
            row = rows[int(source.rsplit(":", 1)[1]) - 2]
            start, end = float(row["start"] or 0), float(row["end"] or 1)
            assert len(example["audio"]) == (end - start) * rate
            middle = example["audio"][len(example["audio"]) // 2]
            np.testing.assert_allclose(middle, 0.5 * (start + end) / 2, atol=2e-3)


@pytest.mark.parametrize("column", ["speaker", "group"])
def test_by_speaker_and_by_group(clips, column):
    folder, rows = clips
    rows = [{"path": row["path"], "label": row["label"], column: row["speaker"]} for row in rows]
    corpus = load(write(folder, rows, ".csv"), split_by=column)
    names = {
        name: {rows[int(source.rsplit(":", 1)[1]) - 2][column] for source in split.sources}
        for name, split in corpus.splits.items()
    }
    assert sum(map(len, names.values())) == len(set.union(*names.values())) == 4
    assert all(names.values())


def test_named_splits(clips):
    folder, rows = clips
    names = ["train", "val", "test", "train"] * 3
    rows = [row | {"split": name} for row, name in zip(rows, names, strict=True)]
    corpus = load(write(folder, rows, ".csv"))
    assert {name: split.size for name, split in corpus.splits.items()} == {"train": 6, "validation": 3, "test": 3}
    assert [source.rsplit("/", 1)[1] for source in corpus.splits["test"].sources] == [
        f"list.csv:{i}" for i in (4, 8, 12)
    ]


def test_pictures_quotes_blanks_and_bom(tmp_path):
    (tmp_path / "sub").mkdir()
    for i in range(10):
        Image.new("L", (4, 4)).save(tmp_path / "sub" / f"a, {i}.png")
    lines = [f'"sub/a, {i}.png", {"x" if i % 2 else "y"} \r\n' for i in range(10)]
    (tmp_path / "list.csv").write_text("\ufeffpath,label\r\n\r\n" + "".join(lines), encoding="utf-8", newline="")
    corpus = load(str(tmp_path / "list.csv"), channels=1)
    assert corpus.class_names == ("x", "y")
    assert next(iter(corpus.splits["train"].examples))["image"].shape == (4, 4, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"list\.csv:1: the column 'path' is missing"),
        ("label\na\n", r"list\.csv:1: the column 'path' is missing"),
        ("path\n0.wav\n", r"list\.csv:1: one of the columns 'label' .*, 'text' .* and 'number' .* is needed"),
        ("path,text\n0.wav,hello\n1.wav, \n", r"list\.csv:3: the transcript is empty"),
        ("path,text,label\n0.wav,hello,\n", r"list\.csv:2: label is empty"),
        (f"path,text\n0.wav,{'a' * 10_001}\n", r"list\.csv:2: the transcript has 10,001 characters"),
        ("path,text\n0.wav,a\x07b\n", r"list\.csv:2: the transcript holds control characters"),
        ("path,number\n0.wav,1\n1.wav,\n", r"list\.csv:3: number is empty"),
        ("path,number,label\n0.wav,1,a\n", r"list\.csv:1: number and label exclude each other"),
        ("path,text,number\n0.wav,a,1\n", r"list\.csv:1: number and text exclude each other"),
        ("path,lable\n0.wav,a\n", r"list\.csv:1: one of the columns .*; it has 'lable' \(did you mean 'label'\?\)"),
        ("path,label,label\n0.wav,a,b\n", r"list\.csv:1: the column 'label' is there twice"),
        ("path,label\n", r"list\.csv lists no files"),
        ("path,label\n0.wav,a,b\n", r"list\.csv:2: 3 cells, but the header names 2 columns"),
        ("path,label\n0.wav,a\n1.wav,\n", r"list\.csv:3: label is empty"),
        ("path,label\n,a\n", r"list\.csv:2: path is empty"),
        ("path,label\nnone.wav,a\n", r"list\.csv:2: there is no file .*none\.wav"),
        ("path,label,start,end\n0.wav,a,0.5,0.25\n", r"list\.csv:2: start must be before end"),
        ("path,label,start,end\n0.wav,a,soon,1\n", r"list\.csv:2: start must be seconds.*'soon'"),
        ("path,label,start,end\n0.wav,a,-1,1\n", r"list\.csv:2: start must be seconds"),
        ("path,label,start,end\n0.wav,a,0,nan\n", r"list\.csv:2: end must be seconds"),
        ("path,label,split\n0.wav,a,trian\n", r"list\.csv:2: Unknown split 'trian': did you mean 'train'"),
        ("path,label,split\n0.wav,a,train\n1.wav,b,\n", r"list\.csv:3: split is empty"),
        ("path,label,split\n0.wav,a,test\n1.wav,b,test\n", "no line has the split 'train'"),
        ("path,label\n0.wav,a\n1.wav,a\n", "only the label 'a'"),
        ('path,label\n"0.wav,a\n', r"list\.csv:\d: not CSV"),
    ],
)
def test_user_errors_name_file_and_line(clips, text, message):
    path = clips[0] / "list.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        load(str(path))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{broken", r"list\.jsonl:1: not JSON"),
        pytest.param(f'{{"start": {"9" * 5000}}}', r"list\.jsonl:1: not JSON", id="a number of 5000 digits"),
        ('["0.wav", "a"]', r"list\.jsonl:1: every line must be a JSON object"),
        ("[]", r"list\.jsonl:1: every line must be a JSON object"),
        ('"text"', r"list\.jsonl:1: every line must be a JSON object"),
        ('{"path": "0.wav", "path": "1.wav", "label": "a"}', r"list\.jsonl:1: the column 'path' is there twice"),
        ('{"path": "0.wav", "label": null}', r"list\.jsonl:1: label is empty"),
        ('{"path": "0.wav", "label": ["a"]}', r"list\.jsonl:1: label must be text or a number"),
        ('{"path": "0.wav", "lbl": "a"}', r"list\.jsonl:1: one of the columns .*; it has 'lbl'"),
        ('{"path": "0.wav"}', r"list\.jsonl:1: one of the columns 'label' .*, 'text' .* and 'number' .* is needed"),
        ('{"path": "0.wav", "number": NaN}', r"list\.jsonl:1: number must be a finite decimal number"),
        ('{"path": "0.wav", "number": true}', r"list\.jsonl:1: number must be text or a number"),
        ('{"path": "0.wav", "number": null}', r"list\.jsonl:1: number is empty"),
        ('{"path": "0.wav", "number": 1, "text": "a"}', r"list\.jsonl:1: number and text exclude each other"),
        (
            '{"path": "0.wav", "number": 0}\n{"path": "1.wav", "label": "a"}',
            r"list\.jsonl:1: label is empty, but other",
        ),
        ('{"path": "0.wav", "text": null}', r"list\.jsonl:1: the transcript is empty"),
        (
            '{"path": "0.wav", "text": "a"}\n{"path": "1.wav", "label": "a"}',
            r"list\.jsonl:1: label is empty, but other",
        ),
    ],
)
def test_user_errors_in_json_lines(clips, line, message):
    path = clips[0] / "list.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(UserError, match=message):
        load(str(path))


def test_more_user_errors(clips):
    folder, rows = clips
    path = write(folder, rows, ".csv")
    with pytest.raises(UserError, match=r"list\.csv:6: Unknown label 'b'"):
        load(path, classes=("a", "c"))
    with pytest.raises(UserError, match="names a class twice"):
        load(path, classes=("a", "a"))
    with pytest.raises(UserError, match=r"list\.csv:2: group is empty, but data\.split_by is 'group'"):
        load(path, split_by="group")
    with pytest.raises(UserError, match=r"list\.xlsx is not a manifest that is read"):
        load(str(folder / "list.xlsx"))
    with pytest.raises(UserError, match=r"nothing\.csv cannot be read"):
        load(str(folder / "nothing.csv"))
    with pytest.raises(UserError, match=r"data\.path is needed"):
        load("")
    (folder / "latin.csv").write_bytes("path,label\n0.wav,\xe9\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"latin\.csv is not UTF-8 text: byte 17 \(line 2\) is 0xe9"):
        load(str(folder / "latin.csv"))
    for end, message in (
        (1.5, r"list\.csv:2: end 1\.5 is past the end of .*0\.wav, which lasts 1\.000 s"),
        ("", "no samples"),
    ):
        rows = [
            row | {"start": 1.0, "end": end} if i == 0 else row | {"start": "", "end": ""} for i, row in enumerate(rows)
        ]
        with pytest.raises(UserError, match=message):
            load(write(folder, rows, ".csv"))
    Image.new("L", (4, 4)).save(folder / "a.png")
    (folder / "list.csv").write_text("path,label,start\na.png,a,1\n")
    with pytest.raises(UserError, match="start and end are for audio"):
        load(str(folder / "list.csv"))
    (folder / "0.wav").write_bytes(b"RIFF")
    with pytest.raises(UserError, match=r"1 of 12 files cannot be used.*0\.wav"):
        load(write(folder, clips[1], ".csv"))
