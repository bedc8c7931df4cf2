"""Checks that every layer must pass, for speech and for images.

`make` is a function without arguments that returns a new layer; `inputs` are the arrays of one call, such as
(waveform,) or (waveform, lengths) or (images,). With `training=True` a random layer augments.
"""

import inspect
import json
import tempfile

import keras
import numpy as np
import tensorflow as tf


def call(layer, inputs, training=None, jit=False):
    """The layer's output as numpy; `training` is passed on only if given; `jit` compiles with XLA."""
    options = _options(training)
    if jit:
        return tf.function(lambda *x: layer(*x, **options), jit_compile=True)(*map(tf.constant, inputs)).numpy()
    return np.asarray(layer(*inputs, **options))


def _options(training):
    return {} if training is None else {"training": training}


def _open_shapes(inputs):
    """Batch and the axis after it unknown."""
    return [(None,) if np.ndim(x) == 1 else (None, None, *np.shape(x)[2:]) for x in inputs]


def outputs_by_context(make, inputs, training=None, shapes=None):
    """The output in every context in which a layer runs; each gets a new layer, so that random numbers start over.

    `shapes` are the inputs' shapes as the graphs know them; by default batch and the next axis are None.
    The SavedModel is left out with `training=True`: an export holds no augmentation.
    """
    inputs = [np.asarray(x) for x in inputs]
    shapes = shapes or _open_shapes(inputs)
    pairs = list(zip(shapes, inputs, strict=True))
    specs = [tf.TensorSpec(shape, x.dtype, name=f"in{i}") for i, (shape, x) in enumerate(pairs)]
    options = _options(training)
    results = {"eager": call(make(), inputs, training)}

    layer = make()
    data = tf.data.Dataset.from_generator(lambda: iter([tuple(inputs)]), output_signature=tuple(specs))
    results["tf.data"] = next(iter(data.map(lambda *x: layer(*x, **options)))).numpy()

    for name, jit in (("graph", False), ("jit", True)):
        layer = make()
        function = tf.function(lambda *x, layer=layer: layer(*x, **options), input_signature=specs, jit_compile=jit)
        results[name] = function(*map(tf.constant, inputs)).numpy()
        if name == "graph" and training is not True:
            results["SavedModel"] = _served(function.get_concrete_function(), inputs)

    layer = make()
    symbols = [keras.Input(batch_shape=shape, dtype=x.dtype.name) for shape, x in pairs]
    model = keras.Model(symbols, layer(*symbols, **options))
    results["functional model"] = np.asarray(model([*map(tf.constant, inputs)]))
    return results


def _served(traced, inputs):
    """The output of a traced function that is saved and loaded."""
    module = tf.Module()
    module.weights = list(traced.variables)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, traced)
        served = tf.saved_model.load(folder).signatures["serving_default"]
        return served(**{f"in{i}": tf.constant(x) for i, x in enumerate(inputs)})["output_0"].numpy()


def assert_same_everywhere(make, inputs, training=None, shapes=None, atol=1e-5, random=True):
    """Eager = tf.data = graph = jit = functional model = SavedModel; returns the eager output.

    XLA draws other random numbers from the same seed: with `training=True` two compiled layers must agree instead.
    `random=False` compares all, for a layer that has no choice (low == high).
    """
    results = outputs_by_context(make, inputs, training, shapes)
    expected = results.pop("eager")
    if training and random:
        compiled = results.pop("jit")
        assert compiled.dtype == expected.dtype
        assert np.isfinite(compiled).all()
        np.testing.assert_array_equal(call(make(), inputs, training, jit=True), compiled)
    assert np.isfinite(expected).all()
    for name, result in results.items():
        assert result.dtype == expected.dtype, name
        np.testing.assert_allclose(result, expected, rtol=0, atol=atol, err_msg=name)
    return expected


