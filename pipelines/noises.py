"""A folder of background noises."""

import os

from pipelines import audio
from pipelines.errors import UserError


def load(path, sample_rate_hz):
    """Every audio file below a folder, sorted by path: a list of float32 arrays (samples,) in [-1, 1].

    Raises UserError for a folder that is missing or holds no audio, and for a file that cannot be read.
    """
    if not os.path.isdir(path):
        raise UserError(f"The noise folder {path} does not exist.")
    found = []
    for folder, _, names in os.walk(path):
        found += [os.path.join(folder, name) for name in names if _is_audio(name)]
    if not found:
        raise UserError(f"The noise folder {path} holds no audio: its files must end in {' '.join(audio.SUFFIXES)}.")
    return [audio.read(file, sample_rate_hz)[0] for file in sorted(found)]


def _is_audio(name):
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in audio.SUFFIXES
