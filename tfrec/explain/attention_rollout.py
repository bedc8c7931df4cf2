"""Attention rollout: how tokens flow through the layers of a Transformer (Abnar & Zuidema 2020, arXiv:2005.00928)."""

import numpy as np
import tensorflow as tf

from pipelines.errors import UserError
from tfrec.architectures.layers.attention import recorded_weights
from tfrec.explain.example import Example
from tfrec.explain.grad_cam import resized, to_grid


def attention_rollout(example: Example) -> np.ndarray:
    """Multiplies the attention of the layers, half of each being the residual connection.

    It is the same for every class. Where the number of tokens changes, the layers after the last change count.

    Args:
        example: What is explained.

    Returns:
        How much each token reaches the output (height, width), at least 0; interpolated from the tokens' grid.

    Raises:
        UserError: The network has no self-attention.
    """
    with recorded_weights() as found:
        example.network(example.inputs(tf.constant(example.features[None])), training=False)
    found = [weights for weights in found if weights.shape[-1] == weights.shape[-2]]  # without cross-attention
    if not found:
        raise UserError(
            f"{example.network.name} has no self-attention: use --method grad_cam, integrated_gradients or occlusion."
        )
    tokens = found[-1].shape[-1]
    flow = np.eye(tokens)
    for weights in found:
        if weights.shape[-1] == tokens:
            mean = np.asarray(weights)[0].mean(axis=0)
            flow = (0.5 * mean + 0.5 * np.eye(tokens)) @ flow
    grid = to_grid(np.ones((tokens, 1)), example).shape[:2]
    has_class_token = grid[0] * grid[1] < tokens
    reached = flow[0] if has_class_token else flow.mean(axis=0)
    return resized(to_grid(reached[:, None], example)[..., 0], example.cells)
