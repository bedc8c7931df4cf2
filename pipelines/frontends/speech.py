"""From waveforms to features over time, to a picture of them, or to the waveform itself."""

import keras
from keras import ops

from pipelines import noises
from pipelines.frontends.base import next_seed
from pipelines.frontends.speech_config import FORMS, NEUTRAL
from pipelines.layers import (
    MFCC,
    PCEN,
    Babble,
    ChannelGain,
    ClipNorm,
    Deltas,
    DynamicRange,
    FilterBank,
    FixedFrames,
    Gain,
    LogMel,
    NoiseMix,
    PreEmphasis,
    Reverb,
    RunningNorm,
    SpecAugment,
    SpectrogramPicture,
    SpectrogramWarp,
    Speed,
    TimeShift,
)
from pipelines.layers.sequences import true_only


class SpeechFrontend(keras.layers.Layer):
    """Waveforms and their lengths -> features (batch, frames, bins) and how many frames each clip has.

    Input: {"audio": (batch, samples) in [-1, 1], "length": (batch,) samples}.
    Output: {"features": float32, zero past a clip's end, "frames": int32 (batch,)}; with `form="waveform"` the features
    are the samples themselves, (batch, samples, 1); with `form="picture"` the output is (batch, frames, bins, channels)
    alone. Raises ValueError for settings that do not go together.
    """

    modality = "audio"

    def __init__(self, config, augment=True, seed=None, raw_shape=None):
        super().__init__(dtype="float32", name="frontend")
        self.config = config
        self.takes = FORMS["sequence" if config.form == "auto" else config.form]
        self.speed = None
        if augment and config.speed != NEUTRAL:
            self.speed = Speed(*config.speed, seed=next_seed(seed, 11))
        self.wave_augmentations = _wave_augmentations(config, seed) if augment else []
        self.pre_emphasis = PreEmphasis(config.pre_emphasis) if config.pre_emphasis else None
        self.features = None if self.takes == "waveform" else _features(config)
        self.range = DynamicRange(config.range_db) if config.range_db is not None and self.features else None
        self.deltas = Deltas() if config.deltas and self.features else None
        self.warp = _warp(config, seed) if augment else None
        self.channel = (
            ChannelGain(config.channel_db, seed=next_seed(seed, 15)) if augment and config.channel_db else None
        )
        self.masks = _masks(config, seed) if augment else None
        if self.features is None and (self.warp or self.channel or self.masks):
            raise ValueError(
                "frontend.form waveform has no spectrum to change: leave out tempo, tract, channel_db, masks"
            )
        if config.features not in ("log_mel", "filter_bank") and (self.range or self.channel):
            raise ValueError(
                "frontend.range_db and frontend.channel_db are for log energies, which features"
                f" {config.features} are not: leave them out, or take log_mel or filter_bank"
            )
        self.norm = _normalization(config.normalize)
        self.picture = self.stretch = None
        jitter = config.jitter if augment else 0.0
        if self.takes == "image":
            normalize = None if config.picture_normalize in ("auto", "none") else config.picture_normalize
            self.picture = SpectrogramPicture(
                config.fixed_frames or 64, config.picture_channels or 1, normalize, jitter, seed=next_seed(seed, 16)
            )
        elif config.fixed_frames:
            self.stretch = FixedFrames(config.fixed_frames, jitter, seed=next_seed(seed, 16))
        if jitter and not (self.picture or self.stretch):
            raise ValueError(
                "frontend.jitter moves the ends of clips that fixed_frames stretch: set frontend.fixed_frames"
            )
        if self.features is None and self.stretch:
            raise ValueError("frontend.form waveform has no frames to stretch: leave out fixed_frames")

    @property
    def feature_shape(self):
        """Shape of one example's features; the number of frames is open but in a picture."""
        if self.takes == "waveform":
            return (None, 1)
        bins = self.config.coefficients if self.config.features == "mfcc" else self.config.mels
        bins = 3 * bins if self.config.deltas else bins
        if self.picture:
            return (self.picture.frames, bins, self.picture.channels)
        return (self.config.fixed_frames, bins)

    @property
    def steps_per_second(self):
        """Features of a second of sound: frames, or samples where the features are the waveform."""
        return self.config.sample_rate_hz if self.takes == "waveform" else 1000 / self.config.hop_ms

    def inputs(self):
        """Symbolic raw inputs."""
        return {
            "audio": keras.Input((None,), name="audio"),
            "length": keras.Input((), name="length", dtype="int32"),
        }

    def build(self, inputs_shape):
        """Nothing: the layers that have weights make them at once, and some are called in training only."""

    def call(self, inputs, training=None):
        """Augmentation of the waveform, features, augmentation of the spectrum, normalization."""
        waveform, lengths = inputs["audio"], inputs.get("length")
        if self.speed is not None and training:
            waveform, lengths = self.speed(waveform, lengths, training=True)
        for layer in self.wave_augmentations:
            waveform = layer(waveform, lengths, training=training)
        if self.pre_emphasis is not None:
            waveform = self.pre_emphasis(waveform, lengths)
        if self.features is None:
            x, frames = true_only(waveform, lengths)[:, :, None], lengths
        else:
            x = self.features(waveform, lengths)
            frames = None if lengths is None else self.features.num_frames(lengths)
        if self.warp is not None and training:
            x, frames = self.warp(x, frames, training=True)
        if self.range is not None:
            x = self.range(x, frames)
        if self.channel is not None:
            x = self.channel(x, frames, training=training)
        if self.deltas is not None:
            x = self.deltas(x, frames)
        if self.norm is not None:
            x = self.norm(x, frames)
        if self.stretch is not None:
            x, frames = self.stretch(x, frames, training=training), ops.full(ops.shape(x)[:1], self.stretch.frames)
        if self.masks is not None:
            x = self.masks(x, frames, training=training)
        if self.picture is not None:
            return self.picture(x, frames, training=training)
        if frames is None:
            frames = ops.full(ops.shape(x)[:1], ops.shape(x)[1])
        return {"features": x, "frames": ops.cast(frames, "int32")}


