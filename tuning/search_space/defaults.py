"""The default search space of a configuration: about a dozen parameters, as lines for `grammar.parse`.

Thirty trials say little about twenty-five parameters, of which only a few matter anyway (Bergstra & Bengio 2012, JMLR
13, pages 281-305, section 4). So the space holds an architecture's size and regularization, a frontend's resolution and
augmentation, and the optimizer with its learning rate. Not in it: the schedule, as those that decay to zero end much
alike (Defazio et al. 2023, arXiv:2310.07831), and the warm-up; the window, which matters less than the hop; mirrored
images, as a mirrored digit is another sign.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.errors import UserError
from pipelines.frontends.speech_config import FORMS, NEUTRAL
from tfrec import architectures, tasks
from tfrec.config.schema import Config, FitConfig
from tuning.search_space.grammar import RANGE

# Values are written as in `grammar`. A range after a * is one of multiples of the configuration's own value, so that
# the search around a small network stays small; its step keeps widths divisible by the heads that share them.
# Every other range is widened, and choices are completed, to hold the configuration's own value.
SHAPE_FREE = ("dropout", "stochastic_depth")  # parameters of `model` that pretrained weights do not fix
MIN_EXTRA_DEPTH = {"time_pools": 0, "pyramid": 0, "intermediate": 1}  # fields of `model` + this = the least depth

IMAGE = {"scale": "1 1,0.9 1.1,0.8 1.2", "erase_probability": "0..0.5"}
GRAY = {"rotation_degrees": "0..20", "shift_fraction": "0..0.15"}  # written signs
COLORED = {"brightness": "0..0.3", "contrast": "0..0.4"}  # photographs, whose subjects stand upright
SPEECH = {
    "features": "log_mel,mfcc",
    "mels": "24,40,64,80",
    "coefficients": "13,20,28",
    "hop_ms": "*0.5..1.5",
    "speed": "1 1,0.95 1.05,0.9 1.1,0.85 1.15",
    "frequency_masks": "0..2",
    "time_masks": "0..2",
}

# Learning rates that match one of Adam's, at the default momentum of 0.9: SGD's steps shrink with the gradient, so that
# 0.1 matches Adam's 0.002; RMSprop's steps are as long as Adam's, but momentum adds up ten.
RATES = {"adamw": 1.0, "adam": 1.0, "sgd": 50.0, "rmsprop": 0.1}
# The best rate for another width, batch and augmentation is seldom further away; beyond it, trials diverge or crawl.
RATE_SPAN = 5
DECAY_SPAN = 10
DEFAULT_DECAY = 1e-2  # AdamW's, where the configuration has none


def lines(config: Config, models: Sequence[str] = ()) -> list[str]:
    """Returns the lines of the default search space.

    Args:
        config: The configuration that the sweep starts from.
        models: Names of the architectures to choose from; empty for the configuration's own.

    Raises:
        UserError: If an architecture is unknown, or is the only one and not the configuration's own.
    """
    own = config.model
    names = tuple(dict.fromkeys(models)) or (own.name,)
    holders = {name: own if name == own.name else architectures.default_config(name) for name in names}
    if len(names) == 1 and names[0] != own.name:
        raise UserError(f"One architecture leaves nothing to choose: name more, or give --model.name={names[0]}.")
    choice = [f"model.name={','.join(names)}"] if len(names) > 1 else []
    frontend: list[str] = []  # of pairs, whose frontend has two parts with settings of their own
    if config.frontend.name == "speech":
        frontend = _speech(config, holders)
    elif config.frontend.name == "image":
        frontend = _image(config)
    return [*choice, *_models(holders), *frontend, *_fit(config.fit)]


def _models(holders: Mapping[str, Any]) -> list[str]:
    """Lines of the architectures' own parameters; architectures that need other values get lines of their own."""
    users: dict[tuple[str, str], list[str]] = {}  # {(field, values): names of architectures}
    for name, model in holders.items():
        for field, table_values in architectures.find(name).search_space.items():
            if model.weights is None or field in SHAPE_FREE:
                low = _min_depth(model) if field == "depth" else -math.inf
                values = _values(table_values, getattr(model, field), low)
                users.setdefault((field, values), []).append(name)
    return [f"model.{field}={values}{_if(names, holders)}" for (field, values), names in users.items() if values]


def _min_depth(model: Any) -> int:
    """The least depth that the other fields of a model allow."""
    fields = {name: getattr(model, name, None) for name in MIN_EXTRA_DEPTH}
    return max([1, *(value + MIN_EXTRA_DEPTH[name] for name, value in fields.items() if value)])


def _image(config: Config) -> list[str]:
    """Lines of a frontend for images."""
    frontend = config.frontend
    # Without `channels`, only the statistics of photographs show that there are colors.
    is_colored = frontend.channels == 3 or (frontend.channels is None and frontend.normalize in ("imagenet", "caffe"))
    table = {**IMAGE, **(COLORED if is_colored else GRAY)}
    return [f"frontend.{field}={_values(values, getattr(frontend, field))}" for field, values in table.items()]


