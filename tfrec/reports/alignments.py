"""Recognized texts aligned with their transcripts, the worst first: as text, as a page, as a table.

hypotheses.txt    every utterance
hypotheses.html   the worst `MAX_ON_PAGE` of them, errors in color, sortable in the browser; needs no other file
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from pipelines.counts import counted
from tfrec.evaluation.metrics import transcription
from tfrec.reports.pages import printable, render
from tfrec.runs.run import Run

MAX_ON_PAGE = 2000  # utterances; browsers are slow with more
MAX_CONFUSIONS = 5  # of each kind in the terminal's table
MARKS = {"equal": "", "substitute": "S", "delete": "D", "insert": "I"}
SORT_KEYS = {"edits": "most errors", "rate": "highest error rate", "seconds": "longest", "place": "order of the corpus"}

Scores = Mapping[str, Any]  # of `transcription.score`


@dataclasses.dataclass(frozen=True)
class AlignedWord:
    """A word of the transcript and one of the hypothesis; a missing one is ""."""

    mark: str  # a value of MARKS
    reference: str
    hypothesis: str
    title: str = ""  # when it was spoken


LEGEND = (AlignedWord("S", "spoken", "recognized"), AlignedWord("D", "deleted", ""), AlignedWord("I", "", "inserted"))


@dataclasses.dataclass(frozen=True)
class Utterance:
    """What both files show of an utterance."""

    labels: Sequence[str]  # name, speaker, duration, errors
    words: Sequence[AlignedWord]
    sort_values: Mapping[str, float]  # by the keys of SORT_KEYS


def write(folder: str | pathlib.Path, rows: Sequence[Mapping[str, Any]], unit: str = "words") -> None:
    """Writes both files. Names and texts are untrusted: they are escaped.

    Args:
        folder: an existing folder.
        rows: a dict of each utterance, in the corpus's order. "reference" and "hypothesis" are texts; "source" (or
            "id"), "speaker", "seconds", and "times", (start_s, end_s) of each word of the hypothesis, may be missing
            or None.
        unit: what spaces separate, as in `transcription.score`.

    Raises:
        ValueError: there are no utterances.
    """
    utterances = _utterances(rows, unit)
    if not utterances:
        raise ValueError("There must be at least one utterance to show. Received: none")
    references, hypotheses = ([row[name] for row in rows] for name in ("reference", "hypothesis"))
    summary = _summary(transcription.score(references, hypotheses, unit=unit), unit)
    page = render(
        "tfrec.reports",
        "hypotheses.html.j2",
        summary=summary,
        legend=LEGEND,
        sort_keys=SORT_KEYS,
        utterances=utterances[:MAX_ON_PAGE],
        total=len(utterances),
    )
    Run(folder).write_text("hypotheses.txt", "\n".join([summary, "", *map(_as_text, utterances)]))
    Run(folder).write_text("hypotheses.html", page)


def table(scores: Scores, title: str) -> Table:
    """Makes the terminal's table of error rates: of all utterances, each group and each bin of lengths.

    Args:
        scores: what `transcription.score` returns.
        title: the table's title.

    Returns:
        The table, with the most frequent confusions as its caption.
    """
    rates = _rates(scores)
    result = Table(title=Text(title), caption=Text(_caption(scores)), box=box.SIMPLE)
    result.add_column("utterances of")
    for rate in rates:
        result.add_column(f"{rate.upper()}, %", justify="right")
    result.add_column("utterances", justify="right")
    overall = [f"{100 * scores[rate]:.2f} ({_interval(scores[f'{rate}_interval'])})" for rate in rates]
    result.add_row("all", *overall, str(scores["utterances"]))
    for parts in (scores["by_group"], scores["by_length"]):
        result.add_section()
        for name, part in parts.items():
            cells = [f"{100 * part[rate]:.2f}" for rate in rates]
            result.add_row(Text(printable(name)), *cells, str(part["utterances"]))
    return result


def _caption(scores: Scores) -> str:
    unit = "phonemes" if "phonemes" in scores else "words"
    parts = [f"{scores['sentence_error_rate']:.1%} of utterances with errors; {_counts(scores, unit)}"]
    if words := scores.get("word_confidence"):
        low, high = words["ece_interval"]
        parts.append(f"confidences of words: calibration error {words['ece']:.2%} ({low:.2%} to {high:.2%})")
    for kind, confusions in scores["confusions"].items():
        shown = [f"{' > '.join(map(printable, words))} ({count})" for *words, count in confusions[:MAX_CONFUSIONS]]
        if shown:
            parts.append(f"{kind}: {', '.join(shown)}")
    return "\n".join(parts)


def _counts(scores: Scores, unit: str) -> str:
    return (
        f"{scores[unit]} {unit}, {scores['substitutions']} substituted, {scores['deletions']} deleted,"
        f" {scores['insertions']} inserted"
    )


def _summary(scores: Scores, unit: str) -> str:
    rates = [
        f"{rate.upper()} {100 * scores[rate]:.2f} % ({_interval(scores[f'{rate}_interval'])})"
        for rate in _rates(scores)
    ]
    return f"{counted(scores['utterances'], 'utterance')}: {', '.join(rates)}; {_counts(scores, unit)}"


def _rates(scores: Scores) -> list[str]:
    return [name for name in ("wer", "cer", "per") if name in scores]


def _interval(bounds: Sequence[float]) -> str:
    return f"{100 * bounds[0]:.2f} to {100 * bounds[1]:.2f}"


def _utterances(rows: Sequence[Mapping[str, Any]], unit: str) -> list[Utterance]:
    """All utterances, those with the most errors first, then in the corpus's order."""
    aligned = transcription.align([row["reference"] for row in rows], [row["hypothesis"] for row in rows])
    utterances = [
        _utterance(row, pairs, place, unit) for place, (row, pairs) in enumerate(zip(rows, aligned, strict=True))
    ]
    return sorted(utterances, key=lambda each: (-each.sort_values["edits"], each.sort_values["place"]))


