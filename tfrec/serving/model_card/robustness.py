"""What reports in a run say about noise, other recordings and corrupted pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.errors import UserError
from tfrec.runs.run import Run
from tfrec.serving.model_card import markdown


def noise(run: Run) -> Iterator[str]:
    """The noise card of a run on speech: scores at each signal-to-noise ratio, and on changed recordings."""
    yield "## Noise"
    yield ""
    found = _latest(run, "noise")
    if found is None:
        yield from markdown.not_measured("Speech in noise", f"tfrec noise_report {run.path} --noise FOLDER")
    else:
        measure, rows = found["measure"], []
        ratios = list(next(iter(found["noises"].values()))["snr"])
        for name, each in sorted(found["noises"].items(), key=lambda item: item[1]["set"]):
            rows.append(
                (name, each["set"], *(markdown.score(measure, each["snr"][ratio][measure]) for ratio in ratios))
            )
        for name, each in found["sets"].items():
            label = "all" if name == "all" else f"all of {name}"
            rows.append((label, name, *(markdown.of_cell(measure, each["snr"][ratio]) for ratio in ratios)))
        where = "noises of the corpus" if found["noise"] is None else f"noises of `{found['noise']}`"
        yield f"{_measured(found, 'clips')} with {where}, with 95 % intervals of the means."
        yield f"Without noise: {markdown.of_cell(measure, found['clean'])}."
        yield "Set A: noises of the training; set B: other noises."
        yield from markdown.table(("noise", "set", *(f"{ratio} dB" for ratio in ratios)), rows)
    found = _latest(run, "recording")
    if found is None:
        yield from markdown.not_measured("Changed recordings", f"tfrec noise_report {run.path} --recording")
        return
    measure = found["measure"]
    yield f"{_measured(found, 'clips')}, as if they had been recorded in another way:"
    rows = [(name, markdown.of_cell(measure, each)) for name, each in found["conditions"].items()]
    yield from markdown.table(("recording", f"{measure} (95 % interval)"), rows)


def corruptions(run: Run) -> Iterator[str]:
    """Scores of a run on pictures that are corrupted."""
    yield "## Corrupted pictures"
    yield ""
    found = _latest(run, "corruptions")
    if found is None:
        yield from markdown.not_measured("Corrupted pictures", f"tfrec corruption_report {run.path}")
        return
    measure = found["measure"]
    yield f"{_measured(found, 'pictures')}, severities {', '.join(map(str, found['severities']))}:"
    rows = [("as they are", markdown.of_cell(measure, found["clean"]))]
    rows += [(name, markdown.of_cell(measure, each)) for name, each in found["families"].items()]
    if found.get("mean"):
        rows.append(("mean of all", markdown.of_cell(measure, found["mean"])))
    if found.get("worst"):
        rows.append((f"worst: {found['worst']['name']}", markdown.of_cell(measure, found["worst"])))
    rows += [(name, markdown.of_cell(measure, each)) for name, each in found["extra"].items()]
    yield from markdown.table(("corruption", f"{measure} (95 % interval)"), rows)


def _latest(run: Run, name: str) -> Mapping[str, Any] | None:
    """The last of the reports NAME, NAME-2, ... of a run; None where no report can be read."""
    numbers = {1: name} | {
        int(path.name.rpartition("-")[2]): path.name
        for path in run.path.glob(f"{name}-*")
        if path.name.rpartition("-")[2].isdecimal()
    }
    for number in sorted(numbers, reverse=True):
        try:
            return dict(run.read_json(f"{numbers[number]}/{name}.json"))
        except (UserError, TypeError, ValueError):
            continue
    return None


def _measured(found: Mapping[str, Any], what: str) -> str:
    return f"{found['measure']} on {found['examples']:,} {what} of the {found['split']} split"
