"""The training of one trial."""

import pytest

from tuning.execution import trials
from tuning.execution.plan import Plan


def test_one_worker_at_a_time_trains_a_trial(tmp_path):
    """Another one, whose lease expired, may still be training in the same folder."""
    plan = Plan(tmp_path, ("digits",), (), (), ())
    lock = trials.Run(plan.logs / "0.lock")
    lock.path.mkdir(parents=True)
    with lock.lock(), pytest.raises(trials.TrialStoppedError):
        trials.train(plan, "0", {}, lambda: True)


@pytest.mark.parametrize(
    ("label", "values"), [("../0", {}), ("0", {"tuner/trial_id": "../1"}), ("0", {"model.name": "x"})]
)
def test_unknown_labels_and_values_are_refused(tmp_path, label, values):
    """Messages from a chief elsewhere become folders and arguments."""
    plan = Plan(tmp_path, ("digits",), (), (), ())
    with pytest.raises(trials.TrialError, match="is not"):
        trials.train(plan, label, values, lambda: True)
    assert not any(tmp_path.iterdir())


def test_a_reason_has_the_status_of_its_trial():
    assert trials.split_reason("infeasible: too slow") == ("infeasible", "too slow")
    assert trials.split_reason("The loss is NaN.") == ("failed", "The loss is NaN.")
