"""DAVEnet: words and objects from raw speech and images (Harwath et al. 2018, arXiv:1804.01452).

Sizes as in the authors' code (github.com/dharwath/DAVEnet-pytorch): VGG16 up to its last convolution, whose map of 14 x
14 cells a 3 x 3 convolution takes to the embeddings; and five convolutions over 40 mel bins with four poolings, a step
of which is 16 frames. There, embeddings do not have length one, and training starts from ImageNet's VGG16.
"""

import dataclasses
from typing import Any, Literal

import keras
from keras import layers

from tfrec.architectures.config import AnyConfig, ImageModelConfig, ModelConfig, check, check_image
from tfrec.architectures.image import vgg
from tfrec.architectures.layers.masking import MaskFrames, StrideMask, sequence_inputs
from tfrec.architectures.layers.matchmap import Similarity, matchmap_outputs
from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("pair",)
OUTPUT_KIND = "pair"
# VGG16 without its dense layers 14,714,688; 512 x 9 x 1,024 + 1,024 = 4,719,616 to the embeddings; speech 2 + 5,248 +
# 360,704 + 2,228,736 + 4,456,960 + 8,913,920 = 15,965,570; and the factor of similarities.
PARAMETERS = {"pair": {"davenet": 14_714_688 + 4_719_616 + 15_965_570 + 1}}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "similarity": "sisa,misa,sima", "batch_norm": "true,false"}
SPEECH = ((128, 1), (256, 11), (512, 17), (512, 17))  # filters and frames of the convolutions before the last
LAST_FRAMES = 17  # of the last convolution, to the embeddings


@dataclasses.dataclass(frozen=True)
class PairConfig(ModelConfig):
    """The fields that networks with matchmaps share."""

    stem: Literal["auto", "large", "small"] = "auto"  # small downsamples images less; auto is small for up to 64 pixels
    width_multiplier: float = 1.0  # multiplies the channels of every layer but the last
    depth_multiplier: float = 1.0  # multiplies the number of layers, or blocks, of every stage
    similarity: Similarity = "sisa"  # of training: mean of the matchmap, or over steps (misa) or cells (sima) of maxima
    temperature: float = 0.07  # of similarities at the start; it is learned

    def __post_init__(self) -> None:
        self.scaled(ImageModelConfig)  # checks the multipliers
        check(0.01 <= self.temperature <= 10, "model.temperature must be from 0.01 to 10", self.temperature)

    def scaled(self, kind: type[AnyConfig], **settings: Any) -> AnyConfig:
        """The config of an architecture for images with the same stem and multipliers.

        Args:
            kind: class of the config.
            **settings: other fields.
        """
        fields = {name: getattr(self, name) for name in ("stem", "width_multiplier", "depth_multiplier")}
        return kind(**fields, **settings)


@dataclasses.dataclass(frozen=True)
class Config(PairConfig):
    """VGG16, and five convolutions over mel bins."""

    batch_norm: bool = False  # after each convolution but the last ones, for training from random weights


def build(input_shape: dict[str, Shape], outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) and log-mel (batch, frames, mels) -> embeddings (batch, outputs) of both.

    Args:
        input_shape: {"image": `(height, width, channels)`, "audio": `(frames, mels)`}; `frames` may be None.
        outputs: size of the embeddings; 1,024 in the paper.
        config: see `Config`.

    Returns:
        A functional model, see `pair_model`.

    Raises:
        ValueError: for other shapes and for settings that the network does not have.
    """
    check_pair("davenet", input_shape)
    image = config.scaled(vgg.Config, batch_norm=config.batch_norm, fc_units=0)
    network = vgg.build(input_shape["image"], 1, image)
    network = keras.Model(network.input, network.get_layer("stage5_pool").input, name="image_network")
    speech_network = _speech_network(input_shape["audio"], outputs, image)
    return pair_model("davenet", network, 3, speech_network, outputs, config)


def _speech_network(input_shape: Shape, outputs: int, config: vgg.Config) -> keras.Model:
    """Five convolutions, of which all but the first end in a pooling."""
    inputs, x, mask = sequence_inputs(input_shape)
    x = layers.Reshape((-1, input_shape[1], 1), name="one_channel")(x)
    x = batch_norm("norm")(x, mask=layers.Reshape((-1, 1), name="column")(mask))
    x = layers.Reshape((-1, input_shape[1]), name="bins")(MaskFrames(name="norm_mask")(x, mask))
    for i, (filters, frames) in enumerate(SPEECH):
        x, mask = _convolution(x, mask, config.channels(filters), frames, f"conv{i}", i > 0, config.batch_norm)
    x, mask = _convolution(x, mask, outputs, LAST_FRAMES, f"conv{len(SPEECH)}", True, False)
    return keras.Model(inputs, [x, mask], name="speech_network")


def _convolution(
    x: Tensor, mask: Tensor, filters: int, frames: int, name: str, is_pooled: bool, is_normalized: bool
) -> tuple[Tensor, Tensor]:
    """A convolution over time, ReLU, and a pooling of windows of 3 frames around every second one."""
    x = layers.Conv1D(
        filters, frames, padding="same", use_bias=not is_normalized, kernel_initializer="he_normal", name=name
    )(x)
    if is_normalized:
        x = batch_norm(f"{name}_norm")(x, mask=mask)
    x = MaskFrames(name=f"{name}_mask")(layers.ReLU(name=f"{name}_relu")(x), mask)
    if not is_pooled:
        return x, mask
    x = layers.ZeroPadding1D(1, name=f"{name}_pad")(x)  # nothing is below 0 after ReLU
    x, mask = layers.MaxPooling1D(3, strides=2, name=f"{name}_pool")(x), StrideMask(2, name=f"{name}_stride")(mask)
    return MaskFrames(name=f"{name}_clip")(x, mask), mask  # the window after the last holds the last frame


def check_pair(name: str, input_shape: Any) -> None:
    """Checks the input shapes of an architecture with matchmaps.

    Args:
        name: of the architecture.
        input_shape: to check.

    Raises:
        ValueError: unless it is a dict of an image's and a clip's.
    """
    rule = f"{name} takes an image (height, width, channels) and audio (frames, mels)"
    check(isinstance(input_shape, dict) and set(input_shape) == {"image", "audio"}, rule, input_shape)
    check_image(name, input_shape["image"])
    check(len(input_shape["audio"]) == 2 and input_shape["audio"][1] is not None, rule, input_shape)


def pair_model(
    name: str, image_network: keras.Model, size: int, speech_network: keras.Model, outputs: int, config: PairConfig
) -> keras.Model:
    """Two networks as one.

    Args:
        name: of the architecture.
        image_network: from an image to a map (batch, height, width, units).
        size: of the convolution that takes the map to the embeddings.
        speech_network: from {"features", "frames"} to (batch, steps, outputs) and the mask of the steps.
        outputs: size of the embeddings.
        config: see `PairConfig`.

    Returns:
        A functional model. Its input is a dict with "image", "audio" and "frames" (batch,), the true number of frames;
        frames past it never change the output, which is that of `matchmap_outputs`.
    """
    image = keras.Input(image_network.input.shape[1:], name="image")
    audio = keras.Input(speech_network.input["features"].shape[1:], name="audio")
    frames = keras.Input((), dtype="int32", name="frames")
    projection = layers.Conv2D(outputs, size, padding="same", name="image_projection")
    speech_map, mask = speech_network({"features": audio, "frames": frames})
    results = matchmap_outputs(
        projection(image_network(image)), speech_map, mask, config.similarity, config.temperature
    )
    return keras.Model({"image": image, "audio": audio, "frames": frames}, results, name=name)
