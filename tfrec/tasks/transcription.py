"""A text for each clip."""

import dataclasses
from typing import ClassVar, Literal

import numpy as np
import tensorflow as tf
from keras import ops

from pipelines.errors import UserError
from tfrec import decoding
from tfrec.architectures import submodels
from tfrec.decoding import attention, beam, ctc
from tfrec.evaluation.metrics import transcription
from tfrec.evaluation.metrics.per_example import Quality
from tfrec.evaluation.validation import TranscribedValidation
from tfrec.reports import alignments
from tfrec.text import phonemes, vocabulary
from tfrec.text.normalization import TextConfig

OUTPUT_KIND = "sequence"  # of its networks
MODEL = "bilstm_ctc"  # where none is named
SHOWN = 5  # symbols in a warning


@dataclasses.dataclass(frozen=True)
class Config:
    """Connectionist temporal classification, with or without a decoder that attends."""

    name: Literal["transcribe"] = "transcribe"  # task
    unit: Literal["characters", "subwords", "words", "phonemes"] = "characters"  # what the network spells in
    vocabulary_size: int = 500  # of subwords and words, at most
    fold_phonemes: Literal[61, 48, 39] | None = None  # train on so many of TIMIT's, score 39; None: any, as written
    ctc_share: float = 0.3  # of the loss, where there is a decoder too, whose cross-entropy is the rest
    intermediate_share: float = 0.3  # of CTC's loss, where a layer in the middle of the network writes too
    label_smoothing: float = 0.1  # of the decoder's cross-entropy: part of the target spread over all symbols
    shown: int = 3  # hypotheses of the validation split that are printed after an epoch
    text: TextConfig = TextConfig()

    def __post_init__(self):
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


def labels(config, corpus):
    """What the network spells with, from the training transcripts alone, as JSON: see `Vocabulary.as_json`.

    UserError where a split of the corpus has no transcripts.
    """
    texts = {name: _texts(split, f"{corpus.name}, {name} split,") for name, split in corpus.splits.items()}["train"]
    size = config.vocabulary_size if config.unit in ("subwords", "words") else None
    return vocabulary.build(config.unit, texts, size, config.text, folds(config)).as_json()


def require_labels(stored):
    """UserError for anything but what `labels` gives."""
    vocabulary.from_json(stored)


def scores(config):
    """Names of the single numbers that `measure` gives, the usual one first."""
    return (*transcription.RATES["phonemes" if config.unit == "phonemes" else "words"], "sentence_error_rate")


def folds(config):
    """What training folds TIMIT's phonemes into, 48 or 39; None leaves the symbols as they are."""
    return config.fold_phonemes if config.fold_phonemes != 61 else None


def _texts(split, name):
    if split.texts is None:
        raise UserError(f"{name} has no transcripts, which task.name transcribe needs: take classify, or other data.")
    return split.texts


