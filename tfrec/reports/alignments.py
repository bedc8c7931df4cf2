"""What was said beside what was recognized, word under word, worst first: as text, as a page, as a table.

hypotheses.txt    every utterance
hypotheses.html   the worst `ON_PAGE` of them, errors in color, to be sorted in the browser; needs no other file
"""

import base64
import hashlib
import html
import unicodedata

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from tfrec.evaluation.metrics import transcription
from tfrec.runs.run import Run

ON_PAGE = 2000  # utterances; more make a page that browsers are slow at
MOST_FREQUENT = 5  # confusions of each kind in the terminal's table
MARKS = {"equal": "", "substitute": "S", "delete": "D", "insert": "I"}
# Those that turn the text that follows, so that it reads as what it is not; joiners and simple marks do no harm.
TURNING = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}

STYLE = """
body { font: 16px/1.5 sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; color: #222; background: #fff }
article { border-top: 1px solid #ccc; padding: .4em 0 }
h2 { font-size: .85em; font-weight: normal; color: #555; margin: 0 }
p { margin: .2em 0 } .text { font-size: 1.15em; line-height: 1.25 }
.pair { display: inline-block; vertical-align: top; text-align: center; padding: 0 .15em; border-radius: .2em }
.pair del, .pair ins { display: block; text-decoration: none } .pair del { color: #555 }
.S { background: #ffe0b3 } .D { background: #ffc9c9 } .D del { text-decoration: line-through }
.I { background: #cfe3ff } button { font: inherit }
"""
SCRIPT = """
for (const button of document.querySelectorAll("button")) button.onclick = () => {
  const main = document.querySelector("main"), key = button.dataset.key;
  const value = article => Number(article.dataset[key]) * (key === "place" ? 1 : -1);
  main.append(...[...main.children].sort((a, b) => value(a) - value(b)));
};
"""
KEYS = {"edits": "most errors", "rate": "highest error rate", "seconds": "longest", "place": "order of the corpus"}


def write(folder, rows, unit="words"):
    """Writes both files into a folder; `rows` are dicts in the corpus's order.

    "reference" and "hypothesis" are texts; "source" (or "id"), "speaker", "seconds" and "times", (start, end) of each
    word of the hypothesis in seconds, may be left out or None. `unit` is what spaces separate, as in
    `metrics.transcription.score`. Names and texts may be hostile: they become text and nothing else.
    """
    utterances = _utterances(rows, unit)
    if not utterances:
        raise ValueError("There must be at least one utterance to show. Received: none")
    texts = [[row[name] for row in rows] for name in ("reference", "hypothesis")]
    total = _total(transcription.score(*texts, unit=unit), unit)
    Run(folder).write_text("hypotheses.txt", "\n".join([total, "", *map(_as_text, utterances)]))
    Run(folder).write_text("hypotheses.html", _page(utterances[:ON_PAGE], total, len(utterances)))


def table(scores, title):
    """A Table for the terminal: error rates of all, of each group and each length, and the most frequent confusions."""
    rates = [name for name in ("wer", "cer", "per") if name in scores]
    result = Table(title=Text(title), caption=Text(_caption(scores)), box=box.SIMPLE)
    result.add_column("utterances of")
    for rate in rates:
        result.add_column(f"{rate.upper()}, %", justify="right")
    result.add_column("utterances", justify="right")
    whole = [f"{100 * scores[rate]:.2f} ({_span(scores[f'{rate}_interval'])})" for rate in rates]
    result.add_row("all", *whole, str(scores["utterances"]))
    for parts in (scores["by_group"], scores["by_length"]):
        result.add_section()
        for name, part in parts.items():
            cells = [f"{100 * part[rate]:.2f}" for rate in rates]
            result.add_row(Text(printable(name)), *cells, str(part["utterances"]))
    return result


def printable(text):
    r"""A text of one line that neither breaks lines, nor steers a terminal, nor turns what stands behind it.

    >>> print(printable("a\nb\x1b[2J"))
    a\nb\x1b[2J
    """
    return "".join(_escaped(character) for character in str(text))


def _escaped(character):
    if character in TURNING or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return character.encode("unicode_escape").decode()
    return character


def _caption(scores):
    unit = "phonemes" if "phonemes" in scores else "words"
    parts = [f"{scores['sentence_error_rate']:.1%} of utterances with errors; {_counts(scores, unit)}"]
    for kind, found in scores["confusions"].items():
        told = [f"{' > '.join(map(printable, words))} ({times})" for *words, times in found[:MOST_FREQUENT]]
        if told:
            parts.append(f"{kind}: {', '.join(told)}")
    return "\n".join(parts)


