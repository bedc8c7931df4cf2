"""Prefix beam search of CTC with an n-gram language model, by shallow fusion (Hannun et al. 2014, arXiv:1408.2873)."""

import numpy as np

from pipelines.errors import UserError
from tfrec.decoding.config import DecodeConfig
from tfrec.decoding.ngram import SPACE, NgramModel
from tfrec.decoding.shallow_fusion import beams, emissions, prefixes, rescoring, scorers
from tfrec.text.tokenizers import Vocabulary

CLIPS_TOGETHER, VALUES_TOGETHER = 64, 4_000_000  # a batch of more clips, or of more outputs, is searched in parts


def require_common_letters(model: NgramModel, vocabulary: Vocabulary, path: str) -> None:
    """Raises UserError where no word of the model can be written in the vocabulary, as with capitals in one of them.

    Args:
        model: the language model.
        vocabulary: the network's vocabulary.
        path: the model's file, for the message.
    """
    letters = set("".join(vocabulary.pieces))
    words = model.words - {SPACE}
    if not any(letters.issuperset(word) for word in words):
        raise UserError(
            f"The network cannot output any word of the language model {path} (such as {min(words, default='')!r}): "
            "train the model on text that is normalized as the run's transcripts are."
        )


def search(log_probs: np.ndarray, steps: np.ndarray, scorer: scorers.Scorer, config: DecodeConfig) -> list[str]:
    """Finds the best text of each clip by its exact score, among those of the beam and the greedy text.

    The score is the log-probability of CTC plus that of the scorer. A text does not depend on the rest of the batch.

    Args:
        log_probs: (batch, steps, n + 1), natural logarithms; what is past a clip's steps may be anything.
        steps: the number of steps of each clip, int (batch,).
        scorer: the scorer of the language model.
        config: the settings: width, min_log_prob.

    Returns:
        The texts.
    """
    log_probs, steps = np.asarray(log_probs, "float32"), np.asarray(steps, "int32")
    texts: list[str] = []
    together = max(1, min(CLIPS_TOGETHER, VALUES_TOGETHER // max(1, log_probs[:1].size)))
    for start in range(0, len(steps), together):
        part = slice(start, start + together)
        longest = int(steps[part].max())
        texts += _search(log_probs[part, :longest], steps[part], scorer, config)
    return texts


def _search(log_probs: np.ndarray, steps: np.ndarray, scorer: scorers.Scorer, config: DecodeConfig) -> list[str]:
    """The best texts of some clips."""
    clips = [rows[:length] for rows, length in zip(log_probs, steps, strict=True)]
    reduced = emissions.reduce(clips, config.min_log_prob)
    found = beams.search(reduced, scorer, config.width)
    greedy = _greedy(log_probs, steps)
    longest = max(found.shape[2], greedy.shape[1])
    candidates = np.zeros((len(clips), config.width + 1, longest), np.int64)
    candidates[:, -1, : greedy.shape[1]] = greedy
    candidates[reduced.order, :-1, : found.shape[2]] = found
    candidates = candidates[:, :, : int((candidates > 0).sum(axis=2).max(initial=0))]
    of_language = scorer.score(candidates.reshape(len(clips) * (config.width + 1), -1)).reshape(candidates.shape[:2])
    best = rescoring.best(log_probs, steps, candidates, of_language)
    return [scorer.vocabulary.decode(ids[row].tolist()) for ids, row in zip(candidates, best, strict=True)]


def _greedy(log_probs: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The ids that `ctc.greedy` finds, int (clips, steps)."""
    inside = np.arange(log_probs.shape[1]) < steps[:, None]
    path = np.where(inside, log_probs.argmax(axis=-1), 0)
    repeats = path == np.pad(path, ((0, 0), (1, 0)))[:, :-1]
    return prefixes.left_aligned(np.where(repeats, 0, path))
