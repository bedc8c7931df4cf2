"""Reading audio files: every format, on both decoders, and the errors of damaged files."""

import glob
import pathlib

import numpy as np
import pytest
import scipy.signal
import soundfile
import tensorflow as tf

from pipelines import audio, decoders
from pipelines.errors import UserError
from tests.pipelines.audio_files import FORMATS, SAMPLES, tone, write


@pytest.fixture(params=["stack", "soundfile"])
def stack(request, monkeypatch):
    """Runs a test on this environment's decoders, and on soundfile only."""
    if request.param == "soundfile":
        monkeypatch.setattr(decoders, "tensorflow_io", lambda: None)


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


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_16_bits_are_exact(tmp_path, suffix):
    samples = np.array([-32768, -32767, -1, 0, 1, 12345, 32767] * 200, np.int16)
    path = write(tmp_path, suffix, "PCM_16", samples=samples)
    np.testing.assert_array_equal(audio.read(path)[0], samples.astype(np.float32) / 32768)


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


def test_the_content_of_a_file_decides_and_not_its_name(tmp_path):
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
def test_an_mp3_that_does_not_announce_its_length_is_read_to_its_end(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 48000)
    path = write(tmp_path, "mp3", "MPEG_LAYER_III", samples=noise)
    data = pathlib.Path(path).read_bytes()
    header = max(data.find(b"Xing"), data.find(b"Info"))  # in a frame of its own, the first
    pathlib.Path(path).write_bytes(data[data.find(data[:2], header) :])
    # The encoder's own silence before and after is cut off only where the header announces its length.
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
    # The tone, 600 Hz at this rate, keeps its frequency, amplitude and phase.
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
def test_a_truncated_file_fails_in_a_dataset(tmp_path, suffix, coding):
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
    ("name", "data", "message"),
    [
        ("empty.wav", b"", "is empty"),
        ("text.wav", b"this is no audio, whatever it is called", "not a readable audio file"),
        ("head.wav", b"RIFF\x24\0\0\0WAVEfmt ", "not a readable audio file"),
        ("zeros.flac", bytes(4096), "not a readable audio file"),
        ("noise.mp3", bytes(range(256)) * 8, "not a readable audio file"),
    ],
)
def test_not_audio(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=message) as raised:
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
    ("fields", "message"),
    [
        ({"rate": 10}, "announces 10 Hz"),
        ({"rate": 2_000_000}, "announces 2000000 Hz"),
        ({"channels": 0}, "bad.wav"),
        ({"channels": 200, "data": bytes(4000)}, "announces 200 channels"),
        ({"data": b""}, "holds no samples"),
    ],
)
def test_headers_out_of_range(tmp_path, fields, message):
    (tmp_path / "bad.wav").write_bytes(header(**fields))
    with pytest.raises(UserError, match=message):
        audio.probe(tmp_path / "bad.wav")


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_nan_or_infinite(tmp_path, value):
    samples = tone()
    samples[7] = value
    path = write(tmp_path, "wav", "FLOAT", samples=samples)
    with pytest.raises(UserError, match=r"FLOAT\.wav holds samples that are NaN or infinite"):
        audio.read(path)


@pytest.mark.usefixtures("stack")
def test_loud_floats_are_clipped(tmp_path):
    path = write(tmp_path, "wav", "FLOAT", samples=5 * tone())
    assert np.abs(audio.read(path)[0]).max() == 1


def test_a_wav_file_that_has_changed_since_its_header_was_read_is_an_error(tmp_path):
    path = write(tmp_path, "wav", "PCM_16")
    info = audio.probe(path)
    with open(path, "ab") as file:
        file.write(b"LIST\0\0\0\0")
    decoded = tf.data.Dataset.from_tensors(path).map(lambda p: audio.decode(p, info.code, size=info.size))
    if decoders.tensorflow_io() is None:
        assert len(next(iter(decoded))) == info.samples
    else:
        with pytest.raises(tf.errors.InvalidArgumentError, match="has changed since its header was read"):
            next(iter(decoded))


@pytest.mark.parametrize("right", [1.0, -1.0, 0.0])
def test_channels_in_a_graph_are_mixed_as_by_blocks(tmp_path, monkeypatch, right):
    path = str(tmp_path / "stereo.wav")
    left = np.random.default_rng(0).normal(scale=0.1, size=8000)
    soundfile.write(path, np.stack([left, right * left], axis=1), 16000, subtype="PCM_16")
    in_graph = audio.read(path)[0]
    monkeypatch.setattr(audio, "_BLOCKWISE_VALUES", 0)
    np.testing.assert_array_equal(in_graph, audio.read(path)[0])
