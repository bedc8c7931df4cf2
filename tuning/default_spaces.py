"""What a sweep searches where nobody says what: about a dozen parameters, as lines for `grammar.parse`.

Thirty trials tell little about twenty-five parameters, of which only a few matter anyway (Bergstra & Bengio 2012, JMLR
13, pages 281-305, section 4). So an architecture has its size and what keeps it from learning by heart; a frontend has
how much it shows of a clip, and how hard it makes training; training has its step. Left to whoever writes lines of
their own: the schedule, as those that fall to nothing end much alike (Defazio et al. 2023, arXiv:2310.07831), and the
warm-up; the window, as it says less than the hop; mirrored images, as a mirrored digit is another sign.
"""

import math

from pipelines.errors import UserError
from pipelines.frontends.speech_config import FORMS, NEUTRAL
from tfrec import architectures
from tuning.grammar import RANGE

# Values, here and in SEARCH_SPACE of an architecture's module, are in the form of `grammar`. A range behind a * is one
# of multiples of the configured value, so that the search around a small network stays small. Every other range is
# widened, and choices completed, to hold the configured value.
SHAPELESS = ("dropout", "stochastic_depth")  # what weights that training starts from leave open
LEAST_DEPTH = {"time_pools": 0, "pyramid": 0, "intermediate": 1}  # fields of a model: by so much it is deeper

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

# The learning rates that tend to go with one of Adam's, at the momentum of 0.9 that is the default: SGD's steps shrink
# with the gradient, so that 0.1 stands where Adam has 0.002; RMSprop's are as long as Adam's, but momentum adds up ten.
RATES = {"adamw": 1.0, "adam": 1.0, "sgd": 50.0, "rmsprop": 0.1}
# Tuned for another width, batch and augmentation, the best rate is seldom off by more; beyond, trials fail or crawl.
RATE_SPAN = 5
DECAY_SPAN = 10
DECAY = 1e-2  # AdamW's, where the configuration has none


def lines(config, models=()):
    """The lines of what a sweep from `config`, a Config, searches by default.

    `models` are architectures to choose among; none are the configuration's own. UserError for unknown ones, and for a
    single other one, which is no choice.
    """
    names = tuple(dict.fromkeys(models)) or (config.model.name,)
    own = config.model
    holders = {name: own if name == own.name else architectures.default_config(name) for name in names}
    if len(names) == 1 and names[0] != own.name:
        raise UserError(f"One architecture leaves nothing to choose: name more, or give --model.name={names[0]}.")
    choice = [f"model.name={','.join(names)}"] if len(names) > 1 else []
    frontend = _speech if config.frontend.name == "speech" else _image
    return [*choice, *_models(holders), *frontend(config, holders), *_fit(config.fit)]


def _models(holders):
    """Lines of the architectures' own parameters; those that want other values get lines of their own."""
    ways = {}
    for name, model in holders.items():
        for field, wanted in architectures.find(name).search_space.items():
            if model.weights is None or field in SHAPELESS:
                low = _least_depth(model) if field == "depth" else -math.inf
                ways.setdefault((field, _around(wanted, getattr(model, field), low)), []).append(name)
    return [f"model.{field}={values}{_if(names, holders)}" for (field, values), names in ways.items() if values]


def _least_depth(model):
    """What the other fields of a model ask of its depth."""
    return max([1, *(value + more for field, more in LEAST_DEPTH.items() if (value := getattr(model, field, None)))])


def _image(config, _):
    frontend = config.frontend
    # Without channels, only the statistics of photographs tell that there are colors.
    colored = frontend.channels == 3 or (frontend.channels is None and frontend.normalize in ("imagenet", "caffe"))
    wanted = {**IMAGE, **(COLORED if colored else GRAY)}
    return [f"frontend.{field}={_around(values, getattr(frontend, field))}" for field, values in wanted.items()]


