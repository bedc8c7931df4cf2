"""Words of greedy transcripts with their confidences, and which of them are right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfrec.decoding.word_confidence import WordConfidence
from tfrec.decoding.words import GreedyPath, Word
from tfrec.evaluation.metrics import calibration, transcription
from tfrec.text.tokenizers import Vocabulary


def words_of(outputs: Any, vocabulary: Vocabulary) -> list[list[Word]]:
    """Finds the words of a batch; a confidence is the geometric mean of the symbols' probabilities.

    Args:
        outputs: "logits" (batch, steps, n + 1) and "steps" (batch,), as arrays.
        vocabulary: of the logits.
    """
    found = []
    for logits, steps in zip(outputs["logits"], outputs["steps"], strict=True):
        path = GreedyPath(vocabulary, seconds_per_step=1.0)
        path.feed(logits[:steps])
        path.end()
        found.append(path.builder.words())
    return found


def compare(
    references: Sequence[str], words: Sequence[Sequence[Word]], normalize: Callable[[str], str]
) -> tuple[np.ndarray, np.ndarray]:
    """Aligns the words of each utterance with its reference.

    Args:
        references: the transcript of each utterance, as it is scored.
        words: those that are recognized, see `words_of`.
        normalize: from a recognized word to the form in which it is scored.

    Returns:
        The mean log-probability of each recognized word, and whether it is in the reference, (words,).
    """
    hypotheses = [" ".join(normalize(word.word) for word in utterance) for utterance in words]
    kinds = [
        kind for pairs in transcription.align(references, hypotheses) for kind, _, hypothesis in pairs if hypothesis
    ]
    probabilities = [word.confidence or 0.0 for utterance in words for word in utterance]
    log_probabilities = np.log(np.maximum(np.array(probabilities, "float64"), np.finfo("float64").tiny))
    return log_probabilities, np.array([kind == "equal" for kind in kinds], bool)


def score(log_probabilities: np.ndarray, correct: np.ndarray, confidence: WordConfidence) -> dict[str, Any] | None:
    """Scores the confidences of words.

    Args:
        log_probabilities: of each word, see `compare`.
        correct: bool (words,).
        confidence: the scaling.

    Returns:
        "words", "accuracy", and what `calibration.score_confidences` returns; "ece_unscaled" without the scaling. None
        where there are no words.
    """
    if not len(correct):
        return None
    scaled = np.array([confidence.of(value) for value in log_probabilities])
    unscaled = calibration.score_confidences(np.exp(log_probabilities), correct)
    return {
        "words": len(correct),
        "accuracy": float(correct.mean()),
        **calibration.score_confidences(scaled, correct),
        "ece_unscaled": unscaled["ece"],
    }
