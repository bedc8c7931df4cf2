"""From a split to batches: the only module that decides how to cache, shuffle, map, batch, bucket and prefetch."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import keras
import numpy as np
import tensorflow as tf

from pipelines import buckets
from pipelines.datasets.base import decoded
from pipelines.datasets.share import WHOLE, Share
from pipelines.image_formats import native_resize
from pipelines.storage import graph

if TYPE_CHECKING:
    from pipelines.buckets import Buckets
    from pipelines.datasets.base import Split
    from pipelines.frontends import Frontend, SpeechFrontend
    from pipelines.layers.base import Tensor

MAX_CACHE_BYTES = 2_000_000_000  # a split whose examples take less stays in memory
MIN_SHUFFLE_EXAMPLES = 10_000  # the shuffle buffer holds at least this number of examples
SHUFFLE_BYTES = 1_000_000_000  # it holds more examples up to this size
PADDING_SECONDS = 0.25  # padded clips are multiples of this, so that a program compiles for few shapes
LABEL_STEPS = 16  # padded sequences of labels are multiples of this, for the same reason

# From an element's number to the (seed, epoch, number) that determine its random augmentation.
RandomKey = Callable[["Tensor"], tuple["Tensor", "Tensor", "Tensor"]]


def steps_per_epoch(split: "Split", batch_size: int) -> int:
    """Counts the batches of one pass over a split.

    Args:
        split: The split.
        batch_size: Examples per batch; the last batch may be smaller.

    Returns:
        Number of batches.
    """
    return math.ceil(split.size / batch_size)


def training_batches(
    split: "Split",
    frontend: "Frontend",
    batch_size: int,
    seed: int,
    epochs: int,
    first_epoch: int = 0,
    shapes: "Buckets | None" = None,
    first_batch: int = 0,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    """Builds shuffled batches for several epochs, one epoch after the other.

    Order, and with `placement="host"` augmentation, depend on the seed and the epoch's number only: a run that resumes
    at epoch 5, or within it, gets the batches of a run without interruption.

    Args:
        split: The training split.
        frontend: Its frontend; with `placement="host"` it runs here.
        batch_size: Maximum examples per batch.
        seed: Seed of order and augmentation.
        epochs: Number of epochs, counted from epoch 0.
        first_epoch: Number of the first epoch.
        shapes: Buckets of lengths, see `bucket_plan`; None batches clips of different lengths together. The first
            epoch begins with the longest bucket, so that running out of memory shows at the start.
        first_batch: Number of batches of the first epoch that are left out.
        share: The examples of each batch that are taken; of batches by length after decoding. Else what is left out is
            not decoded, unless it is in memory anyway or comes from a stream.

    Returns:
        Batches (inputs, label), of a share with a flag behind them, see `Share.flagged`. Images are tensors; clips are
        dicts of "audio" and "length", or of features, pairs the same with "image", or with "video" and "video_frames".
    """
    ordered = _Order(split, frontend, shapes)

    def epoch_batches(epoch: "Tensor", longest_first: bool = False, skipped: int = 0) -> tf.data.Dataset:
        def random_key(number: "Tensor") -> tuple["Tensor", ...]:  # a clip's number is that in the whole epoch
            return seed, epoch, number if ordered.has_clips else number * share.count + share.index

        examples = ordered.examples(seed * 100_003 + epoch, longest_first, skipped, batch_size, share)
        if shapes is not None and share.count > 1:
            return share.of_batches(_batch(examples, frontend, batch_size, random_key, shapes, skipped))
        batches = _batch(examples, frontend, batch_size // share.count, random_key, shapes, skipped)
        return share.flagged(batches, split.size, batch_size, skipped)

    start, batches, longest_first = first_epoch, None, shapes is not None and first_epoch == 0
    if longest_first or first_batch:
        start, batches = first_epoch + 1, epoch_batches(tf.constant(first_epoch, tf.int64), longest_first, first_batch)
    others = tf.data.Dataset.range(start, epochs).flat_map(epoch_batches)
    return _prefetched(others if batches is None else batches.concatenate(others))


def evaluation_batches(
    split: "Split", frontend: "Frontend", batch_size: int, is_repeated: bool = False
) -> tf.data.Dataset:
    """Builds batches in the split's own order, without augmentation.

    Args:
        split: The split.
        frontend: Its frontend; with `placement="host"` it runs here.
        batch_size: Examples per batch; the last batch may be smaller.
        is_repeated: Whether the batches are read more than once, so that a small split stays in memory.

    Returns:
        Batches (inputs, label), as those of `training_batches`.
    """
    examples = _prepared_examples(split, frontend)[0] if is_repeated else _resized(split.examples, frontend)
    return _prefetched(_batch(examples, frontend, batch_size, None))


def numbered_batches(
    split: "Split", frontend: "Frontend", batch_size: int, batch_seconds: float | None = None
) -> tf.data.Dataset:
    """Builds batches of clips of about the same length, without augmentation, in another order than the split's.

    Args:
        split: A split of clips.
        frontend: Its frontend; with `placement="host"` it runs here.
        batch_size: Maximum clips per batch.
        batch_seconds: Maximum sound per batch, seconds; None is no limit. See `bucket_plan`.

    Returns:
        Batches (inputs, (label, number)), where `number` is an example's index in the split.
    """
    shapes = bucket_plan(split, frontend, batch_size, batch_seconds)
    examples = tf.data.Dataset.zip(_prepared_examples(split, frontend)[0].enumerate(), _bucket_numbers(split, shapes))
    examples = examples.map(
        lambda numbered, bucket: {**numbered[1], "label": (numbered[1]["label"], numbered[0]), "bucket": bucket}
    )
    return _prefetched(_batch(examples, frontend, batch_size, None, shapes))


def bucket_plan(split: "Split", frontend: "Frontend", batch_size: int, batch_seconds: float | None = None) -> "Buckets":
    """Plans buckets for a split of clips; reads all clips if the split does not know their lengths.

    Args:
        split: A split of clips.
        frontend: Its frontend, for the sample rate.
        batch_size: Maximum clips per batch.
        batch_seconds: Maximum sound per batch, padding included, seconds; None is no limit. A longer clip is a batch by
            itself.

    Returns:
        The buckets.
    """
    rate, seconds = frontend.config.sample_rate_hz, split.seconds
    if seconds is None:
        sizes = split.examples.map(lambda example: tf.size(example["audio"]), num_parallel_calls=tf.data.AUTOTUNE)
        seconds = np.array(list(sizes.as_numpy_iterator())) / rate
    return buckets.plan(seconds, rate, batch_size, batch_seconds)


def _prefetched(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The batches in a deterministic order, prepared ahead of their use."""
    options = tf.data.Options()
    options.deterministic = True
    # Without it, AUTOTUNE makes one call per core from the start; autotuning takes seconds to get there.
    options.autotune.enabled = False
    return batches.prefetch(2).with_options(options)


