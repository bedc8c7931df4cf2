"""Recurrent networks, attention, Transformer and Conformer on the same transcripts.

Every row of `MODELS` is trained on one corpus with the settings of one experiment, and measured on the test split by
its greedy text under CTC, where it has a decoder by what that writes, and with `--lm` by what a beam under CTC with a
language model finds. The experiment's own network keeps its
epochs; of the others, those with attention, which need longer to find out what to look at, get a multiple of
`--minutes`. The table tells each one's.
"""

import dataclasses
import os

import numpy as np

from pipelines.errors import UserError, unknown
from tfrec.reports import error_plots
from tfrec.reports.plots import abbreviate
from tfrec.runs.run import Run
from tfrec.studies import study
from tfrec.studies.noise import require_free
from tfrec.studies.study import Step, Table

PASSES_FLAGS = True
EXPERIMENT = "an4"  # whose settings all trainings share
EPOCHS = 10_000  # more than any budget has room for


@dataclasses.dataclass(frozen=True)
class Row:
    """What one network is given."""

    flags: str = ""  # of `tfrec.fit`, beside those of all
    share: float | None = 1.0  # of the study's minutes; None: the experiment's own epochs instead
    decoder: bool = False  # whether it has one, beside CTC


MODELS = {
    "lstm_ctc": Row(),
    "gru_ctc": Row(),
    "bilstm_ctc": Row(share=None),  # the experiment itself
    "deepspeech2": Row(),
    "wavenet_ctc": Row(share=1.8),
    "las": Row("--task.ctc_share 0.8", share=2, decoder=True),
    # Small batches, since what it lacks at first is steps.
    "speech_transformer": Row(
        "--task.ctc_share 0.8 --fit.learning_rate 1e-3 --fit.batch_seconds 20", share=3, decoder=True
    ),
    # As wide as the paper's smallest, and less deep, for so little speech; steps of 20 ms, as the experiment has.
    "conformer_ctc": Row(
        "--model.depth 6 --model.kernel 15 --model.dropout 0.2 --model.intermediate 3 --model.subsampling 2", share=5
    ),
}
# How the text was found: the scores of `metrics.json` that tell; runs without them leave a gap.
CONDITIONS = {"greedy": "test", "attention": "test_attention", "language model": "test_beam_lm"}
RATES = {"wer": "word error rate", "per": "phoneme error rate", "cer": "character error rate"}
PICTURE = "error_rates.png"
HYPOTHESES = "hypotheses.txt"  # which `tfrec.evaluate` writes for each condition


@dataclasses.dataclass(frozen=True)
class Options(study.Options):
    """Speech to text by every kind of network; any flag of `tfrec.fit` goes to every training.

    python -m tfrec study transcription --data.path an4/
    """

    models: tuple[str, ...] = tuple(MODELS)  # rows of the table
    minutes: float = 10.0  # of training with its validation; some rows get a multiple
    lm: str | None = None  # ARPA file, as `tfrec.lm` makes it: decode by a beam with this language model too

    def __post_init__(self):
        super().__post_init__()
        if not self.minutes > 0:
            raise ValueError(f"minutes must be above 0. Received: {self.minutes}")
        if not self.models or len(set(self.models)) < len(self.models):
            raise ValueError(f"models must name at least one, each once. Received: {self.models}")


def steps(options, flags, _):
    """The trainings, in order; `flags` go to all of them."""
    require_free(flags, "--model", "--fit.budget", "--fit.epochs", "--task.name")
    for model in options.models:
        if model not in MODELS:
            raise unknown("row", model, MODELS)
    searches = {"attention": ("--decode.method", "attention")}
    if options.lm is not None:
        if not os.path.isfile(options.lm):
            raise UserError(f"There is no language model {options.lm}: --lm names a file in ARPA's format.")
        searches["language model"] = ("--decode.lm", options.lm)
    result = []
    for seed in map(str, options.seeds):
        for row in options.models:
            words = (EXPERIMENT, "--model.name", row, "--seed", seed, "--task.name", "transcribe")
            if (share := MODELS[row].share) is not None:
                words += ("--fit.budget_minutes", f"{options.minutes * share:g}", "--fit.epochs", str(EPOCHS))
            words += (*MODELS[row].flags.split(), *flags)
            measures = tuple(
                (f"{CONDITIONS[condition]}/{HYPOTHESES}", ("evaluate", *search))
                for condition, search in searches.items()
                if condition != "attention" or MODELS[row].decoder
            )
            result.append(Step(f"{row}-{seed}", row, words, measures=measures))
    return result


def tables(folder, steps):
    """Error rates, parameters and minutes of each model."""
    found = _scores(folder, steps)
    shown = [
        (condition, rate)
        for condition in CONDITIONS
        for rate in RATES
        if any((condition, rate) in score for scores in found.values() for score in scores)
    ]
    lines, records = [], []
    for row, scores in found.items():
        cells, record = [], {"model": row}
        for place in shown:
            middle, bounds, values = _middle(scores, place)
            cells.append("" if middle is None else _told(middle, bounds))
            low, high = bounds or ("", "")
            name = " ".join(place)
            record |= {name: middle, f"{name} low": low, f"{name} high": high, f"{name} values": values}
        minutes = float(np.mean([score["minutes"] for score in scores]))
        parameters = scores[0]["parameters"]
        lines.append((row, *cells, "" if parameters is None else abbreviate(parameters), f"{minutes:.1f}"))
        records.append({**record, "parameters": parameters, "minutes": minutes})
    headings = (
        "model",
        *(f"{condition}: {rate.upper()}, %" for condition, rate in shown),
        "parameters",
        "minutes each",
    )
    title = "Error rates on the test split, with 95 % intervals: over the seeds, or of one seed over the utterances."
    return [Table("transcription", title, headings, lines, records)]


def draw(folder, steps):
    """The line graph of the first error rate by model; returns its path."""
    found = _scores(folder, steps)
    rate = next(rate for rate in RATES if any(("greedy", rate) in score for score in next(iter(found.values()))))
    rows = []
    for condition in CONDITIONS:
        for model, scores in found.items():
            middle, bounds, _ = _middle(scores, (condition, rate))
            if middle is not None:
                rows.append({"model": model, "condition": condition, "rate": middle, "interval": bounds})
    error_plots.error_rates(rows, folder / PICTURE, RATES[rate])
    return folder / PICTURE


def _scores(folder, steps):
    """{row: a dict for each seed of {(condition, rate): (value, its interval), "parameters", "minutes"}}."""
    found = {}
    for step in steps:
        metrics = Run(folder / "runs" / step.label).read_json("metrics.json")
        score = {"parameters": metrics.get("parameters"), "minutes": metrics["fit_seconds"] / 60}
        for condition, split in CONDITIONS.items():
            for rate in RATES:
                if rate in metrics.get(split, {}):
                    score[condition, rate] = (metrics[split][rate], metrics[split][f"{rate}_interval"])
        found.setdefault(step.row, []).append(score)
    return found


def _middle(scores, place):
    """(mean, interval, values with spaces between them) over the seeds; (None, None, "") where one lacks it."""
    if not all(place in score for score in scores):
        return None, None, ""
    values = [score[place][0] for score in scores]
    bounds = study.interval(values) or scores[0][place][1]
    return float(np.mean(values)), bounds, " ".join(map(str, values))


def _told(middle, bounds):
    return f"{100 * middle:.2f} ({100 * bounds[0]:.2f} to {100 * bounds[1]:.2f})"