def _speech(config, holders):
    """Lines of a frontend for speech, each for the architectures whose features it changes."""
    frontend, result = config.frontend, []

    def search(field, names, *conditions, low=-math.inf, high=math.inf):
        values = _around(SPEECH[field], getattr(frontend, field), low, high)
        if names and values:
            result.append(f"frontend.{field}={values}{_if(names, holders, *conditions)}")

    forms = {name: _form(frontend, model) for name, model in holders.items()}
    spectral = [name for name, form in forms.items() if form != "waveform"]
    fitting = [name for name in spectral if holders[name].weights is None]  # weights know the bins they come from
    either = [name for name in fitting if forms[name] == "sequence"] if _may_be_mfcc(config) else []
    others = [name for name in fitting if name not in either]
    bins = {"low": frontend.frequency_width}  # no mask may be wider
    search("features", either)
    search("mels", either, "frontend.features=log_mel", **bins)
    search("coefficients", either, "frontend.features=mfcc", **bins, high=frontend.mels)
    if frontend.features == "mfcc":
        search("coefficients", others, **bins, high=frontend.mels)
    else:
        search("mels", others, **bins)
    if config.task.name == "classify":
        search("hop_ms", spectral, high=frontend.window_ms)
        search("speed", [name for name in holders if name not in spectral])
    else:  # longer hops would leave fewer steps than characters, which CTC cannot align
        search("speed", list(holders))
    search("frequency_masks", spectral)
    search("time_masks", spectral)
    return result


def _form(frontend, model):
    """What the frontend makes for an architecture: sequence, picture or waveform."""
    if frontend.form != "auto":
        return frontend.form
    return next(form for form, kind in FORMS.items() if kind in architectures.find(model.name).input_kinds)


def _may_be_mfcc(config):
    """Whether MFCC can stand for log-mel.

    Not for transcription, where they throw away what large networks use; and not with what is for log energies alone.
    """
    frontend = config.frontend
    energies = frontend.range_db is not None or frontend.channel_db or frontend.tract != NEUTRAL
    possible = frontend.frequency_width <= frontend.coefficients <= frontend.mels
    either = config.task.name == "classify" and frontend.features in ("log_mel", "mfcc")
    return either and possible and not energies


def _fit(fit):
    """Lines of the training: the optimizer, and for each its learning rate and decay."""
    # Adam and AdamW are one here, as decay is always decoupled.
    names = ("adam" if fit.optimizer == "adam" else "adamw", "sgd", "rmsprop")
    rate, decay = fit.learning_rate / RATES[fit.optimizer], fit.weight_decay * RATES[fit.optimizer] or DECAY
    result = [f"fit.optimizer={','.join(names)}"]
    for name in names:
        # What decays is rate times decay, so that one has to fall where the other rises.
        result.append(f"fit.learning_rate={_span(rate * RATES[name], RATE_SPAN)} if fit.optimizer={name}")
        result.append(f"fit.weight_decay={_span(decay / RATES[name], DECAY_SPAN)} if fit.optimizer={name}")
    if fit.batch_seconds is None:
        sizes = sorted({max(1, fit.batch_size // 2), fit.batch_size, 2 * fit.batch_size})
        result.append(f"fit.batch_size={','.join(map(str, sizes))}")
    return result


def _span(middle, factor):
    return f"{middle / factor:.3g}..{middle * factor:.3g}:log"


def _if(names, holders, *conditions):
    """The end of a line that counts for those of the architectures, and under conditions."""
    conditions = [*([f"model.name={','.join(names)}"] if len(names) < len(holders) else []), *conditions]
    return f" if {' and '.join(conditions)}" if conditions else ""


def _around(values, own, low=-math.inf, high=math.inf):
    """Values of a table for a configuration that has `own`, from `low` to `high`; empty where that leaves no choice."""
    found = RANGE.fullmatch(values.removeprefix("*"))
    if found is None:
        return _completed(values.split(","), own, low, high)
    first, last, options = float(found[1]), float(found[2]), found[3]
    if values.startswith("*"):
        first, last = first * own, last * own
        if isinstance(own, int):
            first, last = max(1, round(first)), round(last)
        if options.startswith(":step="):
            step = float(options.removeprefix(":step=")) * own
            options = f":step={step:g}" if step == round(step) else ""
    first, last = max(min(first, own), low), min(max(last, own), high)
    return f"{first:.4g}..{last:.4g}{options}" if first < last else ""


def _completed(choices, own, low, high):
    if isinstance(own, bool):
        own = str(own).lower()
    text = " ".join(f"{part:g}" for part in own) if isinstance(own, tuple) else str(own)
    choices = list(dict.fromkeys([*choices, text]))
    if isinstance(own, int | float):
        choices = sorted((choice for choice in choices if low <= float(choice) <= high), key=float)
    return ",".join(choices) if len(choices) > 1 else ""
