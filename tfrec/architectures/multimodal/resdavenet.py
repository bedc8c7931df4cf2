"""ResDAVEnet: DAVEnet with residual networks (Harwath, Hsu & Glass 2020, arXiv:1911.09602).

Sizes as in the authors' code (github.com/wnhsu/ResDAVEnet-VQ), without its quantization: ResNet-50 without its dense
layer, whose map of 7 x 7 cells a 1 x 1 convolution takes to the embeddings; and a convolution over 40 mel bins, then
four stages of residual blocks over time, each of which halves the steps: a step is 16 frames.
"""

import dataclasses

import keras
from keras import layers

from tfrec.architectures.image import resnet
from tfrec.architectures.layers.masking import MaskFrames, StrideMask, sequence_inputs
from tfrec.architectures.layers.normalization import batch_norm
from tfrec.architectures.multimodal.davenet import PairConfig, check_pair, pair_model
from tfrec.architectures.types import Shape, Tensor

INPUT_KINDS = ("pair",)
OUTPUT_KIND = "pair"
# ResNet-50 without its dense layer 23,508,032, and 26,560 biases that the registry's has; 2,048 x 1,024 + 1,024 =
# 2,098,176 to the embeddings; speech 5,376 + 607,488 + 2,099,712 + 8,393,728 + 33,564,672 = 44,670,976; and the factor
# of similarities.
PARAMETERS = {"pair": {"resdavenet": 23_508_032 + 26_560 + 2_098_176 + 44_670_976 + 1}}
SEARCH_SPACE = {"width_multiplier": "*0.5..1.5", "depth_multiplier": "*0.5..1", "similarity": "sisa,misa,sima"}
STEM = 128  # filters over mel bins
STAGES = (128, 256, 512)  # filters of the stages before the last, whose filters are the embeddings
BLOCKS = 2  # of each stage
FRAMES = 9  # of each convolution over time


@dataclasses.dataclass(frozen=True)
class Config(PairConfig):
    """ResNet-50, and residual blocks over time."""


def build(input_shape: dict[str, Shape], outputs: int, config: Config) -> keras.Model:
    """Images (batch, height, width, channels) and log-mel (batch, frames, mels) -> embeddings (batch, outputs) of both.

    Args:
        input_shape: {"image": `(height, width, channels)`, "audio": `(frames, mels)`}; `frames` may be None.
        outputs: size of the embeddings; 1,024 in the paper.
        config: see `Config`.

    Returns:
        A functional model, see `davenet.pair_model`.

    Raises:
        ValueError: for other shapes.
    """
    check_pair("resdavenet", input_shape)
    image = config.scaled(resnet.Config)
    network = resnet.build(input_shape["image"], 1, image)
    network = keras.Model(network.input, network.get_layer("embedding").input, name="image_network")
    speech_network = _speech_network(input_shape["audio"], outputs, image)
    return pair_model("resdavenet", network, 1, speech_network, outputs, config)


def _speech_network(input_shape: Shape, outputs: int, config: resnet.Config) -> keras.Model:
    """A convolution over all mel bins of a frame, and four stages."""
    inputs, x, mask = sequence_inputs(input_shape)
    x = _convolution(x, mask, config.channels(STEM), 1, 1, "stem")
    for stage, filters in enumerate([*map(config.channels, STAGES), outputs], start=1):
        for i in range(config.repeats(BLOCKS)):
            x, mask = _block(x, mask, filters, 2 if i == 0 else 1, f"stage{stage}_{i}")
    return keras.Model(inputs, [x, mask], name="speech_network")


def _block(x: Tensor, mask: Tensor, filters: int, strides: int, name: str) -> tuple[Tensor, Tensor]:
    """Two convolutions, their sum with the input, projected where its shape changes, and ReLU."""
    strided = StrideMask(strides, name=f"{name}_stride")(mask) if strides > 1 else mask
    shortcut = x
    if strides > 1 or x.shape[-1] != filters:
        shortcut = _convolution(x, strided, filters, 1, strides, f"{name}_0", relu=False)
    x = _convolution(x, strided, filters, FRAMES, strides, f"{name}_1")
    x = _convolution(x, strided, filters, FRAMES, 1, f"{name}_2", relu=False)
    x = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([shortcut, x]))
    return MaskFrames(name=f"{name}_mask")(x, strided), strided


def _convolution(
    x: Tensor, mask: Tensor, filters: int, frames: int, strides: int, name: str, relu: bool = True
) -> Tensor:
    """A convolution over time, batch normalization and ReLU; `mask` is that of the output."""
    padding = "same"
    if strides > 1 and frames > 1:  # "same" starts its windows elsewhere for odd lengths
        x, padding = layers.ZeroPadding1D(frames // 2, name=f"{name}_pad")(x), "valid"
    x = layers.Conv1D(
        filters, frames, strides, padding, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    x = batch_norm(f"{name}_norm")(x, mask=mask)
    if not relu:
        return x
    return MaskFrames(name=f"{name}_clip")(layers.ReLU(name=f"{name}_relu")(x), mask)
