"""Names for the types that architectures and their layers share."""

from typing import Any

Tensor = Any  # a tensor of Keras, symbolic or with values
Shape = tuple[int | None, ...]  # sizes; None is a size that is not known before a batch
