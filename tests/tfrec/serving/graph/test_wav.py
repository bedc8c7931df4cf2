"""WAV files inside a graph: read as in training, or refused with a reason."""

import functools
import io
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from pipelines import audio
from pipelines.resampling import resample_array
from tfrec.serving.graph import resampling, wav

R = np.random.default_rng(0)
SOUND = np.clip(R.normal(scale=0.2, size=4801), -1, 1).astype("float32")


@functools.cache
def decoder(to_hz):
    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
    def decode(contents):
        header = wav.read_headers(contents, tf.fill(tf.shape(contents), ""))
        one = wav.Header(*(field[0] for field in header))
        good = lambda: wav.decode(contents[0], one, to_hz)  # noqa: E731
        samples, fault = tf.cond(one.fault == "", good, lambda: (tf.zeros([0]), one.fault))
        return samples, fault

    return decode


def read(contents, to_hz=8000):
    samples, fault = decoder(to_hz)(tf.constant([contents]))
    return samples.numpy(), fault.numpy().decode()


def write(samples, rate=8000, subtype="PCM_16", form="WAV"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, subtype=subtype)
    return file.getvalue()


def reference(contents, tmp_path, to_hz=8000):
    (tmp_path / "a.wav").write_bytes(contents)
    return audio.read(tmp_path / "a.wav", to_hz)[0]


@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_codings_and_channels(form, subtype, tmp_path):
    opposed = np.stack([SOUND, -0.999 * SOUND], axis=1)  # whose mean is nearly silent
    for samples in (SOUND, np.stack([SOUND, SOUND[::-1]], axis=1), opposed, np.stack([SOUND] * 5, axis=1)):
        contents = write(samples, subtype=subtype, form=form)
        found, fault = read(contents)
        assert fault == ""
        np.testing.assert_allclose(found, reference(contents, tmp_path), atol=1e-6)


@pytest.mark.parametrize("rate", [4000, 11025, 16000, 22050, 44100, 48000, 44101, 192000])
def test_rates(rate, tmp_path):
    contents = write(np.stack([SOUND, SOUND[::-1]], axis=1), rate)
    np.testing.assert_allclose(read(contents, 16000)[0], reference(contents, tmp_path, 16000), atol=1e-5)


@pytest.mark.parametrize("to_hz", [8000, 22050])
def test_resampling_is_that_of_training(to_hz):
    spec = [tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.int64)]
    resample = tf.function(lambda x, hz: resampling.resample(x, hz, to_hz), input_signature=spec, autograph=False)
    for rate in (4000, 5512, 8000, 11025, 44100, 96000, 7999, 16001):
        for count in (0, 1, 2, 50, 777, 4801):
            x = SOUND[:count]
            np.testing.assert_allclose(resample(x, rate), resample_array(x, rate, to_hz), atol=1e-5)


def chunk(name, data, pad=True):
    return name + struct.pack("<I", len(data)) + data + (b"\0" if pad and len(data) % 2 else b"")


def built(before=b"", after=b"", size=None, fmt=None, tail=b""):
    data = (SOUND * 32767).astype("<i2").tobytes()
    body = b"WAVE" + before + chunk(b"fmt ", fmt or struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)) + after
    body += b"data" + struct.pack("<I", len(data) if size is None else size) + data + tail
    return b"RIFF" + struct.pack("<I", len(body)) + body


LIST = b"INFOISFT\x05\0\0\0abcde"
PLAIN = (SOUND * 32767).astype("<i2") / 32768


@pytest.mark.parametrize(
    "options",
    [
        {"before": chunk(b"JUNK", bytes(28))},
        {"before": chunk(b"bext", bytes(602)), "tail": chunk(b"LIST", LIST)},
        {"after": chunk(b"LIST", LIST)},
        {"after": chunk(b"LIST", LIST, pad=False)},
        {"size": 0},
        {"size": 0x7FFFF000},
        {"size": 0x80000000},
        {"size": 0xFFFFFFFF},
        {"size": 2 * 4801 + 36},
    ],
)
def test_odd_headers_are_read_as_in_training(options, tmp_path):
    contents = built(**options)
    np.testing.assert_allclose(read(contents)[0], PLAIN, atol=1e-6)
    np.testing.assert_allclose(reference(contents, tmp_path), PLAIN, atol=1e-6)


def fmt(tag=1, channels=1, rate=8000, block=2, bits=16):
    return struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)


@pytest.mark.parametrize(
    ("contents", "fault"),
    [
        (b"RIFF\x04\0\0\0WAVE", "is a WAV file without a format"),
        (built()[:60], "is a truncated WAV file"),
        (built(size=0)[:44], "has no samples"),
        (built(size=3_000_000_000), "is a truncated WAV file"),
        (built(fmt=fmt(channels=0)), "is a WAV file whose format does not fit"),
        (built(fmt=fmt(block=3, channels=2)), "is a WAV file whose format does not fit"),
        (built(fmt=fmt(block=8)), "is a WAV file of 64 bits, which are not read"),
        (built(fmt=fmt(tag=3)), "is a WAV file of 16 bits, which are not read"),
        (built(fmt=fmt(tag=6)), "is a WAV file of A-law, which is not read"),
        (built(fmt=fmt(tag=0x55)), "is a WAV file of MP3, which is not read"),
        (built(fmt=fmt(tag=999)), "is a WAV file of the coding 999, which is not read"),
        (built(fmt=fmt(rate=0)), "has 0 samples a second: send 4,000 to 192,000"),
        (built(fmt=fmt(rate=200_000)), "has 200000 samples a second"),
        (built(before=chunk(b"JUNK", b"") * 100), "is a WAV file without a format"),
        (write(SOUND * 20, subtype="FLOAT"), "has samples up to"),
        (write(SOUND * np.nan, subtype="FLOAT"), "has a sample that is NaN"),
        (write(np.where(SOUND[7] == SOUND, np.inf, SOUND), subtype="DOUBLE"), "has a sample that is NaN or infinite"),
    ],
)
def test_files_that_are_refused(contents, fault):
    samples, found = read(contents)
    assert found.startswith(fault)
    assert not samples.any()


def test_headers_survive_any_bytes():
    contents = [b"RIFF1234WAVE" + bytes(R.integers(0, 256, size, np.uint8)) for size in range(0, 80, 7)]
    data = built(after=chunk(b"LIST", LIST))
    contents += [data[:size] for size in range(12, 90)]
    for place in R.integers(12, 80, 300):
        contents.append(data[:place] + bytes(R.integers(0, 256, 3, np.uint8)) + data[place + 3 :])
    decode = tf.function(lambda x: wav.read_headers(x, tf.fill(tf.shape(x), "")), autograph=False)
    header = decode(tf.constant(contents))
    good = header.fault.numpy() == b""
    assert (header.start + header.frames * header.channels * header.width).numpy()[good].max() <= max(
        map(len, contents)
    )
