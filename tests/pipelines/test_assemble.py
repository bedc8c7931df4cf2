"""Batches: complete, padded, in an order that the seed and the epoch decide alone."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from pipelines import assemble, frontends
from pipelines.datasets.base import Split


def images(size=23):
    pixels = np.arange(size, dtype="uint8")[:, None, None, None] * np.ones((1, 4, 4, 1), "uint8")
    return Split(tf.data.Dataset.from_tensor_slices({"image": pixels, "label": np.arange(size)}), size)


def image_frontend(split, **options):
    config = frontends.ImageConfig(height=4, width=4, channels=1, normalise="unit", **options)
    return frontends.build(config, augment=True, seed=1, split=split)


def flat(lists):
    return list(itertools.chain.from_iterable(lists))


def labels(batches):
    return [batch.numpy().tolist() for _, batch in batches]


def test_every_epoch_holds_every_example_once_in_an_order_of_its_own():
    split = images()
    got = labels(assemble.training_batches(split, image_frontend(split), 5, seed=3, epochs=2))
    assert assemble.steps_per_epoch(split, 5) == 5
    first, second = flat(got[:5]), flat(got[5:])
    assert len(got) == 10
    assert sorted(first) == sorted(second) == list(range(23))
    assert first != second


def test_an_epoch_depends_on_its_number_and_the_seed_alone():
    split = images()
    frontend = image_frontend(split)
    whole = labels(assemble.training_batches(split, frontend, 5, seed=3, epochs=3))
    later = labels(assemble.training_batches(split, frontend, 5, seed=3, epochs=3, first_epoch=2))
    assert whole[10:] == later
    assert whole != labels(assemble.training_batches(split, frontend, 5, seed=4, epochs=3))


def test_evaluation_keeps_the_order():
    split = images()
    assert flat(labels(assemble.evaluation_batches(split, image_frontend(split), 4))) == list(range(23))


def test_augmentation_on_the_host_follows_from_seed_and_epoch():
    split = images()
    frontend = image_frontend(split, placement="host", brightness=0.5)

    def pixels(first_epoch, seed=3):
        batches = assemble.training_batches(split, frontend, 5, seed=seed, epochs=2, first_epoch=first_epoch)
        return [image.numpy() for image, _ in batches]

    whole = pixels(0)
    for one, other in zip(whole[5:], pixels(1), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((one != other).any() for one, other in zip(whole[:4], pixels(0, seed=4)[:4], strict=True))
    example = {"image": np.full((6, 4, 4, 1), 100, "uint8"), "label": np.zeros(6, "int64")}
    same = Split(tf.data.Dataset.from_tensor_slices(example), 6)
    batch, _ = next(iter(assemble.training_batches(same, frontend, 6, seed=3, epochs=1)))
    assert len(np.unique(batch.numpy().round(5))) > 3  # each example has a brightness of its own


def test_clips_are_padded_to_few_lengths_and_keep_their_own():
    sizes = [10, 2100, 1999, 4000, 350]
    examples = tf.data.Dataset.from_generator(
        lambda: ({"audio": np.ones(size, "float32"), "label": i} for i, size in enumerate(sizes)),
        output_signature={"audio": tf.TensorSpec([None], tf.float32), "label": tf.TensorSpec([], tf.int64)},
    )
    split = Split(examples, 5)
    frontend = frontends.build(frontends.SpeechConfig(sample_rate_hz=8000))
    (first, _), (second, _), (third, _) = assemble.evaluation_batches(split, frontend, 2)
    assert [batch["audio"].shape[1] for batch in (first, second, third)] == [4000, 4000, 2000]
    assert np.concatenate([batch["length"] for batch in (first, second, third)]).tolist() == sizes
    np.testing.assert_array_equal(first["audio"].numpy().sum(axis=1), [10, 2100])


@pytest.mark.parametrize("limit", [0, 10**9])
def test_small_splits_are_read_once(limit, monkeypatch):
    monkeypatch.setattr(assemble, "CACHE_BYTES", limit)
    read = tf.Variable(0)

    def count(example):
        read.assign_add(1)
        return example

    split = images()
    split = Split(split.examples.map(count), split.size)
    labels(assemble.training_batches(split, image_frontend(split), 5, seed=3, epochs=3))
    look = 1  # at the first example, for its size
    assert read.numpy() == look + (23 if limit else 3 * 23)
