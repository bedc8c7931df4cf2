import numpy as np
import pytest
import tensorflow as tf

from pipelines import assemble, frontends
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError


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
    "aug_mix_probability": 1.0,
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


def test_the_settings_of_aug_mix_are_passed_on():
    settings = {"aug_mix_probability": 0.8, "aug_mix_severity": 2.0, "aug_mix_width": 4, "fill": "reflect"}
    config = frontends.ImageConfig(height=8, width=8, channels=1, **settings)
    (layer,) = frontends.build(config, augment=True, seed=3).augmentations
    assert (layer.probability, layer.severity, layer.width, layer.fill) == (0.8, 2.0, 4, "reflect")


def test_the_settings_of_erasing_are_passed_on():
    settings = {"erase_probability": 0.4, "erase_area": (0.1, 0.7), "erase_fill": "color"}
    config = frontends.ImageConfig(height=8, width=8, channels=1, **settings)
    (layer,) = frontends.build(config, augment=True, seed=3).augmentations
    assert (layer.probability, layer.area, layer.fill) == (0.4, (0.1, 0.7), "color")


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("rand_augment_operations", -1, "from 0 to 100"),
        ("rand_augment_magnitude", 11.0, "from 0 to 10"),
        ("aug_mix_probability", 1.5, "from 0 to 1"),
        ("aug_mix_severity", -1.0, "from 0 to 10"),
        ("aug_mix_width", 0, "1 or more"),
        ("mixup", -0.2, "from 0 to 100"),
        ("cutmix", float("nan"), "from 0 to 100"),
    ],
)
def test_settings_out_of_range(field, value, rule):
    with pytest.raises(ValueError, match=f"frontend.{field} must be {rule}. Received: {value}"):
        frontends.ImageConfig(**{field: value})


def deep_corpus(channels=1):
    """Two pictures of 16 bits with values up to 189 of 65535, `far` brighter than `near`."""
    values = np.random.default_rng(0).integers(0, 90, (2, 8, 8, channels))
    values[1] += 100
    examples = {"image": (values / 257).astype("float32"), "label": np.arange(2)}
    split = Split(tf.data.Dataset.from_tensor_slices(examples), 2)
    return Corpus("deep", "image", ("near", "far"), {"train": split})


def test_pictures_of_more_than_8_bits_stay_apart():
    corpus = deep_corpus()
    config = frontends.resolve(frontends.ImageConfig(normalize="unit"), corpus)
    assert config.pixels == "float32"
    ((images, _),) = assemble.evaluation_batches(corpus.splits["train"], frontends.build(config), 2)
    near, far = np.asarray(frontends.build(config)(images))
    assert near.max() < far.min()
    assert len(np.unique(near)) > 30
    standardized = frontends.build(frontends.resolve(frontends.ImageConfig(), corpus))(images)
    assert np.std(standardized, axis=(1, 2, 3)).min() > 0.7  # 1, but for the smallest deviation that counts


@pytest.mark.parametrize("field", ["rand_augment_operations", "aug_mix_probability"])
def test_operations_on_256_levels_refuse_more_than_8_bits(field):
    config = frontends.ImageConfig(**{field: AUGMENTATIONS[field]})
    with pytest.raises(UserError, match=rf"frontend\.{field} works on 256 levels"):
        frontends.resolve(config, deep_corpus())


def test_normalization_of_four_channels_raises_a_user_error():
    config = frontends.ImageConfig(height=8, width=8, channels=4, normalize="imagenet")
    with pytest.raises(UserError, match=r"Cannot build frontend.name 'image' as configured: .* 1 or 3 channels"):
        frontends.build(config)


@pytest.mark.parametrize("field", ["rand_augment_operations", "aug_mix_probability", "hue"])
def test_colors_of_four_channels_raise_a_user_error(field):
    config = frontends.ImageConfig(height=8, width=8, channels=4, **{field: AUGMENTATIONS[field]})
    with pytest.raises(UserError, match=r"Cannot build frontend.name 'image' as configured: .* 1 or 3 channels"):
        frontends.build(config, augment=True)
    frontends.build(config)
