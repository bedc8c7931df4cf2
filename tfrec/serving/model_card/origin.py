"""What a model was made of: data, splits, seeds, software, and the commands that repeat it."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfrec.runs import environment, splits
from tfrec.runs.run import Run
from tfrec.serving.model_card import markdown

if TYPE_CHECKING:
    from tfrec.config.schema import Config


def data(config: Config, run: Run, metrics: Mapping[str, Any]) -> Iterator[str]:
    """The corpus, its splits with their sizes, and what identifies its files."""
    yield "## Data"
    yield ""
    path = getattr(config.data, "path", None)
    yield f"Dataset: `{config.data.name}`{f' at `{path}`' if path else ''}. Frontend: `{config.frontend.name}`."
    settings = {name: getattr(config.data, name, None) for name in ("split", "split_by", "split_seed")}
    if named := [f"`data.{name} {value}`" for name, value in settings.items() if value is not None]:
        yield f"Splits by {', '.join(named)}."
    rows = splits.read(run)
    if rows is None:
        counts = [(name, metrics.get(name, {})) for name in splits.ALL]
        sizes = [(name, part.get("examples", part.get("utterances"))) for name, part in counts]
        cells = [(name, "not recorded" if size is None else f"{size:,}") for name, size in sizes]
        yield from markdown.table(("split", "examples"), cells)
        yield "The files have no fingerprint: the data is read by its name, not from files that the run lists."
        yield "`tfrec check` with the flags of the training counts the training examples."
        yield ""
        return
    yield "Fingerprint: BLAKE2b of the sorted fingerprints of a split's files, which `splits.csv` of the run lists."
    files = []
    for name in splits.ALL:
        chosen = [row for row in rows if row.split == name]
        speakers = len({row.speaker for row in chosen if row.speaker})
        files.append((name, f"{len(chosen):,}", f"{speakers:,}" if speakers else "-", _fingerprint(chosen)))
    yield from markdown.table(("split", "files", "speakers", "fingerprint"), files)
    labels = Counter(row.label for row in rows if row.split == "train" and row.label)
    if len(labels) > 1:
        (most, high), *_, (least, low) = labels.most_common()
        yield f"Training files of a class: from {low:,} ({least}) to {high:,} ({most})."
        yield ""


def _fingerprint(rows: Sequence[Any]) -> str:
    prints = sorted(row.fingerprint for row in rows if row.fingerprint)
    if not rows or len(prints) < len(rows):
        return "not recorded"
    return hashlib.blake2b("\n".join(prints).encode(), digest_size=16).hexdigest()


def training(config: Config, run: Run, metrics: Mapping[str, Any]) -> Iterator[str]:
    """Seed, size, time, and software and machine of the last start."""
    yield "## Training"
    yield ""
    kept, history, last = run.read_kept_epochs(), run.read_history(), _starts(run)[-1]
    facts = [
        ("architecture", config.model.name),
        ("parameters", f"{metrics['parameters']:,}" if "parameters" in metrics else None),
        ("initial weights", getattr(config.model, "weights", None) or "random"),
        ("seed", config.seed),
        ("epochs", config.fit.epochs),
        ("epochs of the weights", ", ".join(map(str, kept)) or None),
        ("precision", config.fit.precision),
        ("minutes", f"{history[-1]['minutes']:.1f}" if history else None),
        ("starts", len(environment.read(run)) or None),
        ("date", last.get("date")),
        ("machine", _machine(last)),
        ("software", _software(last)),
        ("commit of tfrec", last.get("git_commit")),
    ]
    rows = [(name, "not recorded" if value is None else value) for name, value in facts]
    yield from markdown.table(("what", "value"), rows)


def _starts(run: Run) -> Sequence[Mapping[str, Any]]:
    """The starts of the training, one that says nothing where the run has none."""
    return environment.read(run) or [{}]


def _machine(start: Mapping[str, Any]) -> str | None:
    if "platform" not in start:
        return None
    return f"{start['platform']}, {start.get('cpus')} processors"


def _software(start: Mapping[str, Any]) -> str | None:
    if "packages" not in start:
        return None
    versions = [f"Python {start.get('python')}", *(f"{k} {v}" for k, v in start["packages"].items())]
    return ", ".join(versions)


def commands(run: Run) -> Iterator[str]:
    """The commands that train, measure and export the model again."""
    yield "## Repeat it"
    yield ""
    yield "```bash"
    yield _training_command(run, _starts(run)[0].get("command"))
    yield f"tfrec evaluate {shlex.quote(str(run.path))}"
    yield f"tfrec export {shlex.quote(str(run.path))}"
    yield "```"
    yield ""
    yield "`config.json` of the run has every setting, in full."
    yield ""


def _training_command(run: Run, words: Sequence[str] | None) -> str:
    """The command of a training, as it is typed; a comment where a program has trained."""
    program = os.path.basename(words[0]) if words else ""
    arguments = list(words[1:]) if words else []
    if program == "fit.py":
        return shlex.join(["tfrec", "fit", *arguments])
    if program in ("tfrec", "__main__.py") and arguments:
        return shlex.join(["tfrec", *arguments])
    return f"# trained by a program: tfrec.train(config=...) with {shlex.quote(str(run.path / 'config.json'))}"
