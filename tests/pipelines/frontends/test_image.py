import numpy as np
import pytest

from pipelines import frontends
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


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("rand_augment_operations", -1, "from 0 to 100"),
        ("rand_augment_magnitude", 11.0, "from 0 to 10"),
        ("mixup", -0.2, "from 0 to 100"),
        ("cutmix", float("nan"), "from 0 to 100"),
    ],
)
def test_settings_out_of_range(field, value, rule):
    with pytest.raises(ValueError, match=f"frontend.{field} must be {rule}. Received: {value}"):
        frontends.ImageConfig(**{field: value})


@pytest.mark.parametrize("field", ["rand_augment_operations", "hue"])
def test_colors_of_four_channels_raise_a_user_error(field):
    config = frontends.ImageConfig(height=8, width=8, channels=4, **{field: AUGMENTATIONS[field]})
    with pytest.raises(UserError, match=r"Cannot build frontend.name 'image' as configured: .* 1 or 3 channels"):
        frontends.build(config, augment=True)
    frontends.build(config)
