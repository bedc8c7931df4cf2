"""The service of a sweep over several machines, by Keras Tuner's protocol: the chief has the oracle, workers call it.

The chief answers calls with its token only, see `tuning.oracles.token`. Nothing is encrypted: who can read the network
can read the token.
"""

import concurrent.futures
import contextlib
import logging
import os
import shlex
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import grpc
import keras_tuner

from pipelines.errors import UserError
from tuning import _compat
from tuning.oracles import token
from tuning.oracles.persistent import PersistentOracle

logger = logging.getLogger(__name__)

# Keras Tuner's own variables, which mean the same as --role and --oracle.
ORACLE_HOST, ORACLE_PORT, TUNER_ID = "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID"
CHIEF_TIMEOUT_S = 600  # for a chief that does not answer because it starts or restarts
MAX_RECONNECT_BACKOFF_MS = 5000  # well below a lease, so that a worker finds a restarted chief in time


def from_environment() -> tuple[Literal["chief", "worker"], str] | None:
    """Reads (role, HOST:PORT) from Keras Tuner's variables; None where they are not set.

    Raises:
        UserError: If only some of the variables are set.
    """
    given = {name: os.environ[name] for name in (ORACLE_HOST, ORACLE_PORT, TUNER_ID) if name in os.environ}
    if ORACLE_HOST not in given:
        return None
    if len(given) < 3:
        missing = next(name for name in (ORACLE_HOST, ORACLE_PORT, TUNER_ID) if name not in given)
        raise UserError(
            f"{ORACLE_HOST} is set, and {missing} is not: set it too, or use --role and --oracle HOST:PORT."
        )
    role: Literal["chief", "worker"] = "chief" if "chief" in given[TUNER_ID] else "worker"
    return role, f"{given[ORACLE_HOST]}:{given[ORACLE_PORT]}"


def parse_address(address: str | None) -> tuple[str, str]:
    """Splits HOST:PORT into (host, port).

    Raises:
        UserError: If the address has another form.
    """
    host, _, port = (address or "").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UserError(f"--oracle must be HOST:PORT, such as 10.0.0.5:7777. Received: {address}")
    return host, port


@contextlib.contextmanager
def serve(oracle: PersistentOracle, address: str, folder: Path) -> Iterator[None]:
    """Serves an oracle to workers elsewhere inside the block.

    Args:
        oracle: The chief's oracle.
        address: HOST:PORT to listen at.
        folder: The folder of the sweep, which keeps the token.

    Raises:
        UserError: If the chief cannot listen at the address.
    """
    # Without the option, two chiefs can share a port, and workers reach either.
    executor = concurrent.futures.ThreadPoolExecutor(max_workers=1)
    guard = token.Guard(token.create(folder))
    server = grpc.server(executor, interceptors=(guard,), options=(("grpc.so_reuseport", 0),))
    _compat.add_oracle_service(oracle, server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        raise UserError(f"Cannot listen at {address}: another process does, or it is not an address of this machine.")
    server.start()
    join = shlex.join(["--role", "worker", "--oracle", address])
    logger.info("Waiting for workers: `python -m tuning.sweep --run %s %s`, or", shlex.quote(str(folder)), join)
    logger.info("on machines without that folder, this command with another --run and %s, where", join)
    logger.info("the variable %s is the content of %s.", token.VARIABLE, folder / token.FILE)
    try:
        yield
    finally:
        server.stop(1).wait()


@contextlib.contextmanager
def connect(oracle: PersistentOracle, address: str, folder: Path) -> Iterator[Any]:
    """Connects to the oracle of the chief at HOST:PORT inside the block, and yields Keras Tuner's client.

    Args:
        oracle: A local oracle of the same space.
        address: HOST:PORT of the chief.
        folder: The worker's folder, which may be the chief's.

    Raises:
        UserError: If the chief does not answer, refuses the token, fails, or has another space.
    """
    os.environ[ORACLE_HOST], os.environ[ORACLE_PORT] = parse_address(address)
    os.environ[TUNER_ID] = f"{socket.gethostname()}-{os.getpid()}"
    channel = grpc.insecure_channel(address, (("grpc.max_reconnect_backoff_ms", MAX_RECONNECT_BACKOFF_MS),))
    client = _compat.connect_client(oracle, grpc.intercept_channel(channel, token.Pass(folder)), CHIEF_TIMEOUT_S)
    logger.info("Connecting to the chief at %s.", address)
    try:
        space = keras_tuner.HyperParameters.from_proto(oracle.get_space().to_proto())  # as a message delivers it
        if _first_answer(client.get_space).get_config()["space"] != space.get_config()["space"]:
            raise UserError(
                f"The chief at {address} has another space or other training settings: give this worker the chief's own"
                " command."
            )
        yield client
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.UNAUTHENTICATED:
            raise UserError(
                f"The chief at {address} refuses this worker: set the variable {token.VARIABLE} to the content of the"
                f" file {token.FILE} in the chief's folder."
            ) from None
        if error.code() == grpc.StatusCode.UNKNOWN:
            raise UserError(f"The chief at {address} failed: {error.details()}; see its output.") from None
        raise UserError(f"The chief at {address} does not answer: start or resume it, with --role chief.") from None
    finally:
        channel.close()  # interrupts the wait for a chief that does not answer


def _first_answer(call: Callable[[], Any]) -> Any:
    """What a call returns; it is repeated once, since a chief that starts may have written its token meanwhile."""
    try:
        return call()
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAUTHENTICATED:
            raise
        return call()
