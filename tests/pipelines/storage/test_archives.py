"""Tar archives: every reader opens their members, and damaged or hostile ones are one sentence."""

import resource
import tarfile
import time

import numpy as np
import pytest

from pipelines import audio, images, storage
from pipelines.datasets import fingerprints
from pipelines.errors import UserError
from pipelines.storage import archives, tar
from tests.pipelines import audio_files
from tests.pipelines.image_formats import picture_files
from tests.pipelines.tar_files import END, header, link, packed


def pictures():
    values = np.arange(12 * 20 * 3, dtype=np.uint16).reshape(12, 20, 3) * 80
    kinds = picture_files.kinds()
    few = {name: kinds[name] for name in kinds if not name.startswith(("jpeg_", "png_"))}
    return {**few, "png16": picture_files.png16(values), "tiff16": picture_files.tiff16(values)}


def clips(folder):
    kinds = [("wav", "PCM_16"), ("wav", "PCM_24"), ("wav", "FLOAT"), ("flac", "PCM_16"), ("ogg", "VORBIS")]
    kinds += [("mp3", "MPEG_LAYER_III"), ("aiff", "PCM_16"), ("nist", "PCM_16")]
    for suffix, subtype in kinds:
        path = audio_files.write(folder, suffix, subtype)
        with open(path, "rb") as file:
            yield f"{subtype}.{suffix}", file.read()


def test_pictures_and_clips_are_read_from_an_archive_as_from_files(tmp_path):
    members = {f"deep/{name}.img": data for name, data in pictures().items()}
    sounds = dict(clips(tmp_path))
    (tmp_path / "a.tar").write_bytes(packed(members | sounds))
    for name, data in (members | sounds).items():
        file, member = tmp_path / "file", f"{tmp_path}/a.tar/{name}"
        file.write_bytes(data)
        assert storage.is_file(member)
        assert storage.size(member) == len(data)
        assert storage.read(member) == data
        assert fingerprints.of_file(member) == fingerprints.of_file(str(file)) == fingerprints.of_bytes(data)
        if name in sounds:
            (expected, rate), (got, got_rate) = audio.read(file), audio.read(member)
            assert rate == got_rate
        else:
            expected, got = images.read(file, 4), images.read(member, 4)
        np.testing.assert_array_equal(got, expected, err_msg=name)


def test_zeros_at_the_end_of_a_member_stay(tmp_path):
    (tmp_path / "a.tar").write_bytes(packed({"a.wav": b"RIFF" + bytes(100), "none.wav": b""}))
    for name, size in (("a", 104), ("none", 0)):
        assert len(storage.graph.read_file(f"{tmp_path}/a.tar/{name}.wav").numpy()) == size


def test_a_folder_whose_name_ends_as_an_archive(tmp_path):
    (tmp_path / "x.tar").mkdir()
    (tmp_path / "x.tar" / "a.txt").write_bytes(b"text")
    assert not storage.is_member(f"{tmp_path}/x.tar/a.txt")
    assert storage.read(f"{tmp_path}/x.tar/a.txt") == b"text"


def test_a_member_that_is_missing(tmp_path):
    (tmp_path / "a.tar").write_bytes(packed({"a.png": b"1"}))
    assert not storage.is_file(f"{tmp_path}/a.tar/b.png")
    with pytest.raises(UserError, match=r"a\.tar/b\.png cannot be read: the archive has no such member"):
        images.probe(f"{tmp_path}/a.tar/b.png")


