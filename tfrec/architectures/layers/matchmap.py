"""Matchmaps: the similarity of each cell of an image to each step of a clip (Harwath et al. 2018, arXiv:1804.01452).

A matchmap becomes the similarity of image and clip in one of three ways (section 4.3 of the paper): "sisa" is its mean;
"misa" the mean over steps of the most similar cell; "sima" the mean over cells of the most similar step.
"""

from typing import Any, Literal

import keras
from keras import layers, ops

from tfrec.architectures.config import check
from tfrec.architectures.layers.ctc_head import CountSteps
from tfrec.architectures.layers.log_scale import LogScale
from tfrec.architectures.layers.masking import ExplicitMaskLayer, MaskFrames
from tfrec.architectures.layers.pooling import MaskedMean
from tfrec.architectures.types import Shape, Tensor

SMALLEST_SQUARE = 1e-12  # of the length of a mean
Similarity = Literal["sisa", "misa", "sima"]


def matchmap(cells: Tensor, steps: Tensor) -> Tensor:
    """Inner products of cells and steps.

    Args:
        cells: of images (..., cells, units).
        steps: of clips (..., steps, units).

    Returns:
        (..., cells, steps).
    """
    return ops.matmul(cells, ops.swapaxes(steps, -1, -2))


def pool_matchmap(maps: Tensor, keep: Tensor, similarity: Similarity) -> Tensor:
    """The similarity of an image and a clip.

    Args:
        maps: matchmaps (..., cells, steps).
        keep: bool (..., steps), true inside the clip.
        similarity: how a matchmap becomes one number.

    Returns:
        (...); 0 for a clip without steps.
    """
    inside = keep[..., None, :]
    if similarity == "sima":
        largest = ops.max(ops.where(inside, maps, -1e9), axis=-1)
        return ops.where(ops.any(keep, axis=-1), ops.mean(largest, axis=-1), 0.0)
    maps = ops.where(inside, maps, 0.0)
    of_steps = ops.mean(maps, axis=-2) if similarity == "sisa" else ops.max(maps, axis=-2)
    count = ops.sum(ops.cast(keep, of_steps.dtype), axis=-1)
    return ops.sum(of_steps, axis=-1) / ops.maximum(count, 1.0)


def matchmap_outputs(
    image_map: Tensor, speech_map: Tensor, mask: Tensor, similarity: Similarity, temperature: float
) -> dict[str, Tensor]:
    """The outputs of a network that has a map of the image and a sequence of the clip.

    The embeddings are the means of both, divided by their lengths. A matchmap is of maps divided by the same lengths:
    its mean is the inner product of the embeddings, and "misa" and "sima" are on the scale of it.

    Args:
        image_map: (batch, height, width, units).
        speech_map: (batch, steps, units).
        mask: bool (batch, steps), true inside the clip.
        similarity: which compares images and clips in training.
        temperature: of similarities at the start of training.

    Returns:
        {"image": float32 (batch, units), "audio": float32 (batch, units), "log_scale": float32 (batch,)}, and unless it
        is "sisa", the inner product of both, "similarity" float32 (images, clips).
    """
    image = layers.GlobalAveragePooling2D(dtype="float32", name="image_mean")(image_map)
    speech = MaskedMean(dtype="float32", name="speech_mean")(speech_map, mask)
    outputs = {
        "image": MapScale(name="image_embedding")(image, image),
        "audio": MapScale(name="speech_embedding")(speech, speech),
        "log_scale": LogScale(temperature, name="log_scale")(image),
    }
    if similarity != "sisa":
        maps = MapScale(name="image_map")(image_map, image), MapScale(name="speech_map")(speech_map, speech)
        outputs["similarity"] = MatchmapSimilarity(similarity, name="similarity")(*maps, mask)
    return outputs


def matchmap_network(net: keras.Model) -> keras.Model:
    """A network that computes matchmaps, with the weights of another.

    Args:
        net: whose outputs are those of `matchmap_outputs`.

    Returns:
        A model from the inputs of `net` to {"matchmap": float32 (batch, height, width, steps), 0 past each clip's end,
        "steps": int32 (batch,), the true number of steps}, of the image and the clip of each row.

    Raises:
        ValueError: for a network that has no maps.
    """
    names = {layer.name for layer in net.layers}
    check({"image_mean", "speech_mean"} <= names, "Only a network with maps has matchmaps", net.name)
    image_map, (speech_map, mask) = net.get_layer("image_mean").input, net.get_layer("speech_mean").input
    cells = MapScale()(image_map, net.get_layer("image_mean").output)
    steps = MapScale()(MaskFrames()(speech_map, mask), net.get_layer("speech_mean").output)
    maps = Matchmap()(cells, steps)
    return keras.Model(net.input, {"matchmap": maps, "steps": CountSteps()(mask)}, name=f"{net.name}_matchmap")


@keras.saving.register_keras_serializable("tfrec")
class MapScale(ExplicitMaskLayer):
    """Divides a map by the length of its mean, in float32: (batch, ..., units), (batch, units) -> the first's shape.

    A mean of zeros gives zeros with a gradient of 0, where that of `keras.layers.UnitNormalization` is 1e12.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, x: Tensor, mean: Tensor) -> Tensor:
        """Multiplies by the inverse of the length, or by 0."""
        squares = ops.sum(ops.square(mean), axis=-1)
        factor = ops.where(squares > SMALLEST_SQUARE, ops.rsqrt(ops.maximum(squares, SMALLEST_SQUARE)), 0.0)
        return x * ops.reshape(factor, (-1, *([1] * (len(x.shape) - 1))))

    def compute_output_shape(self, x_shape: Shape, mean_shape: Shape) -> Shape:
        """The shape of the map."""
        return x_shape


@keras.saving.register_keras_serializable("tfrec")
class Matchmap(layers.Layer):
    """Maps (batch, height, width, units) and (batch, steps, units) -> float32 (batch, height, width, steps)."""

    def call(self, image_map: Tensor, speech_map: Tensor) -> Tensor:
        """Takes inner products of all cells with all steps of a row."""
        _, height, width, size = image_map.shape
        maps = matchmap(ops.reshape(image_map, (-1, height * width, size)), speech_map)
        return ops.reshape(maps, (-1, height, width, ops.shape(speech_map)[1]))

    def compute_output_shape(self, image_map_shape: Shape, speech_map_shape: Shape) -> Shape:
        """(batch, height, width, steps)."""
        return (*image_map_shape[:3], speech_map_shape[1])


@keras.saving.register_keras_serializable("tfrec")
class MatchmapSimilarity(ExplicitMaskLayer):
    """Compares each image with each clip by their matchmap, all of which are in memory at once.

    Maps (images, height, width, units), (clips, steps, units) and mask (clips, steps) -> float32 (images, clips).

    Args:
        similarity: how a matchmap becomes one number.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __init__(self, similarity: Similarity, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        check(similarity in ("sisa", "misa", "sima"), "similarity must be sisa, misa or sima", similarity)
        self.similarity: Similarity = similarity

    def call(self, image_map: Tensor, speech_map: Tensor, keep: Tensor) -> Tensor:
        """Computes all matchmaps as one product."""
        size = image_map.shape[-1]
        cells = ops.reshape(image_map, (-1, 1, image_map.shape[1] * image_map.shape[2], size))
        return pool_matchmap(matchmap(cells, speech_map[None]), keep[None], self.similarity)

    def compute_output_shape(self, image_map_shape: Shape, speech_map_shape: Shape, keep_shape: Shape) -> Shape:
        """(images, clips)."""
        return (image_map_shape[0], speech_map_shape[0])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "similarity": self.similarity}
