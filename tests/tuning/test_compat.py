"""Private members of Keras Tuner and scikit-learn exist and behave as `tuning._compat` expects."""

import ast
import concurrent.futures
import inspect
import pathlib
import threading

import grpc
import keras_tuner
import numpy as np
import pytest
import sklearn.gaussian_process
from keras_tuner.engine.trial import Trial
from keras_tuner.src.distribute import oracle_client
from keras_tuner.src.engine import conditions

from tuning import _compat

ROOT = pathlib.Path(__file__).parents[2]
FILES = sorted(path for path in (ROOT / "tuning").rglob("*.py") if path.name != "_compat.py")


def space():
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.Choice("a", ["x", "y"], ordered=False)
    hyperparameters.Int("b", 1, 4)
    return hyperparameters


class Recording(_compat.OracleBase):
    """Keeps the IDs of written trials."""

    def __init__(self, **options):
        super().__init__(**options)
        self.verbose, self.written = 0, []

    def write_trial(self, trial):
        self.written.append(trial.trial_id)


class RandomSearch(Recording, keras_tuner.oracles.RandomSearchOracle):
    pass


class GridSearch(Recording, _compat.GridSearchOracle):
    pass


class Bayesian(Recording, _compat.BayesianOptimizationOracle):
    def make_regressor(self, **options):
        self.regressor_options = options
        return sklearn.gaussian_process.GaussianProcessRegressor(**options)


class Hyperband(Recording, _compat.HyperbandOracle):
    pass


def build(kind, tmp_path, **options):
    oracle = kind(objective=keras_tuner.Objective("loss", "min"), hyperparameters=space(), seed=1, **options)
    oracle.folder = tmp_path / "oracle"
    return oracle


def complete(oracle, loss=1.0):
    trial = oracle.create_trial("worker")
    oracle.update_trial(trial.trial_id, {"loss": loss})
    oracle.end_trial(Trial(trial.hyperparameters, trial.trial_id, "COMPLETED"))
    return trial


def test_an_oracle_writes_its_trials_through_the_hook(tmp_path):
    oracle = build(RandomSearch, tmp_path, max_trials=3)
    trial = complete(oracle)
    assert oracle.written == ["0", "0", "0"]  # created, updated, ended
    assert oracle.folder == tmp_path / "oracle"
    assert [path.name for path in oracle.folder.iterdir()] == ["oracle.json"]
    assert oracle.is_duplicate(trial.hyperparameters.values)
    assert not oracle.is_duplicate({"a": "z", "b": 9})


def test_an_oracle_retries_the_last_of_its_queue(tmp_path):
    oracle = build(RandomSearch, tmp_path, max_trials=3)
    for _ in range(2):
        complete(oracle)
    oracle.retry_queue = ["0", "1"]
    assert oracle.create_trial("worker").trial_id == "1"
    assert oracle.retry_queue == ["0"]


