"""The private parts of TensorFlow that this package needs, in one place."""

from typing import Any

import tensorflow as tf


def nested_graph(graph: tf.Graph, name: str) -> Any:
    """Returns the FuncGraph of a function that an operation of `graph` calls, such as the body of a loop.

    A FuncGraph has its outputs and the static shapes of its tensors; TensorFlow's public GraphDef has neither.
    """
    return graph._get_function(name).graph
