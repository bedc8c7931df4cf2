"""The size to which JPEG files may be reduced follows from the frontend, and stays that of a run that is resumed."""

import dataclasses
from types import SimpleNamespace

import pytest

from pipelines import frontends
from pipelines.datasets import folder
from tfrec.training import session


@dataclasses.dataclass(frozen=True)
class Part:
    data: folder.Config = dataclasses.field(default_factory=folder.Config)
    frontend: frontends.ImageConfig = dataclasses.field(
        default_factory=lambda: frontends.ImageConfig(height=64, width=48)
    )


@pytest.mark.parametrize(
    ("stored", "given", "expected"),
    [
        (None, None, (64, 48)),  # a new run
        ({"reduced_to": [8, 8]}, None, (8, 8)),
        ({"reduced_to": None}, None, None),
        ({}, None, None),  # a run of before, whose files were decoded whole
        ({"reduced_to": [8, 8]}, (0, 0), (0, 0)),  # which is refused later
    ],
)
def test_size(stored, given, expected):
    config = Part(folder.Config(reduced_to=given))
    run = None if stored is None else SimpleNamespace(read_json=lambda name: {"data": stored})
    assert session._with_picture_size(config, run).data.reduced_to == expected
