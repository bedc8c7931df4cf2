"""Sub-words of a unigram model (Kudo 2018, arXiv 1804.10959) by the library sentencepiece."""

import base64
import dataclasses
import hashlib
import io

from pipelines.errors import UserError
from tfrec.text.tokenizers import Vocabulary

SPACE = "\u2581"  # what sentencepiece writes for a space
SIZE = 256  # where none is given
MODEL_BYTES = 16 * 2**20  # a model of 32,000 sub-words takes half a megabyte
SENTENCE_BYTES = 2**20  # sentencepiece leaves longer ones out without a word


class Subwords(Vocabulary):
    """Sub-words of a unigram model over the characters of the texts it was built from."""

    unit = "subwords"

    def __init__(self, model, text):
        self._model = model
        self._processor, pieces = load(model)
        super().__init__(pieces, text)
        self._characters = {token for token in self.tokens if len(token) == 1} | {" "}

    @classmethod
    def build(cls, texts, size, text, _fold=None):
        """Of normalized texts."""
        spaced = (" ".join(each.replace(SPACE, " ").split()) for each in texts)
        return cls(train(spaced, SIZE if size is None else size), text)

    @classmethod
    def restore(cls, stored, text):
        """What `as_json` described."""
        return cls(from_json(stored), text)

    def normalize(self, text):
        """The text in the form that is encoded; what sentencepiece writes for a space is one."""
        return " ".join(super().normalize(text).replace(SPACE, " ").split())

    def encode(self, text):
        """Ids of the likeliest sub-words of a raw text; characters that are not covered are left out."""
        return self._processor.encode(self.covered(text))

    def as_json(self):
        """Everything about it as a dict of plain values, for `from_json`."""
        return {"unit": self.unit, "text": dataclasses.asdict(self.text)} | as_json(self._model)

    @property
    def _known(self):
        return self._characters

    @staticmethod
    def _piece(token):
        return token.replace(SPACE, " ")


def train(texts, size):
    """The model (bytes) of at most `size` sub-words for normalized `texts`; every character of theirs is one at least.

    Small corpora do not have so many sub-words, and give fewer. Raises UserError where there are more characters than
    `size`, or no text.
    """
    import sentencepiece

    texts = [text for text in texts if text]
    if not texts:
        raise UserError("There is no text to learn sub-words from: give the training split transcripts.")
    characters = {SPACE, *"".join(texts).replace(" ", SPACE)}
    if size < len(characters):
        raise UserError(
            f"A vocabulary of {size} sub-words cannot hold the {len(characters)} characters of the transcripts: make"
            f" it larger, or take characters."
        )
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type="unigram",
            vocab_size=size + 1,  # it counts its unknown symbol
            hard_vocab_limit=False,
            character_coverage=1.0,
            normalization_rule_name="identity",  # the texts are normal
            max_sentence_length=SENTENCE_BYTES,
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=1,  # the same model whatever the machine
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError(f"Cannot learn {size} sub-words from {len(texts)} transcripts: {error}") from error
    return model.getvalue()


def load(model):
    """A model's bytes -> (sentencepiece processor, its pieces but for the first, the unknown symbol).

    Raises UserError for what is no such model.
    """
    import sentencepiece

    try:
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        pieces = [processor.id_to_piece(number) for number in range(1, processor.get_piece_size())]
        whole = bool(pieces) and all(pieces) and len(set(pieces)) == len(pieces) and processor.unk_id() == 0
    except (RuntimeError, ValueError, IndexError):
        whole = False
    if not whole:
        raise _damaged()
    return processor, pieces


def as_json(model):
    """A model's bytes as a dict of texts."""
    return {"model": base64.b64encode(model).decode("ascii"), "sha256": hashlib.sha256(model).hexdigest()}


def from_json(stored):
    """The bytes that `as_json` was given; raises UserError for what was changed or is too large."""
    text = stored.get("model")
    if not isinstance(text, str) or len(text) > MODEL_BYTES * 4 // 3 + 4:
        raise _damaged()
    try:
        model = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise _damaged() from error
    if hashlib.sha256(model).hexdigest() != stored.get("sha256"):
        raise _damaged()
    return model


def _damaged():
    return UserError("The vocabulary's sub-word model is damaged: build it again from the training transcripts.")
