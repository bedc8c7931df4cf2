"""Spoken words in clean and noisy conditions: which network, which training, and what it starts from.

The study of arXiv:2505.01632 on Aurora-2's digits, repeated on any corpus of words and folder of noises, with the
questions that it leaves open: whether pre-training on pictures helps, which noise hurts, and what should be frozen.

"clean" training sees the words as they are, "multi-condition" training (Hirsch & Pearce 2000) hears the noises of
set A in the first 65 % of each recording. Set A is the rest of those recordings, set B noises that no training hears;
both are averages over 20, 15, 10, 5 and 0 dB of the ratio of active speech to noise.

`python -m tfrec study noise --data.name spoken_digit --noise NOISES/ --seeds 0 --workers 2`: README's tables, from
commits b335057 to 5691f67, one seed, 2 to 8 minutes for each training on one of two busy CPU cores. The paper's own
figures, clean / noisy, on Aurora-2: ResNet-50 98.94 / 91.21 %, CNN 97.21 / 86.12, LSTM 94.54 / 83.43, BiLSTM 91.21 /
83.43. Trained clean, most networks fall to 65 to 73 % on set A, the CNN to 81; trained with noise most stay above 92,
the CNN at 98.9, and no type of noise stands out. WaveNet, on raw samples, would need many more epochs. Pre-training on
CIFAR-10 is worth 6 to 7 points where there are 20 clips of each word, if nothing or little of it is frozen.
"""

import dataclasses
import re
from typing import Literal

import numpy as np

from pipelines import noises
from pipelines.errors import UserError, unknown
from tfrec.runs.run import Run
from tfrec.studies import study
from tfrec.studies.study import Step, Table

PASSES_FLAGS = True
EXPERIMENT = "spoken_digit_noise"  # whose settings all trainings share
FRACTION = 0.65  # of each noise, for training
MEASURED = "noise/noise.json"
GROUPS = ("clean", "multi-condition")

# So many frames are half of what the longest clip of a batch has, and so is the cost.
NETWORK = ("--frontend.fixed_frames", "48", "--model.name")
RECURRENT = "--fit.clip_norm 1 --fit.learning_rate 2e-3"
CONVOLUTIONS = "--model.width 24 --model.convolutions 1"
WAVEFORM = "--frontend.fixed_frames None --frontend.tract 1 1"  # which has neither frames nor a spectrum
# What the rows of the table differ in: the network, and how long it trains on two cores.
ARCHITECTURES = {
    row: tuple(" ".join(words).split())
    for row, words in {
        "mlp": (*NETWORK, "mlp --fit.epochs 40"),
        "cnn": (),  # the experiment as it is
        "rnn": (*NETWORK, "rnn --fit.epochs 20", RECURRENT),
        "lstm": (*NETWORK, "lstm --fit.epochs 25", RECURRENT),
        "bilstm": (*NETWORK, "bilstm --fit.epochs 20", RECURRENT),
        "gru": (*NETWORK, "gru --fit.epochs 20", RECURRENT),
        "cnn_lstm": (*NETWORK, "cnn_lstm --fit.epochs 15", CONVOLUTIONS),
        "cnn_lstm_concat": (*NETWORK, "cnn_lstm_concat --fit.epochs 15", CONVOLUTIONS),
        "resnet_mel": (*NETWORK, "resnet_mel --fit.epochs 18"),
        "resnet18 on pictures": (*NETWORK, "resnet18 --model.width_multiplier 0.5 --model.stem large --fit.epochs 35"),
        "wavenet": (*NETWORK, "wavenet --fit.epochs 8 --fit.learning_rate 2e-3", WAVEFORM),
        "transformer": (*NETWORK, "transformer --fit.epochs 20 --fit.learning_rate 1e-3"),
        "conformer": (*NETWORK, "conformer --fit.epochs 15 --fit.learning_rate 1e-3"),
        "bc_resnet, 10 channels": (*NETWORK, "bc_resnet_1 --model.channels 10 --fit.epochs 30"),
    }.items()
}

