"""The settings of transcription."""

import dataclasses
from typing import Literal

from tfrec.tasks.group_weights import GroupWeights
from tfrec.text.normalization import TextConfig


@dataclasses.dataclass(frozen=True)
class Config(GroupWeights):
    """Connectionist temporal classification, with or without an attention decoder."""

    name: Literal["transcribe"] = "transcribe"  # task
    unit: Literal["characters", "subwords", "words", "phonemes"] = "characters"  # tokens of the network's outputs
    vocabulary_size: int = 500  # maximum number of subwords or words
    fold_phonemes: Literal[61, 48, 39] | None = None  # train on this number of TIMIT's, score 39; None: any, as written
    ctc_share: float = 0.3  # of the loss of a network with a decoder, whose cross-entropy is the rest
    intermediate_share: float = 0.3  # of CTC's loss, shared by blocks with CTC before the last
    label_smoothing: float = 0.1  # of the decoder's cross-entropy: part of the target spread over all symbols
    shown: int = 3  # hypotheses of the validation split in the log of each epoch
    text: TextConfig = TextConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.ctc_share <= 1:
            raise ValueError(f"task.ctc_share must be above 0 and at most 1. Received: {self.ctc_share}")
        if not 0 <= self.intermediate_share < 1:
            raise ValueError(f"task.intermediate_share must be from 0 to below 1. Received: {self.intermediate_share}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"task.label_smoothing must be at least 0 and below 1. Received: {self.label_smoothing}")
        if not 2 <= self.vocabulary_size <= 100_000:
            raise ValueError(f"task.vocabulary_size must be from 2 to 100,000. Received: {self.vocabulary_size}")
        if self.fold_phonemes and self.unit != "phonemes":
            raise ValueError(f"task.fold_phonemes is for task.unit phonemes. Received: {self.unit}")
        if self.shown < 0:
            raise ValueError(f"task.shown must be 0 or more. Received: {self.shown}")


def phoneme_set(config: Config) -> int | None:
    """How many phonemes training folds TIMIT's into, 48 or 39; None leaves the symbols as they are."""
    return config.fold_phonemes if config.fold_phonemes != 61 else None
