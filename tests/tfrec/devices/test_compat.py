"""TensorFlow's private functions still do what files for devices need."""

import tensorflow as tf

from tfrec.devices import _compat


def test_variables_become_constants_and_loops_stay():
    weight = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
    def power(x):
        return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * weight), [0, x])[1]

    frozen = _compat.frozen(power.get_concrete_function())
    assert not frozen.variables
    assert "While" in {node.type.removeprefix("Stateless") for node in frozen.graph.get_operations()}
    assert frozen(tf.constant(1.0))[0] == 8