def blocks(call):
    """Whether a call in another thread does not return."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(1)
    return thread.is_alive()


def test_an_exception_leaves_keras_tuners_lock_locked_but_not_ours(tmp_path, monkeypatch):
    def call(oracle):
        with _compat.own_lock(oracle):
            oracle.create_trial("other")

    for protected in (True, False):
        oracle = build(RandomSearch, tmp_path, max_trials=3)
        with monkeypatch.context() as patch:
            patch.setattr(oracle, "populate_space", lambda _: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                call(oracle) if protected else oracle.create_trial("worker")
        assert blocks(lambda oracle=oracle: oracle.create_trial("other")) != protected
        assert not blocks(lambda oracle=oracle: call(oracle))


def test_the_order_of_a_grid(tmp_path):
    oracle = build(GridSearch, tmp_path, max_trials=4)
    first, second = (complete(oracle).hyperparameters.values for _ in range(2))
    assert (first, second) == ({"a": "x", "b": 1}, {"a": "x", "b": 2})
    assert [oracle.compare(*pair) for pair in ((first, second), (second, first), (first, first))] == [-1, 1, 0]
    restored = build(GridSearch, tmp_path, max_trials=4)
    restored.trials, restored.start_order = oracle.trials, oracle.start_order
    for trial_id in ("0", "1"):
        restored.append(trial_id)
    assert complete(restored).hyperparameters.values == {"a": "x", "b": 3}


def test_the_hooks_of_the_bayesian_search(tmp_path):
    oracle = build(Bayesian, tmp_path, max_trials=9, num_initial_points=2)
    assert set(oracle.regressor_options) >= {"kernel", "alpha", "normalize_y", "random_state"}
    assert oracle.regressor_options["normalize_y"]
    for i in range(3):
        complete(oracle, float(i))
    points, scores = oracle.vectorize_trials()
    assert points.shape == (3, 2)
    assert scores.tolist() == [0, 1, 2]
    assert [parameter.name for parameter in oracle.tunable_space()] == ["a", "b"]
    assert oracle.vector_to_values(np.array([0.1, 0.1])) == {"a": "x", "b": 1}
    assert set(oracle.random_values()) == {"status", "values"}
    proposals = []
    for _ in range(2):
        oracle.seed_random_state([1, 3])
        proposals.append(oracle.populate_space("3"))
    assert proposals[0] == proposals[1]
    monitored = []
    oracle.vectorize_trials = lambda: monitored.append("points") or (points, scores)
    oracle.vector_to_values = lambda vector: monitored.append(vector.shape)
    oracle.populate_space("3")
    assert monitored == ["points", (2,)]


def test_keras_tuner_converts_one_to_the_integer_after_a_logarithmic_range():
    """So proposals are clipped below 1."""
    parameter = keras_tuner.engine.hyperparameters.Int("c", 16, 64, sampling="log")
    assert [parameter.prob_to_value(place) for place in (1.0, 1 - 1e-9)] == [65, 64]


def test_the_brackets_of_hyperband(tmp_path):
    oracle = build(Hyperband, tmp_path, max_epochs=9)
    assert oracle.num_brackets == 3
    assert [oracle.bracket_size(2, turn) for turn in range(3)] == [9, 3, 1]
    assert [oracle.bracket_epochs(2, turn) for turn in range(3)] == [1, 3, 9]
    trial = complete(oracle)
    (bracket,) = oracle.open_brackets
    assert [one["id"] for one in bracket["rounds"][0]] == [trial.trial_id]
    assert trial.hyperparameters.values["tuner/round"] == 0


def test_conditions_are_serialized_without_output(capsys):
    assert "print(" in inspect.getsource(conditions.Parent.to_proto), "the replacement of print is not needed any more"
    conditions.Parent("a", ["x"]).to_proto()
    assert capsys.readouterr().out == ""


def test_a_client_reaches_the_oracle_over_a_given_channel(tmp_path, monkeypatch):
    for name, value in (("ORACLE_IP", "127.0.0.1"), ("ORACLE_PORT", "1"), ("TUNER_ID", "worker")):
        monkeypatch.setenv(f"KERASTUNER_{name}", value)  # port 1: only the channel given leads anywhere
    monkeypatch.setattr(oracle_client, "TIMEOUT", None)
    oracle = build(RandomSearch, tmp_path, max_trials=3)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=1))
    _compat.add_oracle_service(oracle, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            client = _compat.connect_client(oracle, channel, 20.0)
            assert oracle_client.TIMEOUT == 20.0
            trial = client.create_trial("worker")
            client.update_trial(trial.trial_id, {"loss": 0.5})
            client.end_trial(Trial(trial.hyperparameters, trial.trial_id, "COMPLETED"))
            assert client.get_trial("0").status == "COMPLETED"
    finally:
        server.stop(None)
    assert oracle.trials["0"].score == 0.5


@pytest.mark.parametrize("targets", [[1.0, 2.0, 6.0], [3.0, 3.0, 3.0]])
def test_a_regressor_normalizes_its_targets(targets):
    regressor = sklearn.gaussian_process.GaussianProcessRegressor(normalize_y=True)
    regressor.fit(np.arange(3.0)[:, None], np.array(targets))
    mean, std = _compat.target_normalization(regressor)
    assert mean == pytest.approx(np.mean(targets))
    assert std == pytest.approx(np.std(targets) or 1.0)


def own_names(tree):
    """Names that a module defines: functions, classes, assigned attributes and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_module_uses_private_members(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
    used = {name for name in used if not name.startswith("__")}
    assert used <= set(own_names(tree))
    assert "keras_tuner.src" not in text