# A small ResNet on pictures of the spectrogram, as it was trained on the pictures of CIFAR-10.
PICTURES = (*NETWORK, "resnet18", "--model.width_multiplier", "0.25", "--model.depth_multiplier", "0.5")
FEW = "--fit.batch_size 16 --fit.epochs 60 --fit.learning_rate 2e-3"  # enough steps for a few clips
RANDOM = "random weights"
POLICIES = {
    "CIFAR-10, nothing frozen": (),
    "CIFAR-10, backbone frozen": ("--fit.freeze", "backbone"),
    "CIFAR-10, frozen until stage2": ("--fit.freeze", "until:stage2"),
    "CIFAR-10, freed gradually": ("--fit.freeze", "gradual", "--fit.unfreeze_epochs", "4"),
    "CIFAR-10, head first, then all with a slow backbone": ("--fit.head_epochs", "10", "--fit.backbone_rate", "0.3"),
}
IMAGENET = (*NETWORK, "resnet50", "--model.stem", "large")


@dataclasses.dataclass(frozen=True)
class Options(study.Options):
    """Spoken words in clean and noisy conditions, as arXiv:2505.01632; any flag of `tfrec.fit` goes to every training.

    python -m tfrec study noise --data.name spoken_digit --noise NOISES/
    """

    noise: str | None = None  # folder of noises, a sub-folder for each type
    unseen: tuple[str, ...] = ("wind",)  # types that no training hears, set B
    parts: tuple[Literal["architectures", "pretraining"], ...] = ("architectures", "pretraining")  # tables to make
    models: tuple[str, ...] = tuple(ARCHITECTURES)  # rows of the first table
    few: int = 20  # clips of each word to train on in the second table, which asks what pre-training is worth
    imagenet: bool = False  # also start from ImageNet's weights, which takes the network once

    def __post_init__(self):
        super().__post_init__()
        if self.few < 1:
            raise ValueError(f"few must be 1 or more. Received: {self.few}")


def steps(options, flags, runs):
    """The trainings, in order; `flags` go to all of them, `runs` is the folder of their runs."""
    heard, measure = heard_and_measure(options)
    require_free(flags, "--model")
    for model in options.models:
        if model not in ARCHITECTURES:
            raise unknown("row", model, ARCHITECTURES)
    conditions = {"clean": ("--frontend.noise_probability", "0"), "multi-condition": ()}
    result = []
    for seed in map(str, options.seeds):

        def step(label, row, group, *words, seed=seed):
            words = (EXPERIMENT, *heard, "--seed", seed, *conditions[group], *words, *flags)
            return Step(f"{label}-{group}-{seed}", row, words, group, ((MEASURED, measure),))

        if "architectures" in options.parts:
            for row in options.models:
                for group in GROUPS:
                    result.append(step(re.sub("[ ,]+", "-", row), row, group, *ARCHITECTURES[row]))
        if "pretraining" in options.parts:
            source = f"cifar10-{seed}"
            result.append(Step(source, None, ("cifar10_resnet", "--fit.epochs", "5", "--seed", seed)))
            few = ("--data.examples_per_class", str(options.few), "--data.split_seed", seed, *FEW.split())
            policies = {RANDOM: (), **{p: ("--model.weights", str(runs / source), *w) for p, w in POLICIES.items()}}
            for number, (policy, words) in enumerate(policies.items()):
                row = f"{PRETRAINING}{policy}"
                result.append(step(f"few{number}", row, "multi-condition", *PICTURES, *few, *words))
            if options.imagenet:
                for name, words in {RANDOM: (), "ImageNet": ("--model.weights", "imagenet")}.items():
                    row = f"{PRETRAINING}ResNet-50, {name}"
                    result.append(step(f"resnet50-{name[:6]}", row, "multi-condition", *IMAGENET, *few, *words))
    return result


def heard_and_measure(options):
    """(flags of the noises that trainings hear, words that measure a run among all noises); UserError for none."""
    if not options.noise:
        raise UserError("The study needs noises: give --noise FOLDER, with a sub-folder for each type.")
    types = noises.type_names(options.noise)
    for name in options.unseen:
        if name not in types:
            raise unknown(f"type of noise in {options.noise}", name, types)
    seen = [name for name in types if name not in options.unseen]
    if not seen:
        raise UserError(f"All noises of {options.noise} are --unseen: leave one for training.")
    heard = ("--frontend.noise_path", options.noise, "--frontend.noise_types", *seen)
    heard = (*heard, "--frontend.noise_fraction", str(FRACTION))
    return heard, ("noise_report", "--noise", options.noise, "--seen", *seen, "--seen_fraction", str(FRACTION))


