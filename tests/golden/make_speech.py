"""Writes speech.npz, the reference values for the speech layers: `python tests/golden/make_speech.py`.

Needs librosa, which the tests do not. Values come from librosa 0.11.0, computed in float64.
"""

import pathlib

import numpy as np

RATE_HZ = 16000
WINDOW, HOP, FFT = 400, 160, 512


def waveform():
    """Half a second of a chirp from 100 Hz to 7 kHz, in noise."""
    seconds = np.arange(RATE_HZ // 2) / RATE_HZ
    chirp = np.sin(2 * np.pi * (100 * seconds + 6900 * seconds**2))
    return (0.3 * chirp + 0.02 * np.random.default_rng(7).standard_normal(seconds.size)).astype("float32")


def pcen(librosa, energies, b, **options):
    """librosa's PCEN of (mels, frames), its smoother started with the first frame, as the paper does."""
    return librosa.pcen(energies, sr=RATE_HZ, hop_length=HOP, b=b, zi=(1 - b) * energies[:, :1], **options)


def main():
    """Computes and stores every reference value."""
    import librosa

    # librosa centers a short window in the FFT; the shift makes its first window start at sample 0
    shifted = np.pad(waveform().astype("float64"), (FFT - WINDOW) // 2)
    options = {"sr": RATE_HZ, "n_fft": FFT, "win_length": WINDOW, "hop_length": HOP, "center": False, "power": 2.0}
    values = {}
    for scale, htk in (("htk", True), ("slaney", False)):
        for norm in (None, "slaney"):
            energies = librosa.feature.melspectrogram(
                y=shifted, n_mels=40, fmin=20, fmax=7600, htk=htk, norm=norm, dtype=np.float64, **options
            )
            values[f"mel_{scale}_{norm}"] = np.log(np.maximum(energies, 1e-10)).T
    values["mel_80"] = np.log(librosa.feature.melspectrogram(y=shifted, n_mels=80, htk=True, norm=None, **options)).T
    logs = values["mel_htk_None"].T
    for lifter in (0, 22):
        values[f"mfcc_{lifter}"] = librosa.feature.mfcc(S=logs, n_mfcc=13, dct_type=2, norm="ortho", lifter=lifter).T
    for radius in (1, 2, 4):
        delta = librosa.feature.delta(logs, width=2 * radius + 1, mode="nearest")
        values[f"delta_{radius}"] = delta.T
        values[f"delta_delta_{radius}"] = librosa.feature.delta(delta, width=2 * radius + 1, mode="nearest").T
    energies = np.exp(values["mel_htk_None"].T)
    values["pcen_wang"] = pcen(librosa, energies, b=0.025, gain=0.98, bias=2.0, power=0.5, eps=1e-6).T
    values["pcen_other"] = pcen(librosa, energies, b=0.2, gain=0.8, bias=10.0, power=0.25, eps=1e-3).T
    path = pathlib.Path(__file__).with_name("speech.npz")
    np.savez_compressed(path, **{name: value.astype("float32") for name, value in values.items()})
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
