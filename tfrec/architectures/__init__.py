"""The registry of architectures: a name, the module that builds it, and the config that makes it what it is called.

A module offers `Config`, `build(input_shape, num_classes, config)` and `TAKES`, the kinds of features it accepts:
"image" (height, width, channels) or "sequence" (frames, bins).
"""

import dataclasses

from pipelines.errors import UserError, unknown
from tfrec.architectures.image import cnn, mlp
from tfrec.architectures.speech import lstm

ARCHITECTURES = {
    "cnn": (cnn, cnn.Config()),
    "lstm": (lstm, lstm.Config()),
    "mlp": (mlp, mlp.Config()),
}


def default_config(name):
    """The config that an architecture's name stands for; UserError for an unknown name."""
    if name not in ARCHITECTURES:
        raise unknown("architecture", name, ARCHITECTURES)
    return dataclasses.replace(ARCHITECTURES[name][1], name=name)


def build(input_shape, num_classes, config, takes):
    """The Keras model of `config` from features of kind `takes` to logits.

    UserError when the architecture does not take that kind of features, or not of that shape.
    """
    module = ARCHITECTURES[config.name][0]
    if takes not in module.TAKES:
        fit = [name for name, (other, _) in ARCHITECTURES.items() if takes in other.TAKES]
        raise UserError(
            f"model.name {config.name!r} takes {' or '.join(module.TAKES)} features, but the data gives {takes}"
            f" features: choose {' or '.join(map(repr, fit))}."
        )
    try:
        return module.build(input_shape, num_classes, config)
    except ValueError as error:
        raise UserError(f"Cannot build model.name {config.name!r} as configured: {error}") from error
