"""The workers of this machine that train trials of a chief on another one."""

import logging
import os
import threading
import time
from collections.abc import Sequence

from pipelines.errors import UserError
from tfrec.runs.run import Run
from tuning.execution import workers
from tuning.execution.plan import Plan
from tuning.execution.threads import TrialThread
from tuning.oracles import distributed
from tuning.oracles.persistent import PersistentOracle

logger = logging.getLogger(__name__)

OWNER_FILE = "worker.json"  # in a worker's own folder: the sweep that it belongs to
STOP_TIMEOUT_S = 20.0  # for a training that is interrupted
POLL_INTERVAL_S = 0.5


def run(oracle: PersistentOracle, address: str, plan: Plan, count: int) -> None:
    """Trains trials of the chief at HOST:PORT until it has no more.

    Args:
        oracle: A local oracle of the same space.
        address: HOST:PORT of the chief.
        plan: What all trials share.
        count: The number of trainings at once.

    Raises:
        UserError: If the chief does not answer, fails, or has another space; or if the folder belongs to another sweep.
    """
    stopping = threading.Event()
    threads: list[TrialThread] = []
    try:
        with distributed.connect(oracle, address) as client:
            try:
                _claim_folder(plan)  # not before the chief has answered, as the chief needs an empty folder
                plan.logs.mkdir(exist_ok=True)
                for i, allocation in enumerate(workers.allocate(count)):
                    name = f"{os.environ[distributed.TUNER_ID]}-{i}"
                    threads.append(TrialThread(client, name, plan, allocation, stopping))
                    threads[-1].start()
                while any(thread.is_alive() for thread in threads) or any(thread.error for thread in threads):
                    _raise_error(threads)
                    time.sleep(POLL_INTERVAL_S)
            finally:
                stopping.set()
    finally:
        workers.join(threads, STOP_TIMEOUT_S)
    logger.info("The chief has no more trials.")


def _raise_error(threads: Sequence[TrialThread]) -> None:
    for thread in threads:
        if thread.error is not None:
            raise thread.error


def _claim_folder(plan: Plan) -> None:
    """Makes the folder this sweep's; UserError where it is another's, whose runs would be lost."""
    folder = Run(plan.folder)
    owners = [folder.read_json(name) for name in ("sweep.json", OWNER_FILE) if (folder.path / name).is_file()]
    if any(not isinstance(owner, dict) or owner.get("fingerprint") != plan.fingerprint for owner in owners):
        raise UserError(f"{folder.path} belongs to another sweep: give this worker another --run.")
    if not owners:
        folder.require_empty()
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.write_json(OWNER_FILE, {"fingerprint": plan.fingerprint})
