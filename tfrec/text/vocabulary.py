"""The symbols that a model writes, and their ids: a registry of their units."""

from pipelines.errors import UserError, unknown
from tfrec.text.normalization import TextConfig, normalize
from tfrec.text.phonemes import Phonemes
from tfrec.text.subwords import Subwords
from tfrec.text.tokenizers import UNKNOWN_WORD, Characters, Vocabulary, Words, damaged

__all__ = ["UNITS", "UNKNOWN_WORD", "Characters", "Phonemes", "Subwords", "Vocabulary", "Words", "build", "from_json"]

UNITS = {kind.unit: kind for kind in (Characters, Subwords, Words, Phonemes)}


def build(unit, texts, size=None, text_config=None, fold_phonemes=None):
    """The Vocabulary of raw training `texts` (iterable of str).

    `unit` is "characters", "subwords", "words" or "phonemes" (space-separated symbols). `size` bounds its tokens, the
    most frequent ones; None takes all, and 256 sub-words. `fold_phonemes` (48, 39 or None) folds TIMIT's symbols.
    Raises UserError for an unknown unit, no text, or a size that is too small.
    """
    text_config = text_config or TextConfig()
    if unit not in UNITS:
        raise unknown("unit of the vocabulary", unit, UNITS)
    least = 2 if unit == "words" else 1
    if size is not None and size < least:
        raise UserError(f"A vocabulary of {unit} needs a size of {least} or more, not {size}.")
    if unit != "phonemes":
        texts = (normalize(text, text_config) for text in texts)
    vocabulary = UNITS[unit].build(texts, size, text_config, fold_phonemes)
    if len(vocabulary) < least:
        raise UserError(f"There is no text to build a vocabulary of {unit} from: give the training split transcripts.")
    return vocabulary


def from_json(stored):
    """The vocabulary that `as_json` described; raises UserError for damaged content."""
    whole = isinstance(stored, dict) and isinstance(stored.get("unit"), str) and isinstance(stored.get("text"), dict)
    if not whole or stored["unit"] not in UNITS:
        raise damaged("it needs a known unit and the configuration of its text")
    try:
        text = TextConfig(**stored["text"])
    except (TypeError, ValueError) as error:
        raise damaged(f"its text has {error}") from error
    return UNITS[stored["unit"]].restore(stored, text)
