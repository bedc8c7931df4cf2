"""Waveforms and reference values for the tests of the speech layers."""

import pathlib

import keras
import numpy as np

RATE_HZ = 16000


def golden(name):
    """One array of librosa's values, see tests/golden/make_speech.py."""
    path = pathlib.Path(__file__).parents[2] / "golden" / "speech.npz"
    with np.load(path, allow_pickle=False) as values:
        return values[name]


def waveform():
    """The waveform of tests/golden/make_speech.py."""
    seconds = np.arange(RATE_HZ // 2) / RATE_HZ
    chirp = np.sin(2 * np.pi * (100 * seconds + 6900 * seconds**2))
    return (0.3 * chirp + 0.02 * np.random.default_rng(7).standard_normal(seconds.size)).astype("float32")


def clips(*lengths):
    """Noise in waveforms of these lengths."""
    generator = np.random.default_rng(3)
    return [(0.1 * generator.standard_normal(n)).astype("float32") for n in lengths]


def batch():
    """Three waveforms of 4000 samples with true lengths 4000, 2500, 90; zeros after them."""
    together = np.stack(clips(4000, 4000, 4000))
    lengths = np.array([4000, 2500, 90], "int32")
    together[np.arange(4000) >= lengths[:, None]] = 0
    return together, lengths


def feature_batch(bins=10):
    """Three clips of 40 frames with true lengths 40, 25, 3; zeros after them."""
    features = np.random.default_rng(5).normal(-4, 2, (3, 40, bins)).astype("float32")
    lengths = np.array([40, 25, 3], "int32")
    features[np.arange(40) >= lengths[:, None]] = 0
    return features, lengths


def split_outputs(kind):
    """Splits `kind`, a layer that returns a sequence and its lengths, into two layers with one output each.

    `assert_declared_shape_is_real` calls layers without training, so the declared shapes are those without training.
    """

    class Part(kind):
        which = 0

        def call(self, sequence, lengths=None, training=None):
            return super().call(sequence, lengths, training)[self.which]

        def compute_output_shape(self, sequence_shape, training=None):
            return super().compute_output_shape(sequence_shape, training)[self.which]

        def compute_output_spec(self, sequence, lengths=None, training=None):
            dtype = ("float32", "int32")[self.which]
            return keras.KerasTensor(self.compute_output_shape(sequence.shape, training), dtype)

    parts = []
    for which, name in enumerate(("Sequence", "Lengths")):
        part = type(f"{kind.__name__}{name}", (Part,), {"which": which})
        parts.append(keras.saving.register_keras_serializable("tests")(part))
    return parts
