"""Audio files in: every format, both decoders, and what is wrong with broken ones."""

import glob
import pathlib

import numpy as np
import pytest
import scipy.signal
import soundfile
import tensorflow as tf

from pipelines import audio
from pipelines.errors import UserError

SAMPLES = 4000
# Suffix, soundfile's subtype, our coding, the largest error that the format itself makes.
FORMATS = [
    ("wav", "PCM_U8", "wav8", 1 / 64),
    ("wav", "PCM_16", "wav16", 1e-4),
    ("wav", "PCM_24", "wav24", 1e-6),
    ("wav", "PCM_32", "soundfile", 1e-6),
    ("wav", "FLOAT", "wav_float", 1e-6),
    ("wav", "DOUBLE", "soundfile", 1e-6),
    ("wav", "ULAW", "soundfile", 0.03),
    ("flac", "PCM_S8", "soundfile", 1 / 64),
    ("flac", "PCM_16", "flac16", 1e-4),
    ("flac", "PCM_24", "soundfile", 1e-6),
    ("ogg", "VORBIS", "vorbis", 0.1),
    ("mp3", "MPEG_LAYER_III", "mp3", 0.1),
]


@pytest.fixture(params=["stack", "soundfile"])
def stack(request, monkeypatch):
    """Each test runs on this environment's decoders, and on soundfile alone."""
    if request.param == "soundfile":
        monkeypatch.setattr(audio, "_tensorflow_io", lambda: None)


def tone(channels=2):
    time = np.arange(SAMPLES) / 8000
    return np.stack([0.4 * np.sin(2 * np.pi * hz * time) for hz in (300, 500)[:channels]], axis=1)


def write(folder, suffix, subtype, rate=16000, samples=None):
    path = folder / f"{subtype}.{suffix}"
    soundfile.write(path, tone() if samples is None else samples, rate, subtype=subtype)
    return str(path)


def in_graph(path):
    examples = tf.data.Dataset.from_tensors(path).map(lambda p: audio.decode(p, audio.probe(path).code))
    return next(iter(examples)).numpy()


@pytest.mark.parametrize(("suffix", "subtype", "coding", "error"), FORMATS)
@pytest.mark.usefixtures("stack")
def test_formats(tmp_path, suffix, subtype, coding, error):
    path = write(tmp_path, suffix, subtype)
    assert audio.probe(path) == audio.AudioInfo(path, coding, 16000, 2, SAMPLES)
    waveform, rate = audio.read(path)
    assert (waveform.dtype, waveform.shape, rate) == (np.float32, (SAMPLES,), 16000)
    np.testing.assert_allclose(waveform, tone().mean(axis=1), atol=error)
    np.testing.assert_array_equal(in_graph(path), waveform)


@pytest.mark.parametrize(("suffix", "subtype", "coding", "error"), FORMATS)
def test_stacks_agree(tmp_path, monkeypatch, suffix, subtype, coding, error):
    if audio._tensorflow_io() is None:
        pytest.skip("needs tensorflow-io")
    path = write(tmp_path, suffix, subtype)
    here = audio.read(path)[0]
    monkeypatch.setattr(audio, "_tensorflow_io", lambda: None)
    there = audio.read(path)[0]
    if suffix in ("ogg", "mp3"):
        np.testing.assert_allclose(here, there, atol=1e-5)
    else:
        np.testing.assert_array_equal(here, there)


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_16_bits_are_exact(tmp_path, suffix):
    samples = np.array([-32768, -32767, -1, 0, 1, 12345, 32767] * 200, np.int16)
    path = write(tmp_path, suffix, "PCM_16", samples=samples)
    np.testing.assert_array_equal(audio.read(path)[0], samples.astype(np.float32) / 32768)


def test_16_bit_flac_is_what_tensorflow_io_makes_of_it(tmp_path, data_dir):
    io = pytest.importorskip("tensorflow_io")
    for path in [write(tmp_path, "flac", "PCM_16"), *map(str, (data_dir / "LibriSpeech").rglob("*.flac"))]:
        samples = io.audio.decode_flac(tf.io.read_file(path), dtype=tf.int16).numpy().astype(np.float32) / 32768
        np.testing.assert_array_equal(audio.read(path)[0], samples.mean(axis=1))


def test_tensorflow_io_is_used_where_it_is_installed():
    pytest.importorskip("tensorflow_io")
    assert audio._tensorflow_io() is not None


