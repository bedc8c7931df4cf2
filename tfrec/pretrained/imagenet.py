"""The weights of keras.applications, trained on ImageNet, and how weights pass between networks of one structure."""

import contextlib
import errno
import functools
import itertools
import warnings

import keras

from pipelines.errors import UserError
from tfrec import architectures
from tfrec.pretrained.weights_file import MisfitError

CLASSES = 1000


def find(model):
    """(constructor's name in keras.applications, the `frontend.normalize` its weights want) for a ModelConfig.

    UserError where there is none.
    """
    entries = map(architectures.find, architectures.ARCHITECTURES)
    table = {entry.name: entry.imagenet for entry in entries if entry.imagenet}
    if model.name not in table:
        raise UserError(
            f"model.weights imagenet does not exist for model.name {model.name!r}: choose"
            f" {' or '.join(map(repr, sorted(table)))}, or leave --model.weights out."
        )
    published = architectures.default_config(model.name)
    for field in ("width_multiplier", "depth_multiplier"):
        there, here = getattr(published, field), getattr(model, field)
        if here != there:
            raise UserError(
                f"model.weights imagenet is for model.{field} {there}, not {here}: set --model.{field} {there}, or"
                " leave --model.weights out."
            )
    return table[model.name]


@contextlib.contextmanager
def layers(constructor, net):
    """{name of a layer of `net`: function from it to its parts}, downloaded by Keras, paired by order.

    The head is left out unless `net` has as many classes as ImageNet. UserError where there is no network.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # that it takes the published size for granted
            published = getattr(keras.applications, constructor)(
                weights="imagenet", include_top=net.output_shape[-1] == CLASSES
            )
    except Exception as error:  # Keras raises no other where the network fails
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"The published weights of {constructor} cannot be loaded ({said}): connect to the network or, if a"
            " download was cut short, delete its file in ~/.keras/models."
        ) from error
    pairs = itertools.zip_longest(in_order(published), in_order(net))
    yield {
        target.name if target else f"{source.name} of {constructor}": functools.partial(_parts, source)
        for source, target in pairs
        if source
    }


def _parts(source, target):
    if not _same_kind(source, target):
        raise MisfitError(f"is a {type(source).__name__} there")
    values = source.get_weights()
    if len(values) != len(target.weights):
        raise MisfitError(f"holds another number of arrays there, {len(values)}, than here, {len(target.weights)}")
    return [(target, {str(i): value for i, value in enumerate(values)})]


def in_order(model):
    """The layers that hold weights, in the order of `model.layers`.

    Without `keras.layers.Normalization`: what it holds belongs to the features, not to the network.
    """
    return [layer for layer in model.layers if layer.weights and not isinstance(layer, keras.layers.Normalization)]


def transfer(source_model, target_model):
    """Copies all weights between two networks of one structure, layer by layer in order; names need not agree.

    Raises ValueError, before anything is copied, at the first pair of layers that differs in kind or in the shapes of
    its weights.
    """
    sources, targets = in_order(source_model), in_order(target_model)
    for source, target in itertools.zip_longest(sources, targets):
        fits = source and target and _same_kind(source, target) and _shapes(source) == _shapes(target)
        if not fits:
            raise ValueError(
                "Layers with weights must pair up in number, kind and shapes. Received:"
                f" {_described(source)} of {source_model.name} for {_described(target)} of {target_model.name}"
            )
    for source, target in zip(sources, targets, strict=True):
        target.set_weights(source.get_weights())


def _same_kind(one, other):
    return isinstance(one, type(other)) or isinstance(other, type(one))


def _shapes(layer):
    return [tuple(weight.shape) for weight in layer.weights]


def _described(layer):
    return f"{type(layer).__name__} {layer.name!r} {_shapes(layer)}" if layer else "no layer"
