"""The Conformer: what its config rejects; its layers have their own tests."""

import dataclasses

import pytest

from tfrec.architectures.speech import conformer


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": 4}, "odd. Received: 4"),
        ({"subsampling": 3}, "1, 2 or 4. Received: 3"),
        ({"heads": 5}, r"Received: \(96, 5\)"),
        ({"depth": 0}, "must be positive"),
    ],
)
def test_refuses_wrong_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        conformer.build((None, 20), 3, dataclasses.replace(conformer.Config(), **changes))
