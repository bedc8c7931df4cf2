"""Builds models before any is trained: settings that do not fit show at once, and each model's cost is known.

In a sub-process, so that its memory is free for the trainings: Keras keeps references to networks that are no longer
used.
"""

import dataclasses
import gc
import json
import os
import pathlib
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import keras

from pipelines import datasets, frontends
from pipelines.datasets.base import Corpus
from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.config.schema import Config
from tfrec.evaluation.metrics import cost
from tfrec.pretrained import pretrained_weights
from tfrec.recognizer import Recognizer
from tfrec.studies import candidates
from tfrec.training import freezing
from tfrec.utils.processes import POLL_INTERVAL_S, Process

MAIN = "import sys; from tfrec.studies import model_costs; model_costs.write_costs(*sys.argv[1:])"
CLIP_SECONDS = 1  # length of the clip whose multiply-adds and latency are measured

Cost = dict[str, Any]
OnCost = Callable[[str, Cost], object]  # called with a label and its cost


def measure_costs(configs: Mapping[str, Any], on_cost: OnCost) -> dict[str, Cost]:
    """Builds every model once, as `try_build` does.

    Args:
        configs: {label: configuration as JSON}.
        on_cost: called with each label and its cost.

    Returns:
        {label: cost}.

    Raises:
        UserError: for the first configuration with a user's error.
    """
    costs = try_build(configs, on_cost)
    errors = {label: cost["user_error"] for label, cost in costs.items() if "user_error" in cost}
    candidates.require_no_errors(errors, len(costs))
    return costs


def try_build(
    configs: Mapping[str, Any],
    on_cost: OnCost = lambda *_: None,
    latency: bool = True,
    environment: Mapping[str, str] | None = None,
    on_poll: Callable[[], object] = lambda: None,
) -> dict[str, Cost]:
    """Builds every model once, in a sub-process.

    Args:
        configs: {label: configuration as JSON}.
        on_cost: called with each label and its cost.
        latency: whether to measure the latency, which takes seconds; without it "latency_ms" is None.
        environment: variables that are added to those of the sub-process.
        on_poll: called every POLL_INTERVAL_S seconds; an exception of it stops the sub-process and is raised.

    Returns:
        {label: {"parameters", "multiply_adds", "latency_ms", "features", "classes", "examples"}}; for a user's error
        {"user_error": message}, for a model that ends the process, such as by using up the memory, {"error": reason}.
    """
    costs: dict[str, Cost] = {}
    remaining = dict(configs)
    while remaining:
        with tempfile.TemporaryDirectory() as folder:
            failure = _build(remaining, pathlib.Path(folder), costs, on_cost, latency, environment, on_poll)
        remaining = {label: config for label, config in remaining.items() if label not in costs}
        if remaining:  # the process ended at the first of them
            label = next(iter(remaining))
            costs[label] = {"error": f"The model could not be built: {failure}"}
            del remaining[label]
    return costs


def _build(
    configs: Mapping[str, Any],
    folder: pathlib.Path,
    costs: dict[str, Cost],
    on_cost: OnCost,
    latency: bool,
    environment: Mapping[str, str] | None,
    on_poll: Callable[[], object],
) -> str | None:
    """Builds in one sub-process until it ends, and adds to `costs`; returns why it failed, or None."""
    source, results = folder / "configs", folder / "results"
    results.touch()
    source.write_text(json.dumps(configs), encoding="utf-8")
    command = [sys.executable, "-c", MAIN, str(source), str(results), "latency" if latency else ""]
    with Process(command, folder / "log", folder / "record", environment) as process:
        ended = False
        while not ended:
            ended = process.wait(POLL_INTERVAL_S)
            on_poll()
            for line in results.read_text(encoding="utf-8").split("\n")[:-1]:
                cost = json.loads(line)
                if (label := cost.pop("label")) not in costs:
                    costs[label] = cost
                    on_cost(label, cost)
        return process.failure()


def write_costs(source: str | os.PathLike[str], results: str | os.PathLike[str], latency: str = "latency") -> None:
    """Builds every model of a file, in this process.

    Args:
        source: JSON file, {label: configuration}.
        results: file to append a line of JSON to for each: {"label", "parameters", ...} or {"label", "user_error"}.
        latency: empty to leave out the latency.
    """
    corpora: dict[Any, Corpus] = {}
    for label, stored in json.loads(pathlib.Path(source).read_text(encoding="utf-8")).items():
        try:
            line = build_and_measure(Config.from_dict(stored), corpora, bool(latency))
        except UserError as error:
            line = {"user_error": str(error)}
        with open(results, "a", encoding="utf-8") as file:
            file.write(json.dumps({"label": label, **line}) + "\n")
        keras.backend.clear_session()
        gc.collect()


def build_and_measure(config: Config, corpora: dict[Any, Corpus], latency: bool = True) -> Cost:
    """Builds the model of a config as `tfrec.fit` does, and measures it.

    Args:
        config: the config of a training.
        corpora: cache of the datasets that were loaded.
        latency: whether to measure the latency.

    Returns:
        As `try_build`.

    Raises:
        UserError: where settings do not fit together.
    """
    weights = pretrained_weights.find(config)
    rate = getattr(config.frontend, "sample_rate_hz", None)
    key = (config.data, rate)
    if key not in corpora:
        corpora[key] = datasets.load(config.data, rate)
    corpus = corpora[key]
    resolved = frontends.resolve(
        config.frontend,
        corpus,
        weights.normalize if weights else None,
        architectures.find(config.model.name).input_kinds,
    )
    config = dataclasses.replace(config, frontend=resolved)
    recognizer = Recognizer(config, tasks.labels(config.task, corpus))
    freezing.stages(config.fit, architectures.backbone_blocks(recognizer.network))
    shape = recognizer.frontend.feature_shape
    frames = None if shape[0] else round(CLIP_SECONDS * recognizer.frontend.steps_per_second)
    try:
        multiply_adds = cost.count_multiply_adds(recognizer.inference_network, frames)
    except ValueError:  # operations that cannot be counted, such as CuDNN's recurrent kernels
        multiply_adds = None
    return {
        "parameters": cost.count_parameters(recognizer.network),
        "multiply_adds": multiply_adds,
        "latency_ms": cost.measure_latency_ms(recognizer.inference_network, frames) if latency else None,
        "features": [size or frames for size in shape],
        "classes": len(corpus.class_names),
        "examples": {name: corpus.splits[name].size for name in ("train", "validation", "test")},
    }
