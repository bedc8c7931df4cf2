"""The keyword Transformer against plain numpy, and the paper's sizes."""

import dataclasses
import math

import keras
import numpy as np
import pytest

from tests.tfrec.architectures import plain
from tfrec import architectures
from tfrec.architectures.speech import transformer
from tfrec.architectures.transformer import KeepClass, SinusoidalPosition, sinusoids

SMALL = transformer.Config(width=8, depth=2, heads=2, expansion=2, dropout=0.0)
EPSILON = 1e-6


def waves(tokens, units):
    angles = np.arange(tokens)[:, None] / 10000 ** (np.arange(0, units, 2) / units)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)


def expected(clip, net, norm, pool):
    of = {layer.name: plain.randomised(layer) for layer in net.layers if layer.weights}
    x = plain.dense(clip, *of["stem_project"]) + waves(len(clip), 8)
    if pool == "class":
        x = np.concatenate([of["stem_class"][0][None], x])
    for name in ("block0", "block1"):
        if norm == "pre":
            x = plain_block(x, net, of, name)
            continue
        layer = net.get_layer(f"{name}_attention")
        x = plain.layer_norm(x + attention(x, layer), *of[f"{name}_norm1"], EPSILON)
        hidden = plain.gelu(plain.dense(x, *of[f"{name}_expand"]))
        x = plain.layer_norm(x + plain.dense(hidden, *of[f"{name}_shrink"]), *of[f"{name}_norm2"], EPSILON)
    if norm == "pre":
        x = plain.layer_norm(x, *of["final_norm"], EPSILON)
    return plain.dense(x[0] if pool == "class" else x.mean(axis=0), *of["logits"])


def attention(x, layer):
    return plain.attention(x, layer)


def plain_block(x, net, of, name):
    x = x + attention(plain.layer_norm(x, *of[f"{name}_norm1"], EPSILON), net.get_layer(f"{name}_attention"))
    hidden = plain.gelu(plain.dense(plain.layer_norm(x, *of[f"{name}_norm2"], EPSILON), *of[f"{name}_expand"]))
    return x + plain.dense(hidden, *of[f"{name}_shrink"])
