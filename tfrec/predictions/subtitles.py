"""Words with times -> cues of subtitles, as SubRip (.srt) and WebVTT (.vtt).

Both formats are a few lines each. Libraries that write them hold the text of a cue as markup of another format, in
which braces and backslashes of a transcript would be lost.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tfrec.decoding.words import Word

LINE_CHARACTERS, LINES = 42, 2
LONGEST_S, SHORTEST_S = 7.0, 1.0  # of a cue; one that would overlap the next may be shorter
PAUSE_S = 0.8  # a longer one ends a cue
GAP_S = 0.04  # least time from the start of a cue to that of the next


class Cue(NamedTuple):
    """What is shown at once."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]
    speaker: str | None = None


class _Timed(NamedTuple):
    text: str
    start_s: float
    end_s: float


def cues(words: Sequence[Word], speaker: str | None = None, prefix: str = "") -> list[Cue]:
    """Cuts words into cues of at most two lines of 42 characters and 7 s, preferably at pauses.

    Args:
        words: of one speaker; those without times are shown with the word before them.
        speaker: of all cues.
        prefix: begins every cue, such as the speaker's name.
    """
    groups = [cut for part in _between_pauses(_timed(words)) for cut in _cut(part, prefix)]
    starts: list[float] = []
    for group in groups:
        starts.append(max(group[0].start_s, starts[-1] + GAP_S) if starts else group[0].start_s)
    result = []
    for i, (group, start) in enumerate(zip(groups, starts, strict=True)):
        end = min(max(group[-1].end_s, start + SHORTEST_S), start + LONGEST_S)
        if i + 1 < len(groups):
            end = min(end, starts[i + 1])
        result.append(Cue(start, end, _lines(group, prefix), speaker))
    return result


def srt(shown: Sequence[Cue]) -> Iterator[str]:
    """Yields the parts of a SubRip file; cues are in the order of their times."""
    for number, cue in enumerate(shown, start=1):
        times = f"{_timestamp(cue.start_s, ',')} --> {_timestamp(cue.end_s, ',')}"
        yield "\n".join((str(number), times, *cue.lines, "", ""))


def vtt(shown: Sequence[Cue]) -> Iterator[str]:
    """Yields the parts of a WebVTT file; speakers are voices."""
    yield "WEBVTT\n\n"
    for cue in shown:
        lines = [line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in cue.lines]
        if cue.speaker:
            lines[0] = f"<v {cue.speaker}>{lines[0]}"
        times = f"{_timestamp(cue.start_s, '.')} --> {_timestamp(cue.end_s, '.')}"
        yield "\n".join((times, *lines, "", ""))


def _timed(words: Sequence[Word]) -> list[_Timed]:
    """Words with times; one of more characters than a line holds becomes several."""
    timed: list[_Timed] = []
    for word, start, end, _ in words:
        if start is None or end is None:
            start = end = timed[-1].end_s if timed else 0.0
        pieces = [word[i : i + LINE_CHARACTERS] for i in range(0, len(word), LINE_CHARACTERS)]
        step = (end - start) / max(1, len(pieces))
        timed += [_Timed(piece, start + i * step, start + (i + 1) * step) for i, piece in enumerate(pieces)]
    return timed


def _between_pauses(words: Sequence[_Timed]) -> Iterator[Sequence[_Timed]]:
    first = 0
    for i in range(1, len(words) + 1):
        if i == len(words) or words[i].start_s - words[i - 1].end_s > PAUSE_S:
            yield words[first:i]
            first = i


def _cut(words: Sequence[_Timed], prefix: str) -> Iterator[Sequence[_Timed]]:
    """Cuts words that may not fit into one cue, each time at the longest pause of what fits, but in its second half."""
    while words:
        count = 1
        while count < len(words) and _fits(words[: count + 1], prefix):
            count += 1
        if count < len(words):
            pauses = {i: words[i].start_s - words[i - 1].end_s for i in range(count // 2 + 1, count + 1)}
            count = max(pauses, key=lambda i: (pauses[i], i))
        yield words[:count]
        words = words[count:]


def _fits(words: Sequence[_Timed], prefix: str) -> bool:
    return words[-1].end_s - words[0].start_s <= LONGEST_S and len(_wrap(words, prefix, LINE_CHARACTERS)) <= LINES


def _lines(words: Sequence[_Timed], prefix: str) -> tuple[str, ...]:
    """Lines of about the same length."""
    lines = _wrap(words, prefix, LINE_CHARACTERS)
    for width in range(max(1, sum(map(len, lines)) // len(lines)), LINE_CHARACTERS):
        if len(balanced := _wrap(words, prefix, width)) == len(lines):
            return tuple(balanced)
    return tuple(lines)


def _wrap(words: Sequence[_Timed], prefix: str, width: int) -> list[str]:
    text = prefix + " ".join(word.text for word in words)
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)


def _timestamp(seconds: float, mark: str) -> str:
    total = round(1000 * seconds)
    minutes, milliseconds = divmod(total, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{mark}{milliseconds % 1000:03}"
