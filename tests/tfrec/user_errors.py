"""What the tests of people's mistakes share."""

import numpy as np
import soundfile
from PIL import Image

QUICK = ["--fit.epochs", "1", "--model.name", "mlp", "--model.width", "4", "--export.no_after_fit"]


def files(folder):
    """Everything below a folder and its content, apart from what a failing command may touch."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def check(status, said, before, folder):
    assert status == 2, said
    assert files(folder) == before
    assert "----" not in said
    lines = said.splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith("error: ")
    assert "Traceback" not in said
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
