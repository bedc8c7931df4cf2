"""Normalization with the settings that all architectures share."""

from keras import layers

from tfrec.architectures.config import check
from tfrec.architectures.types import Tensor


def batch_norm(name: str, epsilon: float = 1e-3, scale: bool = True) -> layers.BatchNormalization:
    """Batch normalization whose moving averages follow within tens of steps, as PyTorch's do.

    The momentum of 0.99 or 0.999 in Keras's own networks needs thousands of steps, which small datasets do not have.

    Args:
        name: of the layer.
        epsilon: added to the variance.
        scale: whether there is a learned scale.

    Returns:
        The layer.
    """
    return layers.BatchNormalization(momentum=0.9, epsilon=epsilon, scale=scale, name=name)


def normalize_sequence(x: Tensor, mask: Tensor, norm: str, name: str) -> Tensor:
    """Normalizes a sequence over its true frames.

    Args:
        x: (batch, frames, units).
        mask: bool (batch, frames), true inside the clip.
        norm: "layer" normalizes each frame, "batch" each unit over all true frames, "none" nothing.
        name: of the added layer.

    Returns:
        (batch, frames, units).

    Raises:
        ValueError: for another `norm`.
    """
    check(norm in ("none", "batch", "layer"), "model.norm must be none, batch or layer", norm)
    if norm == "batch":
        return batch_norm(name)(x, mask=mask)
    return x if norm == "none" else layers.LayerNormalization(epsilon=1e-6, name=name)(x)