class Task:
    """Transcription; targets are ids of symbols (batch, length), padded with 0, which is the blank too."""

    bulky: ClassVar = ("hypotheses",)  # scores that go into files of their own

    def __init__(self, config, labels, counts=None):
        self.config = config
        self.vocabulary = vocabulary.from_json(labels)
        self.class_names = self.vocabulary.tokens
        self.outputs = len(self.vocabulary.tokens) + 1
        self.scored = "phonemes" if config.unit == "phonemes" else "words"
        self.rates = transcription.RATES[self.scored]
        self.monitor = dict.fromkeys(("loss", *self.rates), "min")  # what training can watch on the validation split

    def describe(self):
        """What the answers are, in few words."""
        return f"{self.outputs - 1} {self.config.unit}"

    def doubts(self, corpus):
        """Sentences on what of a corpus the vocabulary, which knows the training split alone, cannot spell."""
        doubts = []
        for name, split in corpus.splits.items():
            coverage = self.vocabulary.coverage(split.texts or [])
            if missing := coverage.missing:
                some = ", ".join(map(repr, list(missing)[:SHOWN]))
                doubts.append(
                    f"the {name} split has {sum(missing.values())} of {coverage.symbols:,} {self.config.unit} that no"
                    f" training text has ({some}), so that nothing can write them."
                )
        return doubts

    def require_same(self, corpus, path):
        """Nothing: a vocabulary is for any texts, and what it lacks counts as errors."""

    def targets(self, split):
        """The split with ids of symbols, int32 (length,), as each example's label."""
        ids = [self.vocabulary.encode(text) for text in _texts(split, "The split")]
        rows = tf.RaggedTensor.from_row_lengths(
            np.concatenate([*map(np.int32, ids), np.int32([])]), list(map(len, ids))
        )
        pairs = tf.data.Dataset.zip((split.examples, tf.data.Dataset.from_tensor_slices(rows)))
        examples = pairs.map(lambda example, label: {"audio": example["audio"], "label": label})
        return dataclasses.replace(split, examples=examples, labels=None)

    def feed(self, inputs, label):
        """A batch for a network with a decoder: its inputs hold the label too, one step later, behind the start's 0."""
        return {**inputs, "tokens": tf.pad(label[:, :-1], [[0, 0], [1, 0]])}, label

    def loss(self):
        """None: the loss is one of a whole batch, see `batch_loss`."""

    def metrics(self):
        """None beside the loss; error rates are those of whole texts, see `validation`."""
        return []

    def batch_loss(self, targets, outputs):
        """The mean over a batch of the loss of each text in nats; CTC leaves out those that cannot fit their steps.

        CTC (Graves et al. 2006), also of a layer in the middle where the network gives that out (Lee & Watanabe 2021,
        arXiv:2102.03216), and, with a decoder, smoothed cross-entropy of each symbol and of the end, given those
        before it; both together as in Watanabe et al. 2017, "Hybrid CTC/attention architecture", equation 10.
        """
        loss = self._ctc(targets, outputs["logits"], outputs["steps"])
        if "intermediate" in outputs:
            share = self.config.intermediate_share
            loss = (1 - share) * loss + share * self._ctc(targets, outputs["intermediate"], outputs["steps"])
        if "decoder" not in outputs:
            return loss
        share = self.config.ctc_share
        return share * loss + (1 - share) * ops.mean(self._cross_entropy(targets, outputs["decoder"]))

    def _ctc(self, targets, logits, steps):
        losses, possible = ctc.losses(logits, steps, targets)
        return ops.sum(losses) / ops.maximum(ops.sum(ops.cast(possible, "float32")), 1.0)

    def _cross_entropy(self, targets, logits):
        smoothing = self.config.label_smoothing
        target = ops.one_hot(ops.cast(targets, "int32"), self.outputs) * (1 - smoothing) + smoothing / self.outputs
        losses = -ops.sum(target * ops.log_softmax(ops.cast(logits, "float32")), axis=-1)
        lengths = ops.sum(ops.cast(targets != 0, "int32"), axis=1, keepdims=True) + 1  # and the end
        inside = ops.arange(ops.shape(targets)[1], dtype="int32")[None] < lengths
        return ops.sum(ops.where(inside, losses, 0.0), axis=1)

    def left_out(self, targets, outputs):
        """How many texts of a batch cannot fit their steps."""
        return ops.sum(ops.cast(ctc.steps_needed(targets) > outputs["steps"], "float32"))

    def validation(self, recognizer, model, split, batch_size):
        """The callback that measures loss and error rates after each epoch."""
        return TranscribedValidation(recognizer, model, split, batch_size)

    def classifier(self, net):
        """The network that answers: the encoder with its CTC head."""
        return submodels.encoder(net)

    def answer(self, outputs, beam_width=1):
        """Logits and steps -> {"text": string (batch,), "confidence": (batch,)}, the greedy text or that of a beam.

        The confidence is the geometric mean of the probabilities of the best symbol of each step.
        """
        logits, steps = tf.cast(outputs["logits"], tf.float32), outputs["steps"]
        best = tf.reduce_max(tf.nn.log_softmax(logits), axis=-1)
        inside = tf.sequence_mask(steps, tf.shape(logits)[1], tf.float32)
        mean = tf.reduce_sum(best * inside, axis=1) / tf.maximum(tf.reduce_sum(inside, axis=1), 1.0)
        ids = ctc.greedy(logits, steps)[0] if beam_width == 1 else beam.search(logits, steps, beam_width)[0]
        return {"text": self.spell(ids), "confidence": tf.exp(mean)}

    def spell(self, ids):
        """Ids (batch, length), 0 for nothing, -> texts (batch,), in TensorFlow."""
        written = tf.strings.reduce_join(tf.gather(tf.constant(self.vocabulary.pieces), ids), axis=1)
        return tf.strings.strip(tf.strings.regex_replace(written, " +", " "))

    def texts(self, recognizer, split, batch_size, decode=None):
        """Hypotheses of a split, in its order; `decode` is a DecodeConfig, None for its defaults."""
        decoder = self.decoder(recognizer.net, decode or decoding.DecodeConfig())
        texts = [None] * split.size
        for outputs, _, numbers in recognizer.outputs(self.targets(split), batch_size):
            for number, text in zip(numbers, decoder(outputs), strict=True):
                texts[number] = text
        return texts

    def decoder(self, net, decode):
        """A function from the encoder's outputs, arrays, to a list of texts.

        UserError for attention where the network has no decoder, and for a language model that cannot be used.
        """

        def log_probabilities(outputs):
            return ops.convert_to_numpy(ops.log_softmax(outputs["logits"]))

        if decode.resolved != "attention":
            of_ctc = decoding.build(decode, self.vocabulary)
            return lambda outputs: of_ctc(log_probabilities(outputs), outputs["steps"])
        decoder = submodels.decoder(net)
        if decoder is None:
            raise UserError(f"decode.method attention needs a network with a decoder: {net.name} has none, take beam.")
        of_attention = attention.build(decode, self.vocabulary, decoder)
        return lambda outputs: of_attention(outputs["encoded"], outputs["steps"], log_probabilities(outputs))

    def measure(self, recognizer, split, batch_size, decode=None):
        """The dict that `metrics.json` holds for a split, and under "hypotheses" each utterance's texts."""
        said, heard = self._pairs(recognizer, split, batch_size, decode)
        lists = {name: getattr(split, name) for name in ("speakers", "seconds", "groups")}
        scores = transcription.score(said, heard, unit=self.scored, **lists)
        rows = []
        for i, (reference, hypothesis) in enumerate(zip(said, heard, strict=True)):
            row = {"source": split.sources[i] if split.sources else str(i)}
            row |= {"reference": reference, "hypothesis": hypothesis}
            row |= {key[:-1] if key == "speakers" else key: lists[key][i] for key in lists if lists[key] is not None}
            rows.append(row)
        return {**scores, "hypotheses": rows}

    def quality(self, recognizer, split, batch_size, name=None):
        """How each greedy text of a split does by one of `scores`, None for the first; see `metrics.quality`."""
        name = name or self.rates[0]
        return Quality(name, *transcription.counts(*self._pairs(recognizer, split, batch_size), name))

    def _pairs(self, recognizer, split, batch_size, decode=None):
        """References and hypotheses of a split, in the form in which they are scored."""
        texts = self.texts(recognizer, split, batch_size, decode)
        return [self.reference(text) for text in split.texts], [self.comparable(text) for text in texts]

    def reference(self, text):
        """A transcript of the corpus in the form in which it is scored."""
        return self.comparable(self.vocabulary.normalize(text))

    def comparable(self, text):
        """What is scored of a text in its normal form: all of it, or TIMIT's phonemes as 39 (Lee & Hon 1989)."""
        return " ".join(phonemes.fold(text.split())) if self.config.fold_phonemes else text

    def report(self, scores, title):
        """A table for the terminal."""
        return alignments.table(scores, title)

    def plots(self, scores, folder):
        """Writes the aligned hypotheses as text and as a page."""
        alignments.write(folder, scores["hypotheses"], unit=self.scored)