def require_free(flags, *own):
    """UserError for flags of `tfrec.fit` that the study sets itself: those that begin with one of `own`, and a few."""
    for word in flags:
        if word.split("=")[0] in ("--run", "--config", "--seed") or word.startswith(own):
            raise UserError(f"{word} is for the study to set: leave it out.")


PRETRAINING = "pre-training: "  # how rows of the second table begin


def tables(folder, steps):
    """The table of the study's form, accuracy for each type of noise, and what pre-training is worth."""
    found = scores_of(folder, steps)
    first = {row: groups for row, groups in found.items() if not row.startswith(PRETRAINING)}
    second = {row.removeprefix(PRETRAINING): found[row] for row in found if row not in first}
    sets = {"clean": "clean", "A": "set A", "B": "set B"}
    result = []
    if first:
        result.append(table("architectures", "Accuracy in percent, by training.", first, GROUPS, sets))
        result.append(table("noises", "The same by type of noise, multi-condition.", first, GROUPS[1:], _types(first)))
    if second:
        title = "A ResNet on pictures of the spectrogram, few clips to train on, by what it starts from."
        result.append(table("pretraining", title, second, GROUPS[1:], {**sets, **_types(second)}))
    return result


def scores_of(folder, steps):
    """{row: {group: [scores of each run]}}."""
    found = {}
    for step in steps:
        if step.row:
            scores = _scores(Run(folder / "runs" / step.label))
            found.setdefault(step.row, {}).setdefault(step.group, []).append(scores)
    return found


def _types(found):
    scores = next(iter(next(iter(found.values())).values()))[0]
    return {name: name for name in scores if name not in ("clean", "A", "B", "all", "minutes")}


def _scores(run):
    """Of one run: {"clean", "A", "B", "all" and each type of noise: (accuracy, its interval), "minutes"}."""
    report, metrics = run.read_json(MEASURED), run.read_json("metrics.json")
    measured = {
        "clean": report["clean"],
        **report["averages"],
        **{name: of_noise["average"] for name, of_noise in report["noises"].items()},
    }
    scores = {name: (score["accuracy"], score["interval"]) for name, score in measured.items()}
    return {**scores, "minutes": metrics["fit_seconds"] / 60}


def table(name, title, found, groups, columns, mean=None):
    """A Table with a line for each row and, under the name `mean`, one for their mean seed by seed.

    A figure is the mean over the seeds with Student's t interval, or one seed's with the report's own.
    """
    shown = [(group, column) for group in groups for column in columns]
    several = len(groups) > 1
    headings = [f"{group}: {columns[column]}" if several else columns[column] for group, column in shown]
    lines, records = [], []
    if mean:
        found = {**found, mean: {group: _means([found[row][group] for row in found]) for group in groups}}
    for row, of_groups in found.items():
        cells, record = [], {"training": row}
        for group, column in shown:
            values = [scores[column] for scores in of_groups[group]]
            middle = float(np.mean([value for value, _ in values]))
            bounds = study.interval([value for value, _ in values]) or values[0][1]
            cells.append(f"{study.points(middle)} ({study.span(bounds)})" if bounds else study.points(middle))
            low, high = bounds or ("", "")
            record |= {f"{group} {column}": middle, f"{group} {column} low": low, f"{group} {column} high": high}
        minutes = float(np.mean([scores["minutes"] for group in groups for scores in of_groups[group]]))
        lines.append((row, *cells, f"{minutes:.1f}"))
        records.append({**record, "minutes": minutes, "seeds": len(of_groups[groups[0]])})
    return Table(name, title, ("training", *headings, "minutes each"), lines, records)


def _means(rows):
    """Scores of each seed, the means of several rows; their intervals are not known."""
    result = []
    for scores in zip(*rows, strict=True):
        means = {
            name: (float(np.mean([row[name][0] for row in scores])), None) for name in scores[0] if name != "minutes"
        }
        result.append({**means, "minutes": float(np.mean([row["minutes"] for row in scores]))})
    return result
