"""Files that break the rules of their format, as recorders, pipes and joined downloads do, hold all their samples."""

import struct

import numpy as np
import pytest
import soundfile

from pipelines import audio
from pipelines.audio_formats import ogg
from pipelines.errors import UserError
from tests.pipelines.audio_files import write

RATE = 16000
SAMPLES = np.arange(-2000, 2000, dtype="<i2")


def chunk(identifier, content, announced=None, fill=True):
    size = len(content) if announced is None else announced
    return identifier + struct.pack("<I", size) + content + (b"\0" if fill and len(content) % 2 else b"")


def wav(*before, announced=None, after=b"", form_size=None, samples=SAMPLES):
    """A WAV file of 16 bits and one channel, with chunks before and bytes after the samples."""
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
    body = b"WAVE" + b"".join(before) + form + chunk(b"data", samples.tobytes(), announced) + after
    return b"RIFF" + struct.pack("<I", len(body) if form_size is None else form_size) + body


REGULAR = len(wav())
WAVS = {
    "regular": wav(),
    "chunk of odd size": wav(chunk(b"LIST", b"abc")),
    "chunk of odd size without its filler": wav(chunk(b"LIST", b"abc", fill=False)),
    "chunks after the samples": wav(after=chunk(b"LIST", b"INFOabcd")),
    "unknown size, FFmpeg": wav(announced=0xFFFFFFFF, form_size=0xFFFFFFFF),
    "unknown size, SoX": wav(announced=0x7FFFFFFC, form_size=0x7FFFFFFC),
    "size that counts the header": wav(announced=2 * SAMPLES.size + 44, form_size=REGULAR - 8),
}


@pytest.mark.parametrize("name", WAVS)
def test_samples_of_a_wav(tmp_path, name):
    path = tmp_path / "a.wav"
    path.write_bytes(WAVS[name])
    waveform, rate = audio.read(path)
    assert rate == RATE
    assert audio.probe(path).samples == SAMPLES.size
    np.testing.assert_array_equal(waveform, SAMPLES.astype("float32") / 32768)


@pytest.mark.parametrize("keep", [REGULAR - 1000, REGULAR - 2])
def test_a_truncated_wav(tmp_path, keep):
    path = tmp_path / "a.wav"
    path.write_bytes(wav()[:keep])
    with pytest.raises(UserError, match=r"a\.wav is truncated: its header announces 8000 bytes of samples"):
        audio.probe(path)


def test_thousands_of_empty_chunks_are_refused(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav(chunk(b"junk", b"") * 20_000))
    with pytest.raises(UserError, match=r"a\.wav"):
        audio.probe(path)


def two(tmp_path, suffix, subtype):
    """A low and a high tone, each in a file of its own: (paths, the samples of each as it is decoded)."""
    time = np.arange(RATE) / RATE
    paths = []
    for hz in (300, 2000):
        (tmp_path / str(hz)).mkdir(exist_ok=True)
        samples = 0.4 * np.sin(2 * np.pi * hz * time)
        paths.append(write(tmp_path / str(hz), suffix, subtype, rate=RATE, samples=samples))
    return paths, [audio.read(path)[0] for path in paths]


def bytes_of(path):
    with open(path, "rb") as file:
        return file.read()


@pytest.mark.parametrize(("suffix", "subtype"), [("ogg", "VORBIS"), ("mp3", "MPEG_LAYER_III")])
@pytest.mark.parametrize("between", [b"", b"\0" * 700])
def test_recordings_one_after_the_other(tmp_path, suffix, subtype, between):
    paths, waveforms = two(tmp_path, suffix, subtype)
    joined = tmp_path / f"joined.{suffix}"
    joined.write_bytes(between.join(map(bytes_of, paths)))
    waveform, _ = audio.read(joined)
    assert waveform.size == sum(part.size for part in waveforms)
    assert audio.probe(joined).samples == waveform.size
    np.testing.assert_allclose(waveform, np.concatenate(waveforms), atol=1e-3)
    blocks = np.concatenate(list(audio.read_blocks(joined, seconds=0.3)))
    np.testing.assert_allclose(blocks, waveform, atol=1e-5)


def pages(data):
    """The pages of an Ogg file."""
    result, position = [], 0
    while position < len(data):
        table = data[position + 27 : position + 27 + data[position + 26]]
        size = 27 + len(table) + sum(table)
        result.append(data[position : position + size])
        position += size
    return result


