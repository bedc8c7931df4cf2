"""Log-mel and MFCC compared with tf.signal and librosa: `python -m benchmarks.features`.

32 clips of 10 s at 16 kHz, 80 mels, 25 ms / 10 ms, 13 coefficients; repetitions interleaved, medians.
Two otherwise idle CPU cores, the less favorable of two runs for log-mel (Python 3.11, TensorFlow 2.17.1, Keras 3.15.1,
librosa 0.11.0):

| features | implementation | ms | / tf.signal | / librosa |
| --- | --- | --- | --- | --- |
| log-mel | ours, graph | 33.1 | 1.00 | 0.34 |
| log-mel | ours, lengths | 34.7 | 1.04 | 0.36 |
| log-mel | ours, XLA | 23.9 | 0.72 | 0.25 |
| log-mel | tf.signal, graph | 33.2 | 1.00 | 0.34 |
| log-mel | librosa | 96.5 | 2.91 | 1.00 |
| MFCC | ours, graph | 35.1 | 0.83 | 0.35 |
| MFCC | ours, lengths | 33.5 | 0.80 | 0.33 |
| MFCC | ours, XLA | 23.2 | 0.55 | 0.23 |
| MFCC | tf.signal, graph | 42.0 | 1.00 | 0.42 |
| MFCC | librosa | 100.7 | 2.39 | 1.00 |
"""

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from benchmarks.timing import medians
from pipelines.layers.log_mel import LogMel
from pipelines.layers.mfcc import MFCC

CLIPS, SECONDS, RATE_HZ, MELS, REPETITIONS = 32, 10, 16000, 80, 25
WINDOW, HOP, FFT = 400, 160, 512
MATRIX = tf.signal.linear_to_mel_weight_matrix(MELS, FFT // 2 + 1, RATE_HZ, 0.0, RATE_HZ / 2)


def tensorflow_log_mel(waveform):
    """The same work in tf.signal."""
    power = tf.abs(tf.signal.stft(waveform, WINDOW, HOP, FFT)) ** 2
    return tf.math.log(tf.maximum(tf.matmul(power, MATRIX), 1e-10))


def tensorflow_mfcc(waveform):
    """The same work in tf.signal, without the lifter that it lacks."""
    return tf.signal.mfccs_from_log_mel_spectrograms(tensorflow_log_mel(waveform))[..., :13]


def librosa_functions():
    """The same work in librosa, all clips in one call; empty where it is not installed."""
    try:
        import librosa
    except ImportError:
        return {}

    options = {"sr": RATE_HZ, "n_fft": FFT, "win_length": WINDOW, "hop_length": HOP, "center": False}

    def log_mel(waveform):
        energies = librosa.feature.melspectrogram(y=waveform, n_mels=MELS, htk=True, norm=None, **options)
        return np.log(np.maximum(energies, 1e-10))

    def mfcc(waveform):
        return librosa.feature.mfcc(S=log_mel(waveform), n_mfcc=13, lifter=22)

    return {"log-mel": log_mel, "MFCC": mfcc}


def main():
    """Measures and prints the table."""
    waveform = np.random.default_rng(0).standard_normal((CLIPS, SECONDS * RATE_HZ)).astype("float32") * 0.1
    tensor = tf.constant(waveform)
    lengths = tf.constant(np.linspace(len(waveform[0]) // 2, len(waveform[0]), CLIPS).astype("int32"))
    layers = {"log-mel": LogMel(RATE_HZ, mels=MELS), "MFCC": MFCC(RATE_HZ, mels=MELS)}
    peers = {"log-mel": tensorflow_log_mel, "MFCC": tensorflow_mfcc}
    librosa = librosa_functions()
    calls = {}
    for kind, layer in layers.items():
        graph = tf.function(lambda x, n=None, layer=layer: layer(x, n))
        xla = tf.function(lambda x, layer=layer: layer(x), jit_compile=True)
        peer = tf.function(peers[kind])
        calls[kind, "ours, graph"] = lambda graph=graph: graph(tensor).numpy()
        calls[kind, "ours, lengths"] = lambda graph=graph: graph(tensor, lengths).numpy()
        calls[kind, "ours, XLA"] = lambda xla=xla: xla(tensor).numpy()
        calls[kind, "tf.signal, graph"] = lambda peer=peer: peer(tensor).numpy()
        if librosa:
            calls[kind, "librosa"] = lambda kind=kind: librosa[kind](waveform)
    times = medians(calls, REPETITIONS, warm_ups=2)
    table = Table("features", "implementation", "ms", "/ tf.signal", "/ librosa")
    for (kind, name), seconds in times.items():
        baselines = [times.get((kind, peer)) for peer in ("tf.signal, graph", "librosa")]
        ratios = [f"{seconds / other:.2f}" if other else "not installed" for other in baselines]
        table.add_row(kind, name, f"{1000 * seconds:.1f}", *ratios)
    console = Console()
    console.print(table)
    console.print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
