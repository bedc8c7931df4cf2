"""Architectures: functions that build Keras functional models from features to outputs.

`build` makes any network by name, `ARCHITECTURES` holds the names, `registry` describes what a module of the registry
offers.
"""

import pipelines.frontends  # noqa: F401  registers the custom layers of features for `keras.saving.load_model`
from tfrec.architectures.config import ImageModelConfig, ModelConfig
from tfrec.architectures.registry import (
    ARCHITECTURES,
    REFERENCE_SHAPES,
    Architecture,
    build,
    build_network,
    default_config,
    describe,
    find,
    patch_encoder,
)
from tfrec.architectures.submodels import (
    backbone_blocks,
    decoder,
    embedder,
    encoder,
    feature_extractor,
    part_encoder,
    single_input,
    token_extractor,
)

__all__ = [
    "ARCHITECTURES",
    "REFERENCE_SHAPES",
    "Architecture",
    "ImageModelConfig",
    "ModelConfig",
    "backbone_blocks",
    "build",
    "build_network",
    "decoder",
    "default_config",
    "describe",
    "embedder",
    "encoder",
    "feature_extractor",
    "find",
    "part_encoder",
    "patch_encoder",
    "single_input",
    "token_extractor",
]
