"""Base classes of the preprocessing layers."""

from typing import Any

import keras
from keras import ops

Tensor = Any
Shape = tuple[int | None, ...]


class Float32Layer(keras.layers.Layer):
    """A layer that computes in float32 under every dtype policy, mixed precision included.

    Features need float32: a power spectrum exceeds the range of float16. `compute_output_shape` returns the input's
    shape; layers that change the shape override it.

    Args:
        dtype: float32, as a name or as a policy.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: `dtype` is not float32.
    """

    def __init__(self, dtype: Any = "float32", **kwargs: Any) -> None:
        if keras.dtype_policies.get(dtype).compute_dtype != "float32":
            raise ValueError(f"{type(self).__name__} computes in float32 only. Received: dtype={dtype}")
        super().__init__(dtype="float32", **kwargs)

    def compute_output_shape(self, input_shape: Shape) -> tuple[Any, ...]:
        """The input's shape."""
        return tuple(input_shape)


def for_each_frame(values: Tensor, frames: Tensor | None) -> Tensor:
    """Repeats what was drawn for each moving picture for every one of its pictures.

    Args:
        values: `(moving pictures, ...)`.
        frames: Pictures of each, an int or a scalar tensor; None returns the values as they are.

    Returns:
        `(moving pictures * frames, ...)`.
    """
    if frames is None:
        return values
    count, *rest = ops.shape(values)
    return ops.reshape(ops.broadcast_to(values[:, None], (count, frames, *rest)), (-1, *rest))


class RandomLayer(Float32Layer):
    """A layer that augments each example independently, and only with `training=True`.

    Args:
        seed: Seed of the layer's random numbers; None takes one from Keras's global seed.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "seed": self.seed}
