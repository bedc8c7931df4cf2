"""NIST SPHERE files: those that soundfile decodes, those that it rejects, and damaged ones."""

import numpy as np
import pytest

from pipelines import audio
from pipelines.audio_formats import sphere
from pipelines.errors import UserError

SAMPLES = np.random.default_rng(0).integers(-32768, 32767, 1000).astype(np.int16)


def sphere_file(path, samples, *lines, order="01", size=1024, written_size=None, count=None):
    fields = [
        f"sample_count -i {len(samples) if count is None else count}",
        "sample_rate -i 16000",
        "channel_count -i 1" if samples.ndim == 1 else f"channel_count -i {samples.shape[1]}",
        "sample_n_bytes -i 2",
        f"sample_byte_format -s2 {order}",
        *lines,
    ]
    return write(path, fields, samples, order=order, size=size, written_size=written_size)


def write(path, fields, samples, order="01", size=1024, written_size=None):
    """A file with these lines in a header of `size` bytes; it says `written_size`, where that is given."""
    head = f"NIST_1A\n{written_size or size:7d}\n" + "\n".join(fields) + "\nend_head\n"
    path.write_bytes(head.encode().ljust(size) + samples.astype(">i2" if order == "10" else "<i2").tobytes())
    return path


@pytest.mark.parametrize("order", ["01", "10"])
@pytest.mark.parametrize("channels", [1, 2])
def test_sphere(tmp_path, order, channels):
    samples = SAMPLES.reshape(-1, channels)
    path = sphere_file(tmp_path / "a.sph", samples, order=order)
    assert audio.probe(path) == audio.AudioInfo(str(path), "sphere", 16000, channels, len(samples))
    np.testing.assert_array_equal(audio.read(path)[0], (samples.astype(np.float32) / 32768).mean(axis=1))


RATE, CHANNELS, BYTES = "sample_rate -i 16000", "channel_count -i 1", "sample_n_bytes -i 2"
COMMENTS = [f"comment{i} -s20 {'abcdefghij' * 2}" for i in range(60)]  # more than a kilobyte


def fail(*_):
    raise AssertionError("the wrong decoder runs")


@pytest.mark.parametrize(
    "fields",
    [
        [RATE, CHANNELS, BYTES, "sample_byte_format -s2 01"],
        [
            "; comment",
            "speaker_id -s4 fash",
            RATE,
            CHANNELS,
            BYTES,
            "sample_byte_format -s2 01",
            "sample_coding -s3 pcm",
        ],
        ["sample_count -i 1000", RATE, CHANNELS, BYTES, "sample_byte_format -s2 01", *COMMENTS],
    ],
)
def test_soundfile_decodes_what_it_reads(tmp_path, monkeypatch, fields):
    monkeypatch.setattr(sphere, "_read_pcm", fail)
    path = write(tmp_path / "a.sph", fields, SAMPLES, size=4096)
    np.testing.assert_array_equal(sphere.read(path)[:, 0], SAMPLES)


@pytest.mark.parametrize(
    ("fields", "order"),
    [
        ([RATE, BYTES, "sample_byte_format -s2 01"], "01"),
        (["sample_rate -r 16000", CHANNELS, BYTES, "sample_byte_format -s2 01"], "01"),
        (["sample_rate  -i 16000", "channel_count  -i 1", "sample_n_bytes  -i 2"], "01"),
        ([*COMMENTS, RATE, CHANNELS, BYTES, "sample_byte_format -s2 01"], "01"),
        # It opens these, and assumes the byte order of this machine.
        ([RATE, CHANNELS, BYTES], "01"),
        ([RATE, CHANNELS, BYTES, *COMMENTS, "sample_byte_format -s2 10"], "10"),
    ],
)
def test_headers_that_soundfile_rejects(tmp_path, fields, order):
    path = write(tmp_path / "a.sph", fields, SAMPLES, order=order, size=4096)
    header = sphere.read_header(path)
    assert sphere._read_by_soundfile(path, header) is None
    assert (header.sample_rate_hz, header.channels, header.samples) == (16000, 1, 1000)
    np.testing.assert_array_equal(sphere.read(path)[:, 0], SAMPLES)


def test_samples_beyond_the_announced_ones_are_ignored(tmp_path):
    path = sphere_file(tmp_path / "a.sph", SAMPLES, count=700)
    np.testing.assert_array_equal(sphere.read(path)[:, 0], SAMPLES[:700])


def test_a_truncated_file_within_the_limit(tmp_path):
    path = sphere_file(tmp_path / "a.sph", SAMPLES[:800], count=1000)
    header = sphere.read_header(path, max_missing=0.25)
    assert (header.samples, header.missing_samples) == (800, 200)
    np.testing.assert_array_equal(sphere.read(path, header)[:, 0], SAMPLES[:800])
    with pytest.raises(UserError, match="announces 1000 samples, and it holds 800"):
        sphere.read_header(path, max_missing=0.1)


def test_real_files_of_both_decoders(data_dir, monkeypatch):
    paths = sorted(map(str, (data_dir / "an4").rglob("*.sph")))[::50]
    headers = [sphere.read_header(path, max_missing=0.25) for path in paths]
    expected = [sphere._read_pcm(path, header) for path, header in zip(paths, headers, strict=True)]
    monkeypatch.setattr(sphere, "_read_pcm", fail)
    for path, header, samples in zip(paths, headers, expected, strict=True):
        np.testing.assert_array_equal(sphere.read(path, header), samples)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (["sample_coding -s26 pcm,embedded-shorten-v2.00"], {}, "shorten"),
        (["sample_coding -s4 ulaw"], {}, "ulaw"),
        (["sample_n_bytes -i 1"], {}, "1 bytes"),
        (["channel_count -i 0"], {}, "0 channels"),
        (["sample_rate -i fast"], {}, "sample_rate = 'fast'"),
        ([], {"order": "1"}, "byte order"),
        ([], {"count": 10**9}, "truncated: its header announces 1000000000 samples, and it holds 100"),
        ([], {"written_size": 10**6}, "broken SPHERE header"),
        ([], {"written_size": 20}, "without end_head"),
    ],
)
def test_broken_headers(tmp_path, arguments, options, message):
    path = sphere_file(tmp_path / "bad.sph", np.zeros(100), *arguments, **options)
    with pytest.raises(UserError, match=message) as raised:
        audio.probe(path)
    assert "bad.sph" in str(raised.value)
