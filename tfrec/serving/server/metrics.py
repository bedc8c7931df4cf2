"""Counts and latencies of requests, as TensorFlow Serving shows them to Prometheus."""

from __future__ import annotations

import bisect
import collections
import threading

BOUNDS_US = [10 * 1.8**i for i in range(33)]  # of the histogram's buckets, as in TensorFlow Serving


class Metrics:
    """Thread-safe counters."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self._buckets: dict[tuple[str, str, str], list[int]] = {}
        self._sums_us: collections.Counter[tuple[str, str, str]] = collections.Counter()

    def add(self, model: str, api: str, entrypoint: str, status: str, seconds: float) -> None:
        """Counts a request that has ended.

        Args:
            model: name.
            api: "Predict" and so on.
            entrypoint: "REST" or "GRPC".
            status: a code's name, "OK" for success.
            seconds: from its arrival to its answer.
        """
        key, micros = (model, api, entrypoint), int(seconds * 1e6)
        with self._lock:
            self._counts[model, status] += 1
            if status == "OK":
                buckets = self._buckets.setdefault(key, [0] * (len(BOUNDS_US) + 1))
                buckets[bisect.bisect_left(BOUNDS_US, micros)] += 1
                self._sums_us[key] += micros

    def page(self) -> str:
        """The text that Prometheus reads."""
        with self._lock:
            lines = ["# TYPE :tensorflow:serving:request_count counter"]
            for (model, status), count in sorted(self._counts.items()):
                lines.append(f":tensorflow:serving:request_count{{{_label(model_name=model, status=status)}}} {count}")
            name = ":tensorflow:serving:request_latency"
            lines.append(f"# TYPE {name} histogram")
            for key, buckets in sorted(self._buckets.items()):
                labels, total = _label(**dict(zip(("model_name", "API", "entrypoint"), key, strict=True))), 0
                for bound, count in zip([*BOUNDS_US, "+Inf"], buckets, strict=True):
                    total += count
                    shown = bound if isinstance(bound, str) else f"{bound:.6g}"
                    lines.append(f'{name}_bucket{{{labels},le="{shown}"}} {total}')
                lines.append(f"{name}_sum{{{labels}}} {self._sums_us[key]}")
                lines.append(f"{name}_count{{{labels}}} {total}")
        return "\n".join(lines) + "\n"


def _label(**values: str) -> str:
    def escaped(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return ",".join(f'{name}="{escaped(value)}"' for name, value in values.items())
