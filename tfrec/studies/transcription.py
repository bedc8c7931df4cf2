"""Recurrent networks, attention, Transformer and Conformer on the same transcripts.

Every row of `MODELS` is trained on one corpus with the settings of one experiment. Its error rates on the test split
are those of greedy CTC decoding, with a decoder also of attention decoding, and with `--lm` of CTC beam search with a
language model. The experiment's own network keeps its number of epochs; of the others, those with attention, which need
longer to learn an alignment, get a multiple of `--minutes`. The table shows the minutes of each.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.errors import UserError, unknown
from tfrec.reports import error_plots, plots
from tfrec.runs.run import Run
from tfrec.studies import study
from tfrec.studies.study import Step
from tfrec.studies.tables import Interval, Table, t_interval

ACCEPTS_FIT_FLAGS = True
EXPERIMENT = "an4"  # its settings are those of all trainings
EPOCHS = 10_000  # more than any time budget has room for


@dataclasses.dataclass(frozen=True)
class Row:
    """How one network is trained."""

    flags: str = ""  # of `tfrec.fit`, in addition to those of all rows
    share: float | None = 1.0  # of the study's minutes; None: the experiment's number of epochs instead
    decoder: bool = False  # whether it has an attention decoder in addition to CTC


MODELS = {
    "lstm_ctc": Row(),
    "gru_ctc": Row(),
    "bilstm_ctc": Row(share=None),  # the network of the experiment
    "deepspeech2": Row(),
    "wavenet_ctc": Row(share=1.8),
    "las": Row("--task.ctc_share 0.8", share=2, decoder=True),
    # Small batches, for more steps in the same time.
    "speech_transformer": Row(
        "--task.ctc_share 0.8 --fit.learning_rate 1e-3 --fit.batch_seconds 20", share=3, decoder=True
    ),
    # As wide as the paper's smallest and, for little speech, less deep; steps of 20 ms, as in the experiment.
    "conformer_ctc": Row(
        "--model.depth 6 --model.kernel 15 --model.dropout 0.2 --model.intermediate 3 --model.subsampling 2", share=5
    ),
}
# {how transcripts are decoded: scores in metrics.json}; runs without such scores leave a gap in the table.
CONDITIONS = {"greedy": "test", "attention": "test_attention", "language model": "test_beam_lm"}
RATES = {"wer": "word error rate", "per": "phoneme error rate", "cer": "character error rate"}
PLOT = "error_rates.png"
HYPOTHESES = "hypotheses.txt"  # which `tfrec evaluate` writes for each condition

Scores = dict[str, list[dict[Any, Any]]]


@dataclasses.dataclass(frozen=True)
class Options(study.Options):
    """Speech to text by every kind of network; any flag of `tfrec.fit` goes to every training.

    python -m tfrec study transcription --data.path an4/
    """

    models: tuple[str, ...] = tuple(MODELS)  # rows of the table
    minutes: float = 10.0  # of training with its validation; some rows get a multiple
    lm: str | None = None  # ARPA file, as `tfrec lm` writes it: decode with a beam and this language model, too

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.minutes > 0:
            raise ValueError(f"minutes must be above 0. Received: {self.minutes}")
        if not self.models or len(set(self.models)) < len(self.models):
            raise ValueError(f"models must name at least one, each once. Received: {self.models}")


def steps(options: Options, flags: Sequence[str], _: pathlib.Path) -> list[Step]:
    """Plans a training for each model and seed; see `Study.steps`."""
    study.reject_flags(flags, "--model", "--fit.budget_minutes", "--fit.epochs", "--task.name")
    for model in options.models:
        if model not in MODELS:
            raise unknown("row", model, MODELS)
    searches: dict[str, tuple[str, ...]] = {"attention": ("--decode.method", "attention")}
    if options.lm is not None:
        if not os.path.isfile(options.lm):
            raise UserError(f"There is no language model {options.lm}: --lm names a file in ARPA format.")
        searches["language model"] = ("--decode.lm", options.lm)
    result = []
    for seed in map(str, options.seeds):
        for name in options.models:
            row = MODELS[name]
            words: tuple[str, ...] = (EXPERIMENT, "--model.name", name, "--seed", seed, "--task.name", "transcribe")
            if row.share is not None:
                budget = f"{options.minutes * row.share:g}"
                words = (*words, "--fit.budget_minutes", budget, "--fit.epochs", str(EPOCHS))
            words = (*words, *row.flags.split(), *flags)
            measures = tuple(
                (f"{CONDITIONS[condition]}/{HYPOTHESES}", ("evaluate", *search))
                for condition, search in searches.items()
                if condition != "attention" or row.decoder
            )
            result.append(Step(f"{name}-{seed}", name, words, measures=measures))
    return result


def tables(folder: pathlib.Path, steps: Sequence[Step]) -> list[Table]:
    """Builds the table of error rates, parameters and minutes; see `Study.tables`."""
    models = _read_scores(folder, steps)
    shown = [
        (condition, rate)
        for condition in CONDITIONS
        for rate in RATES
        if any((condition, rate) in of_seed for scores in models.values() for of_seed in scores)
    ]
    lines, records = [], []
    for model, scores in models.items():
        cells: list[str] = []
        record: dict[str, Any] = {"model": model}
        for key in shown:
            mean, bounds, values = _mean(scores, key)
            cells.append("" if mean is None or bounds is None else _percent(mean, bounds))
            low, high = bounds or ("", "")
            name = " ".join(key)
            record |= {name: mean, f"{name} low": low, f"{name} high": high, f"{name} values": values}
        minutes = float(np.mean([of_seed["minutes"] for of_seed in scores]))
        parameters = scores[0]["parameters"]
        lines.append((model, *cells, "" if parameters is None else plots.abbreviate(parameters), f"{minutes:.1f}"))
        records.append({**record, "parameters": parameters, "minutes": minutes})
    rates = [f"{condition}: {rate.upper()}, %" for condition, rate in shown]
    headings = ("model", *rates, "parameters", "minutes each")
    title = (
        "Error rates on the test split, with 95 % intervals: over the seeds or, for a single seed, over the utterances."
    )
    return [Table("transcription", title, headings, lines, records)]


def draw(folder: pathlib.Path, steps: Sequence[Step]) -> pathlib.Path:
    """Draws the main error rate by model; see `Study.draw`."""
    models = _read_scores(folder, steps)
    first = next(iter(models.values()))
    rate = next(rate for rate in RATES if any(("greedy", rate) in of_seed for of_seed in first))
    rows = []
    for condition in CONDITIONS:
        for model, scores in models.items():
            mean, bounds, _ = _mean(scores, (condition, rate))
            if mean is not None:
                rows.append({"model": model, "condition": condition, "rate": mean, "interval": bounds})
    error_plots.error_rates(rows, folder / PLOT, RATES[rate])
    return folder / PLOT


def _read_scores(folder: pathlib.Path, steps: Sequence[Step]) -> Scores:
    """{row: for each seed {(condition, rate): (value, its interval), "parameters": number, "minutes": number}}."""
    models: Scores = {}
    for step in steps:
        metrics = Run(folder / "runs" / step.label).read_json("metrics.json")
        score: dict[Any, Any] = {"parameters": metrics.get("parameters"), "minutes": metrics["fit_seconds"] / 60}
        for condition, split in CONDITIONS.items():
            for rate in RATES:
                if rate in metrics.get(split, {}):
                    score[condition, rate] = (metrics[split][rate], metrics[split][f"{rate}_interval"])
        models.setdefault(step.row or "", []).append(score)
    return models


def _mean(scores: list[dict[Any, Any]], key: tuple[str, str]) -> tuple[float | None, Interval | None, str]:
    """(mean, interval, values separated by spaces) over the seeds; (None, None, "") where a seed lacks the score."""
    if not all(key in of_seed for of_seed in scores):
        return None, None, ""
    values = [of_seed[key][0] for of_seed in scores]
    bounds = t_interval(values) or scores[0][key][1]
    return float(np.mean(values)), bounds, " ".join(map(str, values))


def _percent(mean: float, bounds: Interval) -> str:
    return f"{100 * mean:.2f} ({100 * bounds[0]:.2f} to {100 * bounds[1]:.2f})"