def assert_neighbors_and_padding_do_not_matter(layer, clips, true_steps=None, padding=np.nan, atol=1e-5):
    """Alone = in a batch = in a batch padded further; past a clip's end exactly 0.

    `clips` are arrays (steps, ...) of different lengths; the batch is padded with `padding`.
    `true_steps(length)` gives a clip's true steps in the output, by default its own.
    """
    true_steps = true_steps or (lambda length: length)
    lengths = np.array([len(clip) for clip in clips], "int32")
    alone = [call(layer, (clip[None],))[0] for clip in clips]
    for extra in (0, 1, 777):
        batch = np.full((len(clips), lengths.max() + extra, *clips[0].shape[1:]), padding, "float32")
        for row, clip in zip(batch, clips, strict=True):
            row[: len(clip)] = clip
        together = call(layer, (batch, lengths))
        for length, expected, result in zip(lengths, alone, together, strict=True):
            steps = true_steps(int(length))
            assert expected.shape[0] == steps
            np.testing.assert_allclose(result[:steps], expected, rtol=0, atol=atol, err_msg=f"{length=}, {extra=}")
            np.testing.assert_array_equal(result[steps:], 0, err_msg=f"{length=}, {extra=}")


def assert_declared_shape_is_real(layer, shapes):
    """`compute_output_shape` is right for each input shape, and for unknown axes."""
    for shape in shapes:
        real = call(layer, (np.zeros(shape, "float32"),)).shape
        assert tuple(layer.compute_output_shape(shape)) == real, shape
        unknown = layer.compute_output_shape((None, None, *shape[2:]))
        assert len(unknown) == len(real)
        assert all(a is None or a == b for a, b in zip(unknown, real, strict=True)), (unknown, real)


def assert_config_round_trips(layer, inputs):
    """The config is JSON, has every constructor argument, and builds the same layer; so does Keras's serialization."""
    config = layer.get_config()
    own = [kind for kind in type(layer).__mro__ if kind.__module__.startswith("pipelines.")]
    arguments = {name for kind in own for name in inspect.signature(kind.__init__).parameters}
    assert arguments - {"self", "args", "kwargs"} <= set(config)
    copy = type(layer).from_config(json.loads(json.dumps(config)))
    assert copy.get_config() == config
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert restored.get_config() == config
    expected = call(layer, inputs)
    np.testing.assert_array_equal(call(copy, inputs), expected)
    np.testing.assert_array_equal(call(restored, inputs), expected)


def assert_stays_float32(make, inputs, training=None):
    """The same float32 result under the mixed_float16 policy."""
    expected = call(make(), inputs, training)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        mixed = call(make(), inputs, training)
    finally:
        keras.config.set_dtype_policy(before)
    assert expected.dtype == mixed.dtype == np.float32
    np.testing.assert_array_equal(mixed, expected)


def assert_identity_without_training(make, inputs):
    """An augmentation returns its first input unchanged unless `training` is True."""
    for training in (None, False):
        np.testing.assert_array_equal(call(make(), inputs, training), inputs[0])
    assert not np.array_equal(call(make(), inputs, training=True), inputs[0])


def assert_random_per_example(make, example, *rest):
    """Equal examples in a batch get different results, and different ones again at the next call.

    `example` has no batch axis; `rest` are further inputs of one example, such as its length.
    """
    inputs = [np.stack([x] * 4) for x in (example, *rest)]
    layer = make()
    first, second = call(layer, inputs, training=True), call(layer, inputs, training=True)
    everything = [*first, *second]
    for i, a in enumerate(everything):
        for b in everything[i + 1 :]:
            assert not np.array_equal(a, b)


def assert_seed_reproduces(make, inputs):
    """`make(seed)`: the same seed gives the same sequence of results, another seed another."""
    layer, same, other = make(1), make(1), make(2)
    for _ in range(2):
        expected = call(layer, inputs, training=True)
        np.testing.assert_array_equal(call(same, inputs, training=True), expected)
        assert not np.array_equal(call(other, inputs, training=True), expected)
