"""Rooms by the image-source method, and measured rooms."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.layers.base import Tensor
from pipelines.layers.reverb import Reverb
from pipelines.layers.sequences import random_integers

SPEED_OF_SOUND = 343.0  # meters per second
SMALLEST_M, LARGEST_M = (2.0, 2.0, 2.2), (6.0, 5.0, 3.2)  # length, width, height of rooms
WALL_M = 0.3  # distance of speaker and microphone from the walls, at least
ORDER = 5  # images along each axis, on either side
SABINE = 0.161  # seconds per meter, of Sabine's formula


@keras.saving.register_keras_serializable("pipelines")
class ImageSourceReverb(Reverb):
    """Reverberation in random small rooms by the image-source method (Allen and Berkley 1979); see `Reverb`.

    A room is a box of 2 x 2 x 2.2 to 6 x 5 x 3.2 m with equal walls, whose absorption follows from the reverberation
    time by Sabine's formula; speaker and microphone are anywhere in it. Each of the 11 x 11 x 11 nearest images adds
    an impulse, at the nearest sample, of the strength of its distance and its reflections, relative to the direct
    sound, which is 1 at sample 0. Later reflections are left out. `direct_db` has no effect.

    Args:
        t60_ms: See `Reverb`.
        probability: See `Reverb`.
        sample_rate_hz: See `Reverb`.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: As `Reverb`.
    """

    def __init__(
        self,
        t60_ms: tuple[float, float] = (100.0, 400.0),
        probability: float = 0.5,
        sample_rate_hz: int = 16000,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("direct_db", None)  # in the config of the base class
        super().__init__(t60_ms, (0.0, 0.0), probability, sample_rate_hz, seed=seed, **kwargs)

    def sample_responses(self, count: Tensor) -> Tensor:
        """Draws the impulse responses of random rooms.

        Args:
            count: Number of rooms, an int or a scalar tensor.

        Returns:
            `(count, taps)`, float32.
        """
        seed = self.seed_generator
        draws = keras.random.uniform((3, count, 3), seed=seed)
        smallest, largest = np.array(SMALLEST_M, "float32"), np.array(LARGEST_M, "float32")
        sides = smallest + draws[0] * (largest - smallest)
        speaker, microphone = (WALL_M + draws[i] * (sides - 2 * WALL_M) for i in (1, 2))
        t60_s = keras.random.uniform((count, 1), *self.t60_ms, seed=seed) / 1000
        volume = ops.prod(sides, axis=1, keepdims=True)
        pairs = sides[:, 0] * sides[:, 1] + sides[:, 0] * sides[:, 2] + sides[:, 1] * sides[:, 2]
        absorbed = ops.clip(SABINE * volume / (2 * pairs[:, None] * t60_s), 0.02, 0.98)
        reflected = ops.sqrt(1 - absorbed)  # of the amplitude
        number = np.arange(-ORDER, ORDER + 1)
        # Along an axis, image i of a speaker at x lies at i L + x, mirrored for odd i.
        offset = np.where(number % 2, -1.0, 1.0).astype("float32")
        mirrored = (number % 2).astype("float32")
        images = [
            sides[:, i, None] * (number + mirrored) + offset * speaker[:, i, None] - microphone[:, i, None]
            for i in range(3)
        ]
        square = sum(
            ops.square(image)[(slice(None), *(slice(None) if j == i else None for j in range(3)))]
            for i, image in enumerate(images)
        )
        distance = ops.reshape(ops.sqrt(square), (count, -1))
        hits = np.abs(number)[:, None, None] + np.abs(number)[:, None] + np.abs(number)
        direct = ops.sqrt(ops.sum(ops.square(speaker - microphone), axis=1, keepdims=True))
        strength = reflected ** hits.reshape(1, -1).astype("float32") * direct / ops.maximum(distance, 1e-3)
        delay = (distance - direct) / SPEED_OF_SOUND * self.sample_rate_hz
        tap = ops.cast(ops.round(ops.maximum(delay, 0.0)), "int32")
        strength = ops.where(tap < self._taps, strength, 0.0)
        tap = ops.minimum(tap, self._taps - 1) + self._taps * ops.arange(count, dtype="int32")[:, None]
        flat = ops.segment_sum(ops.reshape(strength, (-1,)), ops.reshape(tap, (-1,)), num_segments=count * self._taps)
        return ops.reshape(flat, (count, self._taps))


@keras.saving.register_keras_serializable("pipelines")
class MeasuredReverb(Reverb):
    """Reverberation by measured impulse responses; see `Reverb`, of which the ranges have no effect.

    The responses live in a non-trainable weight; until `fill` they are the direct sound alone.

    Args:
        num_responses: Number of responses.
        taps: Samples of each.
        probability: See `Reverb`.
        sample_rate_hz: See `Reverb`.
        seed: See `RandomLayer`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: As `Reverb`, or a size is below 1.
    """

    def __init__(
        self,
        num_responses: int,
        taps: int,
        probability: float = 0.5,
        sample_rate_hz: int = 16000,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        for name in ("t60_ms", "direct_db"):
            kwargs.pop(name, None)
        super().__init__(probability=probability, sample_rate_hz=sample_rate_hz, seed=seed, **kwargs)
        if num_responses < 1 or taps < 1:
            raise ValueError(f"num_responses and taps must be at least 1. Received: {num_responses=}, {taps=}")
        self.num_responses, self.taps, self._taps = num_responses, taps, taps
        self.responses = self.add_weight((num_responses, taps), "zeros", trainable=False, name="responses")
        self.fill([np.ones(1, "float32")] * num_responses)

    @classmethod
    def from_responses(cls, responses: Iterable[np.ndarray], **options: Any) -> "MeasuredReverb":
        """Builds a layer with its responses.

        Args:
            responses: float32 `(samples,)` each, at least one.
            **options: Of the constructor, but for the sizes.

        Returns:
            The layer.
        """
        responses = list(responses)
        layer = cls(len(responses), max(map(len, responses)), **options)
        layer.fill(responses)
        return layer

    def fill(self, responses: Iterable[np.ndarray]) -> None:
        """Sets the responses, from their loudest sample on, which becomes 1: a clip keeps its position in time.

        Args:
            responses: float32 `(samples,)` each.

        Raises:
            ValueError: A response is silent or not finite, or there is another number of them.
        """
        bank = np.zeros((self.num_responses, self.taps), "float32")
        responses = list(responses)
        if len(responses) != self.num_responses:
            raise ValueError(f"The layer takes {self.num_responses} responses. Received: {len(responses)}")
        for row, response in zip(bank, responses, strict=True):
            first = int(np.argmax(np.abs(response)))
            if not np.isfinite(response).all() or not response[first]:
                raise ValueError("An impulse response must be finite and not silent. Received one that is not")
            kept = response[first : first + self.taps] / response[first]
            row[: len(kept)] = kept
        self.responses.assign(bank)

    def sample_responses(self, count: Tensor) -> Tensor:
        """Draws responses.

        Args:
            count: Number of responses to draw, an int or a scalar tensor.

        Returns:
            `(count, taps)`, float32.
        """
        return ops.take(self.responses, random_integers((count,), self.num_responses, self.seed_generator), axis=0)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "num_responses": self.num_responses, "taps": self.taps}
