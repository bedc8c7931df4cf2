"""The settings from a waveform to features."""

import dataclasses
from collections.abc import Collection
from typing import Literal, cast

from pipelines.errors import UserError
from pipelines.frontends.base import Placement

Form = Literal["sequence", "picture", "waveform"]
PictureRange = Literal["auto", "none", "unit", "symmetric", "imagenet", "caffe", "per_image"]

# The kind of input of architectures for each form of features.
FORMS: dict[Form, str] = {"sequence": "sequence", "picture": "image", "waveform": "waveform"}
LEVEL_NORMS = ("level", "level_variance")
NEUTRAL = (1.0, 1.0)  # a range of factors that changes nothing


@dataclasses.dataclass(frozen=True)
class SpeechConfig:
    """Waveform to features; augmentation is off by default."""

    name: Literal["speech"] = "speech"  # kind of frontend
    placement: Placement = "device"  # inside the training graph (device), or in tf.data on the CPU (host)
    sample_rate_hz: int | None = None  # None is the corpus's own; files at other rates are resampled
    form: Literal["auto", "sequence", "picture", "waveform"] = (
        "auto"  # features over time, a picture of them, or the waveform itself; auto is what the network takes
    )
    features: Literal["log_mel", "mfcc", "filter_bank", "pcen"] = "log_mel"  # kind of features
    pre_emphasis: float = 0.0  # fraction of the previous sample that is subtracted from each; often 0.97
    window_ms: float = 25.0  # length of the Hann window
    hop_ms: float = 10.0  # from one window to the next
    mels: int = 40  # filters of the bank, mel or linear
    low_hz: float = 20.0  # lower edge of the first filter
    high_hz: float | None = None  # upper edge of the last filter; None is half the sample rate
    mel_scale: Literal["htk", "slaney"] = "htk"  # formula of the mel scale
    coefficients: int = 13  # number of MFCC
    lifter: float = 22.0  # lifter of the MFCC; 0 is off
    range_db: float | None = None  # adds a floor this far below the clip's loudest energy; None is off
    deltas: bool = False  # append first and second derivatives
    # Statistics by which the features are normalized. clip: loudness; partial: and half of the bins' means; mean,
    # mean_variance: per bin; running: causal; level: the loudest frames, so that silence around a word changes nothing;
    # level_variance: then mean and variance per bin, over the frames that hold sound
    normalize: Literal["none", "clip", "partial", "mean", "mean_variance", "running", "level", "level_variance"] = (
        "clip"
    )
    trim: bool = False  # cut off what is before and after the sound, in training, prediction and the export
    margin_ms: float = 0.0  # digital silence before and after each clip, so that words never touch an edge
    fixed_frames: int | None = None  # stretches each clip in time to this number of frames; None is 64 for a picture
    picture_channels: int | None = None  # channels of a picture; None is 3 with pretrained image weights, else 1
    picture_normalize: PictureRange = (
        "auto"  # range of a picture; auto is the range of the pretrained weights, else none
    )
    speed: tuple[float, float] = NEUTRAL  # augmentation: lowest and highest speed, by resampling: changes the pitch
    tempo: tuple[float, float] = NEUTRAL  # augmentation: lowest and highest tempo, at constant pitch
    tract: tuple[float, float] = NEUTRAL  # augmentation: lowest and highest factor of the vocal tract's length
    gain_db: float = 0.0  # augmentation: maximum gain in either direction
    attenuation_db: float = 0.0  # augmentation: maximum attenuation beyond gain_db, as of a far speaker
    place_seconds: float = 0.0  # augmentation: maximum silence around a clip, which is anywhere in it
    jitter: float = 0.0  # augmentation: maximum shift of a clip's ends, as a fraction of it; needs fixed_frames
    shift_ms: float = 0.0  # augmentation: maximum shift, earlier or later
    reverb_probability: float = 0.0  # augmentation: probability of reverberation
    reverb: Literal["noise", "images"] = "noise"  # augmentation: rooms as decaying noise, or by the image-source method
    reverb_path: str | None = None  # augmentation: folder of measured impulse responses, in place of synthetic rooms
    synthetic_probability: float = 0.0  # augmentation: probability of synthetic noise: hiss, hum, tones
    synthetic_snr_db: tuple[float, float] = (0.0, 40.0)  # augmentation: its lowest and highest ratio, as snr_db
    clipping_probability: float = 0.0  # augmentation: probability that the loudest samples are clipped
    clipping_db: float = 30.0  # augmentation: maximum distance from a clip's peak to where it is clipped
    band_probability: float = 0.0  # augmentation: probability of a narrow band, as of a telephone, or mu-law
    babble_probability: float = 0.0  # augmentation: probability of other clips of the batch in the background
    babble_speakers: int = 4  # augmentation: number of clips in the background
    noise_path: str | None = None  # augmentation: folder of noises to mix in
    noise_types: tuple[str, ...] = ()  # augmentation: sub-folders to use; empty is all
    noise_fraction: float = 1.0  # augmentation: first fraction of each noise to use; the rest is for tests
    noise_probability: float = 0.8  # augmentation: probability of noise
    snr_db: tuple[float, float] = (0.0, 20.0)  # augmentation: lowest and highest ratio of active speech to noise
    channel_db: float = 0.0  # augmentation: maximum of a random smooth curve over the bins, as of another microphone
    frequency_masks: int = 0  # augmentation: SpecAugment, number of masks over frequency
    frequency_width: int = 8  # augmentation: SpecAugment, maximum width in bins
    time_masks: int = 0  # augmentation: SpecAugment, number of masks over time
    time_width: int = 20  # augmentation: SpecAugment, maximum width in frames
    time_fraction: float = 1.0  # augmentation: SpecAugment, maximum width as a fraction of a clip
    mask_epochs: float = 0.0  # augmentation: SpecAugment, epochs over which the masks grow from 0 to their full width

    def __post_init__(self) -> None:
        if self.sample_rate_hz is not None and not 1000 <= self.sample_rate_hz <= 384_000:
            raise ValueError(
                f"frontend.sample_rate_hz must be between 1,000 and 384,000. Received: {self.sample_rate_hz}"
            )
        if self.fixed_frames is not None and not 2 <= self.fixed_frames <= 4096:
            raise ValueError(f"frontend.fixed_frames must be from 2 to 4,096. Received: {self.fixed_frames}")
        if self.picture_channels is not None and not 1 <= self.picture_channels <= 16:
            raise ValueError(f"frontend.picture_channels must be from 1 to 16. Received: {self.picture_channels}")
        for field in ("speed", "tempo", "tract"):
            low, high = getattr(self, field)
            if not 0.5 <= low <= high <= 2:
                raise ValueError(f"frontend.{field} must be lowest and highest within 0.5 to 2. Received: {low} {high}")
        for field in ("reverb", "babble", "noise", "synthetic", "clipping", "band"):
            field = f"{field}_probability"
            if not 0 <= (value := getattr(self, field)) <= 1:
                raise ValueError(f"frontend.{field} must be from 0 to 1. Received: {value}")
        for field, most in (("attenuation_db", 120), ("place_seconds", 120), ("margin_ms", 10_000)):
            if not 0 <= (value := getattr(self, field)) <= most:
                raise ValueError(f"frontend.{field} must be from 0 to {most:,}. Received: {value}")
        if not 0 <= self.mask_epochs < float("inf"):
            raise ValueError(f"frontend.mask_epochs must be 0 or more. Received: {self.mask_epochs}")
        if not 0 < self.noise_fraction <= 1:
            raise ValueError(f"frontend.noise_fraction must be above 0 and at most 1. Received: {self.noise_fraction}")

    def resolved(
        self, sample_rate_hz: int | None, normalize: str | None, input_kinds: Collection[str]
    ) -> "SpeechConfig":
        """Fills in the corpus's sample rate, and the form and range that the network and its weights expect.

        Args:
            sample_rate_hz: The corpus's sample rate.
            normalize: Range of pictures that pretrained weights expect, a mode of `ImageNormalize`; None without them.
            input_kinds: Kinds of input of the network: "image", "sequence", "waveform".

        Returns:
            A config in which nothing is "auto".

        Raises:
            UserError: The config names types of noise without a folder.
        """
        if self.noise_types and not self.noise_path and self.noise_probability:
            raise UserError(
                f"Training needs the noises {', '.join(self.noise_types)}, which are not part of the installation: set"
                " --frontend.noise_path FOLDER with a sub-folder for each, or --frontend.noise_probability 0."
            )
        form = self.form
        if form == "auto":
            form = next((form for form, kind in FORMS.items() if kind in input_kinds), "sequence")
        picture_normalize = self.picture_normalize
        if picture_normalize == "auto":
            picture_normalize = cast(PictureRange, normalize) if form == "picture" and normalize else "none"
        return dataclasses.replace(
            self,
            sample_rate_hz=self.sample_rate_hz or sample_rate_hz,
            form=form,
            fixed_frames=self.fixed_frames or (64 if form == "picture" else None),
            picture_normalize=picture_normalize,
            picture_channels=self.picture_channels or (1 if picture_normalize == "none" else 3),
        )
