"""The registry of vocabularies by their unit: builds them from transcripts and restores them from JSON."""

from collections.abc import Iterable
from typing import Any

from pipelines.errors import UserError, unknown
from tfrec.text.normalization import TextConfig, normalize
from tfrec.text.phonemes import PhonemeVocabulary
from tfrec.text.subwords import SubwordVocabulary
from tfrec.text.tokenizers import UNKNOWN_WORD, CharacterVocabulary, Vocabulary, WordVocabulary, damaged

__all__ = [
    "UNITS",
    "UNKNOWN_WORD",
    "CharacterVocabulary",
    "PhonemeVocabulary",
    "SubwordVocabulary",
    "Vocabulary",
    "WordVocabulary",
    "build",
    "from_json",
]

UNITS: dict[str, type[Vocabulary]] = {
    "characters": CharacterVocabulary,
    "subwords": SubwordVocabulary,
    "words": WordVocabulary,
    "phonemes": PhonemeVocabulary,
}


def build(
    unit: str,
    texts: Iterable[str],
    size: int | None = None,
    text_config: TextConfig | None = None,
    fold_phonemes: int | None = None,
) -> Vocabulary:
    """Builds the vocabulary of raw training texts.

    Args:
        unit: "characters", "subwords", "words" or "phonemes" (symbols separated by spaces).
        texts: raw transcripts.
        size: maximum number of tokens, the most frequent ones; None is 256 subwords, or all tokens of other units.
        text_config: how the texts are normalized; phonemes are not. None is the default.
        fold_phonemes: 48 or 39 folds TIMIT's phonemes, see `phonemes.fold`; None keeps them.

    Returns:
        The vocabulary.

    Raises:
        UserError: the unit is unknown, there is no text, or the size is too small.
    """
    text_config = text_config or TextConfig()
    if unit not in UNITS:
        raise unknown("unit of the vocabulary", unit, UNITS)
    minimum = 2 if unit == "words" else 1
    if size is not None and size < minimum:
        raise UserError(f"A vocabulary of {unit} needs a size of {minimum} or more, not {size}.")
    if unit != "phonemes":
        texts = (normalize(text, text_config) for text in texts)
    vocabulary = UNITS[unit].build(texts, size, text_config, fold_phonemes)
    if len(vocabulary) < minimum:
        raise UserError(f"There is no text to build a vocabulary of {unit} from: give the training split transcripts.")
    return vocabulary


def from_json(stored: Any) -> Vocabulary:
    """Restores a vocabulary.

    Args:
        stored: the JSON value that `Vocabulary.as_json` returned.

    Returns:
        The vocabulary.

    Raises:
        UserError: the content is damaged.
    """
    valid = isinstance(stored, dict) and isinstance(stored.get("unit"), str) and isinstance(stored.get("text"), dict)
    if not valid or stored["unit"] not in UNITS:
        raise damaged("it needs a known unit and the configuration of its text")
    try:
        text = TextConfig(**stored["text"])
    except (TypeError, ValueError) as error:
        raise damaged(f"its text has {error}") from error
    return UNITS[stored["unit"]].restore(stored, text)