def _features(config):
    common = {
        "sample_rate_hz": config.sample_rate_hz,
        "window_ms": config.window_ms,
        "hop_ms": config.hop_ms,
        "low_hz": config.low_hz,
        "high_hz": config.high_hz,
    }
    if config.features == "filter_bank":
        return FilterBank(filters=config.mels, **common)
    mel = {"mels": config.mels, "mel_scale": config.mel_scale, **common}
    if config.features == "mfcc":
        return MFCC(coefficients=config.coefficients, lifter=config.lifter, **mel)
    return (PCEN if config.features == "pcen" else LogMel)(**mel)


def _normalization(name):
    if name == "none":
        return None
    if name == "running":
        return RunningNorm()
    per_bin = name in ("mean", "mean_variance")
    return ClipNorm(variance=name != "mean", per_bin=per_bin, bin_share=0.5 if name == "partial" else 0.0)


def _wave_augmentations(config, seed):
    """In the order of the world: a speaker, a room, others around, noise, a recorder.

    The gain comes last, so that it leaves the signal-to-noise ratio alone.
    """
    rate = config.sample_rate_hz
    layers = []
    if config.shift_ms:
        layers.append(TimeShift(config.shift_ms, rate, seed=next_seed(seed, 4)))
    if config.reverb_probability:
        layers.append(Reverb(probability=config.reverb_probability, sample_rate_hz=rate, seed=next_seed(seed, 12)))
    if config.babble_probability:
        if config.placement == "host":
            raise ValueError("frontend.babble_probability needs a batch to hear: set frontend.placement device")
        layers.append(
            Babble(
                speakers=config.babble_speakers,
                snr_db=config.snr_db,
                probability=config.babble_probability,
                sample_rate_hz=rate,
                seed=next_seed(seed, 13),
            )
        )
    if config.noise_path:
        mix = NoiseMix.from_noises(
            noises.waveforms(config.noise_path, rate, config.noise_types, "train", config.noise_fraction),
            snr_db=config.snr_db,
            probability=config.noise_probability,
            sample_rate_hz=rate,
            seed=next_seed(seed, 5),
        )
        layers.append(mix)
    if config.gain_db:
        layers.append(Gain(-config.gain_db, config.gain_db, seed=next_seed(seed, 6)))
    return layers


def _warp(config, seed):
    if config.tempo == config.tract == NEUTRAL:
        return None
    if config.tract != NEUTRAL and config.features not in ("log_mel", "pcen"):
        raise ValueError(
            f"frontend.tract warps mel bins, which features {config.features} are not: take log_mel or pcen"
        )
    return SpectrogramWarp(
        tempo=config.tempo,
        tract=config.tract,
        low_hz=config.low_hz,
        high_hz=config.high_hz or config.sample_rate_hz / 2,
        mel_scale=config.mel_scale,
        seed=next_seed(seed, 14),
    )


def _masks(config, seed):
    if not config.frequency_masks and not config.time_masks:
        return None
    masks = SpecAugment(
        frequency_masks=config.frequency_masks,
        frequency_width=config.frequency_width,
        time_masks=config.time_masks,
        time_width=config.time_width,
        max_time_fraction=config.time_fraction,
        seed=next_seed(seed, 9),
    )
    if config.mask_epochs:
        if config.placement == "host":
            raise ValueError(
                "frontend.mask_epochs widens masks from epoch to epoch, ahead of which the host works: set"
                " frontend.placement device"
            )
        masks.make_scalable()
    return masks
