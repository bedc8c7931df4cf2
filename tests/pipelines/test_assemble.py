"""Batches are complete and padded; their order depends on the seed and the epoch only."""

import dataclasses
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
    config = frontends.ImageConfig(height=4, width=4, channels=1, normalize="unit", **options)
    return frontends.build(config, augment=True, seed=1, split=split)


def flat(lists):
    return list(itertools.chain.from_iterable(lists))


def labels(batches):
    return [batch.numpy().tolist() for _, batch in batches]


def test_every_epoch_holds_every_example_once_in_a_different_order():
    split = images()
    batches = labels(assemble.training_batches(split, image_frontend(split), 5, seed=3, epochs=2))
    assert assemble.steps_per_epoch(split, 5) == 5
    first, second = flat(batches[:5]), flat(batches[5:])
    assert len(batches) == 10
    assert sorted(first) == sorted(second) == list(range(23))
    assert first != second


def test_an_epoch_depends_on_its_number_and_the_seed_only():
    split = images()
    frontend = image_frontend(split)
    whole = labels(assemble.training_batches(split, frontend, 5, seed=3, epochs=3))
    later = labels(assemble.training_batches(split, frontend, 5, seed=3, epochs=3, first_epoch=2))
    assert whole[10:] == later
    assert whole != labels(assemble.training_batches(split, frontend, 5, seed=4, epochs=3))


def test_evaluation_keeps_the_order():
    split = images()
    assert flat(labels(assemble.evaluation_batches(split, image_frontend(split), 4))) == list(range(23))


def test_augmentation_on_the_host_depends_on_seed_and_epoch_only():
    split = images()
    frontend = image_frontend(split, placement="host", brightness=0.5)

    def pixels(first_epoch, seed=3):
        batches = assemble.training_batches(split, frontend, 5, seed=seed, epochs=2, first_epoch=first_epoch)
        return [image.numpy() for image, _ in batches]

    whole = pixels(0)
    for batch, resumed in zip(whole[5:], pixels(1), strict=True):
        np.testing.assert_array_equal(batch, resumed)
    assert any((batch != other).any() for batch, other in zip(whole[:4], pixels(0, seed=4)[:4], strict=True))
    example = {"image": np.full((6, 4, 4, 1), 100, "uint8"), "label": np.zeros(6, "int64")}
    same = Split(tf.data.Dataset.from_tensor_slices(example), 6)
    batch, _ = next(iter(assemble.training_batches(same, frontend, 6, seed=3, epochs=1)))
    assert len(np.unique(batch.numpy().round(5))) > 3  # each example has a different brightness


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
    monkeypatch.setattr(assemble, "MAX_CACHE_BYTES", limit)
    read = tf.Variable(0)

    def count(example):
        read.assign_add(1)
        return example

    split = images()
    split = Split(split.examples.map(count), split.size)
    labels(assemble.training_batches(split, image_frontend(split), 5, seed=3, epochs=3))
    measured = 1  # the first example, for its size
    assert read.numpy() == measured + (23 if limit else 3 * 23)


def undecoded_images(size=500):
    """A split of numbers that become pictures late, and the number of those that have been decoded."""
    read = tf.Variable(0)

    def decode(row):
        read.assign_add(1)
        return {"image": tf.fill((4, 4, 1), tf.cast(row["label"] % 256, tf.uint8)), "label": row["label"]}

    rows = tf.data.Dataset.from_tensor_slices({"label": np.arange(size)})
    return Split.from_rows(rows, decode, size), read


