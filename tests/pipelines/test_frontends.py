"""The promise: the same raw input gives the same features in the training graph, in tf.data, and in a SavedModel."""

import dataclasses

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from pipelines import assemble, frontends
from pipelines.datasets import memory
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError

SPEECH = {
    "log_mel": frontends.SpeechConfig(sample_rate_hz=8000),
    "mfcc": frontends.SpeechConfig(sample_rate_hz=8000, features="mfcc", deltas=True, normalize="mean_variance"),
    "filter_bank": frontends.SpeechConfig(sample_rate_hz=8000, features="filter_bank", normalize="mean"),
    "raw_log_mel": frontends.SpeechConfig(sample_rate_hz=8000, normalize="none", mel_scale="slaney"),
    "pcen": frontends.SpeechConfig(sample_rate_hz=8000, features="pcen", normalize="none"),
    "running": frontends.SpeechConfig(sample_rate_hz=8000, normalize="running", pre_emphasis=0.97, range_db=50.0),
    "waveform": frontends.SpeechConfig(sample_rate_hz=8000, form="waveform"),
    "partial": frontends.SpeechConfig(sample_rate_hz=8000, normalize="partial"),
    "stretched": frontends.SpeechConfig(sample_rate_hz=8000, fixed_frames=30),
}
PICTURE = frontends.SpeechConfig(
    sample_rate_hz=8000, form="picture", fixed_frames=20, picture_channels=3, picture_normalize="imagenet"
)


def clips(*lengths):
    random = np.random.default_rng(0)
    return [random.normal(scale=0.1, size=length).astype("float32") for length in lengths]


def as_batch(waves, padding=0):
    longest = max(map(len, waves)) + padding
    audio = np.stack([np.pad(wave, (0, longest - len(wave))) for wave in waves])
    return {"audio": audio, "length": np.array([len(wave) for wave in waves], "int32")}


def in_saved_model(frontend, tmp_path, signature, inputs):
    archive = keras.export.ExportArchive()
    archive.track(frontend)
    archive.add_endpoint(
        "serve", lambda *values: _named(frontend(_structured(frontend, values))), input_signature=signature
    )
    archive.write_out(str(tmp_path / "saved"), verbose=False)
    return tf.saved_model.load(str(tmp_path / "saved")).serve(*inputs)


def _structured(frontend, values):
    return values[0] if frontend.modality == "image" else dict(zip(("audio", "length"), values, strict=True))


def _named(features):
    return features if isinstance(features, dict) else {"features": features}


@pytest.mark.parametrize("name", SPEECH)
def test_speech_is_the_same_everywhere(name, tmp_path):
    frontend = frontends.build(SPEECH[name])
    waves = clips(3000, 8000, 150, 6001)
    batch = as_batch(waves)
    device = tf.function(frontend)(batch)
    host = next(iter(tf.data.Dataset.from_tensors(batch).map(frontend)))
    signature = [tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.int32)]
    exported = in_saved_model(frontend, tmp_path, signature, (batch["audio"], batch["length"]))
    compiled = tf.function(frontend, jit_compile=True)(batch)
    padded = frontend(as_batch(waves, padding=777))
    for other in (host, exported, compiled):
        np.testing.assert_allclose(other["features"], device["features"], atol=1e-5)
        np.testing.assert_array_equal(other["frames"], device["frames"])
    for i, wave in enumerate(waves):
        alone = frontend(as_batch([wave]))
        count = int(alone["frames"][0])
        assert count == alone["features"].shape[1]
        for together in (device, padded):
            assert together["frames"][i] == count
            np.testing.assert_allclose(together["features"][i, :count], alone["features"][0], atol=1e-5)
            assert not np.any(together["features"][i, count:])


