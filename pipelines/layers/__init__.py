"""Preprocessing and augmentation as Keras layers, by name."""

from pipelines.layers.aug_mix import AugMix
from pipelines.layers.babble import Babble
from pipelines.layers.band_limit import BandLimit
from pipelines.layers.base import Float32Layer
from pipelines.layers.channel_gain import ChannelGain
from pipelines.layers.clip_norm import ClipNorm
from pipelines.layers.clipping import Clipping
from pipelines.layers.deltas import Deltas
from pipelines.layers.dynamic_range import DynamicRange
from pipelines.layers.filter_bank import FilterBank
from pipelines.layers.fixed_frames import FixedFrames
from pipelines.layers.gain import Gain
from pipelines.layers.image_affine import ImageAffine
from pipelines.layers.image_color import ImageColor
from pipelines.layers.image_normalize import ImageNormalize
from pipelines.layers.image_resize import ImageResize
from pipelines.layers.level_norm import LevelNorm
from pipelines.layers.log_mel import LogMel
from pipelines.layers.mfcc import MFCC
from pipelines.layers.mix import Mix
from pipelines.layers.noise_mix import NoiseMix
from pipelines.layers.pcen import PCEN
from pipelines.layers.placement import Placement
from pipelines.layers.pre_emphasis import PreEmphasis
from pipelines.layers.rand_augment import RandAugment
from pipelines.layers.random_erase import RandomErase
from pipelines.layers.reverb import Reverb
from pipelines.layers.rooms import ImageSourceReverb, MeasuredReverb
from pipelines.layers.running_norm import RunningNorm
from pipelines.layers.spec_augment import SpecAugment
from pipelines.layers.spectrogram_picture import SpectrogramPicture
from pipelines.layers.spectrogram_warp import SpectrogramWarp
from pipelines.layers.speed import Speed
from pipelines.layers.synthetic_noise import SyntheticNoise
from pipelines.layers.time_shift import TimeShift
from pipelines.layers.trim import Trim

LAYERS: dict[str, type[Float32Layer]] = {
    "aug_mix": AugMix,
    "babble": Babble,
    "band_limit": BandLimit,
    "channel_gain": ChannelGain,
    "clip_norm": ClipNorm,
    "clipping": Clipping,
    "deltas": Deltas,
    "dynamic_range": DynamicRange,
    "filter_bank": FilterBank,
    "fixed_frames": FixedFrames,
    "gain": Gain,
    "image_affine": ImageAffine,
    "image_color": ImageColor,
    "image_normalize": ImageNormalize,
    "image_resize": ImageResize,
    "image_source_reverb": ImageSourceReverb,
    "level_norm": LevelNorm,
    "log_mel": LogMel,
    "measured_reverb": MeasuredReverb,
    "mfcc": MFCC,
    "mix": Mix,
    "noise_mix": NoiseMix,
    "pcen": PCEN,
    "placement": Placement,
    "pre_emphasis": PreEmphasis,
    "rand_augment": RandAugment,
    "random_erase": RandomErase,
    "reverb": Reverb,
    "running_norm": RunningNorm,
    "spec_augment": SpecAugment,
    "spectrogram_picture": SpectrogramPicture,
    "spectrogram_warp": SpectrogramWarp,
    "speed": Speed,
    "synthetic_noise": SyntheticNoise,
    "time_shift": TimeShift,
    "trim": Trim,
}