class _Order:
    """The examples of a split in the order of an epoch.

    The order is one of indices, so that a part of an epoch can be left out before it is decoded. Where examples are
    neither cached nor in memory anyway, their undecoded rows are shuffled: the buffer holds names instead of pixels.

    Args:
        split: The split.
        frontend: Its frontend.
        shapes: As `training_batches` takes it.
    """

    def __init__(self, split: "Split", frontend: "Frontend", shapes: "Buckets | None") -> None:
        self.frontend, self.shapes, self.size = frontend, shapes, split.size
        self.has_clips = "audio" in frontend.parts()
        self.prepared, example_bytes, self.is_cached = _prepared_examples(split, frontend)
        self.late = split.late()
        self.buckets = _bucket_numbers(split, shapes)
        in_memory = self.is_cached or self.late is not None
        buffer = split.size if in_memory else max(MIN_SHUFFLE_EXAMPLES, SHUFFLE_BYTES // example_bytes)
        self.buffer = min(split.size, buffer)

    def examples(
        self, seed: "Tensor", longest_first: bool, skipped: int, batch_size: int, share: Share
    ) -> tf.data.Dataset:
        """The examples of an epoch without those of the first `skipped` batches.

        A clip has its position in the shuffled epoch as "number", and that of its bucket as "bucket".
        """
        # The rest of one epoch does not fill the cache, nor does a share, which is another one in each epoch.
        late = self.late if skipped or share.count > 1 or not self.is_cached else None
        source = late.rows if late else self.prepared
        if not self.has_clips and not skipped and share.count == 1:  # faster, and in the same order
            rows = source.shuffle(self.buffer, seed=seed, reshuffle_each_iteration=False)
            return _resized(decoded(rows, late.decode, late.block), self.frontend) if late else rows
        rows = self._shuffled(source, seed, longest_first)
        if skipped:
            is_left = tf.constant(self._left(seed, longest_first, skipped, batch_size))
            rows = rows.filter(lambda number, row: is_left[number])
        if self.shapes is None:
            rows = share.of_rows(rows, self.size, batch_size)
        decode = late.decode if late else lambda example: example

        def numbered(element: Any) -> dict[str, "Tensor"]:
            number, (bucket, row) = element
            return {**decode(row), "number": number, "bucket": bucket}

        if late is None:
            return rows.map(lambda *element: numbered(element))
        if late.block > 1:
            rows = graph.with_bytes(
                rows, late.block, lambda element: element[1][1], lambda element, row: (element[0], (element[1][0], row))
            )
        return _resized(decoded(rows, numbered), self.frontend)

    def _shuffled(self, rows: tf.data.Dataset, seed: "Tensor", longest_first: bool) -> tf.data.Dataset:
        """(position, (bucket, row)) of an epoch."""
        rows = tf.data.Dataset.zip(self.buckets, rows)
        rows = rows.shuffle(self.buffer, seed=seed, reshuffle_each_iteration=False).enumerate()
        if not longest_first or self.shapes is None:
            return rows
        last = len(self.shapes.limits) - 1
        longest = rows.filter(lambda number, row: row[0] == last)
        return longest.concatenate(rows.filter(lambda number, row: row[0] != last))

    def _left(self, seed: "Tensor", longest_first: bool, skipped: int, batch_size: int) -> np.ndarray:
        """Whether the example at each position belongs to a later batch than the first `skipped` ones."""
        rows = self._shuffled(tf.data.Dataset.range(self.size), seed, longest_first)
        if self.shapes is None:
            batches = rows.map(lambda number, row: number).batch(batch_size)
        else:
            numbers = rows.map(lambda number, row: (number, row[0]))
            batches = self.shapes.batched(numbers).map(lambda numbers, bucket: numbers)
        left = np.ones(self.size, bool)
        for numbers in batches.take(skipped).as_numpy_iterator():
            left[numbers] = False
        return left


def _bucket_numbers(split: "Split", shapes: "Buckets | None") -> tf.data.Dataset:
    """The number of each example's bucket, 0 without buckets."""
    numbers = np.zeros(split.size, np.int32) if shapes is None else np.asarray(shapes.numbers, np.int32)
    return tf.data.Dataset.from_tensor_slices(numbers)


def _prepared_examples(split: "Split", frontend: "Frontend") -> tuple[tf.data.Dataset, int, bool]:
    """(examples, bytes of one, whether they are kept in memory after the first pass); images are in one size."""
    examples = _resized(split.examples, frontend)
    late = split.late()
    first = decoded(late.rows.take(1), late.decode) if late else split.examples.take(1)
    # The first example stands for all; it may be empty.
    size = sum(part.numpy().nbytes for example in _resized(first, frontend) for part in tf.nest.flatten(example))
    is_cached = size * split.size <= MAX_CACHE_BYTES
    return (examples.cache() if is_cached else examples), max(1, size), is_cached


def _resized(examples: tf.data.Dataset, frontend: "Frontend") -> tf.data.Dataset:
    """The examples; images of different sizes are resized, so that they fit into one batch."""
    parts = frontend.parts()
    image = parts.get("image", parts.get("video"))
    if image is None or not image.resized_before:
        return examples

    def resize(example: dict[str, "Tensor"]) -> dict[str, "Tensor"]:
        if "video" in example:
            video = native_resize.resize(image.resize, example["video"])
            return {**example, "video": tf.ensure_shape(video, (None, *image.raw_shape))}
        resized = native_resize.resize(image.resize, example["image"][None])[0]
        return {**example, "image": tf.ensure_shape(resized, image.raw_shape)}

    return examples.map(resize, num_parallel_calls=tf.data.AUTOTUNE)


def _batch(
    examples: tf.data.Dataset,
    frontend: "Frontend",
    batch_size: int,
    random_key: RandomKey | None,
    shapes: "Buckets | None" = None,
    first_batch: int = 0,
) -> tf.data.Dataset:
    """Batches (inputs, label) of examples; on the host with features, augmented unless `random_key` is None."""
    if "audio" not in frontend.parts():
        batches = examples.batch(batch_size, num_parallel_calls=tf.data.AUTOTUNE)
        batches = batches.map(lambda batch: (batch["image"], batch["label"]))
        on_host = frontend.config.placement == "host"
        return _image_features(batches, frontend, random_key, first_batch) if on_host else batches
    clips = _padded_clips(examples, frontend, random_key, shapes)
    batches = clips.padded_batch(batch_size) if shapes is None else shapes.batched(clips)
    return batches.map(lambda inputs, label, bucket: (inputs, label))


def _padded_clips(
    examples: tf.data.Dataset,
    frontend: "Frontend",
    random_key: RandomKey | None,
    shapes: "Buckets | None",
) -> tf.data.Dataset:
    """(inputs, label, bucket) of single clips, padded to few lengths; on the host inputs are features."""
    zero = tf.constant(0)
    examples = examples.map(
        lambda example: {"bucket": zero, **example, "samples": tf.size(example["audio"])}  # the bucket of all
    )
    speech = cast("SpeechFrontend", frontend.parts()["audio"])
    if frontend.config.placement == "host":
        clips = _clip_features(examples, frontend, random_key)
        if name := frontend.sequence_feature:  # pictures have one size
            block = max(1, round(PADDING_SECONDS * speech.steps_per_second))
            clips = clips.map(
                lambda inputs, label, bucket: ({**inputs, name: _pad_to_multiple(inputs[name], block)}, label, bucket)
            )
    else:
        block = int(speech.config.sample_rate_hz * PADDING_SECONDS)

        def inputs(example: dict[str, "Tensor"]) -> tuple["Tensor", ...]:
            audio, bucket = example["audio"], example["bucket"]
            padded = _pad_to_multiple(audio, block) if shapes is None else shapes.padded(audio, bucket)
            others = {name: example[name] for name in frontend.parts() if name != "audio"}
            if "video" in others:
                pictures = max(1, round(PADDING_SECONDS * frontend.config.frames_per_second))
                others["video_frames"] = tf.shape(others["video"])[0]
                others["video"] = _pad_to_multiple(others["video"], pictures)
            return {**others, "audio": padded, "length": example["samples"]}, example["label"], bucket

        clips = examples.map(inputs)
    return clips.map(lambda inputs, label, bucket: (inputs, _pad_label(label), bucket))


def _pad_label(label: "Tensor") -> "Tensor":
    """Labels that are sequences end in zeros, at least one, so that few lengths occur; others stay the same."""
    return tf.nest.map_structure(
        lambda part: _pad_to_multiple(tf.pad(part, [[0, 1]]), LABEL_STEPS) if len(part.shape) else part, label
    )


def _pad_to_multiple(sequence: "Tensor", block: int) -> "Tensor":
    """A sequence, padded to the next multiple of `block` steps."""
    missing = -tf.shape(sequence)[0] % block
    return tf.pad(sequence, [[0, missing]] + [[0, 0]] * (len(sequence.shape) - 1))


def _image_features(
    batches: tf.data.Dataset, frontend: "Frontend", random_key: RandomKey | None, first_batch: int
) -> tf.data.Dataset:
    """(features, label) of batches (images, label), counted from `first_batch`, by the frontend on the host."""

    def features(number: "Tensor", batch: tuple["Tensor", "Tensor"]) -> tuple["Tensor", "Tensor"]:
        images, label = batch
        return _call_on_host(frontend, images, number, random_key), label

    return batches.enumerate(first_batch).map(features, num_parallel_calls=tf.data.AUTOTUNE)


def _clip_features(examples: tf.data.Dataset, frontend: "Frontend", random_key: RandomKey | None) -> tf.data.Dataset:
    """(inputs, label, bucket) of single clips, by the frontend on the host.

    Clip by clip, since the features of a batch would include those of its padding.
    """

    def features(example: dict[str, "Tensor"]) -> tuple["Tensor", ...]:
        raw = {name: example[name][None] for name in frontend.parts()}
        batch_of_one = _call_on_host(frontend, raw, example.get("number"), random_key)
        inputs = tf.nest.map_structure(lambda value: value[0], batch_of_one)
        return inputs, example["label"], example["bucket"]

    return examples.map(features, num_parallel_calls=tf.data.AUTOTUNE)


def _call_on_host(frontend: "Frontend", inputs: "Tensor", number: "Tensor", random_key: RandomKey | None) -> "Tensor":
    """The frontend's features inside tf.data; augmented unless `random_key` is None.

    Seeds are arguments and not the layers' own state, whose order of use would depend on the threads.
    """
    if random_key is None:
        return frontend(inputs, training=False)
    states = [variable for variable in frontend.variables if variable.path.endswith("seed_generator_state")]
    seed, epoch, number = (tf.cast(part, tf.int64) for part in random_key(number))
    mapping = [
        (state, tf.cast(tf.stack([seed * 100_003 + epoch, number * len(states) + i]), state.dtype))
        for i, state in enumerate(states)
    ]
    with keras.StatelessScope(state_mapping=mapping):
        return frontend(inputs, training=True)
