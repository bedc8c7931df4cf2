"""What the pictures of a sweep share: which trials they show, on which scale, in which colors; and safe texts."""

import re

from matplotlib import pyplot as plt

from tfrec.reports.pages import printable
from tuning.importance import number

DRAWN = 200  # trials; more lines cannot be told apart
DEFAULT_STYLE = {"color": "black", "linestyle": (0, (5, 3)), "linewidth": 1.8, "zorder": 900}


def ranked(results, most=DRAWN):
    """(the best trials of `Results.ranked`, at most `most`, a sentence on those left out)."""
    trials = results.ranked
    left_out = f" The best {most} of {len(trials)} trials." if len(trials) > most else ""
    return trials[:most], left_out


def scores_of(objective, trials):
    """What is known of one objective."""
    return [score for trial in trials if (score := number(trial.scores.get(objective.name))) is not None]


def goodness(objective, scores):
    """A function from a score to a number between 0, for the worst on the scale, and 1, for the best."""
    best, lowest = (max(scores) if objective.rises else min(scores)), objective.worst(scores)
    return lambda score: min(max((score - lowest) / (best - lowest), 0.0), 1.0) if best != lowest else 0.5


def color(goodness):
    """Dark for the best; the palest of the map cannot be seen on white."""
    return plt.get_cmap("viridis")(0.92 * (1 - goodness))


def counted(things, name):
    """How many of what.

    >>> counted([1], "trial"), counted([], "trial")
    ('1 trial', '0 trials')
    """
    return f"{len(things)} {name}{'s' if len(things) != 1 else ''}"


def shortened(text, most):
    """A text of one line and at most so many characters."""
    text = printable(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def plain(text, most):
    """The same for a picture, where no dollar shall begin a formula."""
    return _without_formulas(shortened(text, most))


def folded(text, width):
    """The same over at most three lines, broken behind dots, underscores and spaces where it can be."""
    lines = [""]
    for piece in re.findall(rf"[^._ ]{{1,{width}}}[._ ]?|[._ ]", shortened(text, 3 * width)):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return _without_formulas("\n".join(line.rstrip() for line in lines))


def _without_formulas(text):
    return text.replace("$", r"\$")
