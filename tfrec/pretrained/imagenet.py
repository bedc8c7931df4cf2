"""The weights of keras.applications, trained on ImageNet."""

import contextlib
import errno
import functools
import itertools
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import keras

from pipelines.errors import UserError
from tfrec import architectures
from tfrec.pretrained.layers import MisfitError, StoredLayers, StoredParts, layers_with_weights, same_kind

if TYPE_CHECKING:
    from tfrec.architectures.base import ImageModelConfig

CLASSES = 1000


def find(model: "ImageModelConfig") -> tuple[str, str]:
    """Finds the published weights of an architecture.

    Args:
        model: config of the network that the weights are for.

    Returns:
        The name of the constructor in keras.applications, and the `frontend.normalize` of its training.

    Raises:
        UserError: where no weights are published, or only for a network of another size.
    """
    table: dict[str, tuple[str, str]] = {}
    for module, _ in architectures.ARCHITECTURES.values():
        table.update(getattr(module, "IMAGENET", {}))
    if model.name not in table:
        raise UserError(
            f"model.weights imagenet does not exist for model.name {model.name!r}: choose"
            f" {' or '.join(map(repr, sorted(table)))}, or leave --model.weights out."
        )
    published = architectures.default_config(model.name)
    for field in ("width_multiplier", "depth_multiplier"):
        expected, received = getattr(published, field), getattr(model, field)
        if received != expected:
            raise UserError(
                f"model.weights imagenet is for model.{field} {expected}, not {received}: set --model.{field}"
                f" {expected}, or leave --model.weights out."
            )
    return table[model.name]


@contextlib.contextmanager
def open_layers(constructor: str, net: keras.Model) -> Iterator[StoredLayers]:
    """Context with the published weights, which Keras downloads; layers pair up with those of `net` by order.

    Args:
        constructor: name in keras.applications.
        net: network that the weights are for; unless it has the 1,000 classes of ImageNet, the head is left out.

    Yields:
        A function from a layer to its stored parts, by the names of the layers in `net`; it raises MisfitError.

    Raises:
        UserError: where the weights cannot be downloaded or read.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # about the input size, which Keras takes to be the published
            published = getattr(keras.applications, constructor)(
                weights="imagenet", include_top=net.output_shape[-1] == CLASSES
            )
    except Exception as error:  # Keras raises plain exceptions where the download fails
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        message = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"The published weights of {constructor} cannot be loaded ({message}): connect to the Internet or, if a"
            " download was interrupted, delete its file in ~/.keras/models."
        ) from error
    pairs = itertools.zip_longest(layers_with_weights(published), layers_with_weights(net))
    yield {
        target.name if target else f"{source.name} of {constructor}": functools.partial(_read, source)
        for source, target in pairs
        if source
    }


def _read(source: keras.Layer, target: keras.Layer) -> StoredParts:
    if not same_kind(source, target):
        raise MisfitError(f"is a {type(source).__name__} in the weights")
    values = source.get_weights()
    if len(values) != len(target.weights):
        raise MisfitError(f"holds {len(values)} arrays in the weights and {len(target.weights)} in this network")
    return [(target, {str(i): value for i, value in enumerate(values)})]
