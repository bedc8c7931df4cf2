"""Clips that fit into memory, as a Split."""

import numpy as np
import tensorflow as tf

from pipelines.datasets.base import Split


def clips(waveforms, labels, sources, rate=None, **told):
    """The Split of equally many waveforms (each float32, (samples,)), labels (or None) and sources.

    `rate` gives the clips' durations; `told` are further fields of the Split, such as `texts`. All clips lie in one
    flat tensor, so that nothing is padded and the dataset's graph holds no samples.
    """
    lengths = np.array([len(waveform) for waveform in waveforms], np.int64)
    stops = np.cumsum(lengths)
    flat = tf.constant(np.concatenate(waveforms).astype(np.float32))
    table = {"start": stops - lengths, "stop": stops}
    if labels is not None:
        table["label"] = labels = np.asarray(labels, np.int64)

    def example(row):
        return {"audio": flat[row.pop("start") : row.pop("stop")], **row}

    examples = tf.data.Dataset.from_tensor_slices(table).map(example)
    return Split(examples, len(lengths), labels, list(sources), seconds=rate and lengths / rate, **told)
