import numpy as np
import pytest
import soundfile

from pipelines import frontends
from pipelines.errors import UserError
from tests.pipelines.frontends.speech_data import as_batch, clips


def test_every_speech_augmentation_changes_the_features(tmp_path):
    soundfile.write(tmp_path / "noise.wav", np.random.default_rng(2).normal(scale=0.1, size=4000), 8000)
    batch = as_batch(clips(4000, 4000))
    changes = (
        {"gain_db": 6.0, "normalize": "none"},
        {"shift_ms": 40.0},
        {"noise_path": str(tmp_path), "noise_probability": 1.0},
        {"babble_probability": 1.0},
        {"reverb_probability": 1.0},
        {"speed": (0.8, 1.2)},
        {"tempo": (0.8, 1.2)},
        {"jitter": 0.2, "fixed_frames": 30},
        {"tract": (0.8, 1.2)},
        {"channel_db": 6.0},
        {"frequency_masks": 2},
        {"time_masks": 2},
    )
    for change in changes:
        frontend = frontends.build(frontends.SpeechConfig(sample_rate_hz=8000, **change), augment=True, seed=1)
        plain, augmented = (np.array(frontend(batch, training=training)["features"]) for training in (False, True))
        frames = min(plain.shape[1], augmented.shape[1])
        assert np.abs(plain[:, :frames] - augmented[:, :frames]).max() > 0.1, change
        assert np.abs(augmented[0] - augmented[1]).max() > 0, change
        assert frontends.build(frontend.config).feature_kind == "sequence"


def test_clips_get_the_frames_of_their_new_length():
    batch = as_batch(clips(8000, 4000))
    for change in ({"speed": (0.5, 0.5)}, {"tempo": (0.5, 0.5)}):
        frontend = frontends.build(frontends.SpeechConfig(sample_rate_hz=8000, **change), augment=True, seed=1)
        plain, augmented = (frontend(batch, training=training) for training in (False, True))
        np.testing.assert_allclose(augmented["frames"], 2 * plain["frames"], atol=3)
        for features, frames in zip(augmented["features"], augmented["frames"], strict=True):
            assert np.abs(features[: int(frames)]).min(axis=1).all()
            assert not np.any(features[int(frames) :])


def test_training_mixes_in_the_first_part_of_the_chosen_noises(tmp_path):
    for name, value in (("hum", 0.5), ("hiss", 0.25)):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "a.wav", np.full(1000, value), 8000)
    config = frontends.SpeechConfig(
        sample_rate_hz=8000, noise_path=str(tmp_path), noise_types=("hum",), noise_fraction=0.65
    )
    (mix,) = frontends.build(config, augment=True, seed=1).wave_augmentations
    assert mix.noises.shape == (650,)
    np.testing.assert_allclose(mix.noises, 0.5, atol=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        {"form": "waveform", "tempo": (0.9, 1.1)},
        {"form": "waveform", "channel_db": 3.0},
        {"form": "waveform", "time_masks": 1},
        {"form": "waveform", "fixed_frames": 30},
        {"jitter": 0.1},
        {"features": "mfcc", "tract": (0.9, 1.1)},
        {"features": "mfcc", "range_db": 50.0},
        {"features": "pcen", "channel_db": 3.0},
        {"placement": "host", "babble_probability": 0.5},
    ],
)
def test_augmentations_that_the_features_do_not_support(change):
    config = frontends.SpeechConfig(sample_rate_hz=8000, **change)
    with pytest.raises(UserError, match=r"frontend\."):
        frontends.build(config, augment=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("speed", (1.2, 0.8)),
        ("tempo", (0.1, 1.0)),
        ("tract", (0.9, 3.0)),
        ("noise_fraction", 0.0),
        ("babble_probability", 1.5),
        ("picture_channels", 0),
        ("fixed_frames", 1),
    ],
)
def test_settings_out_of_range(field, value):
    with pytest.raises(ValueError, match=f"frontend.{field}.*Received"):
        frontends.SpeechConfig(**{field: value})
