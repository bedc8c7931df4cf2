"""What every benchmark does: take turns, and take the median."""

import random
import statistics
import time


def medians(calls, repetitions, warm_ups=1):
    """Name -> median seconds of each call; the first `warm_ups` of each, which trace and compile, do not count.

    The calls take turns, so that a slow moment of the machine meets all alike, and in an order drawn anew each time:
    what runs after a large peer finds cold caches and freed memory.
    """
    times = {name: [] for name in calls}
    order = random.Random(0)
    for repetition in range(warm_ups + repetitions):
        for name in order.sample(list(calls), len(calls)):
            start = time.perf_counter()
            calls[name]()
            if repetition >= warm_ups:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}
