"""Stacked recurrent layers over frames, in one or both directions."""

from collections.abc import Callable

from keras import layers

from tfrec.architectures.layers.normalization import normalize_sequence
from tfrec.architectures.layers.pooling import FinalState, MaskedMean
from tfrec.architectures.types import Tensor

CELLS = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}


def recurrent_layers(
    x: Tensor,
    mask: Tensor,
    cell: str,
    units: int,
    depth: int,
    dropout: float = 0.0,
    bidirectional: bool = False,
    norm: str = "none",
    between: Callable[[Tensor, int], Tensor] | None = None,
) -> Tensor:
    """A stack of recurrent layers.

    Args:
        x: (batch, frames, n).
        mask: bool (batch, frames), true inside the clip.
        cell: a key of CELLS.
        units: of every layer, in each direction.
        depth: number of layers.
        dropout: fraction, between the layers.
        bidirectional: whether each layer also reads the clip backward.
        norm: between the layers, see `normalize_sequence`.
        between: from normalized states and the number of their layer, from 1, to what the next layer reads.

    Returns:
        States (batch, frames, units), or twice the units with the backward half last. Past a clip's end they depend on
        the device.
    """
    for i in range(depth):
        name = f"{cell}{i}"
        layer = CELLS[cell](units, return_sequences=True, name=name)
        layer = layers.Bidirectional(layer, name=name) if bidirectional else layer
        x = layer(x, mask=mask)
        if i < depth - 1:
            x = normalize_sequence(x, mask, norm, f"{name}_norm")
            x = x if between is None else between(x, i + 1)
            x = layers.Dropout(dropout, name=f"dropout{i}")(x)
    return x


def pool_states(states: Tensor, mask: Tensor, pool: str, bidirectional: bool, name: str) -> Tensor:
    """One vector for each clip from the states of its frames.

    Args:
        states: (batch, frames, units).
        mask: bool (batch, frames), true inside the clip.
        pool: "last" is the state after the last frame, "mean" the mean over a clip's frames.
        bidirectional: whether the second half of the units reads backward.
        name: of the added layer.

    Returns:
        (batch, units).
    """
    layer = MaskedMean(name=name) if pool == "mean" else FinalState(bidirectional, name=name)
    return layer(states, mask)
