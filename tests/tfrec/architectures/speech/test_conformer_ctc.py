"""Conformers with a CTC head: the paper's sizes, and sizes that make no network."""

import dataclasses
import math

import keras
import pytest

from tfrec.architectures.speech import conformer_ctc

SMALL = conformer_ctc.Config(width=8, depth=3, heads=2, kernel=3, filters=4)
WITH_DECODER = [
    # Million weights in table 1 of the paper, and here, for 80 mels and 1,000 word pieces.
    pytest.param(conformer_ctc.SMALL, 10.3, 10_056_562, id="s"),
    pytest.param(conformer_ctc.MEDIUM, 30.7, 31_505_362, id="m", marks=pytest.mark.slow),
    pytest.param(conformer_ctc.LARGE, 118.8, 122_085_842, id="l", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("config", "paper", "ours"), WITH_DECODER)
def test_sizes_of_the_paper(config, paper, ours):
    with keras.StatelessScope():  # no weights are drawn
        net = conformer_ctc.build((None, 80), 1001, config)
    weights = sum(math.prod(weight.shape) for weight in net.trainable_weights)
    assert weights == ours
    assert weights / 1e6 == pytest.approx(paper, rel=0.03)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": 4}, "odd. Received: 4"),
        ({"subsampling": 3}, "1, 2 or 4. Received: 3"),
        ({"heads": 3}, r"Received: \(8, 3\)"),
        ({"depth": 0}, "must be positive"),
        ({"intermediate": 3}, "a number of blocks below all 3. Received: 3"),
        ({"self_condition": True}, "needs model.intermediate above 0"),
        ({"decoder": -1}, "must not be negative. Received: -1"),
    ],
)
def test_refuses_wrong_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        conformer_ctc.build((None, 20), 5, dataclasses.replace(SMALL, **changes))
