"""Build an n-gram language model from transcripts: `python -m tfrec lm EXPERIMENT --output lm.arpa`."""

import dataclasses
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from pipelines import datasets
from pipelines.errors import UserError
from tfrec import tasks
from tfrec.config import flags
from tfrec.config.experiments import EXPERIMENTS
from tfrec.config.schema import Config, Data, Frontend, Model, Task
from tfrec.decoding import arpa, kneser_ney, ngram
from tfrec.runs.run import Run
from tfrec.text.normalization import TextConfig
from tfrec.utils import console

PROG = "python -m tfrec lm"


@dataclasses.dataclass(frozen=True)
class Arguments(Config[Data, Frontend, Model, Task]):
    """Build an n-gram model with modified Kneser-Ney smoothing, and write it in ARPA's format.

    In the experiment's place may stand a run's folder or a manifest (.csv, .jsonl): of all these the transcripts of the
    training split are used and no others. Or a text file, gzipped or not, with a sentence on each line. `--task.text`
    says how sentences are normalized; it must be as in the run that the model will help, whose config.json --config
    takes.
    """

    config: str | None = None  # a run's config.json, which flags then change
    order: int = 3  # words of the longest n-gram
    unit: Literal["words", "characters"] = "words"  # what the model is of
    output: str = "lm.arpa"  # file to write, over an older one too; gzipped where it ends in .gz

    def __post_init__(self):
        super().__post_init__()
        if not 1 <= self.order <= ngram.MAX_ORDER:
            raise ValueError(f"order must be from 1 to {ngram.MAX_ORDER}. Received: {self.order}")


def main(argv):
    """Builds the model, tells its size and its perplexity on the validation split, and writes it."""
    words, file = _of_source(list(argv))
    _, arguments = flags.parse_fit(words, Arguments, PROG)
    _require_writable(arguments.output)
    if file:
        train, validation = _lines(file), None
    else:
        corpus = datasets.load(arguments.data, getattr(arguments.frontend, "sample_rate_hz", None))
        train, validation = (_texts(corpus, split) for split in ("train", "validation"))
    model = kneser_ney.build(_sentences(train, arguments), arguments.order)
    arpa.write(model, arguments.output)
    _tell(model, arguments)
    if validation is not None:
        perplexity, count, unknown = model.perplexity(_sentences(validation, arguments))
        console.console.print(
            f"Validation split: perplexity {perplexity:.2f} over {count:,} {arguments.unit} and ends of sentences,"
            f" of which {unknown:,} are not in the model ({unknown / max(count, 1):.1%})."
        )
    return 0


def _of_source(words):
    """The command line -> (words for `flags.parse_fit`, path of a text file or None)."""
    source = words[0] if words and not words[0].startswith("-") else None
    if source is None or source in EXPERIMENTS:
        return words, None
    rest = words[1:]
    if os.path.isdir(source):
        run = Run.open(source, trained=False)
        return ["--config", str(run.path / "config.json"), *rest], None
    kind = os.path.splitext(source)[1].lower()
    if kind in (".csv", ".jsonl"):
        return ["--data.name", "manifest", "--data.path", source, "--task.name", tasks.OF_LABELS["texts"], *rest], None
    if os.path.isfile(source):
        configured = any(word.split("=")[0] == "--config" for word in rest)
        return ([] if configured else ["--task.name", tasks.OF_LABELS["texts"]]) + rest, source
    if kind or os.sep in source:
        raise UserError(f"There is no file and no folder {source}.")
    return words, None


def _require_writable(output):
    """UserError before the work where the file cannot be written."""
    folder = os.path.dirname(output) or "."
    if os.path.isdir(output) or not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise UserError(f"Cannot write {output}: --output must be a file in a folder that exists and can be written.")


def _texts(corpus, split):
    texts = corpus.splits[split].texts
    if texts is None:
        raise UserError(f"{corpus.name} has no transcripts: take a corpus with text, or a text file.")
    return texts


def _lines(path):
    """The lines of a text file, as they are read."""
    try:
        with arpa.open_text(path, encoding="utf-8-sig") as file:
            yield from file
    except (UnicodeDecodeError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is not UTF-8 text, plain or gzipped: {error}.") from error
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from error


def _sentences(texts: Iterable[str], arguments: Arguments) -> Iterator[Sequence[str]]:
    """The units of texts in the form that the task scores; empty texts are left out."""
    normalize = tasks.find(arguments.task.name).text_normalizer(arguments.task)
    for text in texts:
        if normal := normalize(text):
            yield ngram.tokenize(normal, arguments.unit)


def _tell(model, arguments):
    counts = [0] * model.order
    for gram in model.log10:
        counts[len(gram) - 1] += 1
    listed = ", ".join(f"{count:,} {n}-grams" for n, count in enumerate(counts, start=1))
    language = getattr(arguments.task, "text", TextConfig()).language
    console.console.print(f"{arguments.output}: {len(model.words):,} {arguments.unit}; {listed}; language {language}.")
