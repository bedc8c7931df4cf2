"""The same raw input gives the same features in the training graph, in tf.data, and in a SavedModel."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines import assemble, frontends
from pipelines.datasets import memory
from pipelines.datasets.base import Split
from tests.pipelines.frontends.speech_data import PICTURE, SPEECH, as_batch, clips


def in_saved_model(frontend, tmp_path, signature, inputs):
    archive = keras.export.ExportArchive()
    archive.track(frontend)
    archive.add_endpoint(
        "serve", lambda *values: _named(frontend(_structured(frontend, values))), input_signature=signature
    )
    archive.write_out(str(tmp_path / "saved"), verbose=False)
    return tf.saved_model.load(str(tmp_path / "saved")).serve(*inputs)


def _structured(frontend, values):
    pictures = ("video", "video_frames") if frontend.modality == "video_audio" else ("image",)
    names = ("audio", "length", *pictures)[: len(values)]
    return values[0] if frontend.modality == "image" else dict(zip(names, values, strict=True))


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


def test_images_of_different_sizes_get_the_same_features():
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
