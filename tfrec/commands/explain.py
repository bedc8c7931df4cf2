"""Show which parts of files made a run answer what it answers: `tfrec explain RUN FILE...`."""

import dataclasses
import functools
import json
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import soundfile
import tyro
from rich.table import Table

from pipelines import paths
from pipelines.errors import UserError, unknown
from tfrec import explanations
from tfrec.config import flags
from tfrec.explanations import audible, checks, of_words
from tfrec.explanations.example import Example, of_class
from tfrec.explanations.grad_cam import grad_cam
from tfrec.predictions import sources
from tfrec.recognizer import Recognizer
from tfrec.reports import explanations as drawings
from tfrec.runs.run import Run
from tfrec.utils.console import console, messages_to_stderr


@dataclasses.dataclass(frozen=True)
class Arguments:
    """A picture of what mattered in each file, and of a clip two WAV files: what mattered alone, and the rest.

    Of a transcript it is a picture of the frames that made each word.
    """

    run: tyro.conf.Positional[str]  # run folder
    files: tyro.conf.Positional[tuple[str, ...]]  # pictures or audio, or folders of them
    # attention_rollout is for networks with self-attention, grad_cam for those with maps
    method: Literal["integrated_gradients", "grad_cam", "attention_rollout", "occlusion"] = "integrated_gradients"
    layer: str | None = None  # of grad_cam: whose map is shown; None is the last one before the pooling
    target: str | None = None  # class to explain; None is the one that is recognized
    keep: float = 0.3  # share of a clip's energy in the WAV file of what mattered
    check: bool = False  # also test the maps: with random weights, and by covering and showing what mattered
    output: str | None = None  # folder to write; None is RUN/explanations
    json: bool = False  # print a JSON object for each file, on a line

    def __post_init__(self) -> None:
        if not 0 < self.keep < 1:
            raise ValueError(f"keep must be above 0 and below 1. Received: {self.keep}")
        if self.layer is not None and self.method != "grad_cam":
            raise ValueError(f"layer is of --method grad_cam: leave it out for {self.method}")


