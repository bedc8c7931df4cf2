"""Moving pictures and clips in one frontend: in step, the same everywhere, and either may be missing."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipelines import assemble, datasets, frontends
from pipelines.datasets import paired
from pipelines.errors import UserError
from tests.pipelines.frontends.speech_data import PAIRED, PICTURE, as_batch, clips
from tests.pipelines.frontends.test_contexts import in_saved_model
from tests.pipelines.moving_data import write_list

CONFIG = frontends.AudioVisualConfig(image=PAIRED.image, speech=PAIRED.speech, frames_per_second=25)
SAMPLES, COUNTS = (3000, 8000, 150), (9, 25, 3)  # 0.375, 1 and 0.02 s; 0.36, 1 and 0.12 s


def batch(waves=None, counts=COUNTS, padding=0):
    random = np.random.default_rng(0)
    waves = clips(*SAMPLES) if waves is None else waves
    video = random.integers(0, 256, (len(waves), max(counts) + padding, 20, 30, 3)).astype("uint8")
    return {"video": video, "video_frames": np.array(counts, "int32"), **as_batch(waves, 100 * padding)}


def test_the_same_everywhere(tmp_path):
    frontend, inputs = frontends.build(CONFIG), batch()
    device = tf.function(frontend)(inputs)
    signature = [
        tf.TensorSpec([None, None], tf.float32),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None, None, None, None, 3], tf.uint8),
        tf.TensorSpec([None], tf.int32),
    ]
    values = tuple(inputs[name] for name in ("audio", "length", "video", "video_frames"))
    others = {
        "host": next(iter(tf.data.Dataset.from_tensors(inputs).map(frontend))),
        "export": in_saved_model(frontend, tmp_path, signature, values),
        "compiled": tf.function(frontend, jit_compile=True)(inputs),
    }
    shapes = {"video": (25, 12, 10, 3), "audio": (98, 40), "frames": (), "shown": (98,), "has_audio": ()}
    assert {name: value.shape[1:] for name, value in device.items()} == shapes
    for name, other in others.items():
        for key, value in device.items():
            np.testing.assert_allclose(other[key], value, atol=1e-5, err_msg=f"{name} {key}")


def test_pictures_are_in_step_with_the_sound():
    features = frontends.build(CONFIG)(batch())
    middles = 0.01 * np.arange(98) + 0.0125  # of windows of 25 ms, seconds
    for i, count in enumerate(COUNTS):
        numbers = np.floor(middles * 25).astype(int)
        np.testing.assert_array_equal(features["shown"][i], np.where(numbers < count, numbers, -1))
    np.testing.assert_array_equal(features["has_audio"], [1, 1, 1])


def test_neighbors_and_padding_do_not_matter_and_either_may_be_missing():
    frontend = frontends.build(CONFIG)
    together, padded = frontend(batch()), frontend(batch(padding=3))
    for i, (wave, pictures) in enumerate(zip(clips(*SAMPLES), COUNTS, strict=True)):
        raw = {"video": batch()["video"][i, :pictures], "audio": wave}
        alone = frontend(frontend.batch_of_one(raw))
        count = int(alone["frames"][0])
        single = frontends.build(PAIRED).image(raw["video"])
        np.testing.assert_allclose(alone["video"][0], single, atol=1e-5)
        for features in (together, padded):
            assert features["frames"][i] == count
            np.testing.assert_allclose(features["audio"][i, :count], alone["audio"][0], atol=1e-5)
            np.testing.assert_array_equal(features["shown"][i, :count], alone["shown"][0])
        deaf = {"video": frontend(frontend.batch_of_one({"video": raw["video"]})), "audio": None}
        assert deaf["video"]["has_audio"] == 0
        np.testing.assert_allclose(deaf["video"]["video"], alone["video"], atol=1e-5)
        assert np.isfinite(deaf["video"]["audio"]).all()
        assert deaf["video"]["frames"] == max(1, 1 + (pictures * 320 - 200) // 80)
        blind = frontend(frontend.batch_of_one({"audio": wave}))
        assert np.unique(blind["shown"]) == -1
        np.testing.assert_allclose(blind["audio"], alone["audio"], atol=1e-5)
        assert set(blind) == set(deaf["video"]) == set(alone)


def test_pictures_of_a_moving_one_are_augmented_alike():
    image = dataclasses.replace(PAIRED.image, rotation_degrees=90.0, brightness=0.5, normalize="unit")
    frontend = frontends.build(dataclasses.replace(CONFIG, image=image), augment=True, seed=1)
    inputs = batch()
    inputs["video"][:] = inputs["video"][:1, :1]  # the same picture everywhere
    plain, augmented = frontend(inputs)["video"], np.asarray(frontend(inputs, training=True)["video"])
    assert np.abs(augmented - plain).max() > 0.1
    np.testing.assert_allclose(augmented, np.repeat(augmented[:, :1], 25, axis=1), atol=1e-6)
    assert np.abs(augmented[0] - augmented[1]).max() > 0.1


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = write_list(tmp_path_factory.mktemp("moving"), 12)
    return datasets.load(paired.Config(path=str(path), moving=True, channels=1))


@pytest.mark.parametrize("side", [None, 9])
def test_batches_from_the_host_hold_the_features_of_the_device(corpus, side):
    image = frontends.ImageConfig(height=side or 12, width=side or 12)
    split = corpus.splits["train"]
    split = split.combined(
        tf.data.Dataset.range(split.size), lambda example, number: {**example, "label": number}, labels=None
    )
    batches = {}
    for placement in ("device", "host"):
        config = frontends.resolve(frontends.AudioVisualConfig(placement=placement, image=image), corpus)
        assert (config.frames_per_second, config.image.channels, config.speech.sample_rate_hz) == (25, 1, 8000)
        frontend = frontends.build(config, split=split)
        shapes = assemble.bucket_plan(split, frontend, 4)
        batches[placement] = list(assemble.numbered_batches(split, frontend, 4))
        list(assemble.training_batches(split, frontend, 4, seed=1, epochs=1, shapes=shapes))
        if placement == "device":
            batches[placement] = [(frontend(inputs), targets) for inputs, targets in batches[placement]]
    for (device, targets), (host, others) in zip(batches["device"], batches["host"], strict=True):
        np.testing.assert_array_equal(targets[1], others[1])
        assert set(device) == set(host)
        for i, frames in enumerate(device["frames"]):
            assert host["frames"][i] == frames
            np.testing.assert_allclose(host["audio"][i, :frames], device["audio"][i, :frames], atol=1e-4)
            np.testing.assert_array_equal(host["shown"][i, :frames], device["shown"][i, :frames])
            pictures = int(np.max(host["shown"][i, :frames])) + 1
            np.testing.assert_allclose(host["video"][i, :pictures], device["video"][i, :pictures], atol=1e-4)


def test_settings_that_do_not_go_together(corpus):
    for field, value in {"speed": (0.9, 1.1), "trim": True, "fixed_frames": 30, "margin_ms": 10.0}.items():
        with pytest.raises(ValueError, match=rf"frontend\.speech\.{field} moves the sound in time"):
            dataclasses.replace(CONFIG, speech=dataclasses.replace(CONFIG.speech, **{field: value}))
    with pytest.raises(ValueError, match=r"frontend\.image\.erase_probability changes each picture by itself"):
        dataclasses.replace(CONFIG, image=dataclasses.replace(CONFIG.image, erase_probability=0.5))
    with pytest.raises(ValueError, match=r"frontend\.speech\.form must be sequence.*Received: picture"):
        dataclasses.replace(CONFIG, speech=dataclasses.replace(PICTURE, fixed_frames=None))
    with pytest.raises(UserError, match=r"frontend\.frames_per_second is 30, but paired is read at 25"):
        frontends.resolve(frontends.AudioVisualConfig(frames_per_second=30), corpus)
    with pytest.raises(UserError, match="choose 'audio_visual'"):
        frontends.resolve(frontends.PairedConfig(), corpus)
