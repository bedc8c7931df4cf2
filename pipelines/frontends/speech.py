"""From waveforms to features over time, to a picture of them, or to the waveform itself."""

from typing import Any, cast

import keras
import numpy as np
from keras import ops

from pipelines.frontends.augmentation import spectrogram_masks, spectrogram_warp, waveform_augmentations
from pipelines.frontends.base import Frontend, derive_seed
from pipelines.frontends.speech_config import FORMS, LEVEL_NORMS, NEUTRAL, SpeechConfig
from pipelines.layers import (
    MFCC,
    PCEN,
    ChannelGain,
    ClipNorm,
    Deltas,
    DynamicRange,
    FilterBank,
    FixedFrames,
    LevelNorm,
    LogMel,
    Placement,
    PreEmphasis,
    RunningNorm,
    SpectrogramPicture,
    Speed,
    Trim,
)
from pipelines.layers.base import Shape, Tensor
from pipelines.layers.sequences import zero_padding
from pipelines.layers.spectrum import LogFilters

# Energy of digital silence: so far below the quietest level of LevelNorm that it becomes 0.
LEVEL_FLOOR = 1e-12


@keras.saving.register_keras_serializable("tfrec")
class SpeechFrontend(Frontend):
    """Waveforms and their lengths -> features and their numbers of frames.

    Args:
        config: See `Frontend`.
        augment: See `Frontend`.
        seed: See `Frontend`.
        raw_shape: Ignored; waveforms have any length.
        **kwargs: See `Frontend`.

    Attributes:
        config (SpeechConfig): The resolved config.
        modality (str): "audio".
        feature_kind (str): "sequence", "image" for pictures, or "waveform".
        speed (Speed | None): Augmentation, before all other layers.
        placement (Placement | None): Augmentation of the place in a longer clip, after `speed`.
        trim (Trim | None): The layer that cuts off what is around the sound.
        margin (int): Samples of silence before and after each clip.
        wave_augmentations (list[RandomLayer]): Augmentation of the waveform.
        pre_emphasis (PreEmphasis | None): The filter before the features.
        features (LogFilters | None): The layer from waveforms to features, None for the form "waveform". Its `window`,
            `hop` (int, samples) and `num_frames` give the timing of frames.
        warp (SpectrogramWarp | None): Augmentation of tempo and vocal tract.
        range (DynamicRange | None): The floor below the loudest energy.
        channel (ChannelGain | None): Augmentation of the microphone.
        deltas (Deltas | None): The layer that appends derivatives.
        norm (ClipNorm | LevelNorm | RunningNorm | None): The normalization of features.
        stretch (FixedFrames | None): The layer that stretches sequences to `fixed_frames`.
        masks (SpecAugment | None): Augmentation by masks. With `mask_epochs` it has the variable `strength`.
        picture (SpectrogramPicture | None): The layer from features to pictures.

    Raises:
        ValueError: Settings do not go together.
        UserError: The noise folder cannot be read.
    """

    config_class = SpeechConfig
    modality = "audio"

    def __init__(
        self,
        config: SpeechConfig,
        augment: bool = True,
        seed: int | None = None,
        raw_shape: Shape | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(config, augment, seed, raw_shape, **kwargs)
        self.feature_kind = FORMS["sequence" if config.form == "auto" else config.form]
        self.speed = None
        if augment and config.speed != NEUTRAL:
            self.speed = Speed(*config.speed, seed=derive_seed(seed, 11))
        rate = cast(int, config.sample_rate_hz)  # set in a resolved config
        self.placement = None
        if augment and config.place_seconds:
            self.placement = Placement(config.place_seconds, rate, seed=derive_seed(seed, 20))
        self.trim = Trim(rate) if config.trim else None
        self.margin = round(config.margin_ms * rate / 1000) if config.margin_ms else 0
        self.wave_augmentations = waveform_augmentations(config, seed) if augment else []
        self.pre_emphasis = PreEmphasis(config.pre_emphasis) if config.pre_emphasis else None
        self.features = None if self.feature_kind == "waveform" else _feature_layer(config)
        self.range = DynamicRange(config.range_db) if config.range_db is not None and self.features else None
        self.deltas = Deltas() if config.deltas and self.features else None
        self.warp = spectrogram_warp(config, seed) if augment else None
        self.channel = None
        if augment and config.channel_db:
            self.channel = ChannelGain(config.channel_db, seed=derive_seed(seed, 15))
        self.masks = spectrogram_masks(config, seed) if augment else None
        self._check_spectrum()
        self.norm = _normalization(config.normalize)
        self.picture = self.stretch = None
        jitter = config.jitter if augment else 0.0
        if self.feature_kind == "image":
            normalize = None if config.picture_normalize in ("auto", "none") else config.picture_normalize
            self.picture = SpectrogramPicture(
                config.fixed_frames or 64, config.picture_channels or 1, normalize, jitter, seed=derive_seed(seed, 16)
            )
        elif config.fixed_frames:
            self.stretch = FixedFrames(config.fixed_frames, jitter, seed=derive_seed(seed, 16))
        if jitter and not (self.picture or self.stretch):
            raise ValueError(
                "frontend.jitter moves the ends of clips that fixed_frames stretches: set frontend.fixed_frames"
            )
        if self.features is None and self.stretch:
            raise ValueError("frontend.form waveform has no frames to stretch: leave out fixed_frames")

    def _check_spectrum(self) -> None:
        """Raises ValueError for layers that need a spectrum, or log energies, where there are none."""
        if self.features is None and (self.warp or self.channel or self.masks):
            raise ValueError(
                "frontend.form waveform has no spectrum to change: leave out tempo, tract, channel_db, masks"
            )
        level = self.config.normalize in LEVEL_NORMS
        if self.config.features not in ("log_mel", "filter_bank") and (self.range or self.channel or level):
            raise ValueError(
                "frontend.range_db, frontend.channel_db and frontend.normalize level are for log energies, which"
                f" features {self.config.features} are not: leave them out, or use log_mel or filter_bank"
            )

    @property
    def is_augmented(self) -> bool:
        """Whether two calls with `training=True` differ."""
        layers = (self.speed, self.placement, self.warp, self.channel, self.masks, *self.wave_augmentations)
        has_jitter = self._arguments["augment"] and self.config.jitter > 0
        return has_jitter or any(layer is not None for layer in layers)

    @property
    def feature_shape(self) -> Shape:
        """Shape of one example's features.

        `(frames, bins)` with open frames unless `fixed_frames` is set, `(frames, bins, channels)` for pictures, and
        `(None, 1)` for waveforms.
        """
        if self.feature_kind == "waveform":
            return (None, 1)
        bins = self.config.coefficients if self.config.features == "mfcc" else self.config.mels
        bins = 3 * bins if self.config.deltas else bins
        if self.picture:
            return (self.picture.frames, bins, self.picture.channels)
        return (self.config.fixed_frames, bins)

    @property
    def steps_per_second(self) -> float:
        """Steps of the features per second of sound: frames, or samples where the features are the waveform."""
        return self.config.sample_rate_hz if self.feature_kind == "waveform" else 1000 / self.config.hop_ms

    def inputs(self) -> dict[str, Any]:
        """Creates the symbolic raw inputs: "audio" `(batch, samples)` and "length" `(batch,)`, int32."""
        return {
            "audio": keras.Input((None,), name="audio"),
            "length": keras.Input((), name="length", dtype="int32"),
        }

    @property
    def sequence_feature(self) -> str | None:
        """The name of the features over time, "features"; None for pictures."""
        return None if self.picture else "features"

    def batch_of_one(self, raw: np.ndarray) -> dict[str, np.ndarray]:
        """Samples `(samples,)` -> {"audio": `(1, samples)`, "length": `(1,)`}."""
        return {"audio": raw[None], "length": np.array([len(raw)], "int32")}

    def noise(self, random: np.random.Generator, number: int = 0) -> np.ndarray:
        """Draws a clip of a second, and of 1,000 samples more for each `number`."""
        size = cast(int, self.config.sample_rate_hz) + 1000 * number
        return random.integers(-3000, 3000, size).astype("float32") / 32768

    def build(self, inputs_shape: Any) -> None:
        """Does nothing: layers with weights create them in their constructors, and some run in training only."""

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> Any:
        """Augments waveforms, computes features, augments and normalizes them.

        Args:
            inputs: "audio", `(batch, samples)` in [-1, 1], and "length", valid samples `(batch,)`; without it all are.
            training: Augments only if True.

        Returns:
            For pictures `(batch, frames, bins, channels)`, float32. Otherwise a dict: "features", float32, `(batch,
            frames, bins)` or for waveforms `(batch, samples, 1)`, 0 in the padding, and "frames", their valid steps
            `(batch,)`, int32.
        """
        waveform, lengths = inputs["audio"], inputs.get("length")
        if self.speed is not None and training:
            waveform, lengths = self.speed(waveform, lengths, training=True)
        if self.placement is not None and training:
            waveform, lengths = self.placement(waveform, lengths, training=True)
        for layer in self.wave_augmentations:
            waveform = layer(waveform, lengths, training=training)
        if self.trim is not None:
            waveform, lengths = self.trim(waveform, lengths)
        if self.margin:
            waveform = ops.pad(zero_padding(waveform, lengths), [[0, 0], [self.margin, self.margin]])
            lengths = None if lengths is None else lengths + 2 * self.margin
        if self.pre_emphasis is not None:
            waveform = self.pre_emphasis(waveform, lengths)
        if self.features is None:
            x, frames = zero_padding(waveform, lengths)[:, :, None], lengths
        else:
            x = self.features(waveform, lengths)
            frames = None if lengths is None else self.features.num_frames(lengths)
        return self._finish(x, frames, training)

    def _finish(self, x: Tensor, frames: Tensor | None, training: bool | None) -> Any:
        """From raw features (batch, frames, bins) and valid frames (batch,) to the result of `call`."""
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


def _feature_layer(config: SpeechConfig) -> LogFilters:
    """The layer from waveforms to features."""
    common: dict[str, Any] = {
        "sample_rate_hz": cast(int, config.sample_rate_hz),  # set in a resolved config
        "window_ms": config.window_ms,
        "hop_ms": config.hop_ms,
        "low_hz": config.low_hz,
        "high_hz": config.high_hz,
    }
    if config.normalize in LEVEL_NORMS:
        common["floor"] = LEVEL_FLOOR
    if config.features == "filter_bank":
        return FilterBank(filters=config.mels, **common)
    mel: dict[str, Any] = {"mels": config.mels, "mel_scale": config.mel_scale, **common}
    if config.features == "mfcc":
        return MFCC(coefficients=config.coefficients, lifter=config.lifter, **mel)
    return (PCEN if config.features == "pcen" else LogMel)(**mel)


def _normalization(name: str) -> ClipNorm | LevelNorm | RunningNorm | None:
    """The normalization of features by its name in the config."""
    if name == "none":
        return None
    if name == "running":
        return RunningNorm()
    if name in LEVEL_NORMS:
        return LevelNorm(standardize=name == "level_variance")
    per_bin = name in ("mean", "mean_variance")
    return ClipNorm(variance=name != "mean", per_bin=per_bin, bin_share=0.5 if name == "partial" else 0.0)