@pytest.mark.usefixtures("stack")
def test_codes_may_differ_within_a_dataset(tmp_path):
    paths = [write(tmp_path, suffix, subtype) for suffix, subtype, _, _ in FORMATS]
    codes = np.array([audio.probe(path).code for path in paths], np.int32)
    examples = tf.data.Dataset.from_tensor_slices((paths, codes)).map(audio.decode, num_parallel_calls=2)
    for path, waveform in zip(paths, examples.as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(waveform, audio.read(path)[0])


@pytest.mark.usefixtures("stack")
def test_real_files(data_dir):
    for pattern, coding, rate in (
        ("LibriSpeech/**/*.flac", "flac16", 16000),
        ("noise/wind/*.wav", "wav16", 20000),
        ("an4/**/an251-fash-b.sph", "sphere", 16000),
    ):
        path = sorted(glob.glob(str(data_dir / pattern), recursive=True))[0]
        info = audio.probe(path)
        assert (info.coding, info.sample_rate_hz, info.channels) == (coding, rate, 1)
        # libsndfile reads SPHERE as well, and so checks our reader.
        expected, _ = soundfile.read(path, dtype="int16")
        np.testing.assert_array_equal(in_graph(path), expected.astype(np.float32) / 32768)


def test_content_decides_and_not_the_name(tmp_path):
    path = write(tmp_path, "flac", "PCM_16")
    renamed = tmp_path / "flac_inside.wav"
    renamed.write_bytes(pathlib.Path(path).read_bytes())
    assert audio.probe(renamed).coding == "flac16"
    np.testing.assert_array_equal(audio.read(renamed)[0], audio.read(path)[0])


def test_a_wav_of_unknown_length_is_read(tmp_path):
    path = write(tmp_path, "wav", "PCM_16")
    data = bytearray(pathlib.Path(path).read_bytes())
    data[40:44] = b"\xff\xff\xff\xff"
    pathlib.Path(path).write_bytes(data)
    assert audio.probe(path).coding == "soundfile"
    assert len(audio.read(path)[0]) == SAMPLES


@pytest.mark.usefixtures("stack")
def test_an_mp3_that_does_not_say_its_length_is_read_to_its_end(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 48000)
    path = write(tmp_path, "mp3", "MPEG_LAYER_III", samples=noise)
    data = pathlib.Path(path).read_bytes()
    said = max(data.find(b"Xing"), data.find(b"Info"))  # in a frame of its own, the first
    pathlib.Path(path).write_bytes(data[data.find(data[:2], said) :])
    # The encoder's own silence before and after is cut off only where the header tells how much it is.
    assert 48000 <= len(audio.read(path)[0]) <= 48000 + 4 * 1152


@pytest.mark.parametrize("to_hz", [8000, 16000, 20000, 44100])
def test_resample(to_hz):
    waveform = tone()[:, 0].astype(np.float32)
    rate = tf.TensorSpec([], tf.int32)
    graph = tf.function(audio.resample, input_signature=[tf.TensorSpec([None]), rate, rate])
    changed = graph(waveform, 16000, to_hz).numpy()
    assert changed.dtype == np.float32
    assert len(changed) == -(-SAMPLES * to_hz // 16000)
    np.testing.assert_array_equal(changed, audio.resample(tf.constant(waveform), 16000, to_hz))
    np.testing.assert_allclose(changed, scipy.signal.resample_poly(waveform, to_hz, 16000), atol=1e-6)
    # The tone, 600 Hz at this rate, keeps its pitch, its height and its place.
    expected = 0.4 * np.sin(2 * np.pi * 600 * np.arange(500, 1500) / to_hz)
    np.testing.assert_allclose(changed[500:1500], expected, atol=2e-3)


def test_read_resamples(tmp_path):
    waveform, rate = audio.read(write(tmp_path, "wav", "PCM_16"), 8000)
    assert (len(waveform), rate) == (SAMPLES // 2, 8000)


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(("suffix", "subtype"), [(suffix, subtype) for suffix, subtype, _, _ in FORMATS])
@pytest.mark.parametrize("keep", [0.0, 0.004, 0.5, 0.95])
def test_a_truncated_file_is_an_error_that_names_it(tmp_path, suffix, subtype, keep):
    path = write(tmp_path, suffix, subtype, samples=np.random.default_rng(0).uniform(-0.5, 0.5, (20000, 2)))
    data = pathlib.Path(path).read_bytes()
    pathlib.Path(path).write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(UserError, match=f"{subtype}.{suffix}"):
        audio.read(path)


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("suffix", "coding"), [("wav", "wav16"), ("flac", "flac16"), ("mp3", "mp3"), ("ogg", "vorbis")]
)
def test_a_truncated_file_does_not_end_a_dataset(tmp_path, suffix, coding):
    subtype = {"mp3": "MPEG_LAYER_III", "ogg": "VORBIS"}.get(suffix, "PCM_16")
    good = write(tmp_path, suffix, subtype, samples=np.random.default_rng(0).uniform(-0.5, 0.5, (20000, 2)))
    bad = tmp_path / f"bad.{suffix}"
    data = pathlib.Path(good).read_bytes()
    bad.write_bytes(data[: len(data) // 2])
    code = audio.CODINGS.index(coding)
    for parallel in (None, 2):
        examples = tf.data.Dataset.from_tensor_slices([good, str(bad), good])
        examples = examples.map(lambda path: audio.decode(path, code), num_parallel_calls=parallel)
        with pytest.raises(tf.errors.OpError):
            list(examples)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("empty.wav", b"", "is empty"),
        ("text.wav", b"this is no audio, whatever it is called", "not a readable audio file"),
        ("head.wav", b"RIFF\x24\0\0\0WAVEfmt ", "not a readable audio file"),
        ("zeros.flac", bytes(4096), "not a readable audio file"),
        ("noise.mp3", bytes(range(256)) * 8, "not a readable audio file"),
    ],
)
def test_not_audio(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=said) as raised:
        audio.probe(tmp_path / name)
    assert name in str(raised.value)


def test_missing_and_folder(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.wav cannot be read"):
        audio.probe(tmp_path / "nothing.wav")
    with pytest.raises(UserError, match="cannot be read"):
        audio.probe(tmp_path)


def header(rate=16000, channels=1, bits=16, data=bytes(64)):
    frame = channels * bits // 8
    form = b"".join(
        number.to_bytes(size, "little")
        for number, size in ((1, 2), (channels, 2), (rate, 4), (rate * frame % 2**32, 4), (frame, 2), (bits, 2))
    )
    body = b"WAVEfmt " + len(form).to_bytes(4, "little") + form + b"data" + len(data).to_bytes(4, "little") + data
    return b"RIFF" + len(body).to_bytes(4, "little") + body


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rate": 10}, "announces 10 Hz"),
        ({"rate": 2_000_000}, "announces 2000000 Hz"),
        ({"channels": 0}, "bad.wav"),
        ({"channels": 200, "data": bytes(4000)}, "announces 200 channels"),
        ({"data": b""}, "holds no samples"),
    ],
)
def test_absurd_headers(tmp_path, fields, said):
    (tmp_path / "bad.wav").write_bytes(header(**fields))
    with pytest.raises(UserError, match=said):
        audio.probe(tmp_path / "bad.wav")


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_not_numbers(tmp_path, value):
    samples = tone()
    samples[7] = value
    path = write(tmp_path, "wav", "FLOAT", samples=samples)
    with pytest.raises(UserError, match=r"FLOAT\.wav holds samples that are not numbers"):
        audio.read(path)


@pytest.mark.usefixtures("stack")
def test_loud_floats_are_clipped(tmp_path):
    path = write(tmp_path, "wav", "FLOAT", samples=5 * tone())
    assert np.abs(audio.read(path)[0]).max() == 1


def sphere_file(path, samples, *lines, order="01", size=1024, count=None):
    fields = [
        f"sample_count -i {len(samples) if count is None else count}",
        "sample_rate -i 16000",
        "channel_count -i 1" if samples.ndim == 1 else f"channel_count -i {samples.shape[1]}",
        "sample_n_bytes -i 2",
        f"sample_byte_format -s2 {order}",
        *lines,
    ]
    head = f"NIST_1A\n{size:7d}\n" + "\n".join(fields) + "\nend_head\n"
    path.write_bytes(head.encode().ljust(1024) + samples.astype(">i2" if order == "10" else "<i2").tobytes())
    return path


@pytest.mark.parametrize("order", ["01", "10"])
@pytest.mark.parametrize("channels", [1, 2])
def test_sphere(tmp_path, order, channels):
    samples = np.random.default_rng(0).integers(-32768, 32767, (1000, channels)).astype(np.int16)
    path = sphere_file(tmp_path / "a.sph", samples, order=order)
    assert audio.probe(path) == audio.AudioInfo(str(path), "sphere", 16000, channels, 1000)
    np.testing.assert_array_equal(audio.read(path)[0], (samples.astype(np.float32) / 32768).mean(axis=1))


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        (["sample_coding -s26 pcm,embedded-shorten-v2.00"], {}, "shorten"),
        (["sample_coding -s4 ulaw"], {}, "ulaw"),
        (["sample_n_bytes -i 1"], {}, "1 bytes"),
        (["channel_count -i 0"], {}, "0 channels"),
        (["sample_rate -i fast"], {}, "sample_rate = 'fast'"),
        ([], {"order": "1"}, "byte order"),
        ([], {"count": 10**9}, "truncated: 1000000000 samples announced, 100 there"),
        ([], {"size": 10**6}, "broken SPHERE header"),
        ([], {"size": 20}, "no end_head"),
    ],
)
def test_broken_sphere(tmp_path, arguments, options, said):
    path = sphere_file(tmp_path / "bad.sph", np.zeros(100), *arguments, **options)
    with pytest.raises(UserError, match=said) as raised:
        audio.probe(path)
    assert "bad.sph" in str(raised.value)
