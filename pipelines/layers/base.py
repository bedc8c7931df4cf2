"""What every preprocessing layer has in common."""

import keras


class Float32Layer(keras.layers.Layer):
    """A layer that computes in float32 under any dtype policy, mixed precision included.

    Features need it: a power spectrum spans more than float16 can hold.
    Raises ValueError for a `dtype` other than float32.
    """

    def __init__(self, dtype="float32", **kwargs):
        if keras.dtype_policies.get(dtype).compute_dtype != "float32":
            raise ValueError(f"{type(self).__name__} computes in float32 only. Received: dtype={dtype}")
        super().__init__(dtype="float32", **kwargs)


class RandomLayer(Float32Layer):
    """A layer that changes its input at random, each example by itself, and only with `training=True`.

    `seed` reproduces the sequence of changes; None takes one from Keras's global seed.
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "seed": self.seed}
