"""From a trained run to `saved_models/NAME/VERSION/`, checked before a server can see it."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import logging
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.config.schema import ExportConfig
from tfrec.runs.run import Run
from tfrec.serving import examples, savedmodel
from tfrec.serving.examples import Answers
from tfrec.utils import startup

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

TEMPORARY = ".tmp-"  # begins the names of folders that are not versions yet
TOLERANCE = 1e-4  # of a number in an answer
REPLAY = pathlib.Path(__file__).with_name("replay.py")

Requests = Iterator[tuple[list[int], dict[str, np.ndarray]]]

logger = logging.getLogger(__name__)


def publish(recognizer: Recognizer, folder: Any = None, name: str | None = None) -> pathlib.Path:
    """Writes the next version of a model, replays examples through it, and renames it into place.

    Args:
        recognizer: the trained recognizer; the examples are those of its run, or else generated.
        folder: holds the models; None is the configuration's `export.folder`.
        name: the model's name; None is the configuration's `export.name`, or else the run's.

    Returns:
        The version's folder.

    Raises:
        UserError: when an answer of the SavedModel is not the trained model's. It leaves nothing behind, as Ctrl-C.
    """
    export = recognizer.config.export
    export = dataclasses.replace(export, folder=str(folder or export.folder), name=name or export.name)
    base = destination(export, recognizer.run)
    raw, expected = _examples(recognizer)
    created = [path for path in (base, *base.parents) if not path.exists()]
    base.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(base)
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{platform.node()}-{os.getpid()}-", dir=base))
    try:
        savedmodel.write(recognizer, temporary)
        startup.check_interrupted()
        difference, count = _replay(temporary, recognizer, raw, expected)
        logger.info("Replayed %d requests in a fresh process: maximum difference %.1e.", count, difference)
        if not difference <= TOLERANCE:
            raise UserError(
                f"Not published: an answer of the SavedModel differs from the trained model's by {difference:.1e}, more"
                f" than {TOLERANCE:.0e}; the run is unchanged."
            )
        _open_to_others(temporary)
        return _rename(temporary, base)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        with contextlib.suppress(OSError):  # those that hold a version stay
            for path in created:
                path.rmdir()


def _remove_leftovers(base: pathlib.Path) -> None:
    """Removes what processes of this machine that were killed while they published have left."""
    for path in base.glob(f"{TEMPORARY}{platform.node()}-*"):
        number = path.name.removeprefix(f"{TEMPORARY}{platform.node()}-").split("-")[0]
        if number.isdecimal() and not _is_alive(int(number)):
            logger.info("Removed %s, which an export that was killed has left.", path)
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


def _open_to_others(folder: pathlib.Path) -> None:
    """Lets every user read an export, as a server of another user must, whatever the umask."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def destination(export: ExportConfig, run: Run | None) -> pathlib.Path:
    """The folder of a model's versions, not created yet; UserError where it cannot be created or written."""
    name = export.name or (run.name if run else None)
    if name is None:
        raise UserError("The model needs a name: give export.name.")
    base = pathlib.Path(export.folder) / name
    existing = next(path for path in (base, *base.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        what = "may not be written" if existing.is_dir() else "is no folder"
        raise UserError(f"Cannot publish to {base}: {existing} {what}; give another folder (see --help) or repair it.")
    return base


def _rename(temporary: pathlib.Path, base: pathlib.Path) -> pathlib.Path:
    """One rename, because the server polls once a second and would load half a copy."""
    while True:
        versions = [int(path.name) for path in base.iterdir() if path.name.isdecimal()]
        target = base / str(max(versions, default=0) + 1)
        try:
            os.rename(temporary, target)
        except OSError:
            if not target.exists():
                raise
            continue  # another process has published meanwhile
        return target


def _examples(recognizer: Recognizer) -> tuple[list[np.ndarray], list[Answers]]:
    """Raw inputs, and the recognizer's answers to them."""
    if recognizer.run is None:
        raw = examples.generate(recognizer)
        return raw, examples.answer_each(recognizer, raw)
    raw, expected = examples.read(recognizer.run)
    if recognizer.config.export.beam_width > 1:  # the run holds the answers of the greedy path
        expected = examples.answer_each(recognizer, raw)
    return raw, expected


def _replay(
    saved_model: pathlib.Path, recognizer: Recognizer, raw: Sequence[np.ndarray], expected: Sequence[Answers]
) -> tuple[float, int]:
    """Sends each example by itself and all in one batch, by each signature.

    Returns:
        The largest difference of a number, and the number of requests.

    Raises:
        UserError: where a text or a truth value differs.
    """
    groups = [[i] for i in range(len(raw))] + [list(range(len(raw)))]
    requests: dict[str, Any] = {}
    order: list[list[int]] = []
    for signature, make in REQUESTS[recognizer.config.frontend.name].items():
        for group in groups:
            for rows, inputs in make([raw[i] for i in group], recognizer.config.frontend):
                for name, value in inputs.items():
                    requests[f"{len(order)}/{signature}/{name}"] = value
                order.append([group[row] for row in rows])
    answers = _fresh_process(saved_model, requests)
    differences = []
    for number, rows in enumerate(order):
        for name in expected[0]:
            answer, reference = _same_width(answers[f"{number}/{name}"], [expected[row][name] for row in rows])
            if reference.dtype.kind not in "Ub":
                differences.append(np.abs(answer - reference).max())
            elif not np.array_equal(answer, reference):
                raise UserError(
                    f"Not published: the SavedModel's {name} is {', '.join(map(str, answer))} where the trained model's"
                    f" is {', '.join(map(str, reference))}; the run is unchanged."
                )
    difference = float(np.max(differences))
    return difference if np.isfinite(difference) else float("inf"), len(order)


def _same_width(answer: np.ndarray, rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """An answer and the expected rows of it, all padded with 0 or "" to the longest."""
    if np.ndim(rows[0]) == 0:
        return answer, np.stack(rows)
    width = max(answer.shape[1], *(len(row) for row in rows))

    def padded(row: np.ndarray) -> np.ndarray:
        return np.pad(row, [(0, width - len(row)), *[(0, 0)] * (row.ndim - 1)])

    return np.stack([padded(row) for row in answer]), np.stack([padded(row) for row in rows])


def _fresh_process(saved_model: pathlib.Path, requests: dict[str, Any]) -> Answers:
    """Outputs of the SavedModel for requests, by the loader of TensorFlow Serving in a process without Keras."""
    with tempfile.TemporaryDirectory() as folder:
        requests_file, answers_file = (os.path.join(folder, name) for name in ("requests.npz", "answers.npz"))
        np.savez(requests_file, **requests)
        command = [sys.executable, "-I", str(REPLAY), str(saved_model), requests_file, answers_file]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        startup.check_interrupted()  # Ctrl-C reaches that process too
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(f"Not published: TensorFlow cannot run the SavedModel in a fresh process: {last}")
        with np.load(answers_file, allow_pickle=False) as answers:
            return dict(answers)


def _raw_images(images: Sequence[np.ndarray], config: Any) -> Requests:
    """Pictures of one size go into one request; yields (rows, inputs)."""
    shapes = sorted({image.shape for image in images})
    for shape in shapes:
        rows = [i for i, image in enumerate(images) if image.shape == shape]
        yield rows, {"image": np.stack([images[i] for i in rows])}


def _encoded_images(images: Sequence[np.ndarray], config: Any) -> Requests:
    yield list(range(len(images))), {"encoded": _base64([tf.io.encode_png(image).numpy() for image in images])}


def _raw_clips(clips: Sequence[np.ndarray], config: Any) -> Requests:
    """Padded as TensorFlow Serving pads when it merges requests: with a clip's first sample, not with 0."""
    lengths = [len(clip) for clip in clips]
    audio = [np.pad(clip, (0, max(lengths) - len(clip)), constant_values=clip[0] if len(clip) else 0) for clip in clips]
    yield list(range(len(clips))), {"audio": np.stack(audio), "length": np.array(lengths, "int32")}


def _encoded_clips(clips: Sequence[np.ndarray], config: Any) -> Requests:
    wavs = [tf.audio.encode_wav(clip[:, None], config.sample_rate_hz).numpy() for clip in clips]
    yield list(range(len(clips))), {"encoded": _base64(wavs)}


def _base64(contents: Any) -> np.ndarray:
    return np.array([base64.b64encode(content) for content in contents])


REQUESTS: dict[str, dict[str, Callable[[Sequence[np.ndarray], Any], Requests]]] = {
    "image": {savedmodel.TENSOR: _raw_images, savedmodel.DEFAULT: _encoded_images},
    "speech": {savedmodel.TENSOR: _raw_clips, savedmodel.DEFAULT: _encoded_clips},
}
