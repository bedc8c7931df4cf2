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

    return _tuned(tf.data.Dataset.range(first_epoch, epochs).flat_map(epoch_batches))


def evaluation_batches(split, frontend, batch_size):
    """Batches of (inputs, label) in the split's own order, without augmentation."""
    return _tuned(_batches(_prepared(split, frontend)[0], frontend, batch_size, None))


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
    # The first stands for all.
    size = sum(tensor.numpy().nbytes for example in examples.take(1) for tensor in example.values())
    return (examples.cache() if size * split.size <= CACHE_BYTES else examples), size


def _batches(examples, frontend, batch_size, place):
    """(inputs, label) in batches; on the host with features, whose randomness follows from `place(number)`."""
    on_host = frontend.config.placement == "host"
    if frontend.modality == "image":
        batches = examples.batch(batch_size, num_parallel_calls=tf.data.AUTOTUNE)
        batches = batches.map(lambda batch: (batch["image"], batch["label"]))
        return _on_host(batches.enumerate(), frontend, place) if on_host else batches
    if on_host:  # clip by clip, since the features of a batch would be those of its padding too
        clips = _on_host(examples.enumerate(), frontend, place)
        if frontend.takes != "image":  # whose pictures are of one size
            block = max(1, round(PADDING_SECONDS * frontend.steps_per_second))
            clips = clips.map(lambda inputs, label: ({**inputs, "features": _filled(inputs["features"], block)}, label))
    else:
        block = int(frontend.config.sample_rate_hz * PADDING_SECONDS)
        clips = examples.map(
            lambda example: (
                {"audio": _filled(example["audio"], block), "length": tf.size(example["audio"])},
                example["label"],
            )
        )
    return clips.padded_batch(batch_size)


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
