"""A Transformer's encoder in plain NumPy, one example at a time, for comparison."""

import math

import numpy as np

erf = np.vectorize(math.erf)


def randomize(layer):
    """Gives a layer random weights, the same at each call, and returns them: zeros and ones would hide errors."""
    random = np.random.default_rng(len(layer.name))
    for weight in layer.weights:
        near = 1.0 if weight.name == "gamma" else 0.0
        weight.assign(near + random.normal(scale=0.3, size=weight.shape))
    return [np.asarray(weight, "float64") for weight in layer.weights]


def dense(x, kernel, bias=0.0):
    return x @ kernel + bias


def gelu(x):
    return x * 0.5 * (1 + erf(x / math.sqrt(2)))


def layer_norm(x, gamma, beta, epsilon):
    centered = x - x.mean(axis=-1, keepdims=True)
    return centered / np.sqrt((centered**2).mean(axis=-1, keepdims=True) + epsilon) * gamma + beta


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def sinusoids(tokens, units):
    """Sines, then cosines, of the first positions: (tokens, units)."""
    angles = np.arange(tokens)[:, None] / 10000 ** (np.arange(0, units, 2) / units)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)


def attention(x, layer, keep=None, bias=None):
    """Head by head and token by token: (tokens, units) -> (tokens, units)."""
    kernel, *offset, combine, shift = randomize(layer)
    projected = dense(x, kernel, *offset)
    query, key, value = np.split(projected, 3, axis=-1)
    mixed = np.zeros_like(query)
    for head in range(layer.heads):
        part = slice(head * layer.size, (head + 1) * layer.size)
        for i in range(len(x)):
            logits = np.array([query[i, part] @ key[j, part] / math.sqrt(layer.size) for j in range(len(x))])
            if bias is not None:
                logits = logits + bias[head, i]
            if keep is not None:
                logits = np.where(keep, logits, -np.inf)
            mixed[i, part] = softmax(logits) @ value[:, part]
    return dense(mixed, combine, shift)


def block(x, net, name, epsilon):
    """The pre-norm block `name` of a network: (tokens, units) -> (tokens, units)."""

    def weights(part):
        return randomize(net.get_layer(f"{name}_{part}"))

    x = x + attention(layer_norm(x, *weights("norm1"), epsilon), net.get_layer(f"{name}_attention"))
    hidden = gelu(dense(layer_norm(x, *weights("norm2"), epsilon), *weights("expand")))
    return x + dense(hidden, *weights("shrink"))
