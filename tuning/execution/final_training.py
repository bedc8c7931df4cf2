"""The final training: the best configuration of a sweep and the default, trained on all training data, and exported.

final/study.md, final.csv     the results
final/runs/LABEL/             an ordinary run for each training
"""

import json
import logging
import pathlib
import sys
from collections.abc import Sequence

from pipelines.errors import UserError
from tfrec.runs.run import Run
from tfrec.studies import study, tables
from tuning.execution import workers
from tuning.execution.loop import Sweep
from tuning.report.results import DEFAULT
from tuning.search_space.parameters import Values

logger = logging.getLogger(__name__)

WINNER = "winner"
TITLE = """\
On the test split, after training on the training and validation splits with each seed; intervals are Student's t over \
the seeds.\
"""


def train(sweep: Sweep, seeds: Sequence[int], max_processes: int) -> study.Table:
    """Trains both with every seed, writes the results, and exports the winner; resumes what is there.

    Where no trial beats the default, only the default is trained. The run of the first seed is exported, since the test
    split must not select the seed either.

    Args:
        sweep: A sweep that has ended.
        seeds: Seeds of the trainings.
        max_processes: The number of trainings at once.

    Returns:
        The scores on the test split, of each row with intervals over the seeds.

    Raises:
        UserError: If no trial of the sweep is done, or a training fails.
    """
    best = sweep.results().winner
    if best is None:
        raise UserError(f"{sweep.folder.path} has no completed trial that --final could train.")
    rows: dict[str, Values] = {DEFAULT: {}, **({WINNER: best.changed_values} if best.changed_values else {})}
    folder = Run(sweep.folder.path / "final")
    folder.path.mkdir(exist_ok=True)
    steps = []
    for row, values in rows.items():
        source = folder.path / f"{row}.json"
        config = json.loads(json.dumps(sweep.plan.config(values).to_dict()))
        if source.is_file() and folder.read_json(source.name) != config:
            raise UserError(f"{folder.path} holds the trainings of another {row}: move it away, or delete it.")
        folder.write_json(source.name, config)
        for seed in seeds:
            words = ("--config", str(source), "--data.train_on_validation", "--seed", str(seed))
            steps.append(study.Step(f"{row}-{seed}", row, words))
    study.train(folder.path, steps, max_processes)
    table = tables.margin_table(folder.path, steps, DEFAULT, "final", TITLE)
    tables.write(folder.path, [table])
    _export(folder.path / "runs" / f"{list(rows)[-1]}-{seeds[0]}", sweep, folder.path / "logs")
    return table


def _export(run: pathlib.Path, sweep: Sweep, logs: pathlib.Path) -> None:
    config = sweep.plan.config({}).export
    name = config.name or sweep.folder.name
    command = [sys.executable, "-m", "tfrec", "export", str(run), "--folder", config.folder, "--name", name]
    log = logs / "export.txt"
    if reason := workers.run_command(command, log, logs / "export.jsonl"):
        raise UserError(f"{run} could not be exported: {reason} See {log}.")
    logger.info("Exported %s to %s.", run.name, pathlib.Path(config.folder) / name)
