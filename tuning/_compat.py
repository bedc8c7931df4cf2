"""Private members of Keras Tuner 1.4 and scikit-learn that a sweep needs, under public names.

No other module of `tuning` touches a private member of either. `tests/tuning/test_compat.py` fails when one changes.
"""

import contextlib
import pathlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import keras_tuner
import keras_tuner.src.engine.conditions
import numpy as np
from keras_tuner.src import protos
from keras_tuner.src.distribute import oracle_chief, oracle_client
from keras_tuner.src.engine.oracle import THREADS

Values = dict[str, Any]  # {name of a hyperparameter: value}

# Keras Tuner 1.4.8 prints a value of every condition that it serializes.
keras_tuner.src.engine.conditions.print = lambda *_: None


class OracleBase(keras_tuner.Oracle):
    """Comes before an oracle of Keras Tuner in the bases of a class."""

    @property
    def folder(self) -> pathlib.Path:
        """The folder of the oracle's files."""
        return pathlib.Path(self._directory) / self._project_name

    @folder.setter
    def folder(self, path: pathlib.Path) -> None:
        self._set_project_dir(str(path.parent), path.name)

    @property
    def retry_queue(self) -> list[str]:
        """The trials to assign next; the last one first."""
        return self._retry_queue

    @retry_queue.setter
    def retry_queue(self, trial_ids: list[str]) -> None:
        self._retry_queue = trial_ids

    def write_trial(self, trial: Any) -> None:
        """Writes the state of a Trial; Keras Tuner calls it after each change."""
        raise NotImplementedError

    def _save_trial(self, trial: Any) -> None:
        self.write_trial(trial)

    def is_duplicate(self, values: Values) -> bool:
        """Whether a trial has had these values."""
        return self._duplicate(values)


class GridSearchOracle(keras_tuner.oracles.GridSearchOracle):
    """All combinations of values, in a fixed order."""

    def compare(self, values: Values, other: Values) -> int:
        """Compares two combinations by their place in the order: -1, 0 or 1."""
        return self._compare(values, other)

    def append(self, trial_id: str) -> None:
        """Appends a trial to the end of the order, and lets the oracle try the combination after it."""
        self._ordered_ids.insert(trial_id)
        self._populate_next.append(trial_id)


class BayesianOptimizationOracle(keras_tuner.oracles.BayesianOptimizationOracle):
    """A search by a Gaussian process; a subclass may override the methods without an underscore."""

    def seed_random_state(self, seed: Sequence[int]) -> None:
        """Seeds the choice of the points at which the maximization of the acquisition function starts."""
        self._random_state = np.random.RandomState(seed)

    def random_values(self) -> dict[str, Any]:
        """Draws values as `populate_space` returns them."""
        return self._random_populate_space()

    def tunable_space(self) -> list[Any]:
        """The HyperParameters that are not fixed."""
        return self._nonfixed_space()

    def make_regressor(self, **options: Any) -> Any:
        """Returns the regressor, of the class `GaussianProcessRegressor`."""
        raise NotImplementedError

    def vectorize_trials(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns points (trials, dimensions) in [0, 1] and scores (trials,) to minimize."""
        return super()._vectorize_trials()

    def vector_to_values(self, vector: np.ndarray) -> Values:
        """Converts a point (dimensions,) to values."""
        return super()._vector_to_values(vector)

    def _make_gpr(self) -> Any:
        return self.make_regressor(**super()._make_gpr().get_params(deep=False))

    def _vectorize_trials(self) -> tuple[np.ndarray, np.ndarray]:
        return self.vectorize_trials()

    def _vector_to_values(self, vector: np.ndarray) -> Values:
        return self.vector_to_values(vector)


class HyperbandOracle(keras_tuner.oracles.HyperbandOracle):
    """Successive halving over several brackets."""

    @property
    def num_brackets(self) -> int:
        """The number of brackets of one iteration."""
        return self._get_num_brackets()

    @property
    def open_brackets(self) -> list[dict[str, Any]]:
        """The brackets that are not complete: "bracket_num", and "rounds" of [{"id": of a trial, ...}, ...]."""
        return self._brackets

    def bracket_size(self, bracket: int, round_number: int) -> int:
        """The number of trials in a round of a bracket."""
        return self._get_size(bracket, round_number)

    def bracket_epochs(self, bracket: int, round_number: int) -> int:
        """The number of epochs of each trial in a round of a bracket."""
        return self._get_epochs(bracket, round_number)


@contextlib.contextmanager
def own_lock(oracle: Any) -> Iterator[None]:
    """Makes Keras Tuner treat this thread as the owner of its lock on the oracle, inside the block.

    That lock stays locked for good when a method of the oracle raises. A caller that has a lock of its own skips it.
    """
    before, THREADS[oracle] = THREADS[oracle], threading.current_thread().name
    try:
        yield
    finally:
        THREADS[oracle] = before


def add_oracle_service(oracle: Any, server: grpc.Server) -> None:
    """Adds Keras Tuner's service for an oracle to a gRPC server."""
    protos.get_service_grpc().add_OracleServicer_to_server(oracle_chief.OracleServicer(oracle), server)


def connect_client(oracle: Any, channel: grpc.Channel, timeout_s: float) -> Any:
    """Returns a client of the chief's oracle; the environment variables of Keras Tuner must be set.

    Args:
        oracle: A local oracle with the same space.
        channel: The connection; Keras Tuner's own cannot be closed.
        timeout_s: Seconds to wait for an answer of the chief.
    """
    oracle_client.TIMEOUT = timeout_s
    client = oracle_client.OracleClient(oracle)
    client.stub = protos.get_service_grpc().OracleStub(channel)
    return client


def target_normalization(regressor: Any) -> tuple[float, float]:
    """Returns the mean and the standard deviation by which a fitted GaussianProcessRegressor normalized its targets."""
    return regressor._y_train_mean, regressor._y_train_std
