"""Helpers for the tests of user errors."""

import numpy as np
import soundfile
from PIL import Image

QUICK = ["--fit.epochs", "1", "--model.name", "mlp", "--model.width", "4", "--export.no_after_fit"]


def files(folder):
    """The contents of all files below a folder, None for folders."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def check(status, printed, before, folder):
    """Checks a failed command, which must change no file, and returns its one-line message."""
    assert status == 2, printed
    assert files(folder) == before
    assert "----" not in printed
    lines = printed.splitlines()
    assert len(lines) == 1, printed
    assert lines[0].startswith("error: ")
    assert "Traceback" not in printed
    return lines[0].removeprefix("error: ")


def pictures(folder, classes=("cat", "dog"), count=6):
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (8 + i, 8), (60 * number + i,) * 3).save(folder / name / f"{i}.png")
    return folder


def clips(folder, classes=("no", "yes"), count=6):
    random = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            suffix = "flac" if i % 2 else "wav"
            soundfile.write(folder / name / f"{i}.{suffix}", random.uniform(-0.5, 0.5, 3000 + i), 8000)
    return folder
