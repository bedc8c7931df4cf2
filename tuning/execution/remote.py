"""The workers of this machine that train trials of a chief on another one."""

import contextlib
import logging
import os

from pipelines.errors import UserError
from tfrec.runs.run import Run
from tfrec.utils.scheduler import Scheduler
from tuning.execution import workers
from tuning.execution.plan import Plan
from tuning.execution.trial_jobs import TrialSource
from tuning.oracles import distributed
from tuning.oracles.persistent import PersistentOracle

logger = logging.getLogger(__name__)

OWNER_FILE = "worker.json"  # in a worker's own folder: the sweep that it belongs to


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
    with contextlib.ExitStack() as connection:
        client = connection.enter_context(distributed.connect(oracle, address, plan.folder))
        _claim_folder(plan)  # not before the chief has answered, as the chief needs an empty folder
        plan.logs.mkdir(exist_ok=True)
        source = TrialSource(client, plan, f"{os.environ[distributed.TUNER_ID]}-")
        # A closed connection ends the requests of workers that wait for a chief that does not answer any more.
        Scheduler(workers.allocate(count)).run(source, on_stop=connection.close)
    logger.info("The chief has no more trials.")


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
