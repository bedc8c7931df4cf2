"""The decoders of audio files agree with each other."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines import audio, decoders
from tests.pipelines.audio_files import FORMATS, write


@pytest.mark.parametrize(("suffix", "subtype", "coding", "error"), FORMATS)
def test_stacks_agree(tmp_path, monkeypatch, suffix, subtype, coding, error):
    if decoders.tensorflow_io() is None:
        pytest.skip("needs tensorflow-io")
    path = write(tmp_path, suffix, subtype)
    by_stack = audio.read(path)[0]
    monkeypatch.setattr(decoders, "tensorflow_io", lambda: None)
    by_soundfile = audio.read(path)[0]
    if suffix in ("ogg", "mp3"):
        np.testing.assert_allclose(by_stack, by_soundfile, atol=1e-5)
    else:
        np.testing.assert_array_equal(by_stack, by_soundfile)


def test_16_bit_flac_is_what_tensorflow_io_makes_of_it(tmp_path, data_dir):
    io = pytest.importorskip("tensorflow_io")
    for path in [write(tmp_path, "flac", "PCM_16"), *map(str, (data_dir / "LibriSpeech").rglob("*.flac"))]:
        samples = io.audio.decode_flac(tf.io.read_file(path), dtype=tf.int16).numpy().astype(np.float32) / 32768
        np.testing.assert_array_equal(audio.read(path)[0], samples.mean(axis=1))


def test_tensorflow_io_is_used_where_it_is_installed():
    pytest.importorskip("tensorflow_io")
    assert decoders.tensorflow_io() is not None


def test_an_unknown_coding_is_an_error():
    with pytest.raises(ValueError, match=r"coding must be one of .* Received: 'wav12'"):
        decoders.decode(tf.constant("a.wav"), "wav12")
