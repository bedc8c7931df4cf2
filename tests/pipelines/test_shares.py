"""Batches of several workers: together those of one, each worker reading its own part."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines import assemble, frontends
from pipelines.datasets.base import Split
from pipelines.datasets.share import Share
from tests.pipelines.test_assemble import SIZES, image_frontend, images, late_clips, undecoded_images

BATCH = 6


def batches_of(split, frontend, shapes, share, first_epoch=0, first_batch=0):
    arguments = (split, frontend, BATCH, 3, 2, first_epoch, shapes, first_batch, share)
    return list(assemble.training_batches(*arguments).as_numpy_iterator())


@pytest.mark.parametrize("kind", ["images", "late_images", "clips", "buckets"])
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("first_batch", [0, 2])
def test_the_shares_of_a_batch_are_the_batch(kind, count, first_batch):
    """The last batch of 19 or 37 examples has one, so that all but one worker have none of their own."""
    shapes = None
    if kind in ("images", "late_images"):
        split = images() if kind == "images" else undecoded_images(19)[0]
        split = Split(split.examples.take(19), 19) if kind == "images" else split
        frontend = image_frontend(split)
    else:
        split = late_clips(SIZES[:37])[0]
        frontend = frontends.build(frontends.SpeechConfig(sample_rate_hz=8000), split=split)
        shapes = assemble.bucket_plan(split, frontend, BATCH, 3) if kind == "buckets" else None
    whole = batches_of(split, frontend, shapes, Share(), 0, first_batch)
    shares = [batches_of(split, frontend, shapes, Share(i, count), 0, first_batch) for i in range(count)]
    assert {len(share) for share in shares} == {len(whole)}
    for (_, labels), *parts in zip(whole, *shares, strict=True):
        assert {flag for *_, flag in parts} <= {0.0, 1.0}
        assert all(len(part[1]) for part in parts)
        own = np.concatenate([part[1] for part in parts if part[2]])
        assert sorted(own.tolist()) == sorted(labels.tolist())
    if shapes is None:
        assert [part[-1][2] for part in shares] == [1.0] + [0.0] * (count - 1)


def test_a_worker_decodes_its_own_share(monkeypatch):
    """In memory or not: the share of each epoch is another one."""
    split, read = undecoded_images(60)
    frontend = image_frontend(split)
    before = int(read.numpy())
    batches_of(split, frontend, None, Share(1, 3))
    measured = 1  # the first example, for its size
    assert read.numpy() - before <= measured + 2 * 60 / 3


def test_shares_on_the_host_have_augmentations_of_their_own():
    example = {"image": np.full((12, 4, 4, 1), 100, "uint8"), "label": np.zeros(12, "int64")}
    split = Split(tf.data.Dataset.from_tensor_slices(example), 12)
    frontend = image_frontend(split, placement="host", brightness=0.5)
    (one, *_), (other, *_) = (batches_of(split, frontend, None, Share(i, 2))[0] for i in (0, 1))
    assert not set(one.ravel().tolist()) & set(other.ravel().tolist())
