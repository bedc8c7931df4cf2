"""How the machines of a sweep find each other."""

import pytest

from pipelines.errors import UserError
from tuning.oracles import distributed


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