def test_more_archives_than_may_be_open(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_opened", archives.functools.lru_cache(2)(archives._opened.__wrapped__))
    for number in range(5):
        (tmp_path / f"{number}.tar").write_bytes(packed({"a": bytes([number])}))
    for number in [*range(5), *range(5)]:
        assert storage.read(f"{tmp_path}/{number}.tar/a") == bytes([number])


def test_long_names_and_names_that_are_not_utf8(tmp_path):
    names = ["d/" * 120 + "a.png", "caf\udce9.png", "./here.png"]
    for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        (tmp_path / "a.tar").write_bytes(packed(dict.fromkeys(names, b"1"), format))
        found = [member.name for member in tar.scan(str(tmp_path / "a.tar"))]
        assert found == [names[0], names[1], "here.png"]


WHOLE = packed({"a.png": b"1" * 600, "b.png": b"2" * 600})
HUGE_PAX = header("pax", 8 * 1024**3, tarfile.XHDTYPE)
CASES = {
    "empty": (b"", "is empty: replace or remove it"),
    "no archive": (b"no archive" * 100, "is truncated or damaged"),
    "truncated in a member": (WHOLE[:2300], r"is truncated or damaged \(600 bytes of 'b.png' are not in it"),
    "truncated behind a member": (WHOLE[: 512 + 1024], "is truncated: the mark of its end is missing"),
    "damaged header": (WHOLE[:1536] + b"\xff" * 100 + WHOLE[1636:], "is truncated or damaged"),
    "two archives in one": (WHOLE + WHOLE, "holds data behind its end"),
    "gzip": (b"\x1f\x8b" + bytes(1000), "is packed by gzip, so that no member can be read alone: unpack it"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(1000), "is packed by zstd"),
    "upward": (packed({"../a.png": b"1"}), r"holds a member of the name '\.\./a.png': a name must be a path inside"),
    "upward in the middle": (packed({"a/../../b.png": b"1"}), "a name must be a path inside"),
    "absolute": (packed({"/etc/a.png": b"1"}), "a name must be a path inside"),
    "the same name twice": (
        packed({"a.png": b"1"})[:1024] + packed({"a.png": b"2"}),
        "holds two members of the name a.png: rename or remove one",
    ),
    "huge member": (header("a.png", 8 * 1024**3) + END, "8,589,934,592 bytes of 'a.png' are not in it"),
    "astronomic member": (header("a.png", 2**80) + END, "is truncated or damaged"),
    "negative member": (
        header("a.png", 0)[:124] + b"\xff" * 12 + header("a.png", 0)[136:] + END,
        "is truncated or damaged",
    ),
    "huge header": (HUGE_PAX + END, "is truncated or damaged .a header of 8,589,934,592 bytes"),
    "many headers in front of one": (header("x", 0, tarfile.GNUTYPE_LONGNAME) * 5000 + END, "is truncated or damaged"),
    "large label": (packed({"a.cls": b"1" * (tar.MAX_CONTENT_BYTES + 1)}), "labels and texts have at most 1,048,576"),
}


@pytest.mark.parametrize("case", CASES)
def test_hostile_archives_are_one_sentence(tmp_path, case):
    data, message = CASES[case]
    (tmp_path / "a.tar").write_bytes(data)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(UserError, match=message) as error:
        list(tar.scan(str(tmp_path / "a.tar"), lambda name: name.endswith(".cls")))
    assert str(error.value).startswith(f"{tmp_path}/a.tar ")
    assert "\n" not in str(error.value)
    assert time.monotonic() - started < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def test_every_cut_of_an_archive_is_found(tmp_path):
    path = tmp_path / "a.tar"
    for size in range(0, WHOLE.rindex(b"2") + 500, 37):
        path.write_bytes(WHOLE[:size])
        with pytest.raises(UserError):
            list(tar.scan(str(path)))


def test_any_damaged_byte_is_one_sentence_or_changes_no_place(tmp_path):
    random, path = np.random.default_rng(0), tmp_path / "a.tar"
    path.write_bytes(WHOLE)
    places = {(member.offset, member.size) for member in tar.scan(str(path))}
    sentences = []
    for _ in range(300):
        data = bytearray(WHOLE)
        for place in random.integers(0, 512, 3) + 512 * random.choice([0, 3]):
            data[place] = random.integers(256)
        path.write_bytes(data)
        try:
            assert {(member.offset, member.size) for member in tar.scan(str(path))} <= places
        except UserError as error:
            sentences.append(str(error))
    assert sentences
    assert all(sentence.startswith(f"{path} ") and "\n" not in sentence for sentence in sentences)


def test_links_and_devices_are_counted(tmp_path):
    members = {"a.png": b"1", "1": link(tarfile.SYMTYPE, "/etc/passwd"), "2": link(tarfile.FIFOTYPE, "")}
    (tmp_path / "a.tar").write_bytes(packed(members))
    others = tar.Others()
    assert [member.name for member in tar.scan(str(tmp_path / "a.tar"), others=others)] == ["a.png"]
    assert (others.links, others.devices) == (1, 1)


def test_an_archive_that_became_shorter(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(packed({"a.png": b"1" * 5000}))
    assert storage.size(f"{path}/a.png") == 5000
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="is truncated: its archive ends inside it"):
        storage.read(f"{path}/a.png")
