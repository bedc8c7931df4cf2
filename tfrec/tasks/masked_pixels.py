"""Masked pixels: the content of hidden patches of a picture from the visible ones (MAE, arXiv:2111.06377).

A network with patches of its own encodes the visible ones alone, and a light decoder predicts the others. In any other
network that ends in a map or in tokens pixels are masked before it, and each cell predicts its own (SimMIM,
arXiv:2111.09886).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import keras
from keras import layers, ops

from pipelines.errors import UserError
from tfrec import architectures
from tfrec.architectures.layers.patches import HiddenPatches, decode_patches
from tfrec.tasks.pretraining import Explained, Pretraining, collapse_warnings, idle, spread

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer

PATCHES_OF_A_SIDE = 8  # where task.patch is None: as many as fit, at most, as in SimMIM about


@dataclasses.dataclass(frozen=True)
class Config:
    """Distance of predicted pixels from those of hidden patches; no labels."""

    name: Literal["masked_pixels"] = "masked_pixels"  # task
    mask_fraction: float = 0.75  # of the patches that are hidden
    patch: int | None = None  # pixels of a side of what is hidden; None is the network's own, or about 1/8 of a side
    normalize_pixels: bool = False  # predict the pixels of each patch with mean 0 and variance 1
    distance: Literal["squared", "absolute"] = "squared"  # of pixels: squared as in MAE, absolute as in SimMIM
    decoder_width: int = 128  # units of the decoder of networks with patches of their own
    decoder_depth: int = 2  # its blocks

    def __post_init__(self) -> None:
        if not 0 < self.mask_fraction < 1:
            raise ValueError(f"task.mask_fraction must be above 0 and below 1. Received: {self.mask_fraction}")
        if self.patch is not None and not 1 <= self.patch <= 4096:
            raise ValueError(f"task.patch must be from 1 to 4,096. Received: {self.patch}")
        for name, high in (("decoder_width", 8192), ("decoder_depth", 100)):
            if not 1 <= getattr(self, name) <= high:
                raise ValueError(f"task.{name} must be from 1 to {high:,}. Received: {getattr(self, name)}")


class MaskedPixels(Pretraining):
    """Outputs are {"pixels": (batch, cells, values), "embedding": (batch, units)}, cells being patches or parts."""

    name = "masked_pixels"
    config_type = Config
    default_model = "vit_tiny"
    num_outputs = 1  # of a head that is dropped

    def __init__(self, config: Config, labels: Sequence[str]) -> None:
        super().__init__(config, labels)
        self.monitors = {"loss": "min", "explained": "max"}

    def build_network(self, config: Any, frontend: Any) -> keras.Model:
        """The encoder with a decoder, or an architecture without its head; UserError for one without cells."""
        if frontend.feature_kind != "image":
            raise UserError(
                f"task.name {self.name} masks pictures, and model.name {config.name!r} gets {frontend.feature_kind}"
                " features: choose a network for pictures, such as vit_tiny, with pictures or --frontend.form picture."
            )
        shape = frontend.feature_shape
        encoder = architectures.patch_encoder(config, shape)
        if encoder is None:
            return self._of_cells(super().build_network(config, frontend), shape, config.name)
        grid = encoder.get_layer("stem_position").grid
        side = shape[0] // grid[0]
        if self.config.patch not in (None, side):
            raise UserError(
                f"task.patch {self.config.patch}: {config.name!r} has patches of {side} pixels of its own; set"
                " model.patch, and leave task.patch out."
            )
        pixels = decode_patches(
            encoder.output["tokens"],
            encoder.input["visible"],
            grid,
            self.config.decoder_width,
            self.config.decoder_depth,
            side**2 * shape[2],
        )
        outputs = {"pixels": pixels, "embedding": encoder.output["embedding"]}
        return keras.Model(encoder.input, outputs, name=encoder.name)

    def _of_cells(self, net: keras.Model, shape: tuple[int, int, int], name: str) -> keras.Model:
        """A network whose last cells each predict their own pixels, by one linear layer as in SimMIM."""
        try:
            cells = architectures.token_extractor(net).output["tokens"]
        except ValueError as error:
            raise UserError(f"task.name {self.name} needs a network with cells or patches: {error}") from error
        side = round(math.sqrt(shape[0] * shape[1] / cells.shape[1]))
        if shape[0] % side or shape[1] % side or (shape[0] // side) * (shape[1] // side) != cells.shape[1]:
            raise UserError(
                f"The {cells.shape[1]} cells of model.name {name!r} do not divide pictures of {shape[0]} x {shape[1]}"
                " pixels into squares: set frontend.height and frontend.width to multiples of 32."
            )
        self._patch_of(side, shape)
        pixels = layers.Dense(side**2 * shape[2], dtype="float32", name="pixels")(cells)
        outputs = {"pixels": pixels, "embedding": architectures.feature_extractor(net).output}
        return keras.Model(net.input, outputs, name=net.name)

    def _patch_of(self, cell: int, shape: tuple[int, int, int]) -> int:
        """The side of what is hidden, in pixels: a multiple of a cell's; UserError where no such patches fit."""
        height, width, _ = shape
        sides = [side for side in range(cell, height + 1, cell) if not (height % side or width % side)]
        sides = [side for side in sides if height * width > side**2]
        pictures = f"pictures of {height} x {width} pixels"
        if not sides:
            raise UserError(
                f"task.name {self.name}: {pictures} are one cell of the network, {cell} pixels wide, so that nothing is"
                " left to see: set a larger frontend.height and frontend.width, or --model.stem small."
            )
        if self.config.patch not in (None, *sides):
            raise UserError(
                f"task.patch {self.config.patch} must be a multiple of {cell} pixels, a cell of the network, and divide"
                f" {pictures}: set one of {', '.join(map(str, sides))}."
            )
        wide = [side for side in sides if side * PATCHES_OF_A_SIDE >= min(height, width)]
        return self.config.patch or (wide or sides[-1:])[0]

    # Training

    def pretext(self, recognizer: Recognizer) -> HiddenPatches:
        """The layer that hides patches; its seed is that of the run."""
        shape, network = recognizer.frontend.feature_shape, recognizer.network
        cell = math.isqrt(network.output["pixels"].shape[-1] // shape[2])
        reads_patches = isinstance(network.input, dict)
        return HiddenPatches(
            cell if reads_patches else self._patch_of(cell, shape),
            cell,
            self.config.mask_fraction,
            self.config.normalize_pixels,
            reads_patches,
            recognizer.config.seed,
        )

    def loss(self, outputs: Any, targets: Any, weights: Any = None) -> Any:
        """The mean over the pixels of all hidden patches of the batch."""
        errors, hidden = self._distance(outputs["pixels"], targets["pixels"]), targets["hidden"]
        return ops.sum(errors * hidden) / ops.maximum(ops.sum(hidden), 1.0) + idle(outputs)

    def _distance(self, pixels: Any, expected: Any) -> Any:
        """Distances (batch, cells) of values (batch, cells, values)."""
        difference = ops.cast(pixels, "float32") - expected
        return ops.mean(ops.square(difference) if self.config.distance == "squared" else ops.abs(difference), axis=-1)

    def metrics(self) -> list[keras.Metric]:
        """How much better than the mean of a picture's hidden pixels answers are, and the spread of the features."""
        return [Explained(), keras.metrics.Mean(name="embedding_std")]

    def update_metrics(self, metrics: Sequence[keras.Metric], outputs: Any, targets: Any) -> None:
        """Adds a batch to the metrics of `metrics`."""
        expected, hidden = targets["pixels"], targets["hidden"]
        count = ops.maximum(ops.sum(hidden, axis=1), 1.0)
        mean = ops.sum(ops.mean(expected, axis=-1) * hidden, axis=1) / count
        constant = self._distance(ops.broadcast_to(mean[:, None, None], ops.shape(expected)), expected)
        metrics[0].update_state(self._distance(outputs["pixels"], expected), constant, hidden)
        metrics[1].update_state(spread(outputs["embedding"]))

    def epoch_warnings(self, logs: Mapping[str, float]) -> list[str]:
        """A sentence where the features of all pictures have become about the same."""
        return collapse_warnings(logs, "features", "lower fit.learning_rate, or train for more epochs")
