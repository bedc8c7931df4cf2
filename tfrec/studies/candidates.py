"""The models of a comparison: from words to configurations."""

import dataclasses
import re

from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.config import flags
from tfrec.config.schema import Config

SECTIONS = ("model", "frontend", "task", "fit")  # which may differ from model to model; the data may not
EPOCHS = 1_000_000  # for a budget of time to end the training


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A model to train: `label` is its run's folder, `settings` its own flags, `words` all those of `tfrec.fit`."""

    label: str
    settings: dict
    words: tuple[str, ...]
    config: Config


def parse(models, experiment, words, budget_minutes):
    """`--models`, an experiment or None and the flags for all -> a Candidate for each model.

    Raises UserError for an unknown model, flag or value: before anything is trained.
    """
    entries = _entries(models)
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
                raise UserError(f"task.name {config.task.name!r} has no accuracy to compare by: take classify.")
            candidates.append(Candidate(label, settings, tuple(all_words), config))
        except UserError as error:
            errors[label] = str(error)
    require_none(errors, len(entries))
    return candidates


def require_none(errors, count):
    """UserError for the first of {label: mistake}; without its label where all `count` models share the mistake."""
    if errors:
        label, said = next(iter(errors.items()))
        shared = len(errors) == count and set(errors.values()) == {said}
        raise UserError(said if shared else f"{label}: {said}")


def _entries(models):
    """`--models` -> [(label, name, {setting: value})]; a setting belongs to the model that stands before it."""
    entries = []
    for token in re.split(r"[,\s]+", ",".join(models)):
        setting = re.fullmatch("(?:([^:=]+):)?([^:=]+)=(.+)", token)
        name = setting[1] if setting else token
        if name:
            architectures.default_config(name)  # UserError for one that is not known
            count = 1 + sum(name == other for _, other, _ in entries)
            entries.append((name if count == 1 else f"{name}-{count}", name, {}))
        if setting:
            if not entries:
                raise UserError(f"--models begins with the setting {token!r}: write NAME:SETTING=VALUE,SETTING=VALUE.")
            entries[-1][2][setting[2]] = setting[3]
    return entries


def _as_flags(settings, label):
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
