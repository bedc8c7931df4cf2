"""Convolutional block attention module (Woo et al. 2018, arXiv:1807.06521)."""

import keras
from keras import layers, ops

from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.types import Shape, Tensor


@keras.saving.register_keras_serializable("tfrec")
class ChannelStatistics(layers.Layer):
    """Mean and maximum over the channels: (batch, height, width, n) -> (batch, height, width, 2)."""

    def call(self, x: Tensor) -> Tensor:
        """The mean before the maximum."""
        return ops.concatenate([ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=-1, keepdims=True)], axis=-1)

    def compute_output_shape(self, x_shape: Shape) -> Shape:
        """The input's shape with two channels."""
        return (*x_shape[:-1], 2)


def cbam(x: Tensor, units: int, name: str) -> Tensor:
    """Scales each channel, then each place, by factors in [0, 1].

    Equation 2: the factors of the channels are a sigmoid of the sum of what one network with a hidden layer makes of
    their means and of their maxima. Equation 3: those of the places are a sigmoid of a 7x7 convolution over mean and
    maximum of the channels, with batch normalization as in the authors' code.

    Args:
        x: (batch, height, width, channels).
        units: of the hidden layer; a 16th of the channels in the paper.
        name: start of the layers' names.

    Returns:
        (batch, height, width, channels).
    """
    hidden = layers.Conv2D(units, 1, activation="relu", kernel_initializer="he_normal", name=f"{name}_reduce")
    expand = layers.Conv2D(x.shape[-1], 1, name=f"{name}_expand")
    mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    peak = layers.GlobalMaxPooling2D(keepdims=True, name=f"{name}_max")(x)
    factor = layers.Add(name=f"{name}_sum")([expand(hidden(mean)), expand(hidden(peak))])
    x = layers.Multiply(name=f"{name}_channels")([x, layers.Activation("sigmoid", name=f"{name}_channel_gate")(factor)])
    places = ChannelStatistics(name=f"{name}_statistics")(x)
    places = layers.Conv2D(1, 7, padding="same", use_bias=False, name=f"{name}_places_conv")(places)
    places = layers.Activation("sigmoid", name=f"{name}_place_gate")(batch_norm(f"{name}_places_norm")(places))
    return layers.Multiply(name=f"{name}_places")([x, places])
