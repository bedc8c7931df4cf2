"""Decoding: from the outputs of a network for transcription to texts."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfrec.decoding import arpa, beam_search, ctc, shallow_fusion
from tfrec.decoding.config import DecodeConfig
from tfrec.text.tokenizers import Vocabulary

__all__ = ["DecodeConfig", "build"]

Tensor = Any


def build(config: DecodeConfig, vocabulary: Vocabulary) -> Callable[[Tensor, Sequence[int] | np.ndarray], list[str]]:
    """Builds a decoder of CTC outputs; `attention.build` is for method "attention".

    Args:
        config: the settings.
        vocabulary: the vocabulary of the network's n symbols.

    Returns:
        A function from log-probabilities (batch, steps, n + 1), natural logarithms, and each clip's number of steps,
        int (batch,), to a list of texts. A text does not depend on the rest of the batch.

    Raises:
        ValueError: the method is "attention".
        UserError: the language model cannot be read, or shares no word with the vocabulary.
    """
    method = config.resolved
    if method == "attention":
        raise ValueError(f"build takes the methods of CTC: auto, greedy and beam. Received: {method}")
    if config.lm is not None:
        model = arpa.read(config.lm)
        shallow_fusion.require_common_letters(model, vocabulary, config.lm)
        scorer = shallow_fusion.scorers.build(model, vocabulary, config)

    def decode_with_language_model(log_probs: Tensor, steps: Sequence[int] | np.ndarray) -> list[str]:
        return shallow_fusion.search(np.asarray(log_probs), np.asarray(steps), scorer, config)

    def decode(log_probs: Tensor, steps: Sequence[int] | np.ndarray) -> list[str]:
        steps = np.asarray(steps, "int32")
        if method == "greedy":
            ids, _, _ = ctc.greedy(log_probs, steps)
        else:
            ids, _, _ = beam_search.search(log_probs, steps, config.width)
        return [vocabulary.decode(row) for row in ids.numpy().tolist()]

    return decode if config.lm is None else decode_with_language_model
