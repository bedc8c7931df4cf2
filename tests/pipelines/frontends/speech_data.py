"""Waveforms and speech configs for the tests of frontends."""

import numpy as np

from pipelines import frontends

SPEECH = {
    "log_mel": frontends.SpeechConfig(sample_rate_hz=8000),
    "mfcc": frontends.SpeechConfig(sample_rate_hz=8000, features="mfcc", deltas=True, normalize="mean_variance"),
    "filter_bank": frontends.SpeechConfig(sample_rate_hz=8000, features="filter_bank", normalize="mean"),
    "raw_log_mel": frontends.SpeechConfig(sample_rate_hz=8000, normalize="none", mel_scale="slaney"),
    "pcen": frontends.SpeechConfig(sample_rate_hz=8000, features="pcen", normalize="none"),
    "running": frontends.SpeechConfig(sample_rate_hz=8000, normalize="running", pre_emphasis=0.97, range_db=50.0),
    "waveform": frontends.SpeechConfig(sample_rate_hz=8000, form="waveform"),
    "partial": frontends.SpeechConfig(sample_rate_hz=8000, normalize="partial"),
    "stretched": frontends.SpeechConfig(sample_rate_hz=8000, fixed_frames=30),
}
PICTURE = frontends.SpeechConfig(
    sample_rate_hz=8000, form="picture", fixed_frames=20, picture_channels=3, picture_normalize="imagenet"
)
PAIRED = frontends.PairedConfig(
    image=frontends.ImageConfig(height=12, width=10, channels=3, crop_fraction=0.9), speech=SPEECH["log_mel"]
)


def clips(*lengths):
    """Noise in waveforms of these lengths."""
    random = np.random.default_rng(0)
    return [random.normal(scale=0.1, size=length).astype("float32") for length in lengths]


def as_batch(waves, padding=0):
    """A batch of waveforms with their lengths, padded to the longest one and by `padding` samples more."""
    longest = max(map(len, waves)) + padding
    audio = np.stack([np.pad(wave, (0, longest - len(wave))) for wave in waves])
    return {"audio": audio, "length": np.array([len(wave) for wave in waves], "int32")}
