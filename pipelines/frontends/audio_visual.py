"""From moving pictures and a clip to the features of both, and which picture is shown at each frame of the clip."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, cast

import keras
import numpy as np
from keras import ops

from pipelines.frontends.base import Frontend
from pipelines.frontends.paired import PairedConfig, PairedFrontend
from pipelines.frontends.speech_config import NEUTRAL
from pipelines.layers.base import Shape, Tensor
from pipelines.layers.sequences import valid_lengths

# Settings of speech that move the sound in time, with the values that do not.
_STILL = {"speed": NEUTRAL, "tempo": NEUTRAL, "place_seconds": 0.0, "shift_ms": 0.0, "margin_ms": 0.0}
_STILL |= {"trim": False, "fixed_frames": None, "jitter": 0.0}
# Augmentation that draws each picture's own operations.
_SINGLE = ("rand_augment_operations", "aug_mix_probability", "erase_probability")


@dataclasses.dataclass(frozen=True)
class AudioVisualConfig(PairedConfig):
    """Moving pictures to normalized ones and waveform to features, in step with each other."""

    name: Literal["audio_visual"] = "audio_visual"  # type: ignore[assignment]  # kind of frontend
    frames_per_second: int | None = None  # of the moving pictures; None is the corpus's own

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, neutral in _STILL.items():
            if (value := getattr(self.speech, field)) != neutral:
                raise ValueError(
                    f"frontend.speech.{field} moves the sound in time, away from the pictures: leave it out."
                    f" Received: {value}"
                )
        for field in _SINGLE:
            if value := getattr(self.image, field):
                raise ValueError(
                    f"frontend.image.{field} changes each picture by itself, and those of a moving one belong"
                    f" together: leave it out. Received: {value}"
                )
        if self.speech.form not in ("auto", "sequence"):
            raise ValueError(
                f"frontend.speech.form must be sequence with moving pictures. Received: {self.speech.form}"
            )


@keras.saving.register_keras_serializable("tfrec")
class AudioVisualFrontend(PairedFrontend):
    """Moving pictures and clips -> the features of both, in step; a batch may also have one of the two.

    Each picture of a moving one gets the features that it has alone, and all of them the same augmentation. What is
    missing of an example is filled in: silence as long as the pictures, or no picture at any frame.

    Args:
        config: See `Frontend`.
        augment: See `Frontend`; augments pictures and clips.
        seed: See `Frontend`.
        raw_shape: Of each picture, see `Frontend`.
        **kwargs: See `Frontend`.

    Attributes:
        config (AudioVisualConfig): The resolved config.
        modality (str): "video_audio".
        feature_kind (str): "audio_visual".
        image (ImageFrontend): Of each picture.
        speech (SpeechFrontend): Of the clips.

    Raises:
        ValueError: Settings do not go together.
        UserError: The noise folder cannot be read.
    """

    config_class: ClassVar[type[Any]] = AudioVisualConfig
    modality = "video_audio"
    feature_kind = "audio_visual"
    fills_in = True

    def parts(self) -> dict[str, Frontend]:
        """Returns the frontend of each raw input, by the name of the input: that of single pictures, and of clips."""
        return {"video": self.image, "audio": self.speech}

    @property
    def feature_shape(self) -> dict[str, Shape]:
        """Shapes of one example's features by the name of the raw input; the number of pictures is open."""
        return {"video": (None, *self.image.feature_shape), "audio": self.speech.feature_shape}

    @classmethod
    def raw(cls, example: Mapping[str, Any]) -> dict[str, Any]:
        """The moving picture and the clip of an example."""
        return {name: example[name] for name in ("video", "audio")}

    def batch_of_one(self, raw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A moving picture, a clip, or both -> {"video": `(1, pictures, height, width, channels)`, "audio": ...}."""
        batch = {}
        if "video" in raw:
            batch = {"video": raw["video"][None], "video_frames": np.array([len(raw["video"])], "int32")}
        return batch | (self.speech.batch_of_one(raw["audio"]) if "audio" in raw else {})

    def noise(self, random: np.random.Generator, number: int = 0) -> dict[str, np.ndarray]:
        """Draws a clip and as many pictures as it takes."""
        audio = self.speech.noise(random, number)
        count = max(1, len(audio) * self._rate // self._rate_hz)
        return {"video": np.stack([self.image.noise(random) for _ in range(count)]), "audio": audio}

    def inputs(self) -> dict[str, Any]:
        """Creates the symbolic raw inputs: "video" and "video_frames", and those of clips."""
        return {
            "video": keras.Input((None, *self.image.raw_shape), name="video"),
            "video_frames": keras.Input((), dtype="int32", name="video_frames"),
            **self.speech.inputs(),
        }

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        """Computes the features of moving pictures, of clips, or of both.

        Args:
            inputs: "video", `(batch, pictures, height, width, channels)` in [0, 255], with "video_frames", valid
                pictures `(batch,)`; and "audio", `(batch, samples)` in [-1, 1], with "length", valid samples
                `(batch,)`. Without "video_frames" or "length" all are valid.
            training: Augments only if True.

        Returns:
            "video", float32 `(batch, pictures, height, width, channels)`; "audio", the features of the clips, float32
            `(batch, frames, bins)`, with "frames", their valid steps `(batch,)`, int32; "shown", int32 `(batch,
            frames)`, the number of the picture in the middle of each frame, -1 for no picture; and "has_audio", int32
            `(batch,)`, 1 where there is a clip.
        """
        clips = {name: inputs[name] for name in ("audio", "length") if name in inputs}
        of_clips = self.speech(clips or self._silence(inputs), training=training)
        audio = of_clips["features"]
        batch, steps = ops.shape(audio)[:2]
        features = {"audio": audio, "frames": of_clips["frames"]}
        features["has_audio"] = ops.full((batch,), int("audio" in inputs), "int32")
        if "video" not in inputs:
            features["video"] = ops.zeros((batch, 1, *cast(Any, self.image.feature_shape)), "float32")
            return features | {"shown": ops.full((batch, steps), -1, "int32")}
        features["video"] = self._pictures(inputs["video"], training)
        counts = valid_lengths(inputs["video"], inputs.get("video_frames"))
        return features | {"shown": self._shown(steps, counts)}

    def _pictures(self, video: Tensor, training: bool | None) -> Tensor:
        """The features of each picture."""
        batch, count = ops.shape(video)[:2]
        pictures = ops.reshape(video, (-1, *ops.shape(video)[2:]))
        features = self.image(pictures, training=training, frames=count)
        return ops.reshape(features, (batch, count, *cast(Any, self.image.feature_shape)))

    def _shown(self, steps: Tensor, counts: Tensor) -> Tensor:
        """The number of the picture in the middle of each frame, int32 `(batch, steps)`, -1 after the last one."""
        layer = cast(Any, self.speech.features)
        middles = 2 * layer.hop * ops.cast(ops.arange(steps), "int64") + layer.window  # half samples
        numbers = ops.cast(middles * self._rate // (2 * self._rate_hz), "int32")[None]
        return ops.where(numbers < counts[:, None], numbers, -1)

    def _silence(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Clips of silence that are as long as the moving pictures."""
        counts = valid_lengths(inputs["video"], inputs.get("video_frames"))
        batch, longest = ops.shape(inputs["video"])[:2]
        samples = (self._rate_hz + self._rate - 1) // self._rate  # of a picture, rounded up
        lengths = ops.cast(ops.cast(counts, "int64") * self._rate_hz // self._rate, "int32")
        return {"audio": ops.zeros((batch, longest * samples), "float32"), "length": lengths}

    @property
    def _rate(self) -> int:
        return cast(int, self.config.frames_per_second)  # set in a resolved config

    @property
    def _rate_hz(self) -> int:
        return cast(int, self.speech.config.sample_rate_hz)  # likewise
