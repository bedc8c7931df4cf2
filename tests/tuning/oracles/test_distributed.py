"""How the machines of a sweep find each other."""

import socket
import stat
import types

import grpc
import pytest

from pipelines.errors import UserError
from tuning import _compat
from tuning.oracles import distributed, token


def test_keras_tuners_own_variables_mean_the_same(monkeypatch):
    for name in (distributed.ORACLE_HOST, distributed.ORACLE_PORT, distributed.TUNER_ID):
        monkeypatch.delenv(name, raising=False)
    assert distributed.from_environment() is None
    monkeypatch.setenv(distributed.ORACLE_HOST, "10.0.0.5")
    monkeypatch.setenv(distributed.ORACLE_PORT, "7777")
    with pytest.raises(UserError, match=f"{distributed.ORACLE_HOST} is set, and {distributed.TUNER_ID} is not"):
        distributed.from_environment()
    for tuner_id, role in (("chief", "chief"), ("tuner3", "worker")):
        monkeypatch.setenv(distributed.TUNER_ID, tuner_id)
        assert distributed.from_environment() == (role, "10.0.0.5:7777")


@pytest.mark.parametrize("address", [None, "", "host", ":7777", "host:", "host:http", "host:0", "host:65536"])
def test_addresses_of_another_form_are_refused(address):
    with pytest.raises(UserError, match="--oracle must be HOST:PORT"):
        distributed.parse_address(address)


@pytest.fixture
def chief(tmp_path, monkeypatch):
    """(address, folder) of a chief that knows one method."""
    monkeypatch.delenv(token.VARIABLE, raising=False)
    asked = []

    def add(oracle, server):
        handler = grpc.unary_unary_rpc_method_handler(lambda request, context: asked.append(request) or b"done")
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Oracle", {"EndTrial": handler}),))

    monkeypatch.setattr(_compat, "add_oracle_service", add)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with distributed.serve(None, address, tmp_path):
        yield types.SimpleNamespace(address=address, folder=tmp_path, asked=asked)


def end_trial(address, *interceptors):
    with grpc.insecure_channel(address) as channel:
        return grpc.intercept_channel(channel, *interceptors).unary_unary("/Oracle/EndTrial")(b"trial 1", timeout=20)


def test_a_stranger_is_refused(chief, tmp_path, monkeypatch):
    assert stat.S_IMODE((chief.folder / token.FILE).stat().st_mode) == 0o600
    for interceptors in ((), (token.Pass(tmp_path / "elsewhere"),)):
        with pytest.raises(grpc.RpcError) as refused:
            end_trial(chief.address, *interceptors)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert chief.asked == []
    assert end_trial(chief.address, token.Pass(chief.folder)) == b"done"
    monkeypatch.setenv(token.VARIABLE, token.read(chief.folder))
    assert end_trial(chief.address, token.Pass(tmp_path / "elsewhere")) == b"done"
    assert chief.asked == [b"trial 1"] * 2


def test_a_resumed_chief_keeps_its_token(tmp_path, monkeypatch):
    monkeypatch.delenv(token.VARIABLE, raising=False)
    assert token.create(tmp_path) == token.create(tmp_path) == token.read(tmp_path) != ""
    monkeypatch.setenv(token.VARIABLE, "mine")
    assert token.create(tmp_path) == "mine"
