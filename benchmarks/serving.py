"""`tfrec serve` next to calls of the same SavedModel in this process: `python -m benchmarks.serving`.

Weights are random, since they change no time. Clients are threads of this process, which send requests that are
already serialized. With `--parts load --seconds 600` it holds 80 % of the peak rate for ten minutes.
"""

import concurrent.futures
import contextlib
import dataclasses
import functools
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc, predict_pb2

from benchmarks.timing import medians
from pipelines import frontends
from tfrec.config import flags
from tfrec.recognizer import Recognizer
from tfrec.serving import savedmodel
from tfrec.serving.deployment import batching_config
from tfrec.serving.deployment.batching_config import BatchingConfig
from tfrec.serving.server.servable import Servable
from tfrec.utils import console

PREDICT = "/tensorflow.serving.PredictionService/Predict"
CLASSES = 10
RATE_HZ = 8000
PICTURE = 32  # pixels of each side
PARTS = ("overhead", "batching", "swap", "load")
ROUNDS = 3  # of windows in which kinds of calls take turns
LOAD_FRACTION = 0.8  # of the peak rate


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Time of a request, batching, swaps of versions, and a steady load."""

    parts: tuple[str, ...] = PARTS  # what to measure
    models: tuple[str, ...] = ("lstm", "mobilenet_v2")  # of batching; the last one is that of the other parts
    clients: int = 8  # threads
    seconds: float = 10.0  # of each window, and of the load
    repetitions: int = 300  # requests of each kind for the overhead
    swaps: int = 20  # of versions under load


def recognizer(name):
    """An untrained recognizer: `lstm` for clips of a second, or another one for small pictures."""
    labels = [str(i) for i in range(CLASSES)]
    if name == "lstm":
        words = ["--data.name", "spoken_digit", "--model.name", name]
        config = flags.to_config(flags.parse_fit(words)[1])
        frontend = config.frontend.resolved(RATE_HZ, None, ("sequence",))
    else:
        config = flags.to_config(flags.parse_fit(["--data.name", "cifar10", "--model.name", name])[1])
        frontend = frontends.ImageConfig(height=PICTURE, width=PICTURE, channels=3)
    return Recognizer(dataclasses.replace(config, frontend=frontend), labels)


def inputs_of(name, signature):
    """One row for a signature."""
    random = np.random.default_rng(0)
    if name == "lstm":
        audio = random.normal(scale=0.1, size=(1, RATE_HZ)).astype("float32")
        return {"audio": audio, "length": np.array([RATE_HZ], "int32")}
    picture = random.integers(0, 256, (PICTURE, PICTURE, 3), "uint8")
    if signature == savedmodel.TENSOR:
        return {"image": picture[None]}
    return {"encoded": np.array([tf.io.encode_png(picture).numpy()], object)}


def request(model, signature, inputs):
    """A serialized PredictRequest."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        message.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return message.SerializeToString()


