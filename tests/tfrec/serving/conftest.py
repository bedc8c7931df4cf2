"""SavedModels that several tests share."""

import functools

import pytest

from tfrec.serving import savedmodel


@pytest.fixture(scope="session")
def exported(trained, tmp_path_factory):
    """A function from a trained recognizer's name to its SavedModel's folder."""

    @functools.cache
    def folder_of(name):
        folder = tmp_path_factory.mktemp("export") / name
        savedmodel.write(trained(name)[1], folder)
        return folder

    return folder_of
