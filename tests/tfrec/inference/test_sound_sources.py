import io
import struct
import time

import numpy as np
import pytest
import soundfile

from pipelines.errors import UserError
from pipelines.resampling import resample_array
from tfrec.inference import sound_sources


def tone(count=4000):
    return (0.3 * np.sin(np.arange(count) * 0.1)).astype("float32")


def wav(samples, rate, subtype, announced=None):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format="WAV")
    data = bytearray(file.getvalue())
    if announced is not None:
        place = data.index(b"data") + 4
        data[place : place + 4] = struct.pack("<I", announced)
    return bytes(data)


def received(data, **options):
    values = {"sample_rate_hz": 8000, "seconds": 0.05, "form": "s16", "rate": None, "channels": 1} | options
    return np.concatenate(list(sound_sources.from_stream(io.BytesIO(data), **values)))


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_32", "FLOAT"])
@pytest.mark.parametrize("announced", [None, 0, 0x7FFFF000, 0xFFFFFFFF])
def test_wav_of_any_announced_length(subtype, announced):
    result = received(wav(tone(), 8000, subtype, announced))
    np.testing.assert_allclose(result[:4000], tone(), atol=1e-4)


def test_wav_is_resampled_and_averaged():
    stereo = np.stack([tone(), np.zeros(4000)], axis=1)
    result = received(wav(stereo, 16000, "PCM_16"))
    np.testing.assert_allclose(result, resample_array(tone() / 2, 16000, 8000), atol=1e-4)


def test_one_channel_is_taken():
    stereo = wav(np.stack([np.zeros(4000), tone()], axis=1), 8000, "PCM_16")
    np.testing.assert_allclose(received(stereo, channel="right")[:4000], tone(), atol=1e-4)
    with pytest.raises(UserError, match="1 channel"):
        received(wav(tone(), 8000, "PCM_16"), channel="right")


@pytest.mark.parametrize(
    ("form", "kind", "scale"), [("s16", "<i2", 32767), ("f32", "<f4", 1), ("s32", "<i4", 2**31 - 128)]
)
def test_samples_without_a_header(form, kind, scale):
    data = (tone() * scale).astype(kind).tobytes()
    np.testing.assert_allclose(received(data, form=form), tone(), atol=1e-4)
    np.testing.assert_allclose(received(data + b"\x01", form=form), tone(), atol=1e-4)  # half a sample
    assert received(b"").size == 0


@pytest.mark.parametrize(
    "data", [b"RIFF\0\0\0\0WAVEjunk", b"RIFF\0\0\0\0WAVEdata\0\0\0\0", b"fLaC" + bytes(50), b"RIFF" + bytes(90)]
)
def test_what_is_no_wav(data):
    with pytest.raises(UserError, match="Standard input"):
        received(data)


def test_a_file_at_its_own_speed(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(), 8000)
    started = time.monotonic()
    pieces = list(sound_sources.from_file(str(tmp_path / "a.wav"), 8000, 0.1, real_time=True))
    assert time.monotonic() - started > 0.45
    np.testing.assert_allclose(np.concatenate(pieces), tone(), atol=1e-4)
    assert len(pieces) == 5


def test_microphone_without_a_device():
    pytest.importorskip("miniaudio")
    with sound_sources.Microphone(8000, 0.05, null=True) as pieces:
        received = [piece for piece, _ in zip(pieces, range(3), strict=False)]
    assert all(piece.dtype == np.float32 for piece in received)
    assert sum(map(len, received)) > 0


def test_sound_that_is_not_taken_is_counted():
    pytest.importorskip("miniaudio")
    microphone = sound_sources.Microphone(8000, 1.0, null=True)
    receive = microphone._receive()
    next(receive)
    for _ in range(13):
        receive.send(np.zeros(8000, "float32").tobytes())
    assert microphone.lost_seconds == 3


def test_a_recording_of_some_seconds():
    def pieces():
        for start in range(0, 4000, 800):
            yield tone()[start : start + 800]
            yield np.zeros(0, "float32")

    np.testing.assert_array_equal(sound_sources.record(pieces(), 8000, 0.25), tone()[:2000])
    np.testing.assert_array_equal(sound_sources.record(pieces(), 8000, 60), tone()[:4000])  # the sound ends


def test_a_recording_until_ctrl_c():
    def pieces():
        yield tone()[:800]
        raise KeyboardInterrupt

    np.testing.assert_array_equal(sound_sources.record(pieces(), 8000, 60), tone()[:800])


def test_a_microphone_without_sound(monkeypatch):
    def pieces():
        while True:
            yield np.zeros(0, "float32")

    monkeypatch.setattr(sound_sources, "MAX_WAIT_S", -60)
    with pytest.raises(UserError, match="gives no sound"):
        sound_sources.record(pieces(), 8000, 1)
    with pytest.raises(UserError, match="gives no sound"):
        sound_sources.record([np.zeros(8000, "float32")], 8000, 1)
