"""TF_CONFIG: which workers there are, and sentences for one that is wrong."""

import json
import logging

import pytest

from pipelines.errors import UserError
from tfrec.config.schema import FitConfig
from tfrec.training.distributed import cluster, strategies

WORKERS = {"worker": ["a:1", "b:2"]}


def config(workers=WORKERS, job="worker", index=0):
    return {"TF_CONFIG": json.dumps({"cluster": workers, "task": {"type": job, "index": index}})}


def test_the_workers_and_this_one():
    assert cluster.read({}) is cluster.ALONE
    assert cluster.read({"TF_CONFIG": " "}) is cluster.ALONE
    second = cluster.read(config(index=1))
    assert (second.count, second.index, second.is_chief) == (2, 1, False)
    assert cluster.read(config(index="0")).is_chief  # as Kubeflow may write it


def test_the_chief_is_the_first():
    with_chief = {"worker": ["b:2", "c:3"], "chief": ["a:1"], "ps": []}
    assert cluster.read(config(with_chief, "chief")).is_chief
    last = cluster.read(config(with_chief, "worker", 1))
    assert (last.count, last.index) == (3, 2)
    assert last.describe_lost("Error reported from /job:worker/task:0: heartbeat") == "Worker 1 (b:2)"
    assert last.describe_lost("target /job:chief/replica:0/task:0 while calling") == "Worker 0 (a:1)"
    assert last.describe_lost("no name") == "Worker 0 (a:1) or 1 (b:2)"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "lacks the objects cluster and task"),
        ('{"cluster": {}, "task": 3}', "lacks the objects"),
        (config({})["TF_CONFIG"], "its cluster has 0 workers"),
        (config(index=2)["TF_CONFIG"], "names this process 'worker' 2"),
        (config(index=True)["TF_CONFIG"], "names this process 'worker' True"),
        (config({"worker": "a:1"})["TF_CONFIG"], "no list of addresses for worker"),
        (config({"worker": ["a"]})["TF_CONFIG"], "the address 'a', which is not HOST:PORT"),
        (config({"worker": ["a:1", "a:1"]})["TF_CONFIG"], "an address twice"),
        (config({"worker": ["a:1"], "ps": ["b:1"]})["TF_CONFIG"], "the jobs ps"),
        (config({"chief": ["a:1", "b:1"]}, "chief")["TF_CONFIG"], "more than one chief"),
    ],
)
def test_a_wrong_cluster_is_one_sentence(text, what):
    with pytest.raises(UserError, match="The environment variable TF_CONFIG") as error:
        cluster.read({"TF_CONFIG": text})
    assert what in str(error.value)
    assert "\n" not in str(error.value)


def test_a_cluster_that_is_not_used_is_reported(monkeypatch, caplog):
    monkeypatch.setenv("TF_CONFIG", "{}")
    with caplog.at_level(logging.WARNING, "tfrec"):
        assert strategies.start(FitConfig()) is None
    assert "TF_CONFIG is set" in caplog.text
    assert "--fit.strategy multi_worker" in caplog.text


def test_devices_of_the_cpu_are_for_mirrored():
    with pytest.raises(ValueError, match=r"fit.cpu_devices is for fit.strategy mirrored. Received: default"):
        FitConfig(cpu_devices=2)
    with pytest.raises(ValueError, match=r"fit.sync_batch_norm is for fit.strategy multi_worker. Received: mirrored"):
        FitConfig(sync_batch_norm=True, strategy="mirrored")
