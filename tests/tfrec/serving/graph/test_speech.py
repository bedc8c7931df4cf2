"""Signatures of speech."""

import io
import re

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tfrec.serving.graph import rules, speech
from tfrec.serving.graph.rules import Limits

LIMITS = Limits(rows=8, pixels=1, seconds=10, total_seconds=60, seconds_squared=None, fill_bad_rows=False)
TONES = np.stack([np.sin(np.arange(800) / step) for step in (5, 7, 9)], axis=1).astype("float32") / 2


def wav(samples):
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, format="WAV", subtype="FLOAT")
    return file.getvalue()


def test_one_channel_of_several():
    files = speech.files(8000, 200, LIMITS, "encoded", channel=1)
    function, _ = rules.signature([files], lambda inputs: inputs, LIMITS)
    answer = function(tf.constant([wav(TONES), wav(TONES[:, :2])]))
    np.testing.assert_allclose(answer["audio"], [TONES[:, 1]] * 2, atol=1e-6)
    message = "row 1 has 1 channel(s), and channel 1, from 0, is the one to read"
    with pytest.raises(tf.errors.InvalidArgumentError, match=re.escape(message)):
        function(tf.constant([wav(TONES), wav(TONES[:, 0])]))
