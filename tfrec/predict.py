"""Label files with a run or an export: `python -m tfrec.predict RUN_OR_SAVED_MODEL FILE...`."""

import dataclasses
import json
import pathlib
import sys

import numpy as np
import tyro
from rich.table import Table

from pipelines.errors import UserError
from tfrec import cli, flags
from tfrec.predictor import Predictor

SHOWN = 3  # classes in the table


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Label and probabilities of each file."""

    model: tyro.conf.Positional[str]  # run folder, saved_models/NAME or saved_models/NAME/VERSION
    files: tyro.conf.Positional[tuple[str, ...]]  # pictures, or audio of any rate
    json: bool = False  # print JSON, one object for each file


def main(argv):
    """Answers for each file that can be read; status 1 if one cannot."""
    arguments = flags.parse(Arguments, argv, prog="python -m tfrec.predict")
    if not arguments.files:
        raise UserError("Name at least one file behind the model.")
    predictor = Predictor.open(arguments.model)
    answers, failed = [], False
    for file in arguments.files:
        try:
            answers.append((file, predictor.answer(pathlib.Path(file))))
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            failed = True
    if arguments.json:
        print(
            json.dumps(
                [_as_json(file, predictor.labels, answer) for file, answer in answers], indent=2, ensure_ascii=False
            )
        )
    elif answers:
        cli.console.print(_table(predictor.labels, answers))
    return 1 if failed else 0


def _as_json(file, labels, probabilities):
    named = dict(zip(labels, map(float, probabilities), strict=True))
    best = max(named, key=named.get)
    return {"file": file, "label": best, "probability": named[best], "probabilities": named}


def _table(labels, answers):
    table = Table()
    for column in ("file", "label", "probability", "next best"):
        table.add_column(column, justify="right" if column == "probability" else "left", overflow="fold")
    for file, probabilities in answers:
        order = np.argsort(probabilities)[::-1]
        others = ", ".join(f"{labels[i]} {probabilities[i]:.3f}" for i in order[1:SHOWN])
        table.add_row(file, labels[order[0]], f"{probabilities[order[0]]:.3f}", others)
    return table


if __name__ == "__main__":
    cli.run(main)
