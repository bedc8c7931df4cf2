"""The registry of experiments: functions that return a whole configuration, and say what it costs and scores."""

from pipelines.errors import unknown
from tfrec.experiments.images import digits, mnist
from tfrec.experiments.speech import spoken_digit, spoken_digits_tts

EXPERIMENTS = {
    "digits": digits,
    "mnist": mnist,
    "spoken_digit": spoken_digit,
    "spoken_digits_tts": spoken_digits_tts,
}


def find(name):
    """The experiment of that name; UserError for an unknown one."""
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]
