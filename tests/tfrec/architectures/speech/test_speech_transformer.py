"""The Transformer with encoder and decoder: what its config rejects; its layers have their own tests."""

import dataclasses

import pytest

from tfrec.architectures.speech import speech_transformer

SMALL = speech_transformer.Config(width=8, depth=1, decoder_depth=3, heads=2, filters=4)


def test_depths_are_those_of_the_config():
    names = {layer.name.split("_")[0] for layer in speech_transformer.build((None, 20), 5, SMALL).layers}
    assert {"block0", "decoder0", "decoder1", "decoder2"} <= names
    assert not {"block1", "decoder3"} & names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subsampling": 3}, "1, 2 or 4. Received: 3"),
        ({"heads": 3}, r"Received: \(8, 3\)"),
        ({"decoder_depth": 0}, "must be positive"),
    ],
)
def test_refuses_wrong_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        speech_transformer.build((None, 20), 5, dataclasses.replace(SMALL, **changes))
