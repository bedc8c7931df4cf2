"""The registry of experiments: functions that return a whole configuration, and say what it costs and scores."""

from pipelines.errors import unknown
from tfrec.experiments import noise, speakers, transcription, transfer
from tfrec.experiments.images import (
    cifar10,
    cifar10_first_five,
    cifar10_other_five,
    cifar10_resnet,
    digits,
    mnist,
    mnist_best,
)
from tfrec.experiments.sentences import an4, multilingual_tts
from tfrec.experiments.speech import (
    spoken_digit,
    spoken_digit_light,
    spoken_digit_noise,
    spoken_digit_speakers,
    spoken_digits_tts,
)

EXPERIMENTS = {
    "an4": an4,
    "cifar10": cifar10,
    "cifar10_first_five": cifar10_first_five,
    "cifar10_other_five": cifar10_other_five,
    "cifar10_resnet": cifar10_resnet,
    "digits": digits,
    "mnist": mnist,
    "mnist_best": mnist_best,
    "multilingual_tts": multilingual_tts,
    "spoken_digit": spoken_digit,
    "spoken_digit_light": spoken_digit_light,
    "spoken_digit_noise": spoken_digit_noise,
    "spoken_digit_speakers": spoken_digit_speakers,
    "spoken_digits_tts": spoken_digits_tts,
}

# Many trainings that differ in one thing: modules with `Options`, the dataclass of a study's flags,
# `steps(options, flags of every training, folder of the runs)` and `tables(folder, steps)`; some `draw(folder, steps)`.
STUDIES = {"noise": noise, "speakers": speakers, "transcription": transcription, "transfer": transfer}


def find(name):
    """The experiment of that name; UserError for an unknown one."""
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]
