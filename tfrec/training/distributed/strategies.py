"""The distribution strategy of a training: one device, those of this machine, or those of several machines."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import threading
from collections.abc import Iterator

import tensorflow as tf

from pipelines.errors import UserError
from tfrec.config.schema import FitConfig
from tfrec.runs.run import Run
from tfrec.training.distributed import cluster
from tfrec.training.distributed.cluster import ALONE, Cluster

LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError)
WAIT_NOTICE_S = 30.0  # seconds of waiting for other workers after which the log says so

logger = logging.getLogger(__name__)
_multi_worker: list[tf.distribute.Strategy] = []  # the strategy of this process, which can start only one


def start(fit: FitConfig) -> tf.distribute.Strategy | None:
    """Starts the devices of a training; with several workers waits for all of them.

    It comes before anything that TensorFlow computes, which fixes the devices.

    Args:
        fit: the settings.

    Returns:
        The strategy, None for one device.

    Raises:
        UserError: for a wrong TF_CONFIG, and where TensorFlow has started already.
    """
    if fit.strategy == "multi_worker":
        return _start_workers(cluster.read())
    if os.environ.get("TF_CONFIG"):
        logger.warning(
            "TF_CONFIG is set, and fit.strategy %s does not use it: this process trains alone; several train together"
            " with --fit.strategy multi_worker.",
            fit.strategy,
        )
    if fit.strategy == "default":
        return None
    if fit.cpu_devices > 1:
        _divide_cpu(fit.cpu_devices)
    gpus = [] if fit.cpu_devices > 1 else tf.config.list_logical_devices("GPU")
    return tf.distribute.MirroredStrategy([device.name for device in gpus or tf.config.list_logical_devices("CPU")])


@contextlib.contextmanager
def scope(strategy: tf.distribute.Strategy | None, run: Run | None = None) -> Iterator[None]:
    """Where the variables of a training are made.

    Args:
        strategy: what `start` has returned.
        run: the run folder, which the sentence about a worker that has ended names.
    """
    with contextlib.nullcontext() if strategy is None else strategy.scope(), lost_worker_named(run):
        yield


@contextlib.contextmanager
def lost_worker_named(run: Run | None) -> Iterator[None]:
    """Context in which TensorFlow's errors about another worker that has ended become a UserError."""
    try:
        yield
    except tf.errors.OpError as error:
        workers = current()
        if workers.count == 1 or not (isinstance(error, LOST) or "Collective ops is aborted" in str(error)):
            raise
        remedy = "" if run is None else f", and resume with --run {shlex.quote(str(run.path))} --resume"
        raise UserError(
            f"{workers.describe_lost(str(error))} has ended or cannot be reached, so that the training stops; see what"
            f" it has printed{remedy}."
        ) from error


def current() -> Cluster:
    """The workers that train in the scope in which this is called; `ALONE` for one process."""
    is_shared = isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)
    return cluster.read() if is_shared else ALONE


def _divide_cpu(count: int) -> None:
    (cpu,) = tf.config.list_physical_devices("CPU")[:1]
    if len(tf.config.get_logical_device_configuration(cpu) or [None]) == count:
        return
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError:
        raise _too_late("fit.cpu_devices") from None


def _start_workers(workers: Cluster) -> tf.distribute.Strategy:
    if not _multi_worker:
        waited = threading.Timer(WAIT_NOTICE_S, _report_waiting, (workers,))
        waited.daemon = True
        waited.start()
        try:
            _multi_worker.append(tf.distribute.MultiWorkerMirroredStrategy())
        except RuntimeError:
            raise _too_late("fit.strategy multi_worker") from None
        finally:
            waited.cancel()
    return _multi_worker[0]


def _report_waiting(workers: Cluster) -> None:
    addresses = ", ".join(address for i, (*_, address) in enumerate(workers.workers) if i != workers.index)
    logger.warning("Worker %d waits for the others of TF_CONFIG: %s.", workers.index, addresses)


def _too_late(flag: str) -> UserError:
    return UserError(f"{flag} needs a new process, since TensorFlow has started its devices: train by `tfrec fit`.")
