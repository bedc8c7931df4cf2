"""Spoken words, clean and noisy: which network, which training data, and what pre-training is worth.

The study of arXiv:2505.01632 on Aurora-2's digits, repeated on any corpus of words and folder of noises, with the
questions that the paper leaves open: whether pre-training on images helps, which noise hurts, and what to freeze.

"clean" training uses the words as they are; "multi-condition" training (Hirsch & Pearce 2000) mixes in the noises of
set A, from the first 65 % of each recording. Test set A uses the rest of those recordings, set B noises that are in no
training; both are averages over 20, 15, 10, 5 and 0 dB of the ratio of active speech to noise.

`python -m tfrec study noise --data.name spoken_digit --noise NOISES/ --seeds 0 --workers 2`, commits b335057 to
5691f67, one seed, 2 to 8 minutes for each training on one of two busy CPU cores. The paper's own figures, clean /
noisy, on Aurora-2: ResNet-50 98.94 / 91.21 %, CNN 97.21 / 86.12, LSTM 94.54 / 83.43, BiLSTM 91.21 / 83.43. Trained
clean, most networks fall to 65 to 73 % on set A, the CNN to 81; trained with noise most stay above 92, the CNN at 98.9,
and no type of noise stands out. WaveNet, on raw samples, would need many more epochs. Pre-training on CIFAR-10 is worth
6 to 7 points where there are 20 clips of each word, if nothing or little of it is frozen.
"""

import dataclasses
import pathlib
import re
from collections.abc import Sequence
from typing import Literal

from pipelines import noises
from pipelines.errors import UserError, unknown
from tfrec.studies import study
from tfrec.studies.noise_scores import REPORT, noise_types, read_scores, score_table
from tfrec.studies.study import Step
from tfrec.studies.tables import Table

ACCEPTS_FIT_FLAGS = True
EXPERIMENT = "spoken_digit_noise"  # its settings are those of all trainings
NOISE_FRACTION = 0.65  # of each recording of noise, for training
MULTI_CONDITION = "multi-condition"
GROUPS = ("clean", MULTI_CONDITION)
SETS = {"clean": "clean", "A": "set A", "B": "set B"}
PRETRAINING = "pre-training: "  # prefix of the rows of the table on pre-training

# Half the frames of the longest clip of a batch, which halves the cost.
NETWORK = ("--frontend.fixed_frames", "48", "--model.name")
RECURRENT = "--fit.clip_norm 1 --fit.learning_rate 2e-3"
CONVOLUTIONS = "--model.width 24 --model.convolutions 1"
PICTURE_SIZE = "--model.width_multiplier 0.5 --model.stem large --fit.epochs 35"
WAVEFORM = "--frontend.fixed_frames None --frontend.tract 1 1"  # a waveform has neither frames nor a spectrum
# {row of the table: flags}, of the network and of how long it trains on two cores.
ARCHITECTURES = {
    row: tuple(" ".join(words).split())
    for row, words in {
        "mlp": (*NETWORK, "mlp --fit.epochs 40"),
        "cnn": (),  # the network of the experiment
        "rnn": (*NETWORK, "rnn --fit.epochs 20", RECURRENT),
        "lstm": (*NETWORK, "lstm --fit.epochs 25", RECURRENT),
        "bilstm": (*NETWORK, "bilstm --fit.epochs 20", RECURRENT),
        "gru": (*NETWORK, "gru --fit.epochs 20", RECURRENT),
        "cnn_lstm": (*NETWORK, "cnn_lstm --fit.epochs 15", CONVOLUTIONS),
        "cnn_lstm_concat": (*NETWORK, "cnn_lstm_concat --fit.epochs 15", CONVOLUTIONS),
        "resnet_mel": (*NETWORK, "resnet_mel --fit.epochs 18"),
        "resnet18 on pictures": (*NETWORK, "resnet18", PICTURE_SIZE),
        "resnet_attention on pictures": (*NETWORK, "resnet_attention", PICTURE_SIZE),
        "resnet_transformer on pictures": (*NETWORK, "resnet_transformer", PICTURE_SIZE, "--model.width 128"),
        "wavenet": (*NETWORK, "wavenet --fit.epochs 8 --fit.learning_rate 2e-3", WAVEFORM),
        "transformer": (*NETWORK, "transformer --fit.epochs 20 --fit.learning_rate 1e-3"),
        "conformer": (*NETWORK, "conformer --fit.epochs 15 --fit.learning_rate 1e-3"),
        "bc_resnet, 10 channels": (*NETWORK, "bc_resnet_1 --model.channels 10 --fit.epochs 30"),
    }.items()
}

# A small ResNet on pictures of the spectrogram, the same as for the images of CIFAR-10.
PICTURES = (*NETWORK, "resnet18", "--model.width_multiplier", "0.25", "--model.depth_multiplier", "0.5")
FEW = "--fit.batch_size 16 --fit.epochs 60 --fit.learning_rate 2e-3"  # enough steps for a few clips
RANDOM = "random weights"
POLICIES = {
    "CIFAR-10, nothing frozen": (),
    "CIFAR-10, backbone frozen": ("--fit.freeze", "backbone"),
    "CIFAR-10, frozen until stage2": ("--fit.freeze", "until:stage2"),
    "CIFAR-10, unfrozen gradually": ("--fit.freeze", "gradual", "--fit.unfreeze_epochs", "4"),
    "CIFAR-10, head first, then all with a slow backbone": ("--fit.head_epochs", "10", "--fit.backbone_rate", "0.3"),
}
IMAGENET = (*NETWORK, "resnet50", "--model.stem", "large")