def test_pictures_of_speech_are_the_same_everywhere(tmp_path):
    frontend = frontends.build(PICTURE)
    waves = clips(3000, 8000, 150, 6001)
    batch = as_batch(waves)
    device = tf.function(frontend)(batch)
    assert device.shape == (4, *frontend.feature_shape) == (4, 20, 40, 3)
    signature = [tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.int32)]
    exported = in_saved_model(frontend, tmp_path, signature, (batch["audio"], batch["length"]))["features"]
    host = next(iter(tf.data.Dataset.from_tensors(batch).map(frontend)))
    for other in (
        host,
        exported,
        tf.function(frontend, jit_compile=True)(batch),
        frontend(as_batch(waves, padding=777)),
    ):
        np.testing.assert_allclose(other, device, atol=1e-4)  # eight deviations of ImageNet's pixels are the range
    for i, wave in enumerate(waves):
        np.testing.assert_allclose(frontend(as_batch([wave]))[0], device[i], atol=1e-4)


@pytest.mark.parametrize("config", [SPEECH["log_mel"], SPEECH["waveform"], PICTURE], ids=lambda config: config.form)
def test_batches_from_the_host_hold_the_features_of_the_device(config):
    waves = clips(3000, 8000, 6001)
    split = memory.clips(waves, [0, 1, 1], ["a", "b", "c"])
    device = frontends.build(config)(as_batch(waves))
    on_host = frontends.build(dataclasses.replace(config, placement="host"), split=split)
    inputs, labels = next(iter(assemble.evaluation_batches(split, on_host, batch_size=3)))
    np.testing.assert_array_equal(labels, [0, 1, 1])
    if config.form == "picture":
        np.testing.assert_allclose(inputs, device, atol=1e-4)
    else:
        np.testing.assert_array_equal(inputs["frames"], device["frames"])
        steps = device["features"].shape[1]
        np.testing.assert_allclose(inputs["features"][:, :steps], device["features"], atol=1e-5)
        assert not np.any(inputs["features"][:, steps:])


@pytest.mark.parametrize("normalize", ["unit", "symmetric", "imagenet", "caffe", "per_image"])
def test_images_are_the_same_everywhere(normalize, tmp_path):
    # The last bit of float32: caffe keeps the unit of pixels, where it is a hundred times as large.
    atol = 1e-4 if normalize == "caffe" else 1e-5
    frontend = frontends.build(
        frontends.ImageConfig(height=24, width=20, channels=3, crop_fraction=0.9, normalize=normalize)
    )
    image = np.random.default_rng(0).integers(0, 256, (3, 50, 37, 3)).astype("uint8")
    device = tf.function(frontend)(image)
    host = next(iter(tf.data.Dataset.from_tensors(image).map(frontend)))
    exported = in_saved_model(frontend, tmp_path, [tf.TensorSpec([None, None, None, 3], tf.uint8)], (image,))[
        "features"
    ]
    compiled = tf.function(frontend, jit_compile=True)(image)
    assert device.shape == (3, 24, 20, 3)
    for other in (host, exported, compiled):
        np.testing.assert_allclose(other, device, atol=atol)
    for i in range(3):
        np.testing.assert_allclose(frontend(image[i : i + 1])[0], device[i], atol=atol)


def test_images_of_many_sizes_meet_the_same_features():
    """Resized one by one before they are batched, they are what the export computes from the raw image."""
    random = np.random.default_rng(1)
    images = [random.integers(0, 256, (height, 31, 3)).astype("uint8") for height in (20, 40, 33)]
    examples = tf.data.Dataset.from_generator(
        lambda: ({"image": image, "label": i} for i, image in enumerate(images)),
        output_signature={"image": tf.TensorSpec([None, None, 3], tf.uint8), "label": tf.TensorSpec([], tf.int64)},
    )
    split = Split(examples, 3)
    config = frontends.ImageConfig(height=16, width=16, channels=3, crop_fraction=0.8)
    frontend = frontends.build(config, split=split)
    batch, _ = next(iter(assemble.evaluation_batches(split, frontend, batch_size=3)))
    raw = frontends.build(config)
    for i, image in enumerate(images):
        np.testing.assert_allclose(frontend(batch)[i], raw(image[None])[0], atol=1e-5)