def _counts(scores, unit):
    return (
        f"{scores[unit]} {unit}, {scores['substitutions']} substituted, {scores['deletions']} deleted,"
        f" {scores['insertions']} inserted"
    )


def _total(scores, unit):
    rates = [name for name in ("wer", "cer", "per") if name in scores]
    told = [f"{rate.upper()} {100 * scores[rate]:.2f} % ({_span(scores[f'{rate}_interval'])})" for rate in rates]
    return f"{scores['utterances']} utterances: {', '.join(told)}; {_counts(scores, unit)}"


def _span(bounds):
    return f"{100 * bounds[0]:.2f} to {100 * bounds[1]:.2f}"


def _utterances(rows, unit):
    """What both files show of each utterance, worst first, then as in the corpus."""
    aligned = transcription.align([row["reference"] for row in rows], [row["hypothesis"] for row in rows])
    found = []
    for place, (row, words) in enumerate(zip(rows, aligned, strict=True)):
        marks = [MARKS[kind] for kind, *_ in words]
        edits, said = sum(map(bool, marks)), sum(bool(reference) for _, reference, _ in words)
        seconds = row.get("seconds")
        name = row.get("source") if row.get("source") is not None else row.get("id")
        told = [printable(place + 1 if name is None else name)]
        told += [printable(row["speaker"])] if row.get("speaker") is not None else []
        told += [f"{seconds:.2f} s"] if seconds is not None else []
        kinds = "".join(f", {kind} {marks.count(kind)}" for kind in "SDI" if kind in marks)
        told.append(f"{edits} edits of {said} {unit}{kinds}")
        keys = {"edits": edits, "rate": edits / max(said, 1), "seconds": float(seconds or 0), "place": place}
        words = [(mark, printable(one), printable(other)) for mark, (_, one, other) in zip(marks, words, strict=True)]
        found.append({"told": told, "keys": keys, "words": words, "times": row.get("times")})
    return sorted(found, key=lambda utterance: (-utterance["keys"]["edits"], utterance["keys"]["place"]))


def _as_text(utterance):
    lines = [["REF:"], ["HYP:"], ["    "]]
    for mark, said, heard in utterance["words"]:
        cells = (said or "*" * cell_len(heard), heard or "*" * cell_len(said), mark)
        width = max(map(cell_len, cells))
        for line, cell in zip(lines, cells, strict=True):
            line.append(cell + " " * (width - cell_len(cell)))
    texts = [" ".join(line).rstrip() for line in lines]
    return "\n".join(["  ".join(utterance["told"]), *(text for text in texts if text), ""])


def _page(utterances, total, whole):
    # The page's own script may run, and no other, should one ever get into it.
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    shown = f", the worst {len(utterances)} of which are here" if len(utterances) < whole else ""
    buttons = " ".join(f'<button data-key="{key}">{name}</button>' for key, name in KEYS.items())
    legend = {"S": ("said", "recognized"), "D": ("left out", ""), "I": ("", "put in")}
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f"<title>Hypotheses</title><style>{STYLE}</style></head><body>",
            f"<h1>Hypotheses</h1><p>{html.escape(total)}{shown}.</p>",
            f"<p>{' '.join(_pair(mark, *words) for mark, words in legend.items())}</p><p>Sort by: {buttons}</p><main>",
            *map(_article, utterances),
            f"</main><script>{SCRIPT}</script></body></html>\n",
        ]
    )


def _article(utterance):
    keys = " ".join(f'data-{name}="{value}"' for name, value in utterance["keys"].items())
    told = " · ".join(f"<bdi>{html.escape(part)}</bdi>" for part in utterance["told"])
    times = utterance["times"]
    heard = sum(bool(word) for *_, word in utterance["words"])
    times = iter(times) if times is not None and len(times) == heard else None
    words = [
        _pair(mark, said, word, next(times) if times is not None and word else None)
        for mark, said, word in utterance["words"]
    ]
    return f'<article {keys}><h2>{told}</h2><p class="text" dir="auto">{" ".join(words)}</p></article>'


def _pair(mark, said, heard, time=None):
    title = f' title="{time[0]:.2f} to {time[1]:.2f} s"' if time is not None else ""
    if not mark:
        return f"<span{title}>{html.escape(said)}</span>" if title else html.escape(said)
    return (
        f'<span class="pair {mark}"{title}><del>{html.escape(said) or "&nbsp;"}</del>'
        f"<ins>{html.escape(heard) or '&nbsp;'}</ins></span>"
    )
