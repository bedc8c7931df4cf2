"""Log-mel and MFCC beside tf.signal and librosa: `python -m benchmarks.features`.

32 clips of 10 s at 16 kHz, 80 mels, 25 ms / 10 ms, 13 coefficients; repetitions interleaved, medians.

TABLE
"""

import statistics
import time

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from pipelines.layers.log_mel import LogMel
from pipelines.layers.mfcc import MFCC

CLIPS, SECONDS, RATE_HZ, MELS, REPETITIONS = 32, 10, 16000, 80, 25
WINDOW, HOP, FFT = 400, 160, 512


def tensorflow_log_mel(waveform):
    """The same work in tf.signal."""
    power = tf.abs(tf.signal.stft(waveform, WINDOW, HOP, FFT)) ** 2
    matrix = tf.signal.linear_to_mel_weight_matrix(MELS, FFT // 2 + 1, RATE_HZ, 0.0, RATE_HZ / 2)
    return tf.math.log(tf.maximum(tf.matmul(power, matrix), 1e-10))


def tensorflow_mfcc(waveform):
    """The same work in tf.signal, without the lifter that it lacks."""
    return tf.signal.mfccs_from_log_mel_spectrograms(tensorflow_log_mel(waveform))[..., :13]


def librosa_functions():
    """The same work in librosa, all clips in one call; nothing where it is not installed."""
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


def medians_ms(calls):
    """Median milliseconds of each call, taken in turn so that a busy machine slows all alike."""
    times = {name: [] for name in calls}
    for repetition in range(REPETITIONS + 2):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if repetition >= 2:  # the first calls trace and compile
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


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
        calls[kind, "ours, graph, with lengths"] = lambda graph=graph: graph(tensor, lengths).numpy()
        calls[kind, "ours, XLA"] = lambda xla=xla: xla(tensor).numpy()
        calls[kind, "tf.signal, graph"] = lambda peer=peer: peer(tensor).numpy()
        if librosa:
            calls[kind, "librosa"] = lambda kind=kind: librosa[kind](waveform)
    times = medians_ms(calls)
    table = Table("features", "implementation", "ms", "beside tf.signal", "beside librosa")
    for (kind, name), milliseconds in times.items():
        beside = [times.get((kind, peer)) for peer in ("tf.signal, graph", "librosa")]
        ratios = [f"{milliseconds / other:.2f}" if other else "not installed" for other in beside]
        table.add_row(kind, name, f"{milliseconds:.1f}", *ratios)
    console = Console()
    console.print(table)
    console.print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