def test_augmentation_only_in_training():
    config = frontends.ImageConfig(
        height=12, width=12, channels=3, rotation_degrees=20.0, brightness=0.3, erase_probability=1.0
    )
    frontend = frontends.build(config, augment=True, seed=3)
    image = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 3)).astype("uint8")
    np.testing.assert_array_equal(frontend(image, training=False), frontends.build(config)(image))
    assert np.abs(frontend(image, training=True) - frontend(image, training=False)).max() > 0.1


AUGMENTATIONS = {
    "horizontal_flip": True,
    "vertical_flip": True,
    "rotation_degrees": 20.0,
    "scale": (0.7, 1.4),
    "shift_fraction": 0.2,
    "shift_pixels": 3,
    "shear_degrees": 20.0,
    "min_area": 0.5,
    "brightness": 0.3,
    "contrast": 0.3,
    "saturation": 0.5,
    "hue": 0.2,
    "rand_augment_operations": 3,
    "erase_probability": 1.0,
}


@pytest.mark.parametrize("field", AUGMENTATIONS)
def test_every_image_augmentation_changes_the_features(field):
    config = frontends.ImageConfig(height=12, width=12, channels=3, normalize="unit", **{field: AUGMENTATIONS[field]})
    images = np.repeat(np.random.default_rng(0).integers(0, 256, (1, 12, 12, 3)).astype("uint8"), 8, axis=0)
    frontend = frontends.build(config, augment=True, seed=3)
    assert len(frontend.augmentations) == 1
    plain, augmented = (np.asarray(frontend(images, training=training)) for training in (False, True))
    assert np.abs(plain - augmented).max() > 0.1
    assert np.abs(augmented - augmented[:1]).max() > 0.1


def test_the_strength_of_rand_augment_is_passed_on():
    config = frontends.ImageConfig(
        height=8, width=8, channels=1, rand_augment_operations=3, rand_augment_magnitude=4.0, fill="edge"
    )
    (layer,) = frontends.build(config, augment=True, seed=3).augmentations
    assert (layer.operations, layer.magnitude, layer.fill) == (3, 4.0, "edge")


@pytest.mark.parametrize(("fields", "alphas"), [({"mixup": 0.3}, (0.3, 0)), ({"cutmix": 1.0}, (0, 1)), ({}, None)])
def test_mixing(fields, alphas):
    layer = frontends.mixing(frontends.ImageConfig(**fields), 1)
    assert alphas == (layer and (layer.mixup_alpha, layer.cutmix_alpha))


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("rand_augment_operations", -1, "from 0 to 100"),
        ("rand_augment_magnitude", 11.0, "from 0 to 10"),
        ("mixup", -0.2, "from 0 to 100"),
        ("cutmix", float("nan"), "from 0 to 100"),
    ],
)
def test_ranges(field, value, rule):
    with pytest.raises(ValueError, match=f"frontend.{field} must be {rule}. Received: {value}"):
        frontends.ImageConfig(**{field: value})


@pytest.mark.parametrize("field", ["rand_augment_operations", "hue"])
def test_colors_of_four_channels_are_a_users_mistake(field):
    config = frontends.ImageConfig(height=8, width=8, channels=4, **{field: AUGMENTATIONS[field]})
    with pytest.raises(UserError, match=r"Cannot build frontend.name 'image' as configured: .* 1 or 3 channels"):
        frontends.build(config, augment=True)
    frontends.build(config)


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
        assert frontends.build(frontend.config).takes == "sequence"