@dataclasses.dataclass(frozen=True)
class Options(study.Options):
    """Spoken words, clean and noisy, as arXiv:2505.01632; any flag of `tfrec.fit` goes to every training.

    python -m tfrec study noise --data.name spoken_digit --noise NOISES/
    """

    noise: str | None = None  # folder of noises, a sub-folder for each type
    unseen: tuple[str, ...] = ("wind",)  # types that are in no training, set B
    parts: tuple[Literal["architectures", "pretraining"], ...] = ("architectures", "pretraining")  # tables to make
    models: tuple[str, ...] = tuple(ARCHITECTURES)  # rows of the table on architectures
    few: int = 20  # training clips of each word for the table on pre-training
    imagenet: bool = False  # also start from ImageNet's weights, which are downloaded once

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.few < 1:
            raise ValueError(f"few must be 1 or more. Received: {self.few}")


def steps(options: Options, flags: Sequence[str], runs: pathlib.Path) -> list[Step]:
    """Plans the trainings of both tables; see `Study.steps`."""
    training_noise, report = noise_words(options.noise, options.unseen)
    study.reject_flags(flags, "--model")
    for model in options.models:
        if model not in ARCHITECTURES:
            raise unknown("row", model, ARCHITECTURES)
    conditions = {"clean": ("--frontend.noise_probability", "0"), MULTI_CONDITION: ()}
    result = []
    for seed in map(str, options.seeds):

        def step(label: str, row: str, group: str, *words: str, seed: str = seed) -> Step:
            words = (EXPERIMENT, *training_noise, "--seed", seed, *conditions[group], *words, *flags)
            return Step(f"{label}-{group}-{seed}", row, words, group, ((REPORT, report),))

        if "architectures" in options.parts:
            for row in options.models:
                for group in GROUPS:
                    result.append(step(re.sub("[ ,]+", "-", row), row, group, *ARCHITECTURES[row]))
        if "pretraining" in options.parts:
            source = f"cifar10-{seed}"
            result.append(Step(source, None, ("cifar10_resnet", "--fit.epochs", "5", "--seed", seed)))
            for label, row, words in _pretraining_rows(options, seed, str(runs / source)):
                result.append(step(label, f"{PRETRAINING}{row}", MULTI_CONDITION, *words))
    return result


def _pretraining_rows(options: Options, seed: str, source: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """(label, row, words) of each training on few clips; `source` is the run on CIFAR-10."""
    few = ("--data.examples_per_class", str(options.few), "--data.split_seed", seed, *FEW.split())
    starts: dict[str, tuple[str, ...]] = {RANDOM: ()}
    starts |= {policy: ("--model.weights", source, *words) for policy, words in POLICIES.items()}
    rows = [
        (f"few{number}", policy, (*PICTURES, *few, *words)) for number, (policy, words) in enumerate(starts.items())
    ]
    if options.imagenet:
        for name, words in {RANDOM: (), "ImageNet": ("--model.weights", "imagenet")}.items():
            rows.append((f"resnet50-{name[:6]}", f"ResNet-50, {name}", (*IMAGENET, *few, *words)))
    return rows


def noise_words(
    folder: str | None, unseen: Sequence[str], frontend: str = "--frontend"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divides the types of noise into those for training, set A, and unseen ones, set B.

    Args:
        folder: folder of noises, a sub-folder for each type.
        unseen: types that are in no training.
        frontend: beginning of the flags of the frontend that takes clips.

    Returns:
        The flags of `tfrec.fit` for the noises in training, and the words of the command that measures a run.

    Raises:
        UserError: without a folder, without a type for training, or for an unknown type.
    """
    if not folder:
        raise UserError("The study needs noises: give --noise FOLDER, with a sub-folder for each type.")
    types = noises.type_names(folder)
    for name in unseen:
        if name not in types:
            raise unknown(f"type of noise in {folder}", name, types)
    seen = [name for name in types if name not in unseen]
    if not seen:
        raise UserError(f"All noises of {folder} are --unseen: leave one for training.")
    training = (f"{frontend}.noise_path", folder, f"{frontend}.noise_types", *seen)
    training = (*training, f"{frontend}.noise_fraction", str(NOISE_FRACTION))
    return training, ("noise_report", "--noise", folder, "--seen", *seen, "--seen_fraction", str(NOISE_FRACTION))


def tables(folder: pathlib.Path, steps: Sequence[Step]) -> list[Table]:
    """Builds the tables on architectures, on types of noise and on pre-training; see `Study.tables`."""
    scores = read_scores(folder, steps)
    architectures = {row: groups for row, groups in scores.items() if not row.startswith(PRETRAINING)}
    pretraining = {row.removeprefix(PRETRAINING): scores[row] for row in scores if row not in architectures}
    noisy = (MULTI_CONDITION,)
    result = []
    if architectures:
        title = "Accuracy in percent, by training."
        result.append(score_table("architectures", title, architectures, GROUPS, SETS))
        title = "Accuracy in percent after multi-condition training, by type of noise."
        result.append(score_table("noises", title, architectures, noisy, noise_types(architectures)))
    if pretraining:
        title = "Accuracy in percent of a ResNet on pictures of the spectrogram, trained on few clips, by pre-training."
        columns = {**SETS, **noise_types(pretraining)}
        result.append(score_table("pretraining", title, pretraining, noisy, columns))
    return result


def draw(folder: pathlib.Path, steps: Sequence[Step]) -> None:
    """Draws nothing; see `Study.draw`."""
