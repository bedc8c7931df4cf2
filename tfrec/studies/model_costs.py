"""Builds models once before any is trained: so that what does not go together shows, and to say what each costs.

In a process of its own, whose memory the trainings then have for themselves: Keras keeps hold of networks that nobody
needs any more.
"""

import dataclasses
import gc
import json
import pathlib
import sys
import tempfile

import keras

from pipelines import datasets, frontends
from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.config.schema import Config
from tfrec.evaluation.metrics import cost
from tfrec.pretrained import transfer
from tfrec.recognizer import Recognizer
from tfrec.studies import candidates
from tfrec.training import freezing
from tfrec.utils.processes import Process

BUILD = "import sys; from tfrec.studies import model_costs; model_costs.build_all(*sys.argv[1:])"
CLIP_SECONDS = 1  # length of the clip that costs are told for


def costs(configs, tell):
    """What `attempt` gives; UserError for a user's mistake in any of them."""
    found = attempt(configs, tell)
    candidates.require_none({label: cost["mistake"] for label, cost in found.items() if "mistake" in cost}, len(found))
    return found


def attempt(configs, tell=lambda *_: None, latency=True, environment=None, look=lambda: None):
    """{label: configuration as JSON} -> {label: {"parameters", "multiply_adds", "latency_ms", ...}}.

    Without `latency`, which takes seconds, that one is None. `environment` is added to that of the process. A user's
    mistake gets {"mistake": what it is}, and a model that ends the process, such as by taking all memory,
    {"error": why}. Calls `tell(label, cost)` for each, and `look()` now and then.
    """
    found, waiting = {}, dict(configs)
    while waiting:
        with tempfile.TemporaryDirectory() as folder:
            reason = _run(waiting, pathlib.Path(folder), found, tell, latency, environment, look)
        waiting = {label: config for label, config in waiting.items() if label not in found}
        if waiting:  # at the first of which it ended
            found[next(iter(waiting))] = {"error": f"It could not be built: {reason}"}
            waiting.pop(next(iter(waiting)))
    return found


def _run(configs, folder, found, tell, latency, environment, look):
    """Builds in one process until it ends, adding to `found`; returns why it ended."""
    results = folder / "results"
    results.touch()
    (folder / "configs").write_text(json.dumps(configs), encoding="utf-8")
    command = [sys.executable, "-c", BUILD, str(folder / "configs"), str(results), "latency" if latency else ""]
    with Process(command, folder / "log", folder / "record", environment) as process:
        ended = False
        while not ended:
            ended = process.wait(0.2)
            look()
            for line in results.read_text(encoding="utf-8").split("\n")[:-1]:
                cost = json.loads(line)
                if (label := cost.pop("label")) not in found:
                    found[label] = cost
                    tell(label, cost)
        return process.failure()


def build_all(source, results, latency="latency"):
    """Builds every configuration in the JSON file `source`, {label: config}, and writes a line for each to `results`.

    {"label", "parameters", "multiply_adds", ...}, or {"label", "mistake"} for a user's mistake.
    """
    corpora = {}
    for label, stored in json.loads(pathlib.Path(source).read_text(encoding="utf-8")).items():
        try:
            line = examine(Config.from_dict(stored), corpora, bool(latency))
        except UserError as error:
            line = {"mistake": str(error)}
        with open(results, "a", encoding="utf-8") as file:
            file.write(json.dumps({"label": label, **line}) + "\n")
        keras.backend.clear_session()
        gc.collect()


def examine(config, corpora, latency=True):
    """Builds what a Config describes, as `tfrec.fit` would, and returns what it costs, with its `latency` or without.

    `corpora` keeps what has been loaded. Raises UserError for what does not go together.
    """
    source = transfer.find(config)
    rate = getattr(config.frontend, "sample_rate_hz", None)
    key = (config.data, rate)
    if key not in corpora:
        corpora[key] = datasets.load(config.data, rate)
    corpus = corpora[key]
    resolved = frontends.resolve(
        config.frontend, corpus, source and source.normalize, architectures.find(config.model.name).input_kinds
    )
    config = dataclasses.replace(config, frontend=resolved)
    recognizer = Recognizer(config, tasks.labels(config.task, corpus))
    freezing.stages(config.fit, architectures.backbone_blocks(recognizer.network))
    shape = recognizer.frontend.feature_shape
    frames = None if shape[0] else round(CLIP_SECONDS * recognizer.frontend.steps_per_second)
    try:
        products = cost.count_multiply_adds(recognizer.inference_network, frames)
    except ValueError:  # such as CuDNN's recurrent kernels
        products = None
    return {
        "parameters": cost.count_parameters(recognizer.network),
        "multiply_adds": products,
        "latency_ms": cost.measure_latency_ms(recognizer.inference_network, frames) if latency else None,
        "features": [size or frames for size in shape],
        "classes": len(corpus.class_names),
        "examples": {name: corpus.splits[name].size for name in ("train", "validation", "test")},
    }
