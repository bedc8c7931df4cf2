"""Convolution, pooling and batch normalization over time as PyTorch has them, in plain NumPy, of one clip."""

import numpy as np


def convolution(x, kernel, bias=0.0, stride=1):
    """(frames, units) and (size, units, filters), padded with size // 2 zeros on both sides -> (frames', filters)."""
    size = len(kernel)
    padded = np.pad(x, ((size // 2, size // 2), (0, 0)))
    starts = range(0, len(padded) - size + 1, stride)
    return np.array([np.einsum("tu,tuf->f", padded[i : i + size], kernel) for i in starts]) + bias


def max_pool(x):
    """Windows of 3 at every second frame, padded by one that never wins."""
    padded = np.pad(x, ((1, 1), (0, 0)), constant_values=-np.inf)
    return np.array([padded[i : i + 3].max(axis=0) for i in range(0, len(padded) - 2, 2)])


def batch_norm(x, gamma, beta, mean, variance, epsilon=1e-3):
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def relu(x):
    return np.maximum(x, 0)


def randomize(network, seed=0):
    """Draws every weight of a network; zeros and ones would hide errors."""
    random = np.random.default_rng(seed)
    for weight in network.weights:
        if "seed_generator" in weight.path:
            continue
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
        else:
            scale = np.sqrt(2 / np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.3
            weight.assign(random.normal(scale=scale, size=weight.shape))


def weights(network, name):
    return [np.asarray(weight, "float64") for weight in network.get_layer(name).weights]
