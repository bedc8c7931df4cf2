"""From the outputs of a network for transcription to texts."""

import numpy as np

from tfrec.decoding import beam, ctc, fusion, ngram
from tfrec.decoding.config import DecodeConfig

__all__ = ["DecodeConfig", "build"]


def build(config, vocabulary):
    """The decoder of CTC outputs that a DecodeConfig describes; method "attention" is in `attention`.

    The decoder takes log-probabilities (batch, steps, n + 1), an array of natural logarithms, and the true steps
    (batch,), and gives a list of texts. A text does not depend on what else is in the batch.
    Raises UserError for a language model that cannot be read or that has no word in common with the vocabulary.
    """
    method = config.resolved
    if method == "attention":
        raise ValueError(f"build takes the methods of CTC: auto, greedy and beam. Received: {method}")
    if config.lm is not None:
        model = ngram.read(config.lm)
        fusion.require_common_letters(model, vocabulary, config.lm)
        language = fusion.Language(model, config)

    def fused(log_probs, steps):
        clips = zip(np.asarray(log_probs), np.asarray(steps), strict=True)
        return [fusion.search(rows[:true], language, vocabulary, config) for rows, true in clips]

    def plain(log_probs, steps):
        steps = np.asarray(steps, "int32")
        found = ctc.greedy(log_probs, steps) if method == "greedy" else beam.search(log_probs, steps, config.width)
        return [vocabulary.decode(ids) for ids in found[0].numpy().tolist()]

    return plain if config.lm is None else fused
