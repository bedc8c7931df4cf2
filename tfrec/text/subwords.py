"""Subwords of a unigram model (Kudo 2018, arXiv:1804.10959), by the library sentencepiece."""

import base64
import dataclasses
import hashlib
import io
from collections.abc import Collection, Iterable
from typing import Any, Self

from pipelines.errors import UserError
from tfrec.text.normalization import TextConfig
from tfrec.text.tokenizers import Vocabulary

SPACE = "\u2581"  # sentencepiece's symbol for a space
DEFAULT_SIZE = 256  # subwords
MAX_MODEL_BYTES = 16 * 2**20  # a model of 32,000 subwords takes half a megabyte
MAX_SENTENCE_BYTES = 2**20  # sentencepiece silently leaves out longer ones


class SubwordVocabulary(Vocabulary):
    """Subwords of a unigram model over the characters of the texts that it was built from."""

    unit = "subwords"

    def __init__(self, model: bytes, text: TextConfig) -> None:
        self._model = model
        self._processor, pieces = load(model)
        super().__init__(pieces, text)
        self._characters = {token for token in self.tokens if len(token) == 1} | {" "}

    @classmethod
    def build(cls, texts: Iterable[str], size: int | None, text: TextConfig, fold_phonemes: int | None = None) -> Self:
        """Builds the vocabulary of normalized texts."""
        spaced = (" ".join(each.replace(SPACE, " ").split()) for each in texts)
        return cls(train(spaced, DEFAULT_SIZE if size is None else size), text)

    @classmethod
    def restore(cls, stored: dict[str, Any], text: TextConfig) -> Self:
        """Restores the vocabulary that `as_json` stored."""
        return cls(from_json(stored), text)

    def normalize(self, text: str) -> str:
        """Returns the text in the form that is encoded; sentencepiece's symbol for a space becomes a space."""
        return " ".join(super().normalize(text).replace(SPACE, " ").split())

    def encode(self, text: str) -> list[int]:
        """Returns the ids of the likeliest subwords of a raw text; characters that are not covered are left out."""
        return self._processor.encode(self.covered(text))

    def as_json(self) -> dict[str, Any]:
        """Returns everything about the vocabulary as JSON values, for `vocabulary.from_json`."""
        return {"unit": self.unit, "text": dataclasses.asdict(self.text)} | as_json(self._model)

    @property
    def _known(self) -> Collection[str]:
        return self._characters

    @staticmethod
    def _piece(token: str) -> str:
        return token.replace(SPACE, " ")


def train(texts: Iterable[str], size: int) -> bytes:
    """Trains a unigram model; every character of the texts is a subword of its own, too.

    Args:
        texts: normalized texts.
        size: maximum number of subwords; a small corpus gives fewer.

    Returns:
        The serialized sentencepiece model.

    Raises:
        UserError: there is no text, or the texts have more than `size` characters.
    """
    import sentencepiece

    texts = [text for text in texts if text]
    if not texts:
        raise UserError("There is no text to learn subwords from: give the training split transcripts.")
    characters = {SPACE, *"".join(texts).replace(" ", SPACE)}
    if size < len(characters):
        raise UserError(
            f"A vocabulary of {size} subwords cannot hold the {len(characters)} characters of the transcripts: increase"
            f" its size, or use characters."
        )
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type="unigram",
            vocab_size=size + 1,  # which counts the unknown symbol
            hard_vocab_limit=False,
            character_coverage=1.0,
            normalization_rule_name="identity",  # the texts are already normalized
            max_sentence_length=MAX_SENTENCE_BYTES,
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=1,  # the same model on every machine
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError(f"Cannot learn {size} subwords from {len(texts)} transcripts: {error}") from error
    return model.getvalue()


def load(model: bytes) -> tuple[Any, list[str]]:
    """Loads a serialized model.

    Args:
        model: bytes that `train` returned.

    Returns:
        The sentencepiece processor and its pieces without the first, the unknown symbol.

    Raises:
        UserError: the bytes are not such a model.
    """
    import sentencepiece

    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        pieces = [processor.id_to_piece(number) for number in range(1, processor.get_piece_size())]
        valid = bool(pieces) and all(pieces) and len(set(pieces)) == len(pieces) and processor.unk_id() == 0
    except (RuntimeError, ValueError, IndexError):
        valid = False
    if not valid:
        raise _damaged()
    return processor, pieces


def as_json(model: bytes) -> dict[str, str]:
    """Returns a serialized model as JSON values, with a checksum."""
    return {"model": base64.b64encode(model).decode("ascii"), "sha256": hashlib.sha256(model).hexdigest()}


def from_json(stored: dict[str, Any]) -> bytes:
    """Returns the model that `as_json` stored; raises UserError where it was changed or is too large."""
    text = stored.get("model")
    if not isinstance(text, str) or len(text) > MAX_MODEL_BYTES * 4 // 3 + 4:
        raise _damaged()
    try:
        model = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise _damaged() from error
    if hashlib.sha256(model).hexdigest() != stored.get("sha256"):
        raise _damaged()
    return model


def _damaged() -> UserError:
    return UserError("The vocabulary's subword model is damaged: build it again from the training transcripts.")
