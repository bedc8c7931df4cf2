"""The settings of the way from a waveform to features."""

import dataclasses
from typing import Literal

from pipelines.errors import UserError
from pipelines.frontends.base import Placement

FORMS = {"sequence": "sequence", "picture": "image", "waveform": "waveform"}  # what architectures call them
NEUTRAL = (1.0, 1.0)


@dataclasses.dataclass(frozen=True)
class SpeechConfig:
    """Waveform to features; augmentation is off unless asked for."""

    name: Literal["speech"] = "speech"  # kind of frontend
    placement: Placement = "device"  # inside the training graph, or in tf.data on the CPU
    sample_rate_hz: int | None = None  # None is the corpus's own; other files are resampled
    form: Literal["auto", "sequence", "picture", "waveform"] = (
        "auto"  # features over time, a picture of them, or no features; auto is what the network takes
    )
    features: Literal["log_mel", "mfcc", "filter_bank", "pcen"] = "log_mel"  # what is computed
    pre_emphasis: float = 0.0  # of each sample, so much of the one before is taken away; often 0.97
    window_ms: float = 25.0  # length of the Hann window
    hop_ms: float = 10.0  # from one window to the next
    mels: int = 40  # filters of the bank, mel or linear
    low_hz: float = 20.0  # lower edge of the first filter
    high_hz: float | None = None  # upper edge of the last filter; None is half the sample rate
    mel_scale: Literal["htk", "slaney"] = "htk"  # formula of the mel scale
    coefficients: int = 13  # of the MFCC
    lifter: float = 22.0  # of the MFCC; 0 is none
    range_db: float | None = None  # a floor so far below the clip's loudest energy; None is none
    deltas: bool = False  # append first and second derivatives
    normalize: Literal["none", "clip", "partial", "mean", "mean_variance", "running"] = (
        "clip"  # clip: loudness; partial: and half of the bins' means; mean, mean_variance: per bin; running: causal
    )
    fixed_frames: int | None = None  # each clip is stretched or shrunk in time to so many; a picture's None is 64
    picture_channels: int | None = None  # of a picture; None is 3 where weights of pictures are loaded, else 1
    picture_normalize: Literal["auto", "none", "unit", "symmetric", "imagenet", "caffe", "per_image"] = (
        "auto"  # range of a picture; auto is what the weights that training starts from want, else none
    )
    speed: tuple[float, float] = NEUTRAL  # augmentation: lowest and highest, by resampling: pitch and timbre follow
    tempo: tuple[float, float] = NEUTRAL  # augmentation: lowest and highest, the pitch stays
    tract: tuple[float, float] = NEUTRAL  # augmentation: lowest and highest warp of frequency, as of a vocal tract
    gain_db: float = 0.0  # augmentation: louder or softer by at most
    jitter: float = 0.0  # augmentation: each end of a clip moves by at most this part, where fixed_frames stretch it
    shift_ms: float = 0.0  # augmentation: earlier or later by at most
    reverb_probability: float = 0.0  # augmentation: how often a clip is heard in a synthetic room
    babble_probability: float = 0.0  # augmentation: how often other clips of the batch talk in the background
    babble_speakers: int = 4  # augmentation: how many of them
    noise_path: str | None = None  # augmentation: folder of noises to mix in
    noise_types: tuple[str, ...] = ()  # augmentation: sub-folders to take; empty is all
    noise_fraction: float = 1.0  # augmentation: the first part of each noise; the rest is for tests
    noise_probability: float = 0.8  # augmentation: how often
    snr_db: tuple[float, float] = (0.0, 20.0)  # augmentation: lowest and highest ratio of active speech to noise
    channel_db: float = 0.0  # augmentation: a random smooth curve over the bins, at most, as of another microphone
    frequency_masks: int = 0  # augmentation: SpecAugment, how many
    frequency_width: int = 8  # augmentation: bins, at most
    time_masks: int = 0  # augmentation: SpecAugment, how many
    time_width: int = 20  # augmentation: frames, at most
    time_fraction: float = 1.0  # augmentation: part of a clip that one mask over time hides, at most
    mask_epochs: float = 0.0  # augmentation: how long until the masks are as wide as that; they begin at nothing

    def __post_init__(self):
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
        for field in ("reverb_probability", "babble_probability", "noise_probability"):
            if not 0 <= (value := getattr(self, field)) <= 1:
                raise ValueError(f"frontend.{field} must be from 0 to 1. Received: {value}")
        if not 0 <= self.mask_epochs < float("inf"):
            raise ValueError(f"frontend.mask_epochs must be 0 or more. Received: {self.mask_epochs}")
        if not 0 < self.noise_fraction <= 1:
            raise ValueError(f"frontend.noise_fraction must be above 0 and at most 1. Received: {self.noise_fraction}")

    def resolved(self, sample_rate_hz, normalize, takes):
        """The config with the corpus's rate and the form and range that the network and its weights want.

        UserError for types of noise without a folder that holds them.
        """
        if self.noise_types and not self.noise_path and self.noise_probability:
            raise UserError(
                f"Training wants the noises {', '.join(self.noise_types)}, which do not come with the install: give"
                " --frontend.noise_path FOLDER with a sub-folder for each, or --frontend.noise_probability 0."
            )
        form = self.form
        if form == "auto":
            form = next((form for form, kind in FORMS.items() if kind in takes), "sequence")
        normalize = normalize if form == "picture" and normalize else "none"
        range_of_picture = normalize if self.picture_normalize == "auto" else self.picture_normalize
        return dataclasses.replace(
            self,
            sample_rate_hz=self.sample_rate_hz or sample_rate_hz,
            form=form,
            fixed_frames=self.fixed_frames or (64 if form == "picture" else None),
            picture_normalize=range_of_picture,
            picture_channels=self.picture_channels or (1 if range_of_picture == "none" else 3),
        )
