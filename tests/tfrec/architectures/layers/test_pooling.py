"""The final state and the mean over a clip's frames."""

import numpy as np

from tfrec.architectures.layers.pooling import FinalState, MaskedMean

STATES = np.arange(24, dtype="float32").reshape(2, 3, 4)
KEEP = np.array([[True, True, False], [False] * 3])


def test_final_state():
    """Frames past the end are not read; a clip without frames has a state of zeros."""
    states = STATES.copy()
    states[0, 2] = np.nan
    np.testing.assert_array_equal(FinalState()(states, KEEP), [states[0, 1], np.zeros(4)])
    layer = FinalState.from_config(FinalState(bidirectional=True).get_config())
    np.testing.assert_array_equal(layer(states[:1], KEEP[:1]), [[*states[0, 1, :2], *states[0, 0, 2:]]])


def test_masked_mean():
    np.testing.assert_array_equal(MaskedMean()(STATES, KEEP), [STATES[0, :2].mean(axis=0), np.zeros(4)])
