"""Hostile requests through TensorFlow's C library: an error or a right answer, and the process lives."""

import collections

import pytest

from tests.tfrec.serving.hostile import probe
from tests.tfrec.serving.hostile.networks import NETWORKS, build
from tfrec.serving import savedmodel


def test_a_case_that_ends_the_process_is_named(exported, monkeypatch):
    """And those after it run in another process."""
    monkeypatch.setenv("TFREC_TEST_ABORT_AT", "1")
    results = probe.run(exported("digits"), with_heavy=False, only="tensor: rank")
    outcomes = [report["outcome"] for _, report in results]
    assert outcomes[1] == "ended the process: SIGABRT"
    assert set(outcomes[:1] + outcomes[2:]) == {"refused"}
    assert [sentence.split(":")[1] for sentence in probe.failures(results)] == [" rank 1"]


@pytest.mark.parametrize("name", ["digits", pytest.param("cnn", marks=pytest.mark.slow)])
def test_the_usual_ones(name, exported):
    """Those that take no time, sent to the signatures of a picture and of a sound classifier."""
    results = probe.run(exported(name), with_heavy=False, only="tensor: ")
    results += probe.run(exported(name), with_heavy=False, only="serving_default: ")
    assert len(results) > 70
    assert list(probe.failures(results)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_one(name, tmp_path):
    savedmodel.write(build(name), tmp_path / "1")
    results = probe.run(tmp_path / "1")
    print(collections.Counter(report["outcome"] for _, report in results))
    assert len(results) >= 150
    assert list(probe.failures(results)) == []
