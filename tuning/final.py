"""The best configuration of a sweep and the one that it started from, trained anew on all training data, and exported.

final/study.md, final.csv     what came out
final/runs/LABEL/             an ordinary run for each training
"""

import json
import pathlib
import sys

from pipelines.errors import UserError
from tfrec.config.schema import as_json
from tfrec.runs.run import Run
from tfrec.studies import study, tables
from tfrec.utils import processes
from tfrec.utils.console import console
from tuning import trials
from tuning.results import DEFAULT

WINNER = "winner"
TITLE = """\
On the test split, after training on the training and validation splits with each seed; intervals are Student's t over \
the seeds.\
"""


def train(sweep, seeds, workers):
    """Trains both with every seed, `workers` at once, writes and prints the table, and exports a winner.

    Where no trial beats the default, that alone is trained. What is exported is the one of the first seed, since the
    test split must not choose among them either. Goes on with what is there. UserError where the sweep has found
    nothing, or a training fails.
    """
    best = sweep.results().winner
    if best is None:
        raise UserError(f"{sweep.folder.path} has no trial that ended well: --final has nothing to train.")
    rows = {DEFAULT: {}} | ({WINNER: best.changed} if best.changed else {})
    folder = Run(sweep.folder.path / "final")
    folder.path.mkdir(exist_ok=True)
    steps = []
    for row, values in rows.items():
        source = folder.path / f"{row}.json"
        config = json.loads(json.dumps(as_json(trials.config_of(sweep.plan, values))))
        if source.is_file() and folder.read_json(source.name) != config:
            raise UserError(f"{folder.path} holds the trainings of another {row}: move it away, or delete it.")
        folder.write_json(source.name, config)
        for seed in seeds:
            words = ("--config", str(source), "--data.train_on_validation", "--seed", str(seed))
            steps.append(study.Step(f"{row}-{seed}", row, words))
    study.train(folder.path, steps, workers)
    table = tables.margin_table(folder.path, steps, DEFAULT, "final", TITLE)
    tables.write(folder.path, [table])
    console.print(tables.for_terminal(table))
    _export(folder.path / "runs" / f"{list(rows)[-1]}-{seeds[0]}", sweep, folder.path / "logs")


def _export(run, sweep, logs):
    config = trials.config_of(sweep.plan, {}).export
    name = config.name or sweep.folder.name
    words = [str(run), "--folder", config.folder, "--name", name]
    log = logs / "export.txt"
    if reason := processes.call([sys.executable, "-m", "tfrec", "export", *words], log, logs / "export.jsonl"):
        raise UserError(f"{run} could not be exported: {reason} See {log}.")
    console.print(f"Exported {run.name} to {pathlib.Path(config.folder) / name}.")
