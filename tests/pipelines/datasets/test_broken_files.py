"""Broken files of a folder: counted, named, listed, left out; and notes on strange ones."""

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines.errors import UserError
from tests.pipelines.datasets.test_folder import clips, load, pictures, stack  # noqa: F401


@pytest.mark.parametrize(("suffix", "missing"), [(".png", 25), (".jpg", 5)])
def test_broken_pictures_are_counted_and_named(tmp_path, suffix, missing):
    pictures(tmp_path, suffixes=(suffix,))
    whole = (tmp_path / "cat" / f"3{suffix}").read_bytes()
    (tmp_path / "cat" / f"3{suffix}").write_bytes(whole[:-missing])
    (tmp_path / "dog" / f"5{suffix}").write_bytes(whole[:-missing])
    with pytest.raises(UserError, match=rf"2 of 20 files cannot be used.*cat/3\{suffix} cannot be decoded"):
        load(tmp_path)
    assert load(tmp_path, verify=False).modality == "image"


@pytest.mark.usefixtures("stack")
def test_broken_audio_is_counted_and_named(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 20000)
    clips(tmp_path)
    for name in ("no/1.flac", "yes/5.flac"):
        soundfile.write(tmp_path / name, noise, 16000)
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"2 of 20 files cannot be used.*no/1\.flac cannot be decoded"):
        load(tmp_path)
    # Headers are read in any case.
    (tmp_path / "yes" / "2.wav").write_bytes(b"")
    with pytest.raises(UserError, match=r"1 of 20 files cannot be used.*yes/2\.wav is empty"):
        load(tmp_path, verify=False)


def broken_pictures(path, names):
    """Pictures, of which these are cut, and one is empty."""
    pictures(path, suffixes=(".jpg",), count=20)
    for name in names:
        file = path / name
        file.write_bytes(file.read_bytes()[:-5])
    (path / "cat" / "19.jpg").write_bytes(b"")


CUT = [f"cat/{i}.jpg" for i in range(8)]


def test_all_broken_files_are_named_at_once_and_counted_by_kind(tmp_path):
    broken_pictures(tmp_path, CUT)
    with pytest.raises(UserError) as raised:
        load(tmp_path)
    message = str(raised.value)
    assert "9 of 40 files cannot be used (8 truncated or damaged, 1 empty)" in message
    assert all(message.count(name) for name in CUT)
    assert "data.skip_broken" in message
    assert "\n" not in message


def test_the_list_of_broken_files(tmp_path):
    broken_pictures(tmp_path / "P", CUT)
    with pytest.raises(UserError, match=r"9 of 40 .* all of them are in .*list\.csv"):
        load(tmp_path / "P", broken_list=str(tmp_path / "list.csv"))
    header, *rows = (tmp_path / "list.csv").read_text().splitlines()
    assert header == "path,kind,reason"
    assert len(rows) == 9
    assert all(any(name in row for row in rows) for name in CUT)
    with pytest.raises(UserError, match=r"data\.broken_list .*none/list\.csv cannot be written"):
        load(tmp_path / "P", broken_list=str(tmp_path / "none" / "list.csv"))


def test_broken_files_are_left_out_where_one_says_so(tmp_path):
    pictures(tmp_path / "whole", suffixes=(".jpg",), count=20)
    broken_pictures(tmp_path / "P", CUT)
    corpus = load(tmp_path / "P", skip_broken=True)
    sources = {name: list(split.sources) for name, split in corpus.splits.items()}
    whole = {
        name: [source.replace("whole", "P") for source in split.sources]
        for name, split in load(tmp_path / "whole").splits.items()
    }
    lost = {str(tmp_path / "P" / name) for name in [*CUT, "cat/19.jpg"]}
    assert sources == {name: [path for path in paths if path not in lost] for name, paths in whole.items()}
    for split in corpus.splits.values():
        assert len(list(split.examples)) == split.size == len(split.labels)
    assert any("9 of 40 files cannot be used" in note and "data.skip_broken" in note for note in corpus.notes)


def test_a_class_of_broken_files_cannot_be_left_out(tmp_path):
    pictures(tmp_path, suffixes=(".jpg",))
    for file in (tmp_path / "cat").iterdir():
        file.write_bytes(b"")
    with pytest.raises(UserError, match=r"data\.skip_broken leaves no .*"):
        load(tmp_path, skip_broken=True)


def test_notes_on_pictures(tmp_path):
    pictures(tmp_path, suffixes=(".png",))
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (4, 9)).save(tmp_path / "cat" / "0.png", exif=turned)
    Image.new("RGBA", (4, 9)).save(tmp_path / "cat" / "1.png")
    Image.fromarray(np.full((4, 9), 4095, "uint16")).save(tmp_path / "cat" / "2.png")
    frames = [Image.new("RGB", (4, 9), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "cat" / "3.png", format="GIF", save_all=True, append_images=frames[1:])
    Image.new("RGB", (4, 9)).save(tmp_path / "cat" / "4.png", format="JPEG")
    data = (tmp_path / "cat" / "4.png").read_bytes()
    (tmp_path / "cat" / "4.png").write_bytes(data[:-2] + bytes(range(1, 60)) + data[-2:])
    corpus = load(tmp_path)
    notes = "\n".join(corpus.notes)
    for words in (
        "1 of 20 pictures has an EXIF orientation and is turned upright",
        "1 of 20 pictures can be transparent and lies on white (data.background)",
        "1 of 20 pictures has more than 8 bits per value: all are read as float32",
        "1 of 20 pictures has several frames",
        "cat/2.png (values up to 4095 of 65535)",
        "cat/4.png (Corrupt JPEG data:",
    ):
        assert words in notes
    assert corpus.splits["train"].examples.element_spec["image"].dtype == "float32"
    examples = [example for split in corpus.splits.values() for example in split.examples.as_numpy_iterator()]
    assert sum(bool(np.allclose(example["image"], 4095 / 257, atol=1e-3)) for example in examples) == 1
    assert "transparent" not in "".join(load(tmp_path, channels=4).notes)
    notes = load(pictures(tmp_path / "plain")).notes
    assert not [note for note in notes if "moved so that splits" not in note]


def test_no_line_of_a_decoder_reaches_the_terminal(tmp_path, capfd):
    pictures(tmp_path, suffixes=(".jpg",))
    for name in ("cat/0.jpg", "dog/1.jpg"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[:-2] + bytes(range(1, 60)) + data[-2:])
    corpus = load(tmp_path)
    for split in corpus.splits.values():
        assert len(list(split.examples)) == split.size
    assert capfd.readouterr().err == ""
