"""Preprocessing and augmentation as Keras layers, by name."""

from pipelines.layers.clip_norm import ClipNorm
from pipelines.layers.deltas import Deltas
from pipelines.layers.filter_bank import FilterBank
from pipelines.layers.gain import Gain
from pipelines.layers.image_affine import ImageAffine
from pipelines.layers.image_colour import ImageColour
from pipelines.layers.image_normalise import ImageNormalise
from pipelines.layers.image_resize import ImageResize
from pipelines.layers.log_mel import LogMel
from pipelines.layers.mfcc import MFCC
from pipelines.layers.mix import Mix
from pipelines.layers.noise_mix import NoiseMix
from pipelines.layers.rand_augment import RandAugment
from pipelines.layers.random_erase import RandomErase
from pipelines.layers.spec_augment import SpecAugment
from pipelines.layers.time_shift import TimeShift

LAYERS = {
    "clip_norm": ClipNorm,
    "deltas": Deltas,
    "filter_bank": FilterBank,
    "gain": Gain,
    "image_affine": ImageAffine,
    "image_colour": ImageColour,
    "image_normalise": ImageNormalise,
    "image_resize": ImageResize,
    "log_mel": LogMel,
    "mfcc": MFCC,
    "mix": Mix,
    "noise_mix": NoiseMix,
    "rand_augment": RandAugment,
    "random_erase": RandomErase,
    "spec_augment": SpecAugment,
    "time_shift": TimeShift,
}
