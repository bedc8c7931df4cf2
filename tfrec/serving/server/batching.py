"""Requests of several clients merged into batches, by the rules of TensorFlow Serving's batching session."""

from __future__ import annotations

import collections
import dataclasses
import logging
import threading
import time
from collections.abc import Sequence

import numpy as np

from tfrec.serving.deployment.batching_config import BatchingConfig
from tfrec.serving.server import errors
from tfrec.serving.server.errors import ServingError, invalid
from tfrec.serving.server.servable import Servable, Signature, Tensors

logger = logging.getLogger(__name__)


@dataclasses.dataclass
class _Task:
    """A request that waits for its answer."""

    inputs: Tensors
    rows: int
    deadline: float | None  # of time.monotonic()
    is_running: bool = False
    done: threading.Event = dataclasses.field(default_factory=threading.Event)
    outputs: Tensors = dataclasses.field(default_factory=dict)
    error: ServingError | None = None

    def finish(self, outputs: Tensors | None = None, error: ServingError | None = None) -> None:
        self.outputs, self.error = outputs or {}, error
        self.done.set()


@dataclasses.dataclass
class _Batch:
    opened_at: float
    tasks: list[_Task] = dataclasses.field(default_factory=list)
    rows: int = 0


@dataclasses.dataclass
class _Queue:
    """The batches of one signature and one choice of outputs."""

    servable: Servable
    signature: Signature
    wanted: list[str]
    batches: collections.deque[_Batch] = dataclasses.field(default_factory=collections.deque)


