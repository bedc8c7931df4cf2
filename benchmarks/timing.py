"""Interleaved calls and their median times, for every benchmark."""

import random
import statistics
import time


def medians(calls, repetitions, warm_ups=1):
    """Name -> median seconds of each call, without the first `warm_ups` of each, which trace and compile.

    The calls take turns, so that a slow moment of the machine affects all of them, in a random order each time: a call
    after one that takes much memory finds cold caches.
    """
    return {name: statistics.median(values) for name, values in times(calls, repetitions, warm_ups).items()}


def times(calls, repetitions, warm_ups=1):
    """Name -> seconds of every call, likewise."""
    result = {name: [] for name in calls}
    order = random.Random(0)
    for repetition in range(warm_ups + repetitions):
        for name in order.sample(list(calls), len(calls)):
            start = time.perf_counter()
            calls[name]()
            if repetition >= warm_ups:
                result[name].append(time.perf_counter() - start)
    return result
