"""Build an n-gram language model from transcripts: `tfrec lm EXPERIMENT --output lm.arpa`."""

import dataclasses
import os
from collections.abc import Iterable, Sequence
from typing import Literal

from pipelines import datasets
from pipelines.datasets.base import Corpus
from pipelines.errors import UserError
from tfrec import tasks
from tfrec.config import flags
from tfrec.config.experiments import EXPERIMENTS
from tfrec.config.schema import Config, Data, Frontend, Model, Task
from tfrec.decoding import arpa, kneser_ney, lm_text, ngram
from tfrec.runs.run import Run
from tfrec.utils.console import console

PROG = "python -m tfrec lm"


@dataclasses.dataclass(frozen=True)
class Arguments(Config[Data, Frontend, Model, Task]):
    """Build an n-gram model with modified Kneser-Ney smoothing, and write it in ARPA's format.

    In place of the experiment, name a run folder or a manifest (.csv, .tsv, .jsonl, .json): like an experiment, these
    give the transcripts of the training split only. Or name a text file, gzipped or not, with a sentence on each line.
    `--task.text` decides how sentences are normalized; it must equal that of the run that will use the model, whose
    config.json --config takes.
    """

    config: str | None = None  # a run's config.json, which flags then change
    order: int = 3  # words of the longest n-gram
    unit: Literal["words", "characters"] = "words"  # what the n-grams consist of
    output: str = "lm.arpa"  # file to write, over an older one too; gzipped where it ends in .gz

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.order <= ngram.MAX_ORDER:
            raise ValueError(f"order must be from 1 to {ngram.MAX_ORDER}. Received: {self.order}")


def main(argv: Sequence[str]) -> int:
    """Builds and writes the model; prints its size and its perplexity on the validation split."""
    words, file = _read_source(list(argv))
    _, arguments = flags.parse_fit(words, Arguments, PROG)
    lm_text.require_writable(arguments.output)
    texts: Iterable[str]
    validation_texts: Sequence[str] | None = None
    if file is not None:
        texts = lm_text.read_lines(file)
    else:
        corpus = datasets.load(arguments.data, getattr(arguments.frontend, "sample_rate_hz", None))
        texts, validation_texts = _texts(corpus, "train"), _texts(corpus, "validation")
    normalize = tasks.find(arguments.task.name).text_normalizer(arguments.task)
    model = kneser_ney.build(lm_text.sentences(texts, normalize, arguments.unit), arguments.order)
    arpa.write(model, arguments.output)
    sizes = ", ".join(f"{count:,} {n}-grams" for n, count in enumerate(lm_text.count_ngrams(model), start=1))
    language = arguments.task.text.language
    console.print(f"{arguments.output}: {len(model.words):,} {arguments.unit}; {sizes}; language {language}.")
    if validation_texts is not None:
        sentences = lm_text.sentences(validation_texts, normalize, arguments.unit)
        perplexity, count, unknown = model.perplexity(sentences)
        console.print(
            f"Validation split: perplexity {perplexity:.2f} over {count:,} {arguments.unit} and ends of sentences,"
            f" of which {unknown:,} are not in the model ({unknown / max(count, 1):.1%})."
        )
    return 0


def _read_source(words: list[str]) -> tuple[list[str], str | None]:
    """The command line -> arguments of `flags.parse_fit`, and the path of a text file or None."""
    source = words[0] if words and not words[0].startswith("-") else None
    if source is None or source in EXPERIMENTS:
        return words, None
    others, transcription = words[1:], ["--task.name", tasks.OF_LABELS["texts"]]
    if os.path.isdir(source):
        return ["--config", str(Run.open(source, trained=False).path / "config.json"), *others], None
    suffix = os.path.splitext(source)[1].lower()
    if suffix in (".csv", ".tsv", ".jsonl", ".ndjson", ".json"):
        return ["--data.name", "manifest", "--data.path", source, *transcription, *others], None
    if os.path.isfile(source):
        configured = any(word.split("=")[0] == "--config" for word in others)
        return [*([] if configured else transcription), *others], source
    if suffix or os.sep in source:
        raise UserError(f"There is no file and no folder {source}.")
    return words, None


def _texts(corpus: Corpus, split: str) -> Sequence[str]:
    texts = corpus.splits[split].texts
    if texts is None:
        raise UserError(f"{corpus.name} has no transcripts: choose a corpus with transcripts, or a text file.")
    return texts