def _speech(config: Config, holders: Mapping[str, Any]) -> list[str]:
    """Lines of a frontend for speech, each for the architectures whose features it changes."""
    frontend, result = config.frontend, []

    def search(
        field: str, names: Sequence[str], *conditions: str, low: float = -math.inf, high: float = math.inf
    ) -> None:
        values = _values(SPEECH[field], getattr(frontend, field), low, high)
        if names and values:
            result.append(f"frontend.{field}={values}{_if(names, holders, *conditions)}")

    forms = {name: _form(frontend, model) for name, model in holders.items()}
    spectral = [name for name, form in forms.items() if form != "waveform"]
    untrained = [name for name in spectral if holders[name].weights is None]  # weights fix the number of bins
    either = [name for name in untrained if forms[name] == "sequence"] if _allows_mfcc(config) else []
    others = [name for name in untrained if name not in either]
    narrowest = frontend.frequency_width  # no mask may be wider than the spectrum
    search("features", either)
    search("mels", either, "frontend.features=log_mel", low=narrowest)
    search("coefficients", either, "frontend.features=mfcc", low=narrowest, high=frontend.mels)
    if frontend.features == "mfcc":
        search("coefficients", others, low=narrowest, high=frontend.mels)
    else:
        search("mels", others, low=narrowest)
    if tasks.output_kind(config.task) == "vector":
        search("hop_ms", spectral, high=frontend.window_ms)
        search("speed", [name for name in holders if name not in spectral])
    else:  # longer hops would leave fewer frames than characters, which CTC cannot align
        search("speed", list(holders))
    search("frequency_masks", spectral)
    search("time_masks", spectral)
    return result


def _form(frontend: Any, model: Any) -> str:
    """The form of the frontend's output for an architecture: sequence, picture or waveform."""
    if frontend.form != "auto":
        return frontend.form
    return next(form for form, kind in FORMS.items() if kind in architectures.find(model.name).input_kinds)


def _allows_mfcc(config: Config) -> bool:
    """Whether MFCC can replace log-mel features.

    Not for sequences of outputs, where they discard what large networks use; and not with settings that are for log
    energies only.
    """
    frontend = config.frontend
    needs_energies = frontend.range_db is not None or frontend.channel_db or frontend.tract != NEUTRAL
    needs_energies = needs_energies or frontend.normalize == "level"
    fits = frontend.frequency_width <= frontend.coefficients <= frontend.mels
    can_choose = tasks.output_kind(config.task) == "vector" and frontend.features in ("log_mel", "mfcc")
    return can_choose and fits and not needs_energies


def _fit(fit: FitConfig) -> list[str]:
    """Lines of the training: the optimizer, and for each optimizer its learning rate and decay."""
    # Adam and AdamW are the same here, as the decay is always decoupled.
    names = ("adam" if fit.optimizer == "adam" else "adamw", "sgd", "rmsprop")
    rate, decay = fit.learning_rate / RATES[fit.optimizer], fit.weight_decay * RATES[fit.optimizer] or DEFAULT_DECAY
    result = [f"fit.optimizer={','.join(names)}"]
    for name in names:
        # A step decays the weights by rate times decay, so that one has to fall where the other rises.
        result.append(f"fit.learning_rate={_log_range(rate * RATES[name], RATE_SPAN)} if fit.optimizer={name}")
        result.append(f"fit.weight_decay={_log_range(decay / RATES[name], DECAY_SPAN)} if fit.optimizer={name}")
    if fit.batch_seconds is None:
        sizes = sorted({max(1, fit.batch_size // 2), fit.batch_size, 2 * fit.batch_size})
        result.append(f"fit.batch_size={','.join(map(str, sizes))}")
    return result


def _log_range(middle: float, factor: float) -> str:
    return f"{middle / factor:.3g}..{middle * factor:.3g}:log"


def _if(names: Sequence[str], holders: Mapping[str, Any], *conditions: str) -> str:
    """The end of a line that is active for some of the architectures, and under conditions."""
    parts = [*([f"model.name={','.join(names)}"] if len(names) < len(holders) else []), *conditions]
    return f" if {' and '.join(parts)}" if parts else ""


def _values(values: str, own: Any, low: float = -math.inf, high: float = math.inf) -> str:
    """Adapts the values of a table to a configuration that has `own`; empty where `low` and `high` leave no choice."""
    match = RANGE.fullmatch(values.removeprefix("*"))
    if match is None:
        return _completed(values.split(","), own, low, high)
    first, last, options = float(match[1]), float(match[2]), match[3]
    if values.startswith("*"):
        first, last = first * own, last * own
        if isinstance(own, int):
            first, last = max(1, round(first)), round(last)
        if options.startswith(":step="):
            step = float(options.removeprefix(":step=")) * own
            options = f":step={step:g}" if step == round(step) else ""
    first, last = max(min(first, own), low), min(max(last, own), high)
    return f"{first:.4g}..{last:.4g}{options}" if first < last else ""


def _completed(choices: Sequence[str], own: Any, low: float, high: float) -> str:
    """Choices with the configuration's own, those that are numbers sorted and from `low` to `high`."""
    choices = list(dict.fromkeys([*choices, _choice(own)]))
    if isinstance(own, int | float) and not isinstance(own, bool):
        choices = sorted((choice for choice in choices if low <= float(choice) <= high), key=float)
    return ",".join(choices) if len(choices) > 1 else ""


def _choice(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(f"{part:g}" for part in value) if isinstance(value, tuple) else str(value)