def _utterance(row: Mapping[str, Any], pairs: Sequence[tuple[str, str, str]], place: int, unit: str) -> Utterance:
    marks = [MARKS[kind] for kind, _, _ in pairs]
    edits, length = sum(map(bool, marks)), sum(bool(reference) for _, reference, _ in pairs)
    seconds, speaker = row.get("seconds"), row.get("speaker")
    name = row.get("source") if row.get("source") is not None else row.get("id")
    kinds = "".join(f", {mark} {marks.count(mark)}" for mark in "SDI" if mark in marks)
    labels = [
        printable(place + 1 if name is None else name),
        *([] if speaker is None else [printable(speaker)]),
        *([] if seconds is None else [f"{seconds:.2f} s"]),
        f"{edits} edits of {length} {unit}{kinds}",
    ]
    titles = _titles(pairs, row.get("times"))
    words = [
        AlignedWord(mark, printable(reference), printable(hypothesis), title)
        for mark, (_, reference, hypothesis), title in zip(marks, pairs, titles, strict=True)
    ]
    values = {"edits": edits, "rate": edits / max(length, 1), "seconds": float(seconds or 0), "place": place}
    return Utterance(labels, words, values)


def _titles(pairs: Sequence[tuple[str, str, str]], times: Sequence[tuple[float, float]] | None) -> list[str]:
    """When each word of the hypothesis was spoken; "" for missing words, and where the times do not fit the words."""
    if times is None or len(times) != sum(bool(hypothesis) for _, _, hypothesis in pairs):
        return [""] * len(pairs)
    remaining = iter(times)
    spans = [next(remaining) if hypothesis else None for _, _, hypothesis in pairs]
    return ["" if span is None else f"{span[0]:.2f} to {span[1]:.2f} s" for span in spans]


def _as_text(utterance: Utterance) -> str:
    lines = [["REF:"], ["HYP:"], ["    "]]
    for word in utterance.words:
        reference = word.reference or "*" * cell_len(word.hypothesis)
        hypothesis = word.hypothesis or "*" * cell_len(word.reference)
        cells = (reference, hypothesis, word.mark)
        width = max(map(cell_len, cells))
        for line, cell in zip(lines, cells, strict=True):
            line.append(cell + " " * (width - cell_len(cell)))
    texts = [" ".join(line).rstrip() for line in lines]
    return "\n".join(["  ".join(utterance.labels), *(text for text in texts if text), ""])
