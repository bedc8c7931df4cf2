"""Masks over time: which frames are true, and zeros past a clip's end."""

import numpy as np

from tfrec.architectures.layers.ctc_head import CountSteps
from tfrec.architectures.layers.masking import FrameMask, MaskFrames, StrideMask

FRAMES = np.array([3, 0, 2], "int32")
KEEP = np.array([[True, True, True], [False, False, False], [True, True, False]])


def test_frame_mask():
    np.testing.assert_array_equal(FrameMask()(np.zeros((3, 3, 2), "float32"), FRAMES), KEEP)
    np.testing.assert_array_equal(CountSteps()(KEEP), FRAMES)


def test_frames_past_the_end_become_zeros_whatever_they_are():
    for shape in ((3, 3, 2), (3, 3, 2, 4)):
        x = np.random.default_rng(0).normal(size=shape).astype("float32")
        x[~KEEP] = np.nan
        np.testing.assert_array_equal(MaskFrames()(x, KEEP), np.nan_to_num(x))


def test_stride_mask_is_true_where_a_window_begins_inside():
    layer = StrideMask.from_config(StrideMask(2).get_config())
    np.testing.assert_array_equal(layer(KEEP), KEEP[:, [0, 2]])
