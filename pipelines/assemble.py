"""From a split to batches: the only place that decides cache, shuffle, map, batch, bucket and prefetch."""

import math

import keras
import numpy as np
import tensorflow as tf

from pipelines import buckets

CACHE_BYTES = 2_000_000_000  # a split whose examples take less is kept in memory
SHUFFLE_EXAMPLES = 10_000  # at least so many examples are shuffled among each other
SHUFFLE_BYTES = 1_000_000_000  # a larger shuffle buffer is allowed up to this
PADDING_SECONDS = 0.25  # padded clips are multiples of this, so that a program sees few shapes
LABEL_STEPS = 16  # labels that are sequences are padded to multiples of this, for the same reason


def steps_per_epoch(split, batch_size):
    """How many batches one pass over the split has; the last may be smaller."""
    return math.ceil(split.size / batch_size)


def training_batches(split, frontend, batch_size, seed, epochs, first_epoch=0, shapes=None):
    """Batches of (inputs, label) for epochs `first_epoch` to `epochs` - 1, one after the other.

    Epoch by epoch the order, and with `placement="host"` the augmentation, follow from the seed and the epoch's number
    alone: a run that goes on at epoch 5 sees what it would have seen without the interruption. With `shapes`, Buckets,
    clips of about the same length stand together; the first epoch begins with the longest, so that what takes too much
    memory fails at once.
    """
    examples, example_bytes = _prepared(split, frontend)
    buffer = max(SHUFFLE_EXAMPLES, SHUFFLE_BYTES // example_bytes)

    def epoch_batches(epoch, longest_first=False):
        order = examples.shuffle(min(split.size, buffer), seed=seed * 100_003 + epoch, reshuffle_each_iteration=False)
        if longest_first and len(shapes.limits) > 1:
            limit = shapes.limits[-2]
            longest = order.filter(lambda example: tf.size(example["audio"]) > limit)
            order = longest.concatenate(order.filter(lambda example: tf.size(example["audio"]) <= limit))
        return _batches(order, frontend, batch_size, lambda number: (seed, epoch, number), shapes)

    start, batches = first_epoch, None
    if shapes and first_epoch == 0:
        start, batches = 1, epoch_batches(tf.constant(0, tf.int64), longest_first=True)
    others = tf.data.Dataset.range(start, epochs).flat_map(epoch_batches)
    return _tuned(others if batches is None else batches.concatenate(others))


def evaluation_batches(split, frontend, batch_size):
    """Batches of (inputs, label) in the split's own order, without augmentation."""
    return _tuned(_batches(_prepared(split, frontend)[0], frontend, batch_size, None))


def numbered_batches(split, frontend, batch_size, batch_seconds=None):
    """Batches of (inputs, (label, number)) of clips of about the same length, without augmentation.

    `number` is where an example stands in the split, since the batches are in another order. They hold at most
    `batch_size` clips and `batch_seconds` of sound, as those of `bucket_plan`.
    """
    shapes = bucket_plan(split, frontend, batch_size, batch_seconds)
    examples = _prepared(split, frontend)[0].enumerate()
    examples = examples.map(lambda number, example: {**example, "label": (example["label"], number)})
    return _tuned(_batches(examples, frontend, batch_size, None, shapes))


def for_replicas(batches, count):
    """Batches of which each of `count` devices gets a part: of too few or odd ones, the first stand there again."""

    def filled(*batch):
        size = tf.shape(tf.nest.flatten(batch)[0])[0]
        places = tf.range(-(-size // count) * count) % size
        return tf.nest.map_structure(lambda part: tf.gather(part, places), batch)

    return batches.map(filled)


def bucket_plan(split, frontend, batch_size, batch_seconds=None):
    """The Buckets of a split of clips; takes a pass over the data where their lengths are not known."""
    rate, seconds = frontend.config.sample_rate_hz, split.seconds
    if seconds is None:
        sizes = split.examples.map(lambda example: tf.size(example["audio"]), num_parallel_calls=tf.data.AUTOTUNE)
        seconds = np.array(list(sizes.as_numpy_iterator())) / rate
    return buckets.plan(seconds, rate, batch_size, batch_seconds)


def _tuned(batches):
    options = tf.data.Options()
    options.deterministic = True
    # As many calls at once as there are cores from the first on; tuning takes seconds to find that out.
    options.autotune.enabled = False
    return batches.prefetch(2).with_options(options)


def _prepared(split, frontend):
    """(examples that can stand in one batch, bytes of one), kept in memory after the first pass if all of them fit.

    Images of different sizes are resized here, one by one.
    """
    examples = split.examples
    if frontend.modality == "image" and frontend.resized_before:

        def resized(example):
            return {**example, "image": tf.ensure_shape(frontend.resize(example["image"][None])[0], frontend.raw_shape)}

        examples = examples.map(resized, num_parallel_calls=tf.data.AUTOTUNE)
    # The first stands for all; it may be empty.
    size = sum(tensor.numpy().nbytes for example in examples.take(1) for tensor in example.values())
    return (examples.cache() if size * split.size <= CACHE_BYTES else examples), max(1, size)


def _batches(examples, frontend, batch_size, place, shapes=None):
    """(inputs, label) in batches; on the host with features, whose randomness follows from `place(number)`.

    With `shapes` in buckets of length.
    """
    on_host = frontend.config.placement == "host"
    if frontend.modality == "image":
        batches = examples.batch(batch_size, num_parallel_calls=tf.data.AUTOTUNE)
        batches = batches.map(lambda batch: (batch["image"], batch["label"]))
        return _on_host(batches.enumerate(), frontend, place) if on_host else batches
    examples = examples.map(lambda example: {**example, "samples": tf.size(example["audio"])})
    if on_host:  # clip by clip, since the features of a batch would be those of its padding too
        numbered = examples.map(lambda example: {**example, "label": (example["label"], example["samples"])})
        clips = _on_host(numbered.enumerate(), frontend, place)
        if frontend.takes != "image":  # whose pictures are of one size
            block = max(1, round(PADDING_SECONDS * frontend.steps_per_second))
            clips = clips.map(lambda inputs, label: ({**inputs, "features": _filled(inputs["features"], block)}, label))
        clips = clips.map(lambda inputs, label: (inputs, *label))
    else:
        block = int(frontend.config.sample_rate_hz * PADDING_SECONDS)

        def inputs(example):
            full = _filled(example["audio"], block) if shapes is None else _full(example["audio"], shapes)
            return {"audio": full, "length": example["samples"]}, example["label"], example["samples"]

        clips = examples.map(inputs)
    clips = clips.map(lambda inputs, label, samples: (inputs, _even(label), samples))
    if shapes is None:
        batches = clips.padded_batch(batch_size)
    else:
        batches = clips.bucket_by_sequence_length(
            lambda inputs, label, samples: samples, [limit + 1 for limit in shapes.limits[:-1]], list(shapes.sizes)
        )
    return batches.map(lambda inputs, label, samples: (inputs, label))


def _even(label):
    """Labels that are sequences end in zeros, at least one, so that few lengths occur; others stay as they are."""
    return tf.nest.map_structure(
        lambda part: _filled(tf.pad(part, [[0, 1]]), LABEL_STEPS) if len(part.shape) else part, label
    )


def _full(audio, shapes):
    """Zeros behind a waveform, up to the limit of its bucket; none where it is longer than all."""
    limits = tf.constant(shapes.limits)
    place = tf.minimum(tf.searchsorted(limits, [tf.size(audio)])[0], len(shapes.limits) - 1)
    return tf.pad(audio, [[0, tf.maximum(limits[place] - tf.size(audio), 0)]])


def _filled(sequence, block):
    """Zeros behind a sequence, up to the next multiple of `block` steps."""
    missing = -tf.shape(sequence)[0] % block
    return tf.pad(sequence, [[0, missing]] + [[0, 0]] * (len(sequence.shape) - 1))


def _on_host(numbered, frontend, place):
    """The frontend inside tf.data, over batches of images or over single clips.

    `place(number)` is what an element's randomness follows from, None is no augmentation.
    """
    states = [variable for variable in frontend.variables if variable.path.endswith("seed_generator_state")]

    def features(number, inputs):
        if place is None:
            return frontend(inputs, training=False)
        # Given from outside and not drawn from the layers' own state, whose order of use several threads would decide.
        seed, epoch, number = (tf.cast(part, tf.int64) for part in place(number))
        mapping = [
            (state, tf.cast(tf.stack([seed * 100_003 + epoch, number * len(states) + i]), state.dtype))
            for i, state in enumerate(states)
        ]
        with keras.StatelessScope(state_mapping=mapping):
            return frontend(inputs, training=True)

    def of_images(number, batch):
        return features(number, batch[0]), batch[1]

    def of_clip(number, example):
        batch_of_one = features(number, {"audio": example["audio"][None]})
        return tf.nest.map_structure(lambda value: value[0], batch_of_one), example["label"]

    function = of_images if frontend.modality == "image" else of_clip
    return numbered.map(function, num_parallel_calls=tf.data.AUTOTUNE)
