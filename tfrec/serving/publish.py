"""From a trained run to `saved_models/NAME/VERSION/`, checked before anyone can see it."""

import base64
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.serving import savedmodel
from tfrec.utils.console import console

TOLERANCE = 1e-4  # of a number in an answer
REPLAY = pathlib.Path(__file__).with_name("replay.py")


def publish(run, recognizer):
    """Writes the next version of the model, replays the run's examples through it, and renames it into place.

    Returns the version's folder. Raises UserError, and leaves nothing behind, when an answer of the SavedModel is not
    the trained model's.
    """
    base, examples = destination(recognizer.config.export, run), _examples(run)
    if options := savedmodel.answer_options(recognizer.config):  # the run holds the answers without them
        examples = _answered(recognizer, examples[0], options)
    base.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=".tmp-", dir=base))
    try:
        savedmodel.write(recognizer, temporary)
        difference, count = _replay(temporary, run, recognizer, *examples)
        console.print(f"Replayed {count} requests in a fresh process: largest difference of a number {difference:.1e}.")
        if not difference <= TOLERANCE:
            raise UserError(
                f"Not published: an answer of the SavedModel differs from the trained model's by {difference:.1e}, more"
                f" than {TOLERANCE:.0e}; the run {run.path} is untouched."
            )
        temporary.chmod(0o755)  # mkdtemp's folders are closed to other users, a server's among them
        return _rename(temporary, base)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def destination(export, run):
    """The folder of a run's versions, not made yet; UserError where nobody could make it or write into it."""
    base = pathlib.Path(export.folder) / (export.name or run.name)
    standing = next(path for path in (base, *base.absolute().parents) if path.exists())
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        what = "may not be written" if standing.is_dir() else "is no folder"
        raise UserError(f"Cannot publish to {base}: {standing} {what}; give another folder (see --help) or mend it.")
    return base


def _rename(temporary, base):
    """One rename, because the server looks once a second and would load half a copy."""
    while True:
        versions = [int(path.name) for path in base.iterdir() if path.name.isdecimal()]
        target = base / str(max(versions, default=0) + 1)
        try:
            os.rename(temporary, target)
        except OSError:
            if not target.exists():
                raise
            continue  # somebody else published in between
        return target


def _examples(run):
    """(raw inputs, answers) of the run's examples, an answer being a dict from output to array."""
    examples = {}
    try:
        with np.load(run.path / "examples.npz", allow_pickle=False) as stored:
            for key in stored.files:
                number, name = key.split("/")
                examples.setdefault(int(number), {})[name] = stored[key]
        raw = [examples[i].pop("raw") for i in range(len(examples))]
        return raw, [examples[i] for i in range(len(examples))]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"Cannot read {run.path / 'examples.npz'}, the examples that an export must repeat: {error}; finish the run"
            f" with `python -m tfrec.fit --run {run.path} --resume`."
        ) from None


def _answered(recognizer, raw, options):
    """(raw inputs, answers) of clips, answered with other options than in training."""
    answers = []
    for clip in raw:
        given = {"audio": clip[None], "length": np.array([len(clip)], "int32")}
        answer = {name: value[0] for name, value in recognizer.answer(given, **options).items()}
        answers.append({**answer, "text": np.array(answer["text"].decode())})
    return raw, answers


def _replay(saved_model, run, recognizer, raw, expected):
    """(largest difference of a number, requests): each example alone and all in one batch, by each signature.

    Raises UserError where a text differs.
    """
    groups = [[i] for i in range(len(raw))] + [list(range(len(raw)))]
    requests, order = {}, []
    for signature, make in REQUESTS[recognizer.config.frontend.name].items():
        for group in groups:
            for part in make([raw[i] for i in group], recognizer.config.frontend):
                rows, inputs = part
                for name, value in inputs.items():
                    requests[f"{len(order)}/{signature}/{name}"] = value
                order.append([group[row] for row in rows])
    answers = _fresh_process(saved_model, requests)
    differences = []
    for number, rows in enumerate(order):
        for name in expected[0]:
            answer, wanted = answers[f"{number}/{name}"], np.stack([expected[row][name] for row in rows])
            if wanted.dtype.kind != "U":
                differences.append(np.abs(answer - wanted).max())
            elif not np.array_equal(answer, wanted):
                raise UserError(
                    f"Not published: the SavedModel's {name} is {', '.join(answer)} where the trained model's is"
                    f" {', '.join(wanted)}; the run {run.path} is untouched."
                )
    difference = float(np.max(differences))
    return difference if np.isfinite(difference) else float("inf"), len(order)


def _fresh_process(saved_model, requests):
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = os.path.join(folder, "requests.npz"), os.path.join(folder, "answers.npz")
        np.savez(asked, **requests)
        command = [sys.executable, "-I", str(REPLAY), str(saved_model), asked, answered]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(f"Not published: TensorFlow cannot run the SavedModel in a fresh process: {last}")
        with np.load(answered, allow_pickle=False) as answers:
            return dict(answers)


def _raw_images(images, config):
    """Pictures of one size go into one request; yields (rows, inputs)."""
    shapes = sorted({image.shape for image in images})
    for shape in shapes:
        rows = [i for i, image in enumerate(images) if image.shape == shape]
        yield rows, {"image": np.stack([images[i] for i in rows])}


def _encoded_images(images, config):
    yield list(range(len(images))), {"encoded": _base64(tf.io.encode_png(image).numpy() for image in images)}


def _raw_clips(clips, config):
    """Padded as TensorFlow Serving pads when it merges requests: with a clip's first sample, not with 0."""
    lengths = [len(clip) for clip in clips]
    audio = [np.pad(clip, (0, max(lengths) - len(clip)), constant_values=clip[0] if len(clip) else 0) for clip in clips]
    yield list(range(len(clips))), {"audio": np.stack(audio), "length": np.array(lengths, "int32")}


def _encoded_clips(clips, config):
    wavs = (tf.audio.encode_wav(clip[:, None], config.sample_rate_hz).numpy() for clip in clips)
    yield list(range(len(clips))), {"encoded": _base64(wavs)}


def _base64(contents):
    return np.array([base64.b64encode(content) for content in contents])


REQUESTS = {
    "image": {"serving_default": _raw_images, "encoded": _encoded_images},
    "speech": {"serving_default": _raw_clips, "encoded": _encoded_clips},
}