def with_flags(page, flags):
    """A page with other flags, and its checksum."""
    page = page[:5] + bytes([flags]) + page[6:22] + bytes(4) + page[26:]
    return page[:22] + struct.pack("<I", ogg.checksum(page)) + page[26:]


def test_checksums_are_those_of_the_encoder(tmp_path):
    for page in pages(bytes_of(two(tmp_path, "ogg", "VORBIS")[0][0])):
        assert ogg.checksum(page[:22] + bytes(4) + page[26:]) == struct.unpack("<I", page[22:26])[0]


def test_an_ogg_without_the_mark_of_its_end(tmp_path):
    paths, waveforms = two(tmp_path, "ogg", "VORBIS")
    *first, last = pages(bytes_of(paths[0]))
    path = tmp_path / "unmarked.ogg"
    path.write_bytes(b"".join(first) + with_flags(last, 0))
    np.testing.assert_allclose(audio.read(path)[0], waveforms[0], atol=1e-4)


def test_an_ogg_that_goes_on_after_the_mark_of_an_end(tmp_path):
    long = 0.3 * np.sin(np.arange(30 * RATE) / 5)
    path = write(tmp_path, "ogg", "VORBIS", rate=RATE, samples=long)
    expected, _ = audio.read(path)
    parts = pages(bytes_of(path))
    assert len(parts) > 5
    parts[3] = with_flags(parts[3], 4)
    with open(path, "wb") as file:
        file.write(b"".join(parts))
    waveform, _ = audio.read(path)
    assert waveform.size == expected.size
    np.testing.assert_allclose(waveform, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda parts: [*parts[:3], parts[3][:-1] + bytes([parts[3][-1] ^ 1]), *parts[4:]], "has a wrong checksum"),
        (lambda parts: [*parts[:4], *parts[5:]], "1 of its Ogg pages are missing"),
        (lambda parts: [*parts[:-1], parts[-1][:-10]], "is truncated: its last Ogg page is incomplete"),
    ],
)
def test_a_damaged_ogg(tmp_path, damage, message):
    path = write(tmp_path, "ogg", "VORBIS", rate=RATE, samples=0.3 * np.sin(np.arange(30 * RATE) / 5))
    parts = pages(bytes_of(path))
    assert len(parts) > 6
    with open(path, "wb") as file:
        file.write(b"".join(damage(parts)))
    with pytest.raises(UserError, match=message):
        audio.read(path)


def test_an_mp3_with_tags_around_it(tmp_path):
    paths, waveforms = two(tmp_path, "mp3", "MPEG_LAYER_III")
    tag = b"ID3\x04\0\0" + bytes([0, 0, 2, 1]) + b"x" * 257
    path = tmp_path / "tagged.mp3"
    path.write_bytes(tag + bytes_of(paths[0]) + b"TAG" + b"y" * 125)
    np.testing.assert_allclose(audio.read(path)[0], waveforms[0], atol=1e-4)


def test_a_truncated_mp3_with_a_header_of_frames(tmp_path):
    path = write(tmp_path, "mp3", "MPEG_LAYER_III", rate=RATE, samples=0.3 * np.sin(np.arange(5 * RATE) / 5))
    data = bytes_of(path)
    if b"Xing" not in data[:200] and b"Info" not in data[:200]:
        pytest.skip("this encoder writes no header of frames")
    with open(path, "wb") as file:
        file.write(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"is truncated: its header announces \d+ frames, and it holds \d+"):
        audio.probe(path)


def test_channels_that_cancel_each_other(tmp_path):
    tone = 0.4 * np.sin(np.arange(RATE) / 5)
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([0.9 * tone, -tone], 1), RATE, subtype="PCM_16")
    np.testing.assert_allclose(audio.read(path)[0], -tone, atol=1e-3)
    np.testing.assert_allclose(audio.read(path, channel="left")[0], 0.9 * tone, atol=1e-3)
    soundfile.write(path, np.stack([0.9 * tone, tone], 1), RATE, subtype="PCM_16")
    np.testing.assert_allclose(audio.read(path)[0], 0.95 * tone, atol=1e-3)
    with pytest.raises(UserError, match=r"a\.wav"):
        audio.read(path, channel="2")