class Batcher:
    """Merges requests; one for all signatures of a version.

    Args:
        config: sizes and times.
    """

    def __init__(self, config: BatchingConfig) -> None:
        self.config = config
        self._queues: dict[tuple[int, str, tuple[str, ...]], _Queue] = {}
        self._changed = threading.Condition()
        self._is_open = True
        self._threads = [
            threading.Thread(target=self._work, name=f"batch-{i}", daemon=True) for i in range(config.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()

    def run(
        self, servable: Servable, signature: Signature, inputs: Tensors, wanted: Sequence[str], timeout_s: float | None
    ) -> Tensors:
        """Outputs for one request, as `Servable.run` returns them."""
        rows = _rows(inputs)
        if rows > self.config.max_batch_size:
            raise invalid(f"Task size {rows} is larger than maximum input batch size {self.config.max_batch_size}")
        now = time.monotonic()
        task = _Task(inputs, rows, None if timeout_s is None else now + timeout_s)
        key = (id(servable), signature.name, tuple(wanted))
        with self._changed:
            queue = self._queues.setdefault(key, _Queue(servable, signature, list(wanted)))
            self._add(queue, task, now)
            self._changed.notify()
        if not task.done.wait(timeout_s):
            with self._changed:
                if not task.is_running:
                    raise _queue_timeout()
            task.done.wait()  # the session has the deadline too
        if task.error:
            raise task.error
        return task.outputs

    def close(self) -> None:
        """Ends the threads after what is queued."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _add(self, queue: _Queue, task: _Task, now: float) -> None:
        if not queue.batches or queue.batches[-1].rows + task.rows > self.config.max_batch_size:
            if len(queue.batches) >= self.config.max_enqueued_batches:
                raise ServingError("UNAVAILABLE", "The batch scheduling queue to which this task was submitted is full")
            queue.batches.append(_Batch(now))
        queue.batches[-1].tasks.append(task)
        queue.batches[-1].rows += task.rows

    def _work(self) -> None:
        while found := self._next():
            queue, batch = found
            try:
                self._answer(queue, batch)
            except BaseException as error:  # the thread must live, and every task must end
                if not isinstance(error, ServingError):
                    logger.exception("Cannot answer a batch")
                for task in batch.tasks:
                    task.finish(error=errors.from_exception(error))

    def _next(self) -> tuple[_Queue, _Batch] | None:
        """The next batch that is full or has waited; None at the end."""
        wait_s = self.config.batch_timeout_micros / 1e6
        with self._changed:
            while True:
                waiting = [(queue.batches[0].opened_at, key) for key, queue in self._queues.items() if queue.batches]
                if not waiting:
                    if not self._is_open:
                        return None
                    self._changed.wait()
                    continue
                now, sooner = time.monotonic(), []
                for opened_at, key in sorted(waiting):
                    queue = self._queues[key]
                    is_full = len(queue.batches) > 1 or queue.batches[0].rows >= self.config.max_batch_size
                    if is_full or now >= opened_at + wait_s or not self._is_open:
                        batch = queue.batches.popleft()
                        if not queue.batches:  # so that a servable that is unloaded is not kept
                            del self._queues[key]
                        return queue, batch
                    sooner.append(opened_at + wait_s - now)
                self._changed.wait(min(sooner))

    def _answer(self, queue: _Queue, batch: _Batch) -> None:
        now, tasks = time.monotonic(), []
        with self._changed:
            for task in batch.tasks:
                task.is_running = task.deadline is None or task.deadline > now
                if task.is_running:
                    tasks.append(task)
                else:
                    task.finish(error=_queue_timeout())
        batch.tasks = tasks
        if not tasks:
            return
        deadlines = [task.deadline for task in tasks]
        latest = None if None in deadlines else max(one for one in deadlines if one is not None) - now
        merged, rows = self._merge(tasks)
        try:
            outputs = queue.servable.run(queue.signature, merged, queue.wanted, latest)
        except Exception as error:
            raise errors.from_exception(error) from None
        for name, array in outputs.items():
            if array.ndim == 0 or len(array) != rows:
                raise ServingError(
                    "FAILED_PRECONDITION",
                    f"Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the"
                    f" input tensors: {name}",
                )
        start = 0
        for task in tasks:
            task.finish({name: array[start : start + task.rows] for name, array in outputs.items()})
            start += task.rows

    def _merge(self, tasks: Sequence[_Task]) -> tuple[Tensors, int]:
        """The inputs of all tasks in one batch of an allowed size, and that size."""
        rows = sum(task.rows for task in tasks)
        size = next((size for size in self.config.allowed_batch_sizes if size >= rows), rows)
        merged = {}
        for name in tasks[0].inputs:
            arrays = [task.inputs[name] for task in tasks]
            if len({array.shape[1:] for array in arrays}) > 1:
                arrays = self._padded(name, arrays)
            if size > rows:
                arrays.append(np.repeat(arrays[0][:1], size - rows, axis=0))
            merged[name] = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
        return merged, size

    def _padded(self, name: str, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Arrays of one shape but for the rows, each padded with its first element."""
        if not self.config.pad_variable_length_inputs:
            raise ServingError(
                "FAILED_PRECONDITION",
                f"Tensors with name '{name}' from different tasks have different shapes and padding is turned off. Set"
                " pad_variable_length_inputs to true, or ensure that all tensors with the same name have equal"
                " dimensions starting with the first dim.",
            )
        if len({array.ndim for array in arrays}) > 1:
            raise invalid(f"Tensors with name '{name}' from different tasks have different ranks")
        largest = np.max([array.shape[1:] for array in arrays], axis=0)
        padded = []
        for array in arrays:
            widths = [(0, 0), *((0, int(size) - have) for size, have in zip(largest, array.shape[1:], strict=True))]
            first = array.ravel()[0] if array.size else ("" if array.dtype == object else 0)
            padded.append(np.pad(array, widths, constant_values=first))
        return padded


def _rows(inputs: Tensors) -> int:
    sizes = set()
    for array in inputs.values():
        if array.ndim == 0:
            raise invalid("Batching Run() input tensors must have at least one dimension")
        sizes.add(len(array))
    if len(sizes) != 1:
        raise invalid("Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


def _queue_timeout() -> ServingError:
    return ServingError("RESOURCE_EXHAUSTED", "Run() timeout exceeded while waiting in batching queue")
