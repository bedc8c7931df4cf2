"""Pictures and clips in one frontend: each gets the features that it gets alone, everywhere."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipelines import assemble, frontends
from pipelines.datasets import memory
from tests.pipelines.frontends.speech_data import PAIRED, PICTURE, as_batch, clips
from tests.pipelines.frontends.test_contexts import in_saved_model


def batch(waves, padding=0):
    images = np.random.default_rng(0).integers(0, 256, (len(waves), 20, 30, 3)).astype("uint8")
    return {"image": images, **as_batch(waves, padding)}


def test_the_same_everywhere(tmp_path):
    frontend = frontends.build(PAIRED)
    waves = clips(3000, 8000, 150)
    inputs = batch(waves)
    device = tf.function(frontend)(inputs)
    signature = [
        tf.TensorSpec([None, None], tf.float32),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None, None, None, 3], tf.uint8),
    ]
    values = (inputs["audio"], inputs["length"], inputs["image"])
    others = {
        "host": next(iter(tf.data.Dataset.from_tensors(inputs).map(frontend))),
        "export": in_saved_model(frontend, tmp_path, signature, values),
        "compiled": tf.function(frontend, jit_compile=True)(inputs),
    }
    assert {name: value.shape[1:] for name, value in device.items()} == {
        "image": (12, 10, 3),
        "audio": (98, 40),
        "frames": (),
    }
    for name, other in others.items():
        for key, value in device.items():
            np.testing.assert_allclose(other[key], value, atol=1e-5, err_msg=f"{name} {key}")


def test_neighbors_padding_and_the_other_kind_do_not_matter():
    frontend = frontends.build(PAIRED)
    waves = clips(3000, 8000, 150)
    together, padded = frontend(batch(waves)), frontend(batch(waves, padding=777))
    for i, wave in enumerate(waves):
        one = {"image": batch(waves)["image"][i], "audio": wave}
        alone = frontend(frontend.batch_of_one(one))
        count = int(alone["frames"][0])
        for features in (together, padded):
            assert features["frames"][i] == count
            np.testing.assert_allclose(features["audio"][i, :count], alone["audio"][0], atol=1e-5)
            np.testing.assert_allclose(features["image"][i], alone["image"][0], atol=1e-5)
        for name, raw in one.items():
            single = frontend(frontend.batch_of_one({name: raw}))
            assert set(single) == ({"image"} if name == "image" else {"audio", "frames"})
            np.testing.assert_allclose(single[name], alone[name], atol=1e-5)


@pytest.mark.parametrize("speech", [PAIRED.speech, PICTURE], ids=["sequence", "picture"])
def test_batches_from_the_host_hold_the_features_of_the_device(speech):
    config = dataclasses.replace(PAIRED, speech=speech)
    waves = clips(3000, 8000, 6001)
    images = batch(waves)["image"]
    indices, labels = np.array([[0, 2], [1, 1], [2, 0]]), np.array([5, 6, 7])
    split = memory.pairs(images, waves, indices, labels, ["x", "y", "z"], ["a", "b", "c"])
    assert split.sources == ["x + c", "y + b", "z + a"]
    device_frontend = frontends.build(config, split=split)
    raw, targets = next(iter(assemble.evaluation_batches(split, device_frontend, 3)))
    np.testing.assert_array_equal(targets, labels)
    np.testing.assert_array_equal(raw["length"], [6001, 8000, 3000])
    expected = device_frontend(raw)
    host_config = dataclasses.replace(config, placement="host").with_parts(config.image, config.speech)
    on_host = frontends.build(dataclasses.replace(config, placement="host"), split=split)
    assert host_config.speech.placement == host_config.image.placement == "host"
    features, _ = next(iter(assemble.evaluation_batches(split, on_host, 3)))
    assert set(features) == set(expected)
    for name, value in expected.items():
        value = value[:, : features[name].shape[1]] if value.ndim > 1 else value
        own = features[name][:, : value.shape[1]] if value.ndim > 1 else features[name]
        np.testing.assert_allclose(own, value, atol=1e-4, err_msg=name)


def test_augmentation_of_both_sides_in_training_only():
    config = dataclasses.replace(
        PAIRED,
        image=dataclasses.replace(PAIRED.image, rotation_degrees=90.0),
        speech=dataclasses.replace(PAIRED.speech, time_masks=2, time_width=10),
    )
    frontend = frontends.build(config, augment=True, seed=1)
    inputs = batch(clips(3000, 8000))
    plain, augmented = frontend(inputs), frontend(inputs, training=True)
    for name in ("image", "audio"):
        assert np.abs(augmented[name] - plain[name]).max() > 0.1
        np.testing.assert_allclose(plain[name], frontends.build(PAIRED)(inputs)[name], atol=1e-6)


def test_settings_that_do_not_go_together():
    with pytest.raises(ValueError, match=r"frontend\.speech\.placement is that of both"):
        dataclasses.replace(PAIRED, speech=dataclasses.replace(PAIRED.speech, placement="host"))
    with pytest.raises(ValueError, match=r"frontend\.image\.mixup mixes labels"):
        dataclasses.replace(PAIRED, image=dataclasses.replace(PAIRED.image, mixup=0.2))
