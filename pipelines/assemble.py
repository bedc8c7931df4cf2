"""From a split to batches: the only place that decides cache, shuffle, map, batch and prefetch."""

import math

import keras
import tensorflow as tf

CACHE_BYTES = 2_000_000_000  # a split whose examples take less is kept in memory
SHUFFLE_EXAMPLES = 10_000  # at least so many examples are shuffled among each other
SHUFFLE_BYTES = 1_000_000_000  # a larger shuffle buffer is allowed up to this
PADDING_SECONDS = 0.25  # padded clips are multiples of this, so that a program sees few shapes


def steps_per_epoch(split, batch_size):
    """How many batches one pass over the split has; the last may be smaller."""
    return math.ceil(split.size / batch_size)


def training_batches(split, frontend, batch_size, seed, epochs, first_epoch=0):
    """Batches of (inputs, label) for epochs `first_epoch` to `epochs` - 1, one after the other.

    Epoch by epoch the order, and with `placement="host"` the augmentation, follow from the seed and the epoch's number
    alone: a run that goes on at epoch 5 sees what it would have seen without the interruption.
    """
    examples, example_bytes = _prepared(split, frontend)
    buffer = max(SHUFFLE_EXAMPLES, SHUFFLE_BYTES // example_bytes)

    def epoch_batches(epoch):
        order = examples.shuffle(min(split.size, buffer), seed=seed * 100_003 + epoch, reshuffle_each_iteration=False)
        return _batches(order, frontend, batch_size, lambda number: (seed, epoch, number))

    options = tf.data.Options()
    options.deterministic = True
    epochs = tf.data.Dataset.range(first_epoch, epochs)
    return epochs.flat_map(epoch_batches).prefetch(tf.data.AUTOTUNE).with_options(options)


def evaluation_batches(split, frontend, batch_size):
    """Batches of (inputs, label) in the split's own order, without augmentation."""
    return _batches(_prepared(split, frontend)[0], frontend, batch_size, None).prefetch(tf.data.AUTOTUNE)


def _prepared(split, frontend):
    """(examples that can stand in one batch, bytes of one), kept in memory after the first pass if all of them fit.

    Images of different sizes are resized here, one by one.
    """
    examples = split.examples
    if frontend.takes == "image" and frontend.resized_before:

        def resized(example):
            return {**example, "image": tf.ensure_shape(frontend.resize(example["image"][None])[0], frontend.raw_shape)}

        examples = examples.map(resized, num_parallel_calls=tf.data.AUTOTUNE)
    # The first stands for all.
    size = sum(tensor.numpy().nbytes for example in examples.take(1) for tensor in example.values())
    return (examples.cache() if size * split.size <= CACHE_BYTES else examples), size


def _batches(examples, frontend, batch_size, place):
    """(inputs, label) in batches; on the host with features, whose randomness follows from `place(number)`."""
    if frontend.config.placement == "device":
        return _batched(examples, frontend, batch_size)
    if frontend.takes == "image":
        return _on_host(_batched(examples, frontend, batch_size).enumerate(), frontend, place)

    # Clip by clip, since the features of a batch would be those of its padding too.
    def alone(example):
        return {"audio": example["audio"][None]}, example["label"]

    def only(inputs, label):
        return {name: value[0] for name, value in inputs.items()}, label

    block = max(1, round(1000 * PADDING_SECONDS / frontend.config.hop_ms))

    def padded(inputs, label):
        frames = tf.shape(inputs["features"])[1]
        return {**inputs, "features": tf.pad(inputs["features"], [[0, 0], [0, -frames % block], [0, 0]])}, label

    clips = _on_host(examples.map(alone).enumerate(), frontend, place).map(only)
    return clips.padded_batch(batch_size).map(padded)


def _batched(examples, frontend, batch_size):
    if frontend.takes == "image":
        batches = examples.batch(batch_size, num_parallel_calls=tf.data.AUTOTUNE)
        return batches.map(lambda batch: (batch["image"], batch["label"]))

    block = int(frontend.config.sample_rate_hz * PADDING_SECONDS)

    def padded(batch):
        samples = tf.shape(batch["audio"])[1]
        audio = tf.pad(batch["audio"], [[0, 0], [0, -samples % block]])
        return {"audio": audio, "length": batch["length"]}, batch["label"]

    with_length = examples.map(lambda example: {**example, "length": tf.size(example["audio"])})
    shapes = {"audio": [None], "label": [], "length": []}
    return with_length.padded_batch(batch_size, padded_shapes=shapes).map(padded)


def _on_host(numbered, frontend, place):
    """The frontend inside tf.data; `place(step)` is what a batch's randomness follows from, None is no augmentation."""
    states = [variable for variable in frontend.variables if variable.path.endswith("seed_generator_state")]

    def features(step, batch):
        inputs, label = batch
        if place is None:
            return frontend(inputs, training=False), label
        # Given from outside and not drawn from the layers' own state, whose order of use several threads would decide.
        seed, epoch, step = (tf.cast(number, tf.int64) for number in place(step))
        mapping = [
            (state, tf.cast(tf.stack([seed * 100_003 + epoch, step * len(states) + i]), state.dtype))
            for i, state in enumerate(states)
        ]
        with keras.StatelessScope(state_mapping=mapping):
            return frontend(inputs, training=True), label

    return numbered.map(features, num_parallel_calls=tf.data.AUTOTUNE)
