"""Preprocessing and augmentation as Keras layers, by name."""

from pipelines.layers.aug_mix import AugMix
from pipelines.layers.babble import Babble
from pipelines.layers.base import Float32Layer
from pipelines.layers.channel_gain import ChannelGain
from pipelines.layers.clip_norm import ClipNorm
from pipelines.layers.deltas import Deltas
from pipelines.layers.dynamic_range import DynamicRange
from pipelines.layers.filter_bank import FilterBank
from pipelines.layers.fixed_frames import FixedFrames
from pipelines.layers.gain import Gain
from pipelines.layers.image_affine import ImageAffine
from pipelines.layers.image_color import ImageColor
from pipelines.layers.image_normalize import ImageNormalize
from pipelines.layers.image_resize import ImageResize
from pipelines.layers.log_mel import LogMel
from pipelines.layers.mfcc import MFCC
from pipelines.layers.mix import Mix
from pipelines.layers.noise_mix import NoiseMix
from pipelines.layers.pcen import PCEN
from pipelines.layers.pre_emphasis import PreEmphasis
from pipelines.layers.rand_augment import RandAugment
from pipelines.layers.random_erase import RandomErase
from pipelines.layers.reverb import Reverb
from pipelines.layers.running_norm import RunningNorm
from pipelines.layers.spec_augment import SpecAugment
from pipelines.layers.spectrogram_picture import SpectrogramPicture
from pipelines.layers.spectrogram_warp import SpectrogramWarp
from pipelines.layers.speed import Speed
from pipelines.layers.time_shift import TimeShift

LAYERS: dict[str, type[Float32Layer]] = {
    "aug_mix": AugMix,
    "babble": Babble,
    "channel_gain": ChannelGain,
    "clip_norm": ClipNorm,
    "deltas": Deltas,
    "dynamic_range": DynamicRange,
    "filter_bank": FilterBank,
    "fixed_frames": FixedFrames,
    "gain": Gain,
    "image_affine": ImageAffine,
    "image_color": ImageColor,
    "image_normalize": ImageNormalize,
    "image_resize": ImageResize,
    "log_mel": LogMel,
    "mfcc": MFCC,
    "mix": Mix,
    "noise_mix": NoiseMix,
    "pcen": PCEN,
    "pre_emphasis": PreEmphasis,
    "rand_augment": RandAugment,
    "random_erase": RandomErase,
    "reverb": Reverb,
    "running_norm": RunningNorm,
    "spec_augment": SpecAugment,
    "spectrogram_picture": SpectrogramPicture,
    "spectrogram_warp": SpectrogramWarp,
    "speed": Speed,
    "time_shift": TimeShift,
}
