"""Schedules, decay, clipping, and rates that differ from weight to weight."""

import math

import keras
import numpy as np
import pytest

from tfrec.config.schema import FitConfig
from tfrec.training.optimizers import build_optimizer
from tfrec.training.schedules import Schedule


def test_schedules():
    def rates(kind, **options):
        schedule = Schedule(2.0, kind, total_steps=10, **options)
        return [float(schedule(step)) for step in range(10)]

    assert rates("constant") == [2.0] * 10
    assert rates("constant", warmup_steps=4)[:5] == [0.5, 1.0, 1.5, 2.0, 2.0]
    cosine = [1 + math.cos(math.pi * (step - 2) / 8) for step in range(2, 10)]
    np.testing.assert_allclose(rates("cosine", warmup_steps=2), [1.0, 2.0, *cosine], rtol=1e-5)
    np.testing.assert_allclose(
        rates("step", boundaries=[3, 6], factor=0.1), [2] * 3 + [0.2] * 3 + [0.02] * 4, rtol=1e-5
    )


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
def test_weight_decay_spares_biases_and_normalization(name):
    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.BatchNormalization()])
    config = FitConfig(optimizer=name, weight_decay=0.5, learning_rate=0.1, schedule="constant")
    rule = build_optimizer(config, Schedule.for_training(config, 1), net.trainable_variables)
    for weight in net.trainable_variables:
        weight.assign(np.ones(weight.shape))
    rule.apply([np.zeros(weight.shape, "float32") for weight in net.trainable_variables], net.trainable_variables)
    for weight in net.trainable_variables:
        expected = 0.95 if len(weight.shape) == 2 else 1.0  # 1 - learning rate x weight decay
        np.testing.assert_allclose(weight, expected, rtol=1e-6, err_msg=weight.path)


def test_clipping_bounds_the_whole_gradient():
    config = FitConfig(optimizer="sgd", momentum=0.0, clip_norm=1.0, learning_rate=1.0, schedule="constant")
    one, two = keras.Variable([0.0, 0.0]), keras.Variable([0.0])
    build_optimizer(config, Schedule.for_training(config, 1), [one, two]).apply(
        [np.float32([30.0, 0.0]), np.float32([40.0])], [one, two]
    )
    np.testing.assert_allclose([*one.numpy(), *two.numpy()], [-0.6, 0.0, -0.8], rtol=1e-5)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
def test_a_slow_backbone_learns_and_decays_less(name):
    config = FitConfig(
        optimizer=name, momentum=0.0, learning_rate=0.1, backbone_rate=0.25, weight_decay=0.4, schedule="constant"
    )
    steps = {}
    for gradient in (0.0, 1.0):
        slow, fast = (keras.Variable(np.ones((2, 2), "float32")) for _ in range(2))
        rule = build_optimizer(config, Schedule.for_training(config, 1), [slow, fast], backbone=[slow])
        rule.apply([np.full((2, 2), gradient, "float32")] * 2, [slow, fast])
        steps[gradient] = (1 - slow.numpy()[0, 0], 1 - fast.numpy()[0, 0])
    np.testing.assert_allclose(steps[0.0], (0.01, 0.04), rtol=1e-4)  # only decay: rate x factor x decay
    np.testing.assert_allclose(steps[1.0][1] / steps[1.0][0], 4, rtol=1e-4)


def test_schedules_follow_a_time_budget():
    for kind, half in (("linear", 1.0), ("cosine", 1.0)):
        schedule = Schedule(2.0, kind, total_steps=1000)
        schedule.spent.assign(0.5)
        assert float(schedule(0)) == pytest.approx(half)
        assert float(schedule(900)) < 0.21  # the steps are further than the time
        schedule.spent.assign(1.0)
        assert float(schedule(0)) == pytest.approx(0.0, abs=1e-6)
    linear = Schedule(2.0, "linear", total_steps=12, warmup_steps=2)
    np.testing.assert_allclose([float(linear(step)) for step in range(12)][:4], [1.0, 2.0, 2.0, 1.8], rtol=1e-5)
