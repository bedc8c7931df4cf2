"""The private function of TensorFlow that counts of multiply-adds need."""

import tensorflow as tf

from tfrec.evaluation.metrics._compat import nested_graph


def test_graph_of_a_loop_body():
    @tf.function
    def loop(x):
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.matmul(y, y)), (tf.constant(0), x))[1]

    graph = loop.get_concrete_function(tf.TensorSpec([4, 4])).graph
    (op,) = (op for op in graph.get_operations() if "While" in op.type)
    body = nested_graph(graph, op.get_attr("body").name)
    (product,) = (op for op in body.get_operations() if op.type == "MatMul")
    assert product.outputs[0].shape == (4, 4)
    assert len(body.outputs) >= 2
