"""A text for each clip."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tfrec import architectures, decoding
from tfrec.decoding import attention, beam_search, ctc, word_outputs
from tfrec.decoding.word_confidence import WordConfidence, fit
from tfrec.decoding.words import Word
from tfrec.evaluation.metrics import transcription
from tfrec.evaluation.metrics.per_example import PerExampleScores
from tfrec.evaluation.validation import TranscriptValidation
from tfrec.evaluation.word_confidence import compare, score, words_of
from tfrec.inference import pair_transcriber
from tfrec.inference.export_transcriber import describe_export, of_export, step_times
from tfrec.inference.streaming import Stream
from tfrec.inference.transcriber import Transcriber
from tfrec.reports import alignments, plots
from tfrec.tasks import transcript_findings, transcript_loss
from tfrec.tasks.base import Finding, Task, require_no_options
from tfrec.tasks.transcript_answer import Transcript
from tfrec.tasks.transcript_config import Config as Config
from tfrec.tasks.transcript_config import phoneme_set as phoneme_set
from tfrec.text import phonemes, vocabulary
from tfrec.text.normalization import normalize

if TYPE_CHECKING:
    from tfrec.config.schema import ExportConfig
    from tfrec.recognizer import Recognizer
    from tfrec.serving.exported import ExportedRecognizer


class Transcription(Task):
    """Connectionist temporal classification (CTC), with or without an attention decoder.

    Targets are token ids `(batch, length)`, padded with 0, CTC's blank. Labels are the vocabulary as JSON.
    """

    name = "transcribe"
    config_type = Config
    default_model = "bilstm_ctc"
    default_pair_model = "av_ctc"
    answers_pairs = True
    served_output = "text"
    label_kind = "texts"
    output_kind = "sequence"
    xla = False  # XLA has no CTC loss
    bulky_scores = ("hypotheses",)
    takes_blocks = True

    def __init__(self, config: Config, labels: Any) -> None:
        super().__init__(config, labels)
        self.vocabulary = vocabulary.from_json(labels)
        self.class_names = self.vocabulary.tokens
        self.num_outputs = len(self.vocabulary.tokens) + 1
        self.unit = _scored_unit(config)
        self.rates = transcription.RATES[self.unit]
        self.word_confidence = WordConfidence()
        self.monitors = dict.fromkeys(("loss", *self.rates), "min")

    @classmethod
    def find_labels(cls, config: Config, corpus: Corpus) -> Any:
        """The vocabulary of the training transcripts, as JSON; UserError without them, and for still pictures."""
        if corpus.modality == "image_audio":
            raise UserError(
                f"{corpus.name} pairs clips with single pictures, and task.name transcribe takes moving ones: set"
                " --data.moving, or another --task.name."
            )
        texts = {name: _texts(split, f"{corpus.name}, {name} split,") for name, split in corpus.splits.items()}["train"]
        size = config.vocabulary_size if config.unit in ("subwords", "words") else None
        return vocabulary.build(config.unit, texts, size, config.text, phoneme_set(config)).as_json()

    @classmethod
    def check_labels(cls, labels: Any) -> None:
        """Raises UserError for anything but a vocabulary."""
        vocabulary.from_json(labels)

    @classmethod
    def score_names(cls, config: Config) -> tuple[str, ...]:
        """Error rates: of words and characters, or of phonemes, and of sentences."""
        return (*transcription.RATES[_scored_unit(config)], "sentence_error_rate")

    @classmethod
    def text_normalizer(cls, config: Config) -> Callable[[str], str]:
        """A function from a transcript to the form that training, scores and language models see."""
        if config.unit != "phonemes":
            return lambda text: normalize(text, config.text)
        folded = phoneme_set(config)
        return lambda text: " ".join(phonemes.fold(text.split(), folded) if folded else text.split())

    def describe(self) -> str:
        """The size of the vocabulary."""
        return f"{self.num_outputs - 1} {self.config.unit}"

    def warnings(self, corpus: Corpus) -> list[str]:
        """Sentences on texts that are empty or mix scripts, and on symbols that no training text has."""
        return transcript_findings.warnings(self, corpus)

    def check_training(self, recognizer: Recognizer, corpus: Corpus) -> list[str]:
        """Sentences on texts that are too long for their clips; UserError where CTC could learn from none."""
        return transcript_findings.check_training(self, recognizer, corpus)

    def findings(self, recognizer: Recognizer, name: str, split: Split) -> list[Finding]:
        """Texts that are too long for their clips, and symbols that the vocabulary lacks."""
        return transcript_findings.find(self, recognizer, name, split)

    def targets(self, split: Split) -> Split:
        """The split with token ids, int32 `(length,)`, as each example's label."""
        ids = [self.vocabulary.encode(text) for text in _texts(split, "The split")]
        rows = tf.RaggedTensor.from_row_lengths(
            np.concatenate([np.zeros(0, np.int32), *(np.asarray(row, np.int32) for row in ids)]), list(map(len, ids))
        )
        labels = tf.data.Dataset.from_tensor_slices(rows)
        return split.combined(labels, lambda example, label: {**example, "label": label}, labels=None)

    def training_inputs(self, inputs: Any, targets: Any) -> Any:
        """The inputs with "tokens": the targets one step later, behind the start's 0."""
        return {**inputs, "tokens": tf.pad(targets[:, :-1], [[0, 0], [1, 0]])}

    def loss(self, outputs: Any, targets: Any, weights: Any = None) -> Any:
        """The mean over a batch of the loss of each text in nats; CTC leaves out texts too long for their clips.

        CTC (Graves et al. 2006), also of intermediate blocks where the network has those outputs (Lee & Watanabe 2021,
        arXiv:2102.03216), and, with a decoder, smoothed cross-entropy of each token and of the end, given those
        before it; both combined as in Watanabe et al. 2017, "Hybrid CTC/attention architecture", equation 10.

        Raises:
            ValueError: for weights, since a text has no share in two examples.
        """
        if weights is not None:
            raise ValueError("Transcription takes no weights of examples: turn off mixup and cutmix.")
        count = ops.maximum(ops.cast(self.loss_count(outputs, targets), "float32"), 1.0)
        return transcript_loss.of_batch(self.config, outputs, targets, count)

    def example_losses(self, outputs: Any, targets: Any) -> Any:
        """The same for each text `(batch,)`; that of CTC is 0 for a text too long for its clip."""
        return transcript_loss.of_examples(self.config, outputs, targets)

    def loss_count(self, outputs: Any, targets: Any) -> Any:
        """Number of texts of a batch that `loss` is the mean of: those that CTC takes, with a decoder all."""
        count = ops.cast(super().loss_count(outputs, targets), "float32")
        return count if "decoder" in outputs else count - self.left_out(outputs, targets)

    def metrics(self) -> list[keras.Metric]:
        """How many texts of the epoch CTC has left out."""
        return [keras.metrics.Sum(name="left_out")]

    def update_metrics(self, metrics: Sequence[keras.Metric], outputs: Any, targets: Any) -> None:
        """Counts the texts of a batch that are too long for their clips."""
        metrics[0].update_state(self.left_out(outputs, targets))

    def left_out(self, outputs: Any, targets: Any) -> Any:
        """How many texts of a batch need more steps than their clips have."""
        return ops.sum(ops.cast(ctc.steps_needed(targets) > outputs["steps"], "float32"))

    def validation_callback(self, training: Any, split: Split, batch_size: int) -> keras.callbacks.Callback:
        """Measures loss and error rates of whole texts after each epoch."""
        return TranscriptValidation(training, split, batch_size, shown=self.config.shown)

    def inference_network(self, network: keras.Model) -> keras.Model:
        """The encoder with its CTC head."""
        return architectures.encoder(network)

    @classmethod
    def check_export(cls, export: ExportConfig) -> None:
        """Every export setting applies."""

    def export_outputs(self, outputs: Any, export: ExportConfig) -> dict[str, tf.Tensor]:
        """Logits and steps -> {"text": string (batch,), "confidence": (batch,), ...}, greedy or by a beam search.

        "tokens": int32 (batch, steps), the ids of the text, then 0; "lengths": int32 (batch,), their number; "scores":
        float32 (batch,), log-probability of the path, or of the text if a beam search found it. "confidence" is the
        geometric mean of the probabilities of the tokens at the steps where the greedy path outputs them, also of a
        beam search's text: most steps are blanks, sure ones, and left out. That of an empty text is 0.
        """
        logits, steps = tf.cast(outputs["logits"], tf.float32), outputs["steps"]
        best, path = tf.reduce_max(tf.nn.log_softmax(logits), axis=-1), tf.argmax(logits, axis=-1)
        output = tf.cast(path != 0, tf.float32) * tf.sequence_mask(steps, tf.shape(logits)[1], tf.float32)
        mean = tf.reduce_sum(best * output, axis=1) / tf.maximum(tf.reduce_sum(output, axis=1), 1.0)
        is_greedy = export.beam_width == 1
        found = ctc.greedy(logits, steps) if is_greedy else beam_search.search(logits, steps, export.beam_width)
        tokens, lengths, scores = found
        text = self.detokenize(tokens)
        confidence = tf.where(text == "", 0.0, tf.exp(mean))
        return {"text": text, "confidence": confidence, "tokens": tokens, "lengths": lengths, "scores": scores}

    def exporter(self, recognizer: Recognizer) -> Callable[[Any], dict[str, tf.Tensor]]:
        """`export_outputs`, and of greedy texts the words with their times, where the steps have times."""
        export, pieces = recognizer.config.export, self.vocabulary.pieces
        times = step_times(recognizer)
        if times is None or export.beam_width > 1 or not word_outputs.are_supported(pieces):
            return super().exporter(recognizer)

        def outputs_and_words(outputs: Any) -> dict[str, tf.Tensor]:
            logits = tf.cast(outputs["logits"], tf.float32)
            timing = times[0].seconds_per_step, times[1]
            words = word_outputs.find(logits, outputs["steps"], pieces, timing, self.word_confidence)
            return {**self.export_outputs(outputs, export), **words}

        return outputs_and_words

    def detokenize(self, ids: Any) -> tf.Tensor:
        """Ids `(batch, length)`, 0 for nothing, -> texts `(batch,)`, in TensorFlow."""
        written = tf.strings.reduce_join(tf.gather(tf.constant(self.vocabulary.pieces), ids), axis=1)
        return tf.strings.strip(tf.strings.regex_replace(written, " +", " "))

    @classmethod
    def read_answers(cls, outputs: Mapping[str, np.ndarray], labels: Any) -> list[Transcript]:
        """A Transcript without word times for each text."""
        pairs = zip(outputs["text"], outputs["confidence"], strict=True)
        return [Transcript(text.decode(), float(confidence)) for text, confidence in pairs]

    @classmethod
    def served_answers(cls, outputs: Mapping[str, np.ndarray]) -> list[Transcript]:
        """A Transcript for each row, with the times of its words where the export has them."""
        transcripts = cls.read_answers(outputs, None)
        if "words" not in outputs:
            return transcripts
        columns = [outputs[name] for name in ("words", "word_starts", "word_ends", "word_confidences")]
        words = [
            tuple(Word(one[0].decode(), *map(float, one[1:])) for one in zip(*row, strict=True) if one[0])
            for row in zip(*columns, strict=True)
        ]
        return [dataclasses.replace(one, words=row) for one, row in zip(transcripts, words, strict=True)]

    def description(self, recognizer: Recognizer) -> dict[str, Any]:
        """The vocabulary, the timing of the signature `logits`, and how `predict` decodes its outputs."""
        return describe_export(recognizer, self.labels)

    def further_signatures(self) -> dict[str, Callable[[Any], dict[str, tf.Tensor]]]:
        """`logits`: float32 (batch, steps, outputs) and "steps" int32 (batch,), from which words get their times."""
        return {"logits": lambda outputs: {"logits": tf.cast(outputs["logits"], tf.float32), "steps": outputs["steps"]}}

    def predictor(
        self, recognizer: Recognizer, **options: Any
    ) -> Callable[[np.ndarray | Iterable[np.ndarray]], Transcript]:
        """A function from samples of any length, or of pairs from the dict of both, to their Transcript."""
        if len(recognizer.frontend.parts()) > 1:
            transcribe = pair_transcriber.build(recognizer, **options)
            return lambda raw: Transcript(*transcribe(cast(Any, raw)))
        transcriber = Transcriber.from_recognizer(recognizer, **options)
        return lambda samples: Transcript(*transcriber(samples))

    @classmethod
    def export_predictor(cls, exported: ExportedRecognizer, **options: Any) -> Callable[[Any], Transcript]:
        """A function from samples of any length to their Transcript; options are the lengths of chunks."""
        lengths = {name: options.pop(name) for name in ("chunk_seconds", "overlap_seconds") if name in options}
        require_no_options(exported, options)
        transcriber = of_export(exported, **lengths)
        return lambda samples: Transcript(*transcriber(samples))

    def stream(self, recognizer: Recognizer) -> Stream:
        """Transcribes sound while it arrives; UserError for networks that are not causal, and for pairs."""
        if len(recognizer.frontend.parts()) > 1:
            raise UserError("--stream: a network for moving pictures does not take this; leave it out.")
        return Stream(recognizer)

    def decoder(self, recognizer: Recognizer, decode: decoding.DecodeConfig) -> Callable[[Any], list[str]]:
        """A function from the outputs of a recognizer's inference network, as arrays, to texts.

        Raises:
            UserError: for attention where the network has no decoder, and for a language model that cannot be used.
        """

        def log_probabilities(outputs: Any) -> np.ndarray:
            return ops.convert_to_numpy(ops.log_softmax(outputs["logits"]))

        if decode.resolved != "attention":
            of_ctc = decoding.build(decode, self.vocabulary)
            return lambda outputs: of_ctc(log_probabilities(outputs), outputs["steps"])
        decoder = architectures.decoder(recognizer.network)
        if decoder is None:
            name = recognizer.network.name
            raise UserError(f"decode.method attention needs a network with a decoder: {name} has none, take beam.")
        of_attention = attention.build(decode, self.vocabulary, decoder)
        return lambda outputs: of_attention(outputs["encoded"], outputs["steps"], log_probabilities(outputs))

    def transcribe(
        self,
        recognizer: Recognizer,
        split: Split,
        batch_size: int,
        decode: Any = None,
        words: dict[int, list[Word]] | None = None,
    ) -> list[str]:
        """Hypotheses of a split, in its order; `decode` is a DecodeConfig, None for its defaults.

        `words` gets the greedy words of each example, see `word_confidence.words_of`.
        """
        decoder = self.decoder(recognizer, decode or decoding.DecodeConfig())
        texts = [""] * split.size
        for outputs, _, numbers in recognizer.sequence_outputs(self.targets(split), batch_size):
            for number, text in zip(numbers, decoder(outputs), strict=True):
                texts[number] = text
            if words is not None:
                words.update(zip(numbers.tolist(), words_of(outputs, self.vocabulary), strict=True))
        return texts

    def calibrate(self, recognizer: Recognizer, split: Split, batch_size: int) -> dict[str, Any]:
        """Chooses the scaling of the confidences of words on the validation split, see `word_confidence.fit`."""
        if recognizer.config.data.train_on_validation:  # whose words are recognized better than new ones
            return {}
        words: dict[int, list[Word]] = {}
        self.transcribe(recognizer, split, batch_size, words=words)
        compared = self._compared(split, words)
        scaling = fit(*compared).to_dict()
        return {} if scaling is None else {"word_confidence": scaling, "words": len(compared[1])}

    def use_decision(self, decision: Mapping[str, Any]) -> None:
        """Takes the scaling that `calibrate` has chosen."""
        self.word_confidence = WordConfidence.from_dict(decision["word_confidence"])

    def _compared(self, split: Split, words: Mapping[int, list[Word]]) -> tuple[np.ndarray, np.ndarray]:
        references = [self.reference(text) for text in split.texts or ()]
        return compare(references, [words[i] for i in range(len(references))], self.comparable)

    def evaluate(self, recognizer: Recognizer, split: Split, batch_size: int, decode: Any = None) -> dict[str, Any]:
        """Error rates of a split with intervals, and under "hypotheses" each utterance's texts."""
        is_greedy = decode is None or decode.resolved == "greedy"
        words: dict[int, list[Word]] | None = {} if is_greedy else None
        references, hypotheses = self._pairs(recognizer, split, batch_size, decode, words)
        lists = {name: getattr(split, name) for name in ("speakers", "seconds", "groups")}
        scores = transcription.score(references, hypotheses, unit=self.unit, **lists)
        rows = []
        for i, (reference, hypothesis) in enumerate(zip(references, hypotheses, strict=True)):
            row = {"source": os.fspath(split.sources[i]) if split.sources else str(i)}
            row |= {"reference": reference, "hypothesis": hypothesis}
            row |= {key[:-1] if key == "speakers" else key: lists[key][i] for key in lists if lists[key] is not None}
            rows.append(row)
        if words is not None:
            scores["word_confidence"] = score(*self._compared(split, words), self.word_confidence)
        return {**scores, "hypotheses": rows}

    def per_example(
        self, recognizer: Recognizer, split: Split, batch_size: int, name: str | None = None
    ) -> PerExampleScores:
        """How each greedy text of a split scores by one of `score_names`."""
        name = name or self.rates[0]
        return PerExampleScores(name, *transcription.counts(*self._pairs(recognizer, split, batch_size), name))

    def _pairs(
        self, recognizer: Recognizer, split: Split, batch_size: int, decode: Any = None, words: Any = None
    ) -> tuple[list[str], list[str]]:
        """References and hypotheses of a split, in the form in which they are scored; `words` as of `transcribe`."""
        texts = self.transcribe(recognizer, split, batch_size, decode, words)
        return [self.reference(text) for text in split.texts or ()], [self.comparable(text) for text in texts]

    def reference(self, text: str) -> str:
        """A transcript of the corpus in the form in which it is scored."""
        return self.comparable(self.vocabulary.normalize(text))

    def comparable(self, text: str) -> str:
        """What is scored of a text in its normal form: all of it, or TIMIT's phonemes as 39 (Lee & Hon 1989)."""
        return " ".join(phonemes.fold(text.split())) if self.config.fold_phonemes else text

    def predictions(self, scores: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Path, transcript and answer of each utterance, in the form in which they are scored."""
        return [
            {"path": row["source"], "text": row["reference"], "answer": row["hypothesis"]}
            for row in scores["hypotheses"]
        ]

    def report(self, scores: Mapping[str, Any], title: str) -> Any:
        """A table of error rates."""
        return alignments.table(scores, title)

    def plot(self, scores: Mapping[str, Any], folder: pathlib.Path) -> None:
        """Writes the aligned hypotheses as text and as a page, and the reliability of the words' confidences."""
        if scores.get("word_confidence"):
            plots.reliability(scores["word_confidence"], folder / "reliability.png")
        alignments.write(folder, scores["hypotheses"], unit=self.unit)


def _scored_unit(config: Config) -> str:
    return "phonemes" if config.unit == "phonemes" else "words"


def _texts(split: Split, name: str) -> Sequence[str]:
    if split.texts is None:
        raise UserError(f"{name} has no transcripts, which task.name transcribe needs: set another --task.name.")
    return split.texts
