"""Hostile sounds, as samples and as files."""

import io
import struct

import numpy as np
import soundfile

from tests.tfrec.serving.hostile.case import ANSWER, EITHER, REFUSE, Case, strings

R = np.random.default_rng(0)


def tone(samples):
    return (0.3 * np.sin(np.arange(samples) / 7)).astype("float32")


def wav(samples, rate, subtype="PCM_16", form="WAV"):
    contents = io.BytesIO()
    soundfile.write(contents, samples, rate, subtype=subtype, format=form)
    return contents.getvalue()


def riff(rate, data=None, tag=1, channels=1, bits=16, align=None, size=None, extra=b""):
    """A WAV with a header of any values."""
    data = bytes(8000) if data is None else data
    align = channels * bits // 8 if align is None else align
    values = (tag, channels & 0xFFFF, rate & 0xFFFFFFFF, rate * align & 0xFFFFFFFF, align & 0xFFFF, bits)
    form = b"fmt " + struct.pack("<IHHIIHH", 16, *values)
    body = b"WAVE" + form + extra + b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def clip(audio, length=None, kind="int32"):
    """A function that builds the inputs of one request."""

    def build():
        array = np.asarray(audio() if callable(audio) else audio)
        array = array if array.dtype.kind in "iO" or array.dtype == np.float64 else array.astype("float32")
        return {"audio": array, "length": np.array([len(array[0])] if length is None else length, kind)}

    return build


def shapes(rate, second):
    """(name, build, outcome, heavy): ranks, and lengths that do not fit."""
    yield from (
        ("rank 0", clip(np.float32(1), [1]), REFUSE, False),
        ("rank 1", clip(tone(800), [800]), REFUSE, False),
        ("rank 3", clip(tone(800).reshape(1, 800, 1), [800]), REFUSE, False),
        ("rank 4", clip(tone(800).reshape(1, 1, 800, 1), [800]), REFUSE, False),
        ("lengths of rank 0", clip(second, 800), REFUSE, False),
        ("lengths of rank 2", clip(second, [[800]]), REFUSE, False),
        ("more clips than lengths", clip(np.tile(second, (2, 1)), [800]), REFUSE, False),
        ("more lengths than clips", clip(second, [800, 800]), REFUSE, False),
        ("no lengths", clip(second, []), REFUSE, False),
        ("no rows", clip(np.zeros((0, 800)), []), EITHER, False),
        ("no rows, no samples", clip(np.zeros((0, 0)), []), EITHER, False),
        ("no samples", clip(np.zeros((1, 0)), [0]), REFUSE, False),
        ("length zero", clip(second, [0]), REFUSE, False),
        ("length negative", clip(second, [-5]), REFUSE, False),
        ("length least", clip(second, [-(2**31)]), REFUSE, False),
        ("length past the end", clip(second, [rate + 1]), REFUSE, False),
        ("length greatest", clip(second, [2**31 - 1]), REFUSE, False),
        ("one sample", clip(tone(1)[None], [1]), REFUSE, False),
        ("shorter than a window", clip(tone(20)[None], [20]), REFUSE, False),
    )


