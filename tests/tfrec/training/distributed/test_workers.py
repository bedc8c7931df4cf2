"""Several processes train as one does."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.tfrec.training.distributed import scenario
from tfrec.training.distributed import launcher


def train_workers(count, model, folder, settings, timeout=400):
    """Trains with `count` processes; returns the weights that the chief has saved."""
    addresses = [f"127.0.0.1:{port}" for port in launcher.free_ports(count)]
    command = [sys.executable, "-m", scenario.__name__, model, str(folder), json.dumps(settings)]
    workers = [
        subprocess.Popen(
            command,
            env={**os.environ, "TF_CONFIG": launcher.tf_config(addresses, i)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i in range(count)
    ]
    try:
        outputs = [worker.communicate(timeout=timeout)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    for worker, output in zip(workers, outputs, strict=True):
        assert worker.returncode == 0, output[-3000:]
    with np.load(folder / "weights.npz") as stored:
        return dict(stored)


def assert_same_weights(count, model, tmp_path, atol=1e-4, **settings):
    several = train_workers(count, model, tmp_path / "several", settings)
    recognizer, _ = scenario.train(model, tmp_path / "one", settings)
    one = scenario.weights(recognizer)
    assert sorted(one) == sorted(several)
    differences = {path: float(np.abs(value - several[path]).max()) for path, value in one.items()}
    assert max(differences.values()) <= atol, differences


def test_two_workers_train_as_one(tmp_path):
    """Batch normalization of masked sequences, clipping, gradient accumulation, fifty steps."""
    assert_same_weights(2, "conformer_ctc", tmp_path, clip_norm=1.0, accumulate_steps=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "model", "settings"),
    [
        (2, "resnet18", {}),
        (2, "resnet18", {"accumulate_steps": 2}),
        (4, "resnet18", {}),
        (2, "conformer_ctc", {}),
        (4, "conformer_ctc", {"clip_norm": 1.0}),
    ],
)
def test_workers_train_as_one(count, model, settings, tmp_path):
    assert_same_weights(count, model, tmp_path, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["resnet18", "conformer_ctc"])
def test_workers_with_mixed_precision_train_as_one(model, tmp_path):
    """To the precision of 16 bits, which differ with the order of sums."""
    assert_same_weights(2, model, tmp_path, atol=1e-2, precision="mixed_float16", accumulate_steps=2)


def tiny_fit(run, *words):
    """The words of a training of some epochs of half a second each."""
    model = ["--model.width", "4", "--model.depth", "1", "--export.no_after_fit"]
    return ["fit", "digits", *model, "--fit.epochs", "200", "--fit.batch_size", "64", "--run", str(run), *words]


def worker_pids(parent):
    """The processes that a process has started, the first first."""
    return [int(pid) for pid in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_the_end_of_a_worker_ends_all_and_one_process_resumes(killed, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "tfrec", "launch", "--workers", "2", "--", *tiny_fit(run)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        while not (run / "history.csv").exists() and process.poll() is None:
            time.sleep(0.2)
        pids = worker_pids(process.pid)
        os.kill(pids[killed], signal.SIGKILL)
        started = time.monotonic()
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert time.monotonic() - started < 60
    assert process.returncode == 2
    sentences = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert any(f"Worker {killed}" in sentence for sentence in sentences), errors
    if killed == 1:
        assert f"resume with --run {run} --resume" in sentences[0]
    assert all(not pathlib.Path(f"/proc/{pid}").exists() for pid in pids)
    epochs = len((run / "history.csv").read_text().splitlines()) - 1
    flags = ["--fit.strategy", "default", "--fit.epochs", str(epochs + 2), "--export.no_after_fit"]
    words = [sys.executable, "-m", "tfrec", "fit", "--run", str(run), "--resume", *flags]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len((run / "history.csv").read_text().splitlines()) == epochs + 3
