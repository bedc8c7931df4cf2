"""The models of a comparison: from the command line to one configuration each."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.config import flags
from tfrec.config.schema import Config

SECTIONS = ("model", "frontend", "task", "fit")  # may differ from model to model; the data may not
EPOCHS = 1_000_000  # more than any time budget has room for


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A model to train."""

    label: str  # name of its run's folder
    settings: dict[str, str]  # its own settings
    words: tuple[str, ...]  # all words for `tfrec.fit`
    config: Config


def parse(
    models: Sequence[str], experiment: str | None, words: Sequence[str], budget_minutes: float
) -> list[Candidate]:
    """Parses the command line of a comparison; trains nothing.

    Args:
        models: words of `--models`.
        experiment: name of an experiment, or None.
        words: flags of `tfrec.fit` for all models.
        budget_minutes: time budget of each training.

    Returns:
        A candidate for each model.

    Raises:
        UserError: for an unknown model, flag or value.
    """
    entries = _split_entries(models)
    if not entries:
        raise UserError("Name the models: --models vgg16,resnet50,...; `python -m tfrec list architectures` has all.")
    candidates, errors = [], {}
    for label, name, settings in entries:
        all_words = [
            *([experiment] if experiment else []),
            "--export.no_after_fit",
            f"--fit.epochs={EPOCHS}",
            *words,
            f"--model.name={name}",
            *_as_flags(settings, label),
            f"--fit.budget_minutes={budget_minutes}",
        ]
        try:
            config = flags.to_config(flags.parse_fit(all_words)[1])
            if "accuracy" not in tasks.scores(config.task):
                raise UserError(
                    f"task.name {config.task.name!r} has no accuracy to compare by: choose another task.name."
                )
            candidates.append(Candidate(label, settings, tuple(all_words), config))
        except UserError as error:
            errors[label] = str(error)
    require_no_errors(errors, len(entries))
    return candidates


def require_no_errors(errors: Mapping[str, str], count: int) -> None:
    """Raises UserError for the first of some models' errors.

    Args:
        errors: {label: message}.
        count: number of all models; where they share one error, the message names no model.
    """
    if errors:
        label, message = next(iter(errors.items()))
        shared = len(errors) == count and set(errors.values()) == {message}
        raise UserError(message if shared else f"{label}: {message}")


def _split_entries(models: Sequence[str]) -> list[tuple[str, str, dict[str, str]]]:
    """`--models` -> [(label, name, {setting: value})]; a setting belongs to the model before it."""
    entries: list[tuple[str, str, dict[str, str]]] = []
    for token in re.split(r"[,\s]+", ",".join(models)):
        setting = re.fullmatch("(?:([^:=]+):)?([^:=]+)=(.+)", token)
        name = setting[1] if setting else token
        if name:
            architectures.default_config(name)  # UserError for an unknown one
            count = 1 + sum(name == other for _, other, _ in entries)
            entries.append((name if count == 1 else f"{name}-{count}", name, {}))
        if setting:
            if not entries:
                raise UserError(f"--models begins with the setting {token!r}: write NAME:SETTING=VALUE,SETTING=VALUE.")
            entries[-1][2][setting[2]] = setting[3]
    return entries


def _as_flags(settings: Mapping[str, str], label: str) -> list[str]:
    """{"width_multiplier": "0.5", "fit.clip_norm": "1"} -> flags of `tfrec.fit`; bare names are those of the model."""
    words = []
    for name, value in settings.items():
        section, _, field = name.rpartition(".")
        section = section or "model"
        if section not in SECTIONS:
            raise UserError(f"{label}: {name} must be the same for all models: give it as --{name}.")
        if (section, field) in (("model", "name"), ("fit", "budget_minutes")):
            raise UserError(f"{label}: {name} cannot be set for one model; leave it out.")
        switches = {"true": f"--{section}.{field}", "false": f"--{section}.no_{field}"}
        words.append(switches.get(value.lower(), f"--{section}.{field}={value}"))
    return words
