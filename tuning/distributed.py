"""A sweep over several machines by Keras Tuner's protocol: one process has the oracle, others ask it for trials.

Neither side knows who the other is: both belong into a network that only those reach who may use its machines.
"""

import concurrent.futures
import contextlib
import os
import shlex
import socket
import threading
import time

import grpc
import keras_tuner.src.engine.conditions  # no public names lead to these
from keras_tuner.src import protos
from keras_tuner.src.distribute import oracle_chief, oracle_client

from pipelines.errors import UserError
from tfrec.runs.run import Run
from tfrec.utils.console import console
from tuning import workers

# Keras Tuner's own variables, which say the same as --role and --oracle.
HOST, PORT, WHO = "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID"
MARK = "worker.json"  # in a worker's own folder, says whose it is
WAIT_SECONDS = 600  # for a chief that does not answer, because it starts, or starts again
STOP_SECONDS = 20  # for a training that is interrupted
LOOK_SECONDS = 0.5
keras_tuner.src.engine.conditions.print = lambda *_: None  # Keras Tuner 1.4.8 has forgotten one, for every message


def from_environment():
    """(role, HOST:PORT) that Keras Tuner's variables name, or None; UserError where one of them is missing."""
    given = {name: os.environ[name] for name in (HOST, PORT, WHO) if name in os.environ}
    if HOST not in given:
        return None
    if len(given) < 3:
        missing = next(name for name in (HOST, PORT, WHO) if name not in given)
        raise UserError(f"{HOST} is set, and {missing} is not: set it too, or use --role and --oracle HOST:PORT.")
    return ("chief" if "chief" in given[WHO] else "worker"), f"{given[HOST]}:{given[PORT]}"


def parse(address):
    """HOST:PORT -> (host, port); UserError for another form."""
    host, _, port = (address or "").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UserError(f"--oracle must be HOST:PORT, such as 10.0.0.5:7777. Received: {address}")
    return host, port


@contextlib.contextmanager
def served(oracle, address, folder):
    """Inside, workers elsewhere reach the oracle of the sweep in `folder` at HOST:PORT.

    UserError where that cannot be opened.
    """
    # Without the option, two chiefs can have the same port, and workers reach either.
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=1), options=(("grpc.so_reuseport", 0),))
    protos.get_service_grpc().add_OracleServicer_to_server(oracle_chief.OracleServicer(oracle), server)
    try:
        opened = server.add_insecure_port(address)
    except RuntimeError:
        opened = 0
    if not opened:
        raise UserError(f"Cannot listen at {address}: another process does, or it is no address of this machine.")
    server.start()
    join = shlex.join(["--role", "worker", "--oracle", address])
    console.print(f"Waiting for workers: `python -m tuning.sweep --run {shlex.quote(str(folder))} {join}`, or")
    console.print(f"where that folder is not seen, this command with another --run and {join}.")
    try:
        yield
    finally:
        server.stop(1).wait()


def work(oracle, address, plan, count):
    """Trains trials of the chief at HOST:PORT by `count` workers, until it has no more.

    `oracle` is one of the same space. UserError where the chief does not answer or searches something else, or the
    folder belongs to another sweep.
    """
    os.environ[HOST], os.environ[PORT] = parse(address)
    os.environ[WHO] = f"{socket.gethostname()}-{os.getpid()}"
    oracle_client.TIMEOUT = WAIT_SECONDS
    client, stopping = oracle_client.OracleClient(oracle), threading.Event()
    # One that can be closed, and finds a chief that was started again before it takes the worker for lost.
    channel = grpc.insecure_channel(address, (("grpc.max_reconnect_backoff_ms", 5000),))
    client.stub = protos.get_service_grpc().OracleStub(channel)
    console.print(f"Asking the chief at {address} for trials.")
    staff = []
    try:
        ours = keras_tuner.HyperParameters.from_proto(oracle.get_space().to_proto())  # as it comes over the wire
        if client.get_space().get_config()["space"] != ours.get_config()["space"]:
            raise UserError(
                f"The chief at {address} searches another space, or trains otherwise: give this worker the chief's own"
                " command."
            )
        _claim(plan)  # only now, since the chief wants a folder that is empty
        plan.logs.mkdir(exist_ok=True)
        for i, place in enumerate(workers.places(count)):
            staff.append(workers.Worker(client, f"{os.environ[WHO]}-{i}", plan, place, stopping))
            staff[-1].start()
        while any(one.is_alive() for one in staff) or any(one.error for one in staff):
            for error in (one.error for one in staff if one.error):
                raise error
            time.sleep(LOOK_SECONDS)
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNKNOWN:
            raise UserError(f"The chief at {address} failed: {error.details()}; see what it says.") from None
        raise UserError(f"The chief at {address} does not answer: start or resume it, by --role chief.") from None
    finally:
        stopping.set()
        channel.close()  # ends the waiting for a chief that does not answer
        workers.wait_for(staff, STOP_SECONDS)
    console.print("The chief has no more trials.")


def _claim(plan):
    """Makes the folder this sweep's; UserError where it is another's, whose runs would be lost."""
    folder = Run(plan.folder)
    marks = [folder.read_json(name) for name in ("sweep.json", MARK) if (folder.path / name).is_file()]
    if any(not isinstance(mark, dict) or mark.get("mark") != plan.mark for mark in marks):
        raise UserError(f"{folder.path} belongs to another sweep: give this worker another --run.")
    if not marks:
        folder.require_empty()
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.write_json(MARK, {"mark": plan.mark})
