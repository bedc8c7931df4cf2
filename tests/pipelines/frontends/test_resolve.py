import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipelines import frontends
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError


@pytest.mark.parametrize(("fields", "alphas"), [({"mixup": 0.3}, (0.3, 0)), ({"cutmix": 1.0}, (0, 1)), ({}, None)])
def test_build_mix(fields, alphas):
    layer = frontends.build_mix(frontends.ImageConfig(**fields), 1)
    assert alphas == (layer and (layer.mixup_alpha, layer.cutmix_alpha))


def test_types_of_noise_need_a_folder():
    corpus = Corpus("words", "audio", ("a", "b"), {}, 8000)
    config = frontends.SpeechConfig(noise_types=("hum",))
    with pytest.raises(UserError, match=r"noises hum.*--frontend\.noise_path"):
        frontends.resolve(config, corpus)
    frontends.resolve(dataclasses.replace(config, noise_probability=0.0), corpus)
    frontends.resolve(dataclasses.replace(config, noise_path="noises"), corpus)


def test_the_form_is_what_the_network_takes():
    corpus = Corpus("words", "audio", ("a", "b"), {}, 8000)
    for input_kinds, form in (
        (("image", "sequence"), "sequence"),
        (("image",), "picture"),
        (("waveform",), "waveform"),
    ):
        assert frontends.resolve(frontends.SpeechConfig(), corpus, None, input_kinds).form == form
        assert frontends.resolve(frontends.SpeechConfig(form="picture"), corpus, None, input_kinds).form == "picture"
    plain = frontends.resolve(frontends.SpeechConfig(), corpus, None, ("image",))
    assert (plain.picture_normalize, plain.picture_channels) == ("none", 1)
    pretrained = frontends.resolve(frontends.SpeechConfig(), corpus, "caffe", ("image",))
    assert (pretrained.picture_normalize, pretrained.picture_channels) == ("caffe", 3)
    sequence = frontends.resolve(frontends.SpeechConfig(), corpus, "caffe", ("sequence",))
    assert sequence.picture_normalize == "none"


def test_settings_that_do_not_go_together_raise_a_user_error():
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
