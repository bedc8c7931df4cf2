"""Random geometry and color: images per second of our layers and of Keras's, in one run.

    python -m benchmarks.augmentation

Two otherwise idle CPU cores, Python 3.11, TensorFlow 2.17.1; ratios are to the first line of each group:

    |                       | 32 px, batch 128 | ratio | 224 px, batch 32 | ratio |
    | --------------------- | ---------------- | ----- | ---------------- | ----- |
    | four Keras layers     |           14,912 |  1.00 |              412 |  1.00 |
    | ImageAffine           |           38,451 |  2.58 |              737 |  1.79 |
    | ImageAffine, XLA      |           58,427 |  3.92 |            1,170 |  2.84 |
    | one affine op         |           53,639 |  3.60 |            1,103 |  2.68 |
    | RandomColorJitter     |           19,989 |  1.00 |              518 |  1.00 |
    | ImageColor           |           54,926 |  2.75 |            1,611 |  3.11 |
    | ImageColor, XLA       |           73,178 |  3.66 |            2,755 |  5.32 |
    | the five Keras layers |            8,993 |  1.00 |              233 |  1.00 |
    | our two layers        |           26,022 |  2.89 |              510 |  2.19 |
    | our two layers, XLA   |           36,166 |  4.02 |              871 |  3.74 |
    | Keras's RandAugment   |            2,820 |  1.00 |               68 |  1.00 |
    | RandAugment           |           16,769 |  5.95 |              438 |  6.47 |
    | RandAugment, XLA      |           29,175 | 10.35 |              857 | 12.68 |
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import rich.console
import rich.table
import tensorflow as tf

from benchmarks.timing import medians
from pipelines.layers.image_affine import ImageAffine
from pipelines.layers.image_color import ImageColor
from pipelines.layers.rand_augment import RandAugment

SIZES = ((32, 128), (224, 32))  # pixels of a side, images of a batch
ROUNDS = 15


def one_affine_op(images):
    """The backend's fused operation with fixed parameters, a lower bound for geometry. It has no XLA kernel."""
    transform = tf.constant([[0.95, -0.3, 4.0, 0.3, 0.95, -3.0, 0.0, 0.0]])
    return keras.ops.image.affine_transform(images, tf.repeat(transform, len(images), axis=0))


def candidates():
    """Tuples (group, name, function, whether XLA compiles it); ratios are to the first of a group."""
    affine = ImageAffine(horizontal_flip=True, rotation_degrees=18.0, scale=(0.8, 1.25), shift_fraction=0.1)
    color = ImageColor(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1)
    four = [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(0.05),
        keras.layers.RandomZoom(0.2),
        keras.layers.RandomTranslation(0.1, 0.1),
    ]
    jitter = keras.layers.RandomColorJitter((0, 255), 0.2, 0.2, 0.2, 0.1)
    theirs, ours = keras.layers.RandAugment(), RandAugment()

    def in_turn(*layers):
        def function(images):
            for layer in layers:
                images = layer(images, training=True)
            return images

        return function

    return [
        ("geometry", "four Keras layers", in_turn(*four), False),
        ("geometry", "ImageAffine", in_turn(affine), False),
        ("geometry", "ImageAffine, XLA", in_turn(affine), True),
        ("geometry", "one affine op", one_affine_op, False),
        ("color", "RandomColorJitter", in_turn(jitter), False),
        ("color", "ImageColor", in_turn(color), False),
        ("color", "ImageColor, XLA", in_turn(color), True),
        ("both", "the five Keras layers", in_turn(*four, jitter), False),
        ("both", "our two layers", in_turn(affine, color), False),
        ("both", "our two layers, XLA", in_turn(affine, color), True),
        ("RandAugment", "Keras's RandAugment", in_turn(theirs), False),
        ("RandAugment", "RandAugment", in_turn(ours), False),
        ("RandAugment", "RandAugment, XLA", in_turn(ours), True),
    ]


def images_per_second(functions, images):
    """The median rate of each function."""
    calls = {i: lambda function=function: function(images).numpy() for i, function in enumerate(functions)}
    return [len(images) / seconds for seconds in medians(calls, ROUNDS).values()]


def main():
    """Measures and prints one table."""
    rows = candidates()
    columns = []
    for side, batch in SIZES:
        pixels = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3))
        functions = [tf.function(function, jit_compile=xla) for _, _, function, xla in rows]
        columns.append(images_per_second(functions, tf.constant(pixels, "float32")))
    table = rich.table.Table(title=f"images per second, float32, {os.cpu_count()} cores, TensorFlow {tf.__version__}")
    table.add_column("")
    for side, batch in SIZES:
        table.add_column(f"{side} px, batch {batch}", justify="right")
        table.add_column("ratio", justify="right")
    first = {}
    for i, (group, name, _, _) in enumerate(rows):
        start = first.setdefault(group, i)
        cells = [cell for rate in columns for cell in (f"{rate[i]:,.0f}", f"{rate[i] / rate[start]:.2f}")]
        table.add_row(name, *cells, end_section=group not in [row[0] for row in rows[i + 1 :]])
    rich.console.Console().print(table)


if __name__ == "__main__":
    main()
