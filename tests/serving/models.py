"""Small SavedModels that the contract is tested with: `python -m tests.serving.models FOLDER` writes them.

Start the server that is to be tested on them, and point the tests at it:

    tensorflow_model_server --model_config_file=FOLDER/models.config --rest_api_port=8501 --port=8500 \
        --monitoring_config_file=FOLDER/monitoring.config --allow_version_labels_for_unavailable_models
    pytest tests/serving --target http://127.0.0.1:8501
"""

import pathlib
import sys

import tensorflow as tf

ECHOED = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint32", "uint64", "bool", "string")
CONFIG = """model_config_list {
  config {
    name: "arithmetic" base_path: "FOLDER/arithmetic" model_platform: "tensorflow"
    model_version_policy { all {} }
    version_labels { key: "stable" value: 1 }
    version_labels { key: "canary" value: 2 }
  }
  config { name: "examples" base_path: "FOLDER/examples" model_platform: "tensorflow" }
}
"""
MONITORING = 'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }\n'


def write_all(folder):
    """Writes the models and their config file; returns the latter."""
    folder = pathlib.Path(folder).resolve()
    for version in (1, 2):
        write_arithmetic(folder / "arithmetic" / str(version), version)
    write_examples(folder / "examples" / "1")
    (folder / "monitoring.config").write_text(MONITORING)
    config = folder / "models.config"
    config.write_text(CONFIG.replace("FOLDER", str(folder)))
    return config


def write_scaled(path, scale=1.0):
    """A version with one signature: y = scale * x, x float32 (batch,)."""
    module = tf.Module()
    module.scale = tf.Variable(scale)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(x):
        return {"y": module.scale * x}

    tf.saved_model.save(module, str(path), signatures={"serving_default": serve})


def write_arithmetic(path, version):
    """A version of the model "arithmetic", whose signatures each test a part of the contract."""
    module = tf.Module()
    module.scale = tf.Variable(float(version))
    functions = {
        "serving_default": ({"x": (tf.float32, [None])}, lambda x: {"y": module.scale * x}),
        "two": (
            {"a": (tf.float32, [None, None]), "b": (tf.int32, [None])},
            lambda a, b: {"total": tf.reduce_sum(a, axis=1), "next": b + 1},
        ),
        "text": (
            {"text": (tf.string, [None])},
            lambda text: {"length": tf.strings.length(text), "plain": text, "raw_bytes": text},
        ),
        "guarded": ({"x": (tf.float32, [None, 3])}, _guarded),
        "half": ({"x": (tf.float32, [None])}, lambda x: {"y": tf.cast(x, tf.float16)}),
        "scalar": ({"x": (tf.float32, [None])}, lambda x: {"y": tf.reduce_sum(x)}),
        "uneven": ({"x": (tf.float32, [None])}, lambda x: {"one": x, "two": tf.concat([x, x], 0)}),
        "slow": ({"rounds": (tf.int32, [None])}, _slow),
        "padded": ({"audio": (tf.float32, [None, None]), "length": (tf.int32, [None])}, _padded),
    }
    for name in ECHOED:
        functions[f"echo_{name}"] = ({"x": (tf.as_dtype(name), None)}, lambda x: {"y": tf.identity(x)})
    signatures = {
        name: tf.function(
            function,
            input_signature=[tf.TensorSpec(shape, dtype, name=key) for key, (dtype, shape) in inputs.items()],
        )
        for name, (inputs, function) in functions.items()
    }
    tf.saved_model.save(module, str(path), signatures=signatures)


def _guarded(x):
    x = tf.ensure_shape(x, [None, 3])
    is_positive = tf.debugging.assert_positive(x, "Each value must be positive. " + "Long text. " * 200)
    with tf.control_dependencies([is_positive]):
        return {"y": tf.identity(x)}


def _slow(rounds):
    """About 10 ms for each round."""

    def body(i, matrix):
        return i + 1, tf.matmul(matrix, matrix) / 700.0

    _, matrix = tf.while_loop(
        lambda i, _: i < tf.reduce_max(rounds), body, [tf.constant(0), tf.random.uniform([700, 700])]
    )
    return {"y": tf.zeros_like(rounds, tf.float32) + 0.0 * matrix[0, 0]}


def _padded(audio, length):
    mask = tf.sequence_mask(length, tf.shape(audio)[1], dtype=tf.float32)
    return {"total": tf.reduce_sum(audio * mask, axis=1), "rows": tf.fill(tf.shape(length), tf.shape(length)[0])}


def write_examples(path):
    """A version with the signatures of Classify and Regress, which only the v1 builder writes."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], "examples")
        x = tf.io.parse_example(serialized, {"x": tf.io.FixedLenFeature([1], tf.float32, [0.0])})["x"]
        classes = tf.tile(tf.constant([["no", "yes"]]), [tf.shape(x)[0], 1])
        scores = tf.concat([1.0 - x, x], axis=1)
        info = v1.saved_model.build_tensor_info
        build = v1.saved_model.build_signature_def
        inputs = {"inputs": info(serialized)}
        signatures = {
            "serving_default": build(
                inputs, {"classes": info(classes), "scores": info(scores)}, "tensorflow/serving/classify"
            ),
            "regress": build(inputs, {"outputs": info(2.0 * x)}, "tensorflow/serving/regress"),
        }
        builder = v1.saved_model.builder.SavedModelBuilder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


if __name__ == "__main__":
    print(write_all(sys.argv[1]))
