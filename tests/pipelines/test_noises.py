"""A folder of noises."""

import numpy as np
import pytest
import soundfile

from pipelines import noises
from pipelines.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Noises of two types, and one outside of both; a noise is constant in each of its four quarters."""
    for name, value, rate in (
        ("noise/wind/b.wav", 0.5, 16000),
        ("noise/wind/a.wav", 0.25, 8000),
        ("noise/crowd/hall/c.flac", 0.75, 16000),
        ("noise/loose.wav", 0.125, 8000),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, value * np.repeat([1.0, 0.5, 0.25, 0.1], rate // 4), rate)
    (tmp_path / "noise" / "README.txt").write_text("noises")
    (tmp_path / "noise" / "nothing").mkdir()
    return tmp_path / "noise"


def first(waveforms):
    """A sample of the first quarter of each."""
    return [round(float(waveform[1000]), 3) for waveform in waveforms]


def test_noises_are_sorted_by_type_and_resampled(folder):
    loaded = noises.load(folder, 8000)
    assert list(loaded) == ["crowd", "noise", "wind"] == noises.type_names(folder)
    assert [first(waveforms) for waveforms in loaded.values()] == [[0.75], [0.125], [0.25, 0.5]]
    assert all(waveform.dtype == np.float32 for waveform in noises.flat(loaded))
    assert [len(waveform) for waveform in noises.flat(loaded)] == [8000] * 4
    assert first(noises.flat(loaded)) == [0.75, 0.125, 0.25, 0.5]
    assert noises.type_names(f"{folder}/wind/") == ["wind"]


def test_chosen_types(folder):
    loaded = noises.load(folder, 8000, ("wind",))
    assert list(loaded) == ["wind"]
    assert list(noises.load(folder, 8000, ("wind", "crowd"))) == ["crowd", "wind"]
    with pytest.raises(UserError, match=r"Unknown type of noise in .* 'wint': did you mean 'wind'"):
        noises.load(folder, 8000, ("crowd", "wint"))


def test_parts_are_disjoint_and_complete(folder):
    whole = noises.flat(noises.load(folder, 8000))
    train = noises.flat(noises.load(folder, 8000, part="train", fraction=0.65))
    test = noises.flat(noises.load(folder, 8000, part="test", fraction=0.65))
    assert [len(waveform) for waveform in train] == [5200] * 4
    for start, end, both in zip(train, test, whole, strict=True):
        np.testing.assert_array_equal(np.concatenate([start, end]), both)
    np.testing.assert_array_equal(noises.flat(noises.load(folder, 8000, part="test", fraction=0.0)), whole)
    np.testing.assert_array_equal(noises.flat(noises.load(folder, 8000, part="train")), whole)
    np.testing.assert_array_equal(noises.flat(noises.load(folder, 8000, fraction=0.5)), whole)


def test_pieces():
    waveforms = [np.arange(100, dtype="float32"), np.arange(1000, 1007, dtype="float32")]
    pieces = [noises.piece(waveforms, 10, "wind", (0, clip)) for clip in range(1000)]
    starts = set()
    for piece in pieces:
        assert (piece.dtype, piece.shape) == (np.float32, (10,))
        if piece[0] < 1000:  # never beyond the end of a noise that is long enough
            np.testing.assert_array_equal(piece, np.arange(piece[0], piece[0] + 10))
        else:
            np.testing.assert_array_equal(piece, 1000 + (piece[0] - 1000 + np.arange(10)) % 7)
        starts.add(float(piece[0]))
    assert {0.0, 90.0, 1000.0, 1006.0} <= starts
    np.testing.assert_array_equal(noises.piece(waveforms, 10, "wind", (0, 3)), pieces[3])
    for name, seed in (("rain", (0, 3)), ("wind", (1, 3)), ("wind", (0, 4))):
        assert not np.array_equal(noises.piece(waveforms, 10, name, seed), pieces[3])
    assert len(noises.piece(waveforms[:1], 100, "wind", (0,))) == 100


def test_real_noises(data_dir):
    loaded = noises.load(data_dir / "noise", 16000, ("wind",))["wind"]
    assert len(loaded) == 9
    assert all(16000 < len(noise) < 21 * 16000 and np.abs(noise).max() <= 1 for noise in loaded)


def test_user_errors(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        noises.load(tmp_path / "nothing", 16000)
    (tmp_path / "readme.txt").write_text("no noise here")
    with pytest.raises(UserError, match="holds no audio"):
        noises.load(tmp_path, 16000)
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    with pytest.raises(UserError, match=r"bad\.wav"):
        noises.load(tmp_path, 16000)


def test_errors_of_parts(folder):
    with pytest.raises(UserError, match=r"No test part of the noise crowd .* the fraction for training is 1"):
        noises.load(folder, 8000, part="test")
    with pytest.raises(ValueError, match=r"fraction must be from 0 to 1. Received: 1\.5"):
        noises.load(folder, 8000, part="test", fraction=1.5)
    with pytest.raises(ValueError, match=r"part must be one of all, train, test. Received: 'tests'"):
        noises.load(folder, 8000, part="tests", fraction=0.5)