def values(rate, second):
    """(name, build, outcome, heavy): samples that are no sound, and other types."""
    with_nan = second.copy()
    with_nan[0, 50] = np.nan
    yield from (
        ("NaN everywhere", clip(np.full((1, rate), np.nan, "float32")), REFUSE, False),
        ("one NaN", clip(with_nan), REFUSE, False),
        ("infinite", clip(np.where(np.isnan(with_nan), np.inf, with_nan)), REFUSE, False),
        ("NaN past the length", clip(with_nan, [40 * rate // 100 if rate < 5000 else rate // 2]), EITHER, False),
        ("in the scale of int16", clip(second * 32768), REFUSE, False),
        ("1e38", clip(second * 1e38), REFUSE, False),
        ("denormal", clip(second * 1e-40), ANSWER, False),
        ("silence", clip(second * 0), ANSWER, False),
        ("full scale", clip(np.sign(second)), ANSWER, False),
        ("float64", clip(second.astype("float64")), REFUSE, False),
        ("int16", clip((second * 32767).astype("int16")), REFUSE, False),
        ("lengths of int64", clip(second, [800], "int64"), REFUSE, False),
        ("lengths of float32", clip(second, [800], "float32"), REFUSE, False),
    )


def sizes(rate):
    """(name, build, outcome, heavy): much of everything."""
    yield from (
        ("1,025 clips", clip(np.zeros((1025, 400)), [400] * 1025), REFUSE, False),
        ("10,000 clips", clip(np.zeros((10_000, 1)), [1] * 10_000), REFUSE, False),
        ("1,000,000 clips of one sample", clip(np.zeros((1_000_000, 1)), [1] * 1_000_000), REFUSE, False),
        ("1,024 clips", clip(lambda: np.tile(tone(rate // 2), (1024, 1)), [rate // 2] * 1024), EITHER, True),
        ("five minutes", clip(lambda: tone(300 * rate)[None]), EITHER, True),
        ("ten minutes", clip(lambda: tone(600 * rate)[None]), EITHER, True),
        ("an hour", clip(lambda: np.zeros((1, 3600 * rate))), EITHER, True),
        ("16 clips of 30 s", clip(lambda: np.tile(tone(30 * rate), (16, 1)), [30 * rate] * 16), ANSWER, True),
        ("120 s", clip(lambda: tone(120 * rate)[None]), ANSWER, True),
        ("400 clips padded to 60 s", clip(lambda: np.zeros((400, 60 * rate)), [rate] * 400), EITHER, True),
    )


def sample_cases(signature, rate):
    second = tone(rate)[None]
    for name, build, outcome, heavy in (*shapes(rate, second), *values(rate, second), *sizes(rate)):
        yield Case(f"{signature}: {name}", signature, build, outcome, heavy)


def headers(rate, sound, good):
    """(name, contents, outcome): sizes and chunks."""
    yield from (
        ("empty", b"", REFUSE),
        ("text", b"no sound at all", REFUSE),
        ("RIFF", b"RIFF", REFUSE),
        ("RIFF of size 0", b"RIFF\0\0\0\0WAVE", REFUSE),
        ("half a header", good[:30], REFUSE),
        ("a header alone", good[:44], REFUSE),
        ("size 0 of the data", riff(rate, b""), REFUSE),
        ("half the data", good[: 44 + rate], EITHER),
        ("size 2^32 - 1", riff(rate, sound.astype("<i2").tobytes(), size=2**32 - 1), EITHER),
        ("no fmt", b"RIFF\x2c\0\0\0WAVEdata" + struct.pack("<I", 100) + bytes(100), REFUSE),
        ("no data", good[:36], REFUSE),
        ("a chunk that never ends", riff(rate, extra=b"LIST" + struct.pack("<I", 2**31)), REFUSE),
        ("a chunk of odd size", riff(rate, extra=b"LIST" + struct.pack("<I", 3) + b"abc\0"), EITHER),
        ("10,000 chunks", riff(rate, extra=(b"junk" + struct.pack("<I", 0)) * 10_000), EITHER),
    )


def formats(rate, sound):
    """(name, contents, outcome): what `fmt` says."""
    yield from (
        ("no channels", riff(rate, channels=0), REFUSE),
        ("65,535 channels", riff(rate, channels=65_535, align=65_535 * 2 % 65_536), REFUSE),
        ("65,535 channels of data", riff(rate, bytes(65_535 * 2 * 4), channels=65_535), EITHER),
        ("rate 0", riff(0), REFUSE),
        ("rate 1", riff(1), REFUSE),
        ("rate 7", riff(7), REFUSE),
        ("rate 2^32 - 1", riff(2**32 - 1), REFUSE),
        ("a rate that is prime", riff(15_991), EITHER),
        ("48,000 Hz", wav(sound, 48_000), ANSWER),
        ("44,100 Hz", wav(sound, 44_100), ANSWER),
        ("0 bits", riff(rate, bits=0), REFUSE),
        ("7 bits", riff(rate, bits=7), REFUSE),
        ("64 bits", riff(rate, bits=64), REFUSE),
        ("a wrong alignment", riff(rate, align=7), REFUSE),
        ("MP3 inside", riff(rate, tag=85), REFUSE),
        ("ADPCM inside", riff(rate, tag=2), REFUSE),
        ("mu-law inside", wav(sound, rate, "ULAW"), REFUSE),
    )


def samples(rate, sound, good):
    """(name, contents, outcome): codings, values, and other kinds of files."""
    floats = sound.astype("<f4")
    yield from (
        ("floats", wav(sound, rate, "FLOAT"), ANSWER),
        (
            "floats, one NaN",
            riff(rate, np.where(np.arange(rate) == 9, np.nan, floats).astype("<f4").tobytes(), 3, bits=32),
            REFUSE,
        ),
        ("floats of 1e38", riff(rate, (floats * 1e38).astype("<f4").tobytes(), 3, bits=32), REFUSE),
        ("floats of the scale of int16", riff(rate, (floats * 32768).astype("<f4").tobytes(), 3, bits=32), REFUSE),
        ("8 bits", wav(sound, rate, "PCM_U8"), ANSWER),
        ("24 bits", wav(sound, rate, "PCM_24"), ANSWER),
        ("32 bits", wav(sound, rate, "PCM_32"), ANSWER),
        ("extensible", wav(sound, rate, form="WAVEX"), ANSWER),
        ("two channels", wav(np.stack([sound, sound], axis=1), rate), ANSWER),
        ("one sample", wav(sound[:1], rate), REFUSE),
        ("shorter than a window", wav(sound[:20], rate), REFUSE),
        ("silence", wav(sound * 0, rate), ANSWER),
        ("RF64", b"RF64" + good[4:], REFUSE),
        ("RIFX", b"RIFX" + good[4:], REFUSE),
        ("AIFF", b"FORM\0\0\0\x1eAIFFCOMM" + bytes(40), REFUSE),
        ("FLAC", wav(sound, rate, "PCM_16", "FLAC"), REFUSE),
        ("Ogg", wav(sound, rate, "VORBIS", "OGG"), REFUSE),
        ("MP3", b"ID3\x03" + bytes(100), REFUSE),
        ("JPEG", b"\xff\xd8\xff\xe0" + bytes(100), REFUSE),
    )


def files(rate):
    """(name, contents, outcome)."""
    sound = tone(rate)
    good = wav(sound, rate)
    yield from headers(rate, sound, good)
    yield from formats(rate, sound)
    yield from samples(rate, sound, good)


def file_cases(signature, rate):
    for name, contents, outcome in files(rate):
        yield Case(f"{signature}: {name}", signature, lambda c=contents: strings("encoded", c), outcome)
    good, short = wav(tone(rate), rate), wav(tone(rate // 10), rate)
    batches = [
        ("no rows", lambda: [], EITHER, False),
        ("1,025 rows", lambda: [b""] * 1025, REFUSE, False),
        ("1,000,000 empty rows", lambda: [b""] * 1_000_000, REFUSE, False),
        ("a good one and a broken one", lambda: [good, b"broken"], REFUSE, False),
        ("60 s with 499 short ones", lambda: [wav(tone(60 * rate), rate)] + [short] * 499, EITHER, True),
        ("16 of 30 s", lambda: [wav(tone(30 * rate), rate)] * 16, ANSWER, True),
        ("one of 120 s", lambda: [wav(tone(120 * rate), rate)], ANSWER, True),
        ("one of ten minutes", lambda: [wav(tone(600 * rate), rate)], EITHER, True),
        ("one of 1 kHz, ten minutes", lambda: [wav(tone(600_000), 1000)], EITHER, True),
        ("zeros of 65 MB", lambda: [riff(rate, bytes(65_000_000))], EITHER, True),
    ]
    for name, rows, outcome, heavy in batches:
        yield Case(f"{signature}: {name}", signature, lambda r=rows: strings("encoded", *r()), outcome, heavy)
    for shape in ((), (1, 1), (1, 1, 1)):
        value = np.full(shape, good, object)
        yield Case(f"{signature}: rank {len(shape)}", signature, lambda v=value: {"encoded": v}, REFUSE)
    yield Case(f"{signature}: numbers", signature, lambda: {"encoded": np.zeros(1, "int32")}, REFUSE)
