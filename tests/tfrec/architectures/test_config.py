"""The configs of architectures: multipliers, stems, and settings of the right type."""

import pytest

from tfrec.architectures import ImageModelConfig
from tfrec.architectures.config import replace_settings
from tfrec.architectures.image import resnet, vit


def test_multipliers():
    config = ImageModelConfig(width_multiplier=0.3, depth_multiplier=0.5)
    assert [config.channels(number) for number in (8, 64, 100)] == [8, 16, 32]
    assert [config.repeats(number) for number in (1, 2, 6)] == [1, 1, 3]
    assert ImageModelConfig().channels(37) == 37
    for field in ("width_multiplier", "depth_multiplier"):
        with pytest.raises(ValueError, match=rf"model\.{field} must be above 0. Received: 0"):
            ImageModelConfig(**{field: 0})
    with pytest.raises(ValueError, match=r"model\.dropout.*Received: 1"):
        ImageModelConfig(dropout=1)


@pytest.mark.parametrize(("stem", "side", "small"), [("auto", 64, True), ("auto", 65, False), ("small", 224, True)])
def test_small_stem(stem, side, small):
    assert ImageModelConfig(stem=stem).small_stem((side, 300, 3)) == small
    assert ImageModelConfig(stem=stem).small_stem((300, side)) == small
    assert not ImageModelConfig(stem="large").small_stem((side, side, 3))


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        (resnet.Config(), {"depths": [1, 2], "block": "basic", "width_multiplier": 1}),
        (vit.Config(), {"patch": None}),
        (vit.Config(), {"patch": 8, "stochastic_depth": 0.2}),
    ],
)
def test_settings_of_the_right_type(config, settings):
    replaced = replace_settings(config, settings)
    for field, value in settings.items():
        assert getattr(replaced, field) == (tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depths": 3}, "must be a tuple of int. Received: 3"),
        ({"depths": (1, True)}, "must be a tuple of int"),
        ({"width_multiplier": True}, "must be float. Received: True"),
        ({"stem": None}, "must be 'auto' or 'large' or 'small'. Received: None"),
        ({"dropout": -1.0}, "at least 0 and below 1. Received: -1.0"),
    ],
)
def test_refuses_settings_of_another_type(settings, message):
    with pytest.raises(ValueError, match=message):
        replace_settings(resnet.Config(), settings)
