"""Files that FFmpeg reads: m4a, aac, amr, wma, the sound of videos; and what is said without PyAV."""

import numpy as np
import pytest
import soundfile

from pipelines import audio
from pipelines.audio_formats import ffmpeg
from pipelines.datasets import folder
from pipelines.errors import UserError
from tests.tfrec.user_errors import clips

# Name of a file, container, codec, rate in hertz, channels.
KINDS = [
    ("voice.m4a", "ipod", "aac", 16000, 1),
    ("stereo.m4a", "ipod", "aac", 44100, 2),
    ("lossless.m4a", "ipod", "alac", 16000, 1),
    ("radio.aac", "adts", "aac", 22050, 1),
    ("note.amr", "amr", "libopencore_amrnb", 8000, 1),
    ("note.wma", "asf", "wmav2", 16000, 1),
    ("call.3gp", "3gp", "libopencore_amrnb", 8000, 1),
    ("browser.webm", "webm", "libopus", 48000, 1),
    ("old.avi", "avi", "libmp3lame", 16000, 1),
    ("renamed.wav", "ipod", "aac", 16000, 1),
]


def waveform(rate, seconds=1.0):
    """Two tones with a fade at both ends, which all codecs keep."""
    time = np.arange(round(rate * seconds)) / rate
    both = 0.2 * np.sin(2 * np.pi * 300 * time) + 0.2 * np.sin(2 * np.pi * 1100 * time)
    return (both * np.minimum(1, 10 * np.minimum(time, time[::-1]))).astype("float32")


def encoded(path, container, codec, rate, channels=1, samples=None, has_picture=False):
    """Writes samples with PyAV, on request below a video of one color."""
    av = pytest.importorskip("av")
    samples = waveform(rate) if samples is None else samples
    try:
        with av.open(path, "w", format=container) as file:
            film = file.add_stream("mpeg4", rate=10) if has_picture else None
            if film is not None:
                film.width, film.height, film.pix_fmt = 32, 32, "yuv420p"
            stream = file.add_stream(codec, rate=rate, layout="mono" if channels == 1 else "stereo")
            if film is not None:
                for _ in range(10):
                    file.mux(film.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), "uint8"), format="rgb24")))
                file.mux(film.encode())
            frame = av.AudioFrame.from_ndarray(
                np.tile(samples, (channels, 1)), format="fltp", layout="mono" if channels == 1 else "stereo"
            )
            frame.sample_rate, frame.pts = rate, 0
            resampler = av.AudioResampler(stream.format.name, stream.layout.name, rate, stream.frame_size or 1024)
            for piece in [*resampler.resample(frame), *resampler.resample(None)]:
                file.mux(stream.encode(piece))
            file.mux(stream.encode())
    except av.FFmpegError as error:  # not every build has every encoder
        pytest.skip(str(error))
    except av.codec.codec.UnknownCodecError as error:
        pytest.skip(str(error))
    return path


def alike(read, samples, delay=3000):
    """The correlation of two waveforms, after the delay of the codec."""
    size = min(len(read), len(samples))
    spectra = np.fft.rfft(read, 2 * size + 2 * delay) * np.conj(np.fft.rfft(samples, 2 * size + 2 * delay))
    products = np.fft.irfft(spectra)
    return max(products[:delay].max(), products[-delay:].max()) / np.sqrt((read @ read) * (samples @ samples))


@pytest.mark.parametrize(("name", "container", "codec", "rate", "channels"), KINDS)
def test_kinds(tmp_path, name, container, codec, rate, channels):
    path = encoded(str(tmp_path / name), container, codec, rate, channels)
    info = audio.probe(path)
    assert (info.sample_rate_hz, info.channels) == (rate, channels)
    samples, read_rate = audio.read(path)
    assert read_rate == rate
    assert abs(len(samples) - rate) < 4096
    assert abs(info.samples - rate) < 4096
    assert alike(samples, waveform(rate)) > (0.9 if "amr" in codec else 0.97)
    np.testing.assert_array_equal(np.concatenate(list(audio.read_blocks(path, seconds=0.3))), samples)


def test_the_sound_of_a_video(tmp_path):
    path = encoded(str(tmp_path / "film.mp4"), "mp4", "aac", 16000, has_picture=True)
    assert alike(audio.read(path)[0], waveform(16000)) > 0.97


def test_a_video_without_sound(tmp_path):
    av = pytest.importorskip("av")
    path = str(tmp_path / "silent.mp4")
    with av.open(path, "w") as file:
        film = file.add_stream("mpeg4", rate=10)
        film.width, film.height, film.pix_fmt = 32, 32, "yuv420p"
        file.mux(film.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), "uint8"), format="rgb24")))
        file.mux(film.encode())
    with pytest.raises(UserError, match=r"silent\.mp4 has no sound: remove it"):
        audio.probe(path)


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_m4a(tmp_path, keep):
    path = encoded(str(tmp_path / "cut.m4a"), "ipod", "aac", 16000, samples=waveform(16000, 3.0))
    data = (tmp_path / "cut.m4a").read_bytes()
    (tmp_path / "cut.m4a").write_bytes(data[: round(len(data) * keep)])
    with pytest.raises(UserError, match=r"cut\.m4a"):
        audio.read(path)


def test_an_mp3_of_ffmpeg_is_as_long_as_soundfile_reads_it(tmp_path):
    for variable in (False, True):
        path = encoded(str(tmp_path / f"{variable}.mp3"), "mp3", "libmp3lame", 16000, samples=waveform(16000, 2.0))
        expected = soundfile.read(path, dtype="float32")[0]
        samples = audio.read(path)[0]
        assert abs(len(samples) - len(expected)) < 2000
        assert alike(samples, expected) > 0.99


def test_kinds_in_a_corpus(tmp_path):
    clips(tmp_path)
    for name, container, codec, rate, channels in KINDS[:4]:
        encoded(str(tmp_path / "no" / name), container, codec, rate, channels)
    corpus = folder.load(folder.Config(path=str(tmp_path)), 8000)
    for split in corpus.splits.values():
        for example, seconds, source in zip(
            split.examples.as_numpy_iterator(), split.seconds, split.sources, strict=True
        ):
            if source.endswith((".m4a", ".aac")):
                assert abs(len(example["audio"]) / 8000 - seconds) < 0.3
                assert np.abs(example["audio"]).max() > 0.3


def test_files_that_need_a_missing_pyav_are_counted_by_kind(tmp_path, monkeypatch):
    monkeypatch.setattr(ffmpeg, "is_installed", lambda: False)
    clips(tmp_path)
    head = b"\0\0\0\x1cftypM4A \0\0\2\0isomiso2mp41" + bytes(400)
    for i in range(3):
        (tmp_path / "no" / f"memo{i}.m4a").write_bytes(head)
    (tmp_path / "yes" / "note.amr").write_bytes(b"#!AMR\n" + bytes(400))
    with pytest.raises(UserError) as error:
        folder.load(folder.Config(path=str(tmp_path)))
    for words in ("4 of 16 files need PyAV (3 MPEG-4 (M4A, MP4), 1 AMR)", "memo0.m4a", 'pip install "tfrec[media]"'):
        assert words in str(error.value)
    assert "ffmpeg -i memo0.m4a memo0.wav" in str(error.value)
