"""Matchmaps and what becomes of them, against loops over cells and steps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.architectures.layers.matchmap import (
    MapScale,
    MatchmapSimilarity,
    matchmap,
    matchmap_network,
    matchmap_outputs,
    pool_matchmap,
)

KINDS = ("sisa", "misa", "sima")
STEPS = (5, 1, 3)  # true steps of three clips
RANDOM = np.random.default_rng(2)
IMAGES = RANDOM.normal(size=(4, 2, 3, 6)).astype("float32")
CLIPS = RANDOM.normal(size=(3, 5, 6)).astype("float32")
KEEP = np.arange(5) < np.array(STEPS)[:, None]


def by_hand(image, clip, kind):
    """The similarity of an image (height, width, units) and a clip (steps, units) without padding."""
    maps = [[[float(cell @ step) for cell in row] for row in image] for step in clip]
    flat = [[value for row in rows for value in row] for rows in maps]  # [step][cell]
    if kind == "sisa":
        return np.mean([value for cells in flat for value in cells])
    if kind == "misa":
        return np.mean([max(cells) for cells in flat])
    return np.mean([max(cells[i] for cells in flat) for i in range(len(flat[0]))])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("padding", [0.0, 99.0, np.nan])
def test_similarities_equal_loops_whatever_the_padding(kind, padding):
    clips = np.where(KEEP[:, :, None], CLIPS, np.float32(padding))
    values = MatchmapSimilarity(kind)(IMAGES, clips, KEEP)
    expected = [
        [by_hand(image, clip[:steps], kind) for clip, steps in zip(CLIPS, STEPS, strict=True)] for image in IMAGES
    ]
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_without_steps_has_no_similarity_and_no_gradient(kind):
    clips = tf.Variable(CLIPS)
    with tf.GradientTape() as tape:
        maps = matchmap(IMAGES.reshape(4, 1, 6, 6), clips[None])
        values = pool_matchmap(maps, np.zeros((1, 3, 5), bool), kind)
        loss = tf.reduce_sum(values)
    np.testing.assert_array_equal(values, 0)
    np.testing.assert_array_equal(tape.gradient(loss, clips), 0)


def network(kind):
    image_map, speech_map = keras.Input((2, 3, 6), name="image"), keras.Input((None, 6), name="audio")
    mask = keras.Input((None,), dtype="bool", name="mask")
    outputs = matchmap_outputs(image_map, speech_map, mask, kind, 0.07)
    return keras.Model({"image": image_map, "audio": speech_map, "mask": mask}, outputs, name="net")


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_of_a_network(kind):
    """Embeddings are means of length one, and the mean of a matchmap is their inner product."""
    net, inputs = network(kind), {"image": IMAGES[:3], "audio": CLIPS, "mask": KEEP}
    outputs, maps = net(inputs), matchmap_network(net)(inputs)
    means = (
        IMAGES[:3].mean(axis=(1, 2)),
        np.array([clip[:n].mean(axis=0) for clip, n in zip(CLIPS, STEPS, strict=True)]),
    )
    for name, mean in zip(("image", "audio"), means, strict=True):
        np.testing.assert_allclose(outputs[name], mean / np.linalg.norm(mean, axis=1, keepdims=True), rtol=1e-5)
    inner = np.asarray(outputs["image"]) @ np.asarray(outputs["audio"]).T
    np.testing.assert_array_equal(maps["steps"], STEPS)
    of_pairs = [np.mean(each[:, :, :steps]) for each, steps in zip(maps["matchmap"], STEPS, strict=True)]
    np.testing.assert_allclose(of_pairs, np.diag(inner), rtol=1e-5)
    assert not any(np.any(each[:, :, steps:]) for each, steps in zip(maps["matchmap"], STEPS, strict=True))
    assert ("similarity" in outputs) == (kind != "sisa")
    if kind == "misa":
        expected = [
            each[:, :, :n].numpy().max(axis=(0, 1)).mean() for each, n in zip(maps["matchmap"], STEPS, strict=True)
        ]
        np.testing.assert_allclose(np.diag(outputs["similarity"]), expected, rtol=1e-5)
        assert (np.asarray(outputs["similarity"]) > inner).all()


def test_a_mean_of_zeros_has_no_gradient():
    x = tf.Variable([[0.0, 0.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        result = MapScale()(x, x)
        loss = tf.reduce_sum(result[:, 0])
    np.testing.assert_allclose(result, [[0, 0], [0.6, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(loss, x), [[0, 0], [0.128, -0.096]], rtol=1e-5)


def test_a_network_without_maps():
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="dense")
    with pytest.raises(ValueError, match=r"Only a network with maps has matchmaps\. Received: dense"):
        matchmap_network(net)
    with pytest.raises(ValueError, match=r"must be sisa, misa or sima\. Received: mean"):
        MatchmapSimilarity("mean")