class Process:
    """`tfrec serve` in a process of its own."""

    def __init__(self, folder, *words):
        command = [sys.executable, "-m", "tfrec", "serve", str(folder), "--rest-port", "0", "--grpc-port", "0", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        text = ""
        while not (found := re.search(r"gRPC +(\S+),", text)):
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"the server does not start: {text}")
            text += line
        self.channel = grpc.insecure_channel(found[1])
        self.predict = self.channel.unary_unary(PREDICT)  # bytes in, bytes out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()
        self.process.terminate()
        self.process.wait()

    def memory_mb(self):
        """Resident memory."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def highest_version(self, model):
        """The newest version that is available."""
        stub = model_service_pb2_grpc.ModelServiceStub(self.channel)
        message = get_model_status_pb2.GetModelStatusRequest()
        message.model_spec.name = model
        versions = stub.GetModelStatus(message).model_version_status
        return max(one.version for one in versions if one.state == 30)


def direct(folder, model, signature, inputs):
    """A function that runs the SavedModel in this process, through the session that the server uses."""
    servable = Servable(folder / model / "1")
    definition = servable.signature(signature)
    wanted = definition.choose_outputs(())
    return lambda: servable.run(definition, inputs, wanted, None)


def rate(call, clients, seconds):
    """Calls per second of some threads that each call again and again."""
    end = time.perf_counter() + seconds

    def work():
        count = 0
        while time.perf_counter() < end:
            call()
            count += 1
        return count

    started = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        total = sum(one.result() for one in [pool.submit(work) for _ in range(clients)])
    return total / (time.perf_counter() - started)


def measure_overhead(arguments, folder):
    """Time of a request with one encoded picture."""
    model = arguments.models[-1]
    inputs = inputs_of(model, savedmodel.DEFAULT)
    sent = request(model, savedmodel.DEFAULT, inputs)
    with Process(folder) as server:
        calls = {
            "the SavedModel": direct(folder, model, savedmodel.DEFAULT, inputs),
            "tfrec serve, gRPC": lambda: server.predict(sent),
        }
        seconds = medians(calls, arguments.repetitions, warm_ups=20)
    table = Table("one picture, encoded", "median ms", "ms more", title=f"{model}, batch 1, {PICTURE} px")
    for name, median in seconds.items():
        table.add_row(name, f"{1000 * median:.2f}", f"{1000 * (median - seconds['the SavedModel']):.2f}")
    return table


def measure_batching(arguments, folder):
    """Requests per second of several clients, with and without merging."""
    file = folder.parent / "batching.config"
    config = BatchingConfig(max_batch_size=arguments.clients, batch_timeout_micros=2000, num_batch_threads=1)
    file.write_text(batching_config.render(config))
    table = Table("network", "threads on the SavedModel", "no batching", "of threads", "batching", "of no batching")
    table.title = f"requests per second, {arguments.clients} clients"
    with Process(folder) as plain, Process(folder, "--batching", str(file)) as batching:
        for model in arguments.models:
            inputs = inputs_of(model, savedmodel.TENSOR)
            sent = request(model, savedmodel.TENSOR, inputs)
            calls = [direct(folder, model, savedmodel.TENSOR, inputs)]
            calls += [functools.partial(server.predict, sent) for server in (plain, batching)]
            check_same(*(call() for call in calls[1:]))
            for call in calls:
                rate(call, arguments.clients, 1.0)
            window_s = arguments.seconds / ROUNDS
            rates = [[rate(call, arguments.clients, window_s) for call in calls] for _ in range(ROUNDS)]
            threads, alone, merged = (statistics.median(column) for column in zip(*rates, strict=True))
            shown = f"{threads:.0f}", f"{alone:.0f}", f"{alone / threads:.2f}", f"{merged:.0f}", f"{merged / alone:.2f}"
            table.add_row(model, *shown)
    return table


def check_same(*responses):
    """Raises AssertionError where serialized responses differ."""
    first, second = (predict_pb2.PredictResponse.FromString(one).outputs for one in responses)
    for name in first:
        one, other = tf.make_ndarray(first[name]), tf.make_ndarray(second[name])
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, atol=1e-4)
        else:
            np.testing.assert_array_equal(one, other)


def measure_swaps(arguments, folder):
    """Failed requests while versions replace each other."""
    model, done, failed, answered = arguments.models[-1], threading.Event(), [], []
    sent = request(model, savedmodel.DEFAULT, inputs_of(model, savedmodel.DEFAULT))
    with Process(folder) as server:

        def ask():
            while not done.is_set():
                try:
                    server.predict(sent)
                    answered.append(1)
                except grpc.RpcError as error:
                    failed.append(error.details())

        with concurrent.futures.ThreadPoolExecutor(arguments.clients) as pool:
            for _ in range(arguments.clients):
                pool.submit(ask)
            for number in range(2, 2 + arguments.swaps):
                publish(folder / model, number)
                while server.highest_version(model) < number:
                    time.sleep(0.1)
            done.set()
    table = Table("swaps", "requests", "failed", "first message", title=f"{model}: versions under load")
    table.add_row(str(arguments.swaps), str(len(answered) + len(failed)), str(len(failed)), (failed or ["none"])[0])
    return table


def publish(base, number):
    """Copies the first version as another one; earlier copies are deleted when they are no longer the newest."""
    shutil.copytree(base / "1", base / f".tmp-{number}")
    (base / f".tmp-{number}").rename(base / str(number))
    if number > 4:
        shutil.rmtree(base / str(number - 3))


def measure_load(arguments, folder):
    """Latencies and memory at 80 % of the peak rate; a latency counts from when the request was due."""
    model = arguments.models[-1]
    sent = request(model, savedmodel.DEFAULT, inputs_of(model, savedmodel.DEFAULT))
    with Process(folder) as server:
        peak = max(rate(lambda: server.predict(sent), arguments.clients, 3.0) for _ in range(2))
        before_mb, latencies, errors = server.memory_mb(), [], []
        count, started = int(LOAD_FRACTION * peak * arguments.seconds), time.perf_counter() + 0.1
        numbers = iter(range(count))
        lock = threading.Lock()

        def work():
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                due = started + number / (LOAD_FRACTION * peak)
                time.sleep(max(0.0, due - time.perf_counter()))
                try:
                    server.predict(sent)
                    latencies.append(time.perf_counter() - due)
                except grpc.RpcError as error:
                    errors.append(error.details())

        with concurrent.futures.ThreadPoolExecutor(4 * arguments.clients) as pool:
            for _ in range(4 * arguments.clients):
                pool.submit(work)
        growth = server.memory_mb() / before_mb - 1
    p50, p99 = np.percentile(latencies, [50, 99])
    table = Table("requests", "errors", "per second", "p50 ms", "p99 ms", "p99 / p50", "memory growth")
    table.title = f"{model}: {arguments.seconds:.0f} s at {LOAD_FRACTION:.0%} of {peak:.0f} requests per second"
    shown = f"{1000 * p50:.1f}", f"{1000 * p99:.1f}", f"{p99 / p50:.1f}", f"{growth:.1%}"
    table.add_row(str(count), str(len(errors)), f"{count / arguments.seconds:.0f}", *shown)
    return table


MEASURES = dict(zip(PARTS, (measure_overhead, measure_batching, measure_swaps, measure_load), strict=True))


def main(argv):
    """Measures and prints a table for each part."""
    arguments = flags.parse(Arguments, argv, prog="python -m benchmarks.serving")
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory())) / "saved_models"
        for model in arguments.models:
            savedmodel.write(recognizer(model), folder / model / "1")
        for part in arguments.parts:
            Console().print(MEASURES[part](arguments, folder))
    return 0


if __name__ == "__main__":
    console.run(lambda: main(sys.argv[1:]))
