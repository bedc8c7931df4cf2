"""From a picture and a clip to the features of both."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import keras
import numpy as np

from pipelines.frontends.base import Frontend, Placement
from pipelines.frontends.image import ImageConfig, ImageFrontend
from pipelines.frontends.speech import SpeechFrontend
from pipelines.frontends.speech_config import SpeechConfig
from pipelines.layers.base import Shape, Tensor


@dataclasses.dataclass(frozen=True)
class PairedConfig:
    """Pixels to normalized images and waveform to features, for pairs of both."""

    name: Literal["paired"] = "paired"  # kind of frontend
    placement: Placement = "device"  # inside the training graph (device), or in tf.data on the CPU (host)
    image: ImageConfig = ImageConfig()  # of the pictures
    speech: SpeechConfig = SpeechConfig()  # of the clips

    def __post_init__(self) -> None:
        for part, config in (("image", self.image), ("speech", self.speech)):
            if config.placement not in ("device", self.placement):
                raise ValueError(
                    f"frontend.{part}.placement is that of both: set frontend.placement. Received: {config.placement}"
                )
        for field in ("mixup", "cutmix"):
            if value := getattr(self.image, field):
                raise ValueError(f"frontend.image.{field} mixes labels, which pairs do not have. Received: {value}")

    @property
    def sample_rate_hz(self) -> int | None:
        """The rate of the clips."""
        return self.speech.sample_rate_hz

    def with_parts(self, image: ImageConfig, speech: SpeechConfig) -> "PairedConfig":
        """Returns a config with other parts, whose placement is its own.

        Args:
            image: Of the pictures.
            speech: Of the clips.
        """
        image = dataclasses.replace(image, placement=self.placement)
        speech = dataclasses.replace(speech, placement=self.placement)
        return dataclasses.replace(self, image=image, speech=speech)


@keras.saving.register_keras_serializable("tfrec")
class PairedFrontend(Frontend):
    """Pictures and clips -> the features of both; a batch may also have one of the two.

    Each part is the frontend that a corpus of this kind alone has, with its layers and its promises.

    Args:
        config: See `Frontend`.
        augment: See `Frontend`; augments pictures and clips.
        seed: See `Frontend`.
        raw_shape: Of the pictures, see `Frontend`.
        **kwargs: See `Frontend`.

    Attributes:
        config (PairedConfig): The resolved config.
        modality (str): "image_audio".
        feature_kind (str): "pair".
        image (ImageFrontend): Of the pictures.
        speech (SpeechFrontend): Of the clips.

    Raises:
        ValueError: Settings do not go together.
        UserError: The noise folder cannot be read.
    """

    config_class: ClassVar[type[Any]] = PairedConfig
    modality = "image_audio"
    feature_kind = "pair"

    def __init__(
        self,
        config: PairedConfig,
        augment: bool = True,
        seed: int | None = None,
        raw_shape: Shape | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(config, augment, seed, raw_shape, **kwargs)
        # The layers of both have different numbers, see `derive_seed`, so that one seed serves both.
        self.image = ImageFrontend(config.image, augment, seed, raw_shape, name="image")
        self.speech = SpeechFrontend(config.speech, augment, seed, name="speech")

    def parts(self) -> dict[str, Frontend]:
        """Returns the frontend of each raw input, by the name of the input."""
        return {"image": self.image, "audio": self.speech}

    @property
    def sequence_feature(self) -> str | None:
        """The name of the features over time, "audio"; None where they are a picture."""
        return "audio" if self.speech.sequence_feature else None

    @property
    def feature_shape(self) -> dict[str, Shape]:
        """Shapes of one example's features by the name of the raw input."""
        return {name: part.feature_shape for name, part in self.parts().items()}

    @classmethod
    def raw(cls, example: Mapping[str, Any]) -> dict[str, Any]:
        """The picture and the clip of an example."""
        return {name: example[name] for name in ("image", "audio")}

    def batch_of_one(self, raw: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A picture, a clip, or both -> {"image": `(1, height, width, channels)`, "audio": ..., "length": ...}."""
        batch = {}
        if "image" in raw:
            batch["image"] = self.image.batch_of_one(raw["image"])
        return batch | (self.speech.batch_of_one(raw["audio"]) if "audio" in raw else {})

    def noise(self, random: np.random.Generator, number: int = 0) -> dict[str, np.ndarray]:
        """Draws a picture and a clip."""
        return {name: part.noise(random, number) for name, part in self.parts().items()}

    def inputs(self) -> dict[str, Any]:
        """Creates the symbolic raw inputs: those of both parts by their names."""
        return {"image": self.image.inputs(), **self.speech.inputs()}

    def build(self, inputs_shape: Any) -> None:
        """Does nothing: the parts have no weights."""

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        """Computes the features of pictures, of clips, or of both.

        Args:
            inputs: "image", `(batch, height, width, channels)` in [0, 255], and "audio", `(batch, samples)` in [-1, 1],
                with "length", valid samples `(batch,)`.
            training: Augments only if True.

        Returns:
            "image", float32 `(batch, height, width, channels)`, and "audio", the features of the clips, float32
            `(batch, frames, bins)`, with "frames", their valid steps `(batch,)`, int32; or as a picture `(batch,
            frames, bins, channels)`.
        """
        features = {}
        if "image" in inputs:
            features["image"] = self.image(inputs["image"], training=training)
        if "audio" in inputs:
            clips = {name: value for name, value in inputs.items() if name != "image"}
            of_clips = self.speech(clips, training=training)
            if isinstance(of_clips, dict):
                features |= {"audio": of_clips["features"], "frames": of_clips["frames"]}
            else:
                features["audio"] = of_clips
        return features
