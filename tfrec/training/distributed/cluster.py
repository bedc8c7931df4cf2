"""The workers of a training on several machines, as TF_CONFIG names them."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from typing import Any

from pipelines.errors import UserError

FORM = '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}'
JOBS = ("chief", "worker")  # of a cluster, in the order of its workers


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Processes that train together; number 0 is the chief, which alone writes.

    Attributes:
        workers: (job, number in the job, address) of each.
        index: The number of this process among them.
    """

    workers: tuple[tuple[str, int, str], ...]
    index: int

    @property
    def count(self) -> int:
        """Number of workers."""
        return len(self.workers)

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return self.index == 0

    def describe_lost(self, message: str) -> str:
        """Which worker a message of TensorFlow blames, for a sentence."""
        for job, number in re.findall(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)", message):
            for i, (name, place, address) in enumerate(self.workers):
                if (name, place) == (job, int(number)) and i != self.index:
                    return f"Worker {i} ({address})"
        others = [f"{i} ({worker[2]})" for i, worker in enumerate(self.workers) if i != self.index]
        return f"Worker {' or '.join(others)}"


ALONE = Cluster((("worker", 0, "localhost"),), 0)


def read(environment: Mapping[str, str] = os.environ) -> Cluster:
    """The cluster in TF_CONFIG, `ALONE` without one.

    Raises:
        UserError: TF_CONFIG does not name a cluster of workers, and this process among them.
    """
    text = environment.get("TF_CONFIG", "")
    if not text.strip():
        return ALONE
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"is not JSON ({error})") from None
    cluster, task = (value.get("cluster"), value.get("task")) if isinstance(value, dict) else (None, None)
    if not isinstance(cluster, dict) or not isinstance(task, dict):
        raise _wrong("lacks the objects cluster and task")
    workers = _workers(cluster)
    job, number = task.get("type"), task.get("index")
    number = int(number) if isinstance(number, str) and number.isdecimal() else number
    for i, (name, place, _) in enumerate(workers):
        if (name, place) == (job, number) and not isinstance(number, bool):
            return Cluster(tuple(workers), i)
    raise _wrong(f"names this process {job!r} {number!r}, but its cluster has {len(workers)} workers and no such one")


def _workers(cluster: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    if others := sorted(name for name, addresses in cluster.items() if name not in JOBS and addresses):
        raise _wrong(f"has the jobs {', '.join(map(str, others))}, and only chief and worker train here")
    workers = []
    for job in JOBS:
        addresses = cluster.get(job) or []
        if not isinstance(addresses, list):
            raise _wrong(f"has no list of addresses for {job}")
        for i, address in enumerate(addresses):
            if not isinstance(address, str) or not re.fullmatch(r"\S+:\d{1,5}", address):
                raise _wrong(f"has the address {address!r}, which is not HOST:PORT")
            workers.append((job, i, address))
    if len({address for *_, address in workers}) < len(workers):
        raise _wrong("has an address twice")
    if sum(job == "chief" for job, *_ in workers) > 1:
        raise _wrong("has more than one chief")
    return workers


def _wrong(what: str) -> UserError:
    return UserError(f"The environment variable TF_CONFIG {what}: it must have the form {FORM}, or be unset.")
