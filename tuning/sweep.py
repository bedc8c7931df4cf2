"""The command `python -m tuning.sweep [EXPERIMENT | DATA] [FLAGS]`, a hyperparameter search; also `tfrec-sweep`."""

import sys

from pipelines.errors import UserError, unknown
from tfrec.utils import startup


def main(argv: list[str] | None = None) -> None:
    """Runs the command and exits with its status; an unknown experiment is reported before Keras is imported."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and not {"-h", "--help"} & set(words):
        from tfrec.config import experiments

        try:
            experiment, _ = experiments.split_words(words)
            if experiment is not None and experiment not in experiments.EXPERIMENTS:
                raise unknown("experiment", experiment, experiments.EXPERIMENTS)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)
    startup.run_command("tuning.command", words)


if __name__ == "__main__":
    main()