def test_clips_get_the_frames_of_their_new_length():
    batch = as_batch(clips(8000, 4000))
    for change in ({"speed": (0.5, 0.5)}, {"tempo": (0.5, 0.5)}):
        frontend = frontends.build(frontends.SpeechConfig(sample_rate_hz=8000, **change), augment=True, seed=1)
        plain, augmented = (frontend(batch, training=training) for training in (False, True))
        np.testing.assert_allclose(augmented["frames"], 2 * plain["frames"], atol=3)
        for features, frames in zip(augmented["features"], augmented["frames"], strict=True):
            assert np.abs(features[: int(frames)]).min(axis=1).all()
            assert not np.any(features[int(frames) :])


def test_noise_that_training_hears_is_the_first_part_of_the_chosen_types(tmp_path):
    for name, value in (("hum", 0.5), ("hiss", 0.25)):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "a.wav", np.full(1000, value), 8000)
    config = frontends.SpeechConfig(
        sample_rate_hz=8000, noise_path=str(tmp_path), noise_types=("hum",), noise_fraction=0.65
    )
    (mix,) = frontends.build(config, augment=True, seed=1).wave_augmentations
    assert mix.noises.shape == (650,)
    np.testing.assert_allclose(mix.noises, 0.5, atol=1e-3)


def test_noises_want_a_folder():
    corpus = Corpus("words", "audio", ("a", "b"), {}, 8000)
    config = frontends.SpeechConfig(noise_types=("hum",))
    with pytest.raises(UserError, match=r"noises hum.*--frontend\.noise_path"):
        frontends.resolve(config, corpus)
    frontends.resolve(dataclasses.replace(config, noise_probability=0.0), corpus)
    frontends.resolve(dataclasses.replace(config, noise_path="noises"), corpus)


def test_the_form_is_what_the_network_takes():
    corpus = Corpus("words", "audio", ("a", "b"), {}, 8000)
    for takes, form in (
        (("image", "sequence"), "sequence"),
        (("image",), "picture"),
        (("waveform",), "waveform"),
    ):
        assert frontends.resolve(frontends.SpeechConfig(), corpus, None, takes).form == form
        assert frontends.resolve(frontends.SpeechConfig(form="picture"), corpus, None, takes).form == "picture"
    plain = frontends.resolve(frontends.SpeechConfig(), corpus, None, ("image",))
    assert (plain.picture_normalize, plain.picture_channels) == ("none", 1)
    wanted = frontends.resolve(frontends.SpeechConfig(), corpus, "caffe", ("image",))
    assert (wanted.picture_normalize, wanted.picture_channels) == ("caffe", 3)
    sequence = frontends.resolve(frontends.SpeechConfig(), corpus, "caffe", ("sequence",))
    assert sequence.picture_normalize == "none"


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
def test_augmentations_that_do_not_go_with_the_features(change):
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
def test_speech_settings_out_of_range(field, value):
    with pytest.raises(ValueError, match=f"frontend.{field}.*Received"):
        frontends.SpeechConfig(**{field: value})


def test_settings_that_do_not_go_together_are_a_users_mistake():
    config = frontends.SpeechConfig(sample_rate_hz=8000, high_hz=6000.0)
    with pytest.raises(UserError, match="6000"):
        frontends.build(config)
    split = Split(tf.data.Dataset.from_tensors({"image": np.zeros((4, 4, 1), "uint8"), "label": 0}), 1)
    corpus = Corpus("dots", "image", ("a",), {"train": split})
    with pytest.raises(UserError, match="choose 'image'"):
        frontends.resolve(frontends.SpeechConfig(), corpus)
    with pytest.raises(UserError, match="channels"):
        frontends.resolve(frontends.ImageConfig(channels=3), corpus)
    resolved = frontends.resolve(frontends.ImageConfig(), corpus)
    assert (resolved.height, resolved.width, resolved.channels) == (4, 4, 1)
    assert resolved.normalize == "per_image"
    assert frontends.resolve(frontends.ImageConfig(), corpus, "caffe").normalize == "caffe"
    assert frontends.resolve(frontends.ImageConfig(normalize="unit"), corpus, "caffe").normalize == "unit"
