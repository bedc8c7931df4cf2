"""The server that the contract is tested on: the stand-in, or the one at --target."""

import urllib.parse

import pytest

from tests.serving import models
from tests.serving.targets import Target, start, target_of


def pytest_addoption(parser):
    parser.addoption("--target", help="http://HOST:PORT of a server that serves what tests/serving/models.py writes")
    parser.addoption("--target-grpc", help="HOST:PORT of its gRPC interface; by default port 8500 of the same host")


@pytest.fixture(scope="session")
def contract_config(tmp_path_factory):
    return models.write_all(tmp_path_factory.mktemp("contract"))


@pytest.fixture(scope="session")
def target(request):
    """The server of the contract."""
    url = request.config.getoption("--target", default=None)
    if url:
        address = urllib.parse.urlsplit(url).netloc
        host = address.rpartition(":")[0]
        yield Target(address, request.config.getoption("--target-grpc") or f"{host}:8500")
        return
    with start(request.getfixturevalue("contract_config")) as server:
        yield target_of(server)