def test_names_are_shuffled_and_not_pixels(monkeypatch):
    monkeypatch.setattr(assemble, "MAX_CACHE_BYTES", 0)
    split, read = undecoded_images()
    frontend = image_frontend(split)
    next(iter(assemble.training_batches(split, frontend, 5, seed=3, epochs=1)))
    assert read.numpy() < 100
    whole = labels(assemble.training_batches(split, frontend, 5, seed=3, epochs=3))
    epochs = [flat(whole[i : i + 100]) for i in (0, 100, 200)]
    assert all(sorted(epoch) == list(range(500)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert whole[200:] == labels(assemble.training_batches(split, frontend, 5, seed=3, epochs=3, first_epoch=2))
    replaced = dataclasses.replace(split, examples=split.examples.take(7), size=7)
    assert sorted(flat(labels(assemble.training_batches(replaced, frontend, 5, seed=3, epochs=1)))) == list(range(7))


def test_small_splits_keep_the_order_of_their_decoded_examples():
    split, _ = undecoded_images()
    in_memory = Split(split.examples, split.size)
    assert split.late()
    assert not in_memory.late()
    orders = [
        labels(assemble.training_batches(each, image_frontend(each), 5, seed=3, epochs=2))
        for each in (split, in_memory)
    ]
    assert orders[0] == orders[1]


def test_combined_splits_are_decoded_late():
    split, read = undecoded_images(20)
    marks = tf.data.Dataset.from_tensor_slices((np.arange(20) % 2 == 0, 100 + np.arange(20)))
    combine = lambda example, mark: {**example, "label": mark[1]}  # noqa: E731
    some = split.combined(marks, combine, keep=lambda mark: mark[0], size=10)
    assert (some.size, len(some.examples), some.late() is not None) == (10, 10, True)
    assert [int(example["label"]) for example in some.examples] == list(range(100, 120, 2))
    assert read.numpy() == 10
    assert [int(example["image"][0, 0, 0]) for example in some.examples] == list(range(0, 20, 2))
    again = some.combined(tf.data.Dataset.range(10), lambda example, number: {**example, "label": number})
    assert [int(example["label"]) for example in again.examples] == list(range(10))
    loose = Split(split.examples, 20).combined(marks, combine, keep=lambda mark: mark[0], size=10)
    assert loose.late() is None
    assert [int(example["label"]) for example in loose.examples] == list(range(100, 120, 2))


def clips(sizes, seconds=True):
    """Clips whose labels are sequences: clip i has i ones as its label, and samples of value i."""
    examples = tf.data.Dataset.from_generator(
        lambda: ({"audio": np.full(size, i, "float32"), "label": [1] * i} for i, size in enumerate(sizes)),
        output_signature={"audio": tf.TensorSpec([None], tf.float32), "label": tf.TensorSpec([None], tf.int32)},
    )
    return Split(examples, len(sizes), seconds=np.array(sizes) / 8000 if seconds else None)


SIZES = np.random.default_rng(0).integers(500, 9000, size=40).tolist()


@pytest.mark.parametrize("placement", ["device", "host"])
@pytest.mark.parametrize("known", [True, False])
def test_batches_hold_clips_of_about_the_same_length(placement, known):
    split = clips(SIZES, known)
    frontend = frontends.build(frontends.SpeechConfig(sample_rate_hz=8000, placement=placement))
    shapes = assemble.bucket_plan(split, frontend, 8, batch_seconds=4)
    batches = list(assemble.training_batches(split, frontend, 8, seed=1, epochs=2, shapes=shapes))
    assert len(batches) == 2 * shapes.batches
    epochs = batches[: shapes.batches], batches[shapes.batches :]
    numbers = [[(label.numpy() != 0).sum(axis=1).tolist() for _, label in epoch] for epoch in epochs]
    assert [sorted(flat(epoch)) for epoch in numbers] == [list(range(40))] * 2
    assert numbers[0] != numbers[1]
    longest = max(shapes.limits)
    assert {np.searchsorted(shapes.limits, SIZES[i]) for i in numbers[0][0]} == {len(shapes.limits) - 1}
    for inputs, label in batches:
        assert label.shape[1] % assemble.LABEL_STEPS == 0
        assert not label.numpy()[:, -1].any()
        if placement == "device":
            size, length = inputs["audio"].shape
            assert length in shapes.limits
            assert size == 1 or size * length <= 4 * 8000
            own = (label.numpy() != 0).sum(axis=1)
            assert inputs["length"].numpy().tolist() == [SIZES[i] for i in own]
            assert inputs["audio"].shape[1] <= longest


def test_an_epoch_in_buckets_depends_on_its_number_only():
    split = clips(SIZES)
    frontend = frontends.build(frontends.SpeechConfig(sample_rate_hz=8000))
    shapes = assemble.bucket_plan(split, frontend, 8)
    orders = [
        [label.numpy().tolist() for _, label in assemble.training_batches(split, frontend, 8, 1, 3, first, shapes)]
        for first in (0, 2)
    ]
    assert orders[0][2 * shapes.batches :] == orders[1]


def late_clips(sizes):
    """`clips` of random length that are decoded late, and the indices of those that have been decoded."""
    read = []

    def decode(row):
        size = tf.numpy_function(lambda i: read.append(int(i)) or np.int64(sizes[i]), [row], tf.int64)
        audio = tf.ensure_shape(tf.fill([size], tf.cast(row, tf.float32)), [None])
        return {"audio": audio, "label": row}

    rows = tf.data.Dataset.range(len(sizes))
    return Split.from_rows(rows, decode, len(sizes), seconds=np.array(sizes) / 8000), read


@pytest.mark.parametrize("kind", ["images", "late_images", "clips", "buckets"])
@pytest.mark.parametrize("placement", ["device", "host"])
@pytest.mark.parametrize("epoch", [0, 1])
def test_the_rest_of_an_epoch(kind, placement, epoch):
    if kind in ("images", "late_images"):
        split = images() if kind == "images" else undecoded_images(23)[0]
        frontend, shapes = image_frontend(split, placement=placement, brightness=0.5), None
    else:
        split = late_clips(SIZES)[0]
        config = frontends.SpeechConfig(sample_rate_hz=8000, placement=placement, gain_db=6.0)
        frontend = frontends.build(config, augment=True, seed=1, split=split)
        shapes = assemble.bucket_plan(split, frontend, 5, 3) if kind == "buckets" else None
    steps = shapes.batches if shapes else assemble.steps_per_epoch(split, 5)

    def batches(skipped):
        return list(assemble.training_batches(split, frontend, 5, 3, 2, epoch, shapes, skipped).as_numpy_iterator())

    whole = batches(0)
    for skipped in (1, steps // 2, steps - 1, steps):
        rest = batches(skipped)
        assert len(rest) == len(whole) - skipped
        for one, other in zip(whole[skipped:], rest, strict=True):
            tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def test_what_was_consumed_is_not_decoded_again():
    split, read = late_clips(SIZES)
    frontend = frontends.build(frontends.SpeechConfig(sample_rate_hz=8000))
    shapes = assemble.bucket_plan(split, frontend, 8)
    order = flat(labels(assemble.training_batches(split, frontend, 8, 3, 1, 0, shapes)))
    consumed = flat(labels(assemble.training_batches(split, frontend, 8, 3, 1, 0, shapes).take(3)))
    read.clear()
    rest = flat(labels(assemble.training_batches(split, frontend, 8, 3, 1, 0, shapes, first_batch=3)))
    assert rest == order[len(consumed) :]
    measured = 1  # the first example, for its size
    assert sorted(read[measured:]) == sorted(rest)


def test_numbered_batches_hold_the_index_of_each_example():
    split = clips(SIZES)
    frontend = frontends.build(frontends.SpeechConfig(sample_rate_hz=8000))
    seen = {}
    for inputs, (label, numbers) in assemble.numbered_batches(split, frontend, 8):
        for row, number in enumerate(numbers.numpy().tolist()):
            assert inputs["length"][row] == SIZES[number]
            assert (label[row].numpy() != 0).sum() == number
            seen[number] = True
    assert sorted(seen) == list(range(40))


@pytest.mark.parametrize(
    ("size", "padded"), [(1, [0, 0, 0]), (3, [0, 1, 2]), (4, [0, 1, 2, 3, 0, 1]), (5, [0, 1, 2, 3, 4])]
)
def test_no_replica_is_without_examples(size, padded):
    numbers = np.arange(size)
    batches = tf.data.Dataset.from_tensors(({"features": 10.0 * numbers}, numbers))
    ((inputs, label),) = assemble.pad_for_replicas(batches, 3)
    assert label.numpy().tolist() == padded
    assert inputs["features"].numpy().tolist() == [10.0 * number for number in padded]