def main(argv: Sequence[str]) -> int:
    """Writes an explanation of each file that can be read; returns 1 if one cannot."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec explain")
    if not arguments.files:
        raise UserError("Name at least one file after the run.")
    run = Run.open(arguments.run)
    with messages_to_stderr(arguments.json):
        recognizer = Recognizer.from_run(run)
        folder = pathlib.Path(arguments.output) if arguments.output else run.path / "explanations"
        explain = _function(arguments, recognizer, folder)
        found = sources.find(arguments.files, recognizer.modality)
        folder.mkdir(parents=True, exist_ok=True)
        rows, status = [], 0
        for source in found:
            try:
                if source.error:
                    raise source.error
                row = {"file": paths.shown(source.path), **explain(source)}
            except UserError as error:
                print(f"error: {error}", file=sys.stderr)
                status = 1
                continue
            rows.append(row)
            if arguments.json:
                print(json.dumps(row, ensure_ascii=False), flush=True)
    if not arguments.json and rows:
        _print(rows)
        console.print(f"In {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}.")
    return status


def _function(
    arguments: Arguments, recognizer: Recognizer, folder: pathlib.Path
) -> Callable[[sources.Source], dict[str, Any]]:
    """From a file to what is printed of its explanation; UserError for a run of another kind."""
    task = recognizer.task
    if task.name == "transcribe" and recognizer.modality == "audio":
        defaults = Arguments(run="", files=())
        used = [flag for flag in ("method", "target", "check") if getattr(arguments, flag) != getattr(defaults, flag)]
        if used:
            raise UserError(f"--{' and --'.join(used)}: of a transcriber the words are explained; leave it out.")
        return functools.partial(_explain_words, recognizer, folder)
    if task.label_kind != "classes" or recognizer.modality == "image_audio":
        raise UserError(f"{arguments.run} gives no classes and no text of one file, which explain needs: give another.")
    index = None
    if arguments.target is not None:
        if arguments.target not in task.class_names:
            raise unknown("class", arguments.target, task.class_names)
        index = list(task.class_names).index(arguments.target)
    untrained = Recognizer(recognizer.config, task.labels).inference_network if arguments.check else None
    return lambda source: _explain_class(arguments, recognizer, folder, source, index, untrained)


def _explain_class(
    arguments: Arguments,
    recognizer: Recognizer,
    folder: pathlib.Path,
    source: sources.Source,
    index: int | None,
    untrained: Any,
) -> dict[str, Any]:
    """Explains the class of one file."""
    raw = recognizer.read(source.path)
    example, probabilities = of_class(recognizer, raw, index)
    index = int(np.argmax(probabilities)) if index is None else index
    method = explanations.METHODS[arguments.method]
    if arguments.layer is not None:
        method = functools.partial(grad_cam, layer=arguments.layer)
    relevance = method(example)
    label = recognizer.task.class_names[index]
    row = {"class": label, "probability": round(float(probabilities[index]), 4), "method": arguments.method}
    title = f"{os.path.basename(source.path)}: {label} {probabilities[index]:.1%}, {arguments.method}"
    path = _place(folder, source, ".png")
    if recognizer.modality == "image":
        pixels = np.asarray(recognizer.frontend.resize(raw[None].astype("float32")))[0]
        drawings.picture(pixels, relevance, title, path)
    else:
        row |= _write_clip(arguments, recognizer, raw, example, relevance, title, path)
    return row | (_checked(example, method, relevance, index, untrained) if untrained is not None else {})


def _write_clip(
    arguments: Arguments,
    recognizer: Recognizer,
    raw: np.ndarray,
    example: Example,
    relevance: np.ndarray,
    title: str,
    path: pathlib.Path,
) -> dict[str, Any]:
    """Draws the map of a clip, and writes what mattered and the rest as WAV files."""
    rate, frontend = recognizer.config.frontend.sample_rate_hz, recognizer.frontend
    where = audible.axes(frontend, len(raw), example.cells)
    bins = None if where.hertz is None else len(where.hertz)
    shown = example.features.reshape(*example.cells, -1)[..., 0]
    if bins is not None:
        shown, relevance = shown[:, :bins], audible.per_bin(relevance, bins)
    drawings.clip(shown, relevance, where.seconds, where.hertz, title, path)
    parts = audible.split(raw, rate, relevance, where, arguments.keep)
    for kind in ("kept", "removed"):
        soundfile.write(path.with_name(f"{path.stem}_{kind}.wav"), np.clip(getattr(parts, kind), -1, 1), rate)
    return {"energy_kept": round(parts.share, 4)}


def _checked(example: Example, method: Any, relevance: np.ndarray, index: int, untrained: Any) -> dict[str, Any]:
    """The figures of the tests of a map."""
    probability = checks.class_probability(example, index)
    own, other = checks.curves(example, relevance, probability), checks.random_curves(example, probability)
    similarity = checks.randomized_similarity(example, method, relevance, untrained)
    figures = {
        "similarity_to_random_weights": similarity,
        "deletion": own.deletion_area,
        "deletion_random": other.deletion_area,
        "insertion": own.insertion_area,
        "insertion_random": other.insertion_area,
    }
    return {name: round(value, 4) for name, value in figures.items()}


def _explain_words(recognizer: Recognizer, folder: pathlib.Path, source: sources.Source) -> dict[str, Any]:
    """Explains each word of one recording."""
    raw = recognizer.read(source.path)
    features, words = of_words.explain_words(recognizer, raw)
    if not words:
        raise UserError(f"{paths.shown(source.path)} has an empty transcript: there is no word to explain.")
    seconds = audible.axes(recognizer.frontend, len(raw), features.shape).seconds
    text = " ".join(word for word, _ in words)
    drawings.words(features, words, seconds, f"{os.path.basename(source.path)}: {text}", _place(folder, source, ".png"))
    strongest = [round(float(seconds[np.abs(relevance).argmax()]), 3) for _, relevance in words]
    return {"text": text, "strongest_s": strongest}


def _place(folder: pathlib.Path, source: sources.Source, suffix: str) -> pathlib.Path:
    """The file of a source's explanation, in the same sub-folder as in the folder that was named."""
    path = folder / source.name.with_name(source.name.name + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _print(rows: Sequence[dict[str, Any]]) -> None:
    table = Table(*(name.replace("_", " ") for name in rows[0]))
    for row in rows:
        table.add_row(*(value if isinstance(value, str) else str(value) for value in row.values()))
    console.print(table)
