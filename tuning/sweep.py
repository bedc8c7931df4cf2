"""The command `python -m tuning.sweep EXPERIMENT [FLAGS]`, a search for hyperparameters; also `tfrec-sweep`."""

import sys

from pipelines.errors import unknown
from tfrec.utils import startup


def main(argv: list[str] | None = None) -> None:
    """Runs the command and exits with its status; an unknown experiment is reported before Keras is imported."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and not words[0].startswith("-"):
        from tfrec.config import experiments

        if words[0] not in experiments.EXPERIMENTS:
            print(f"error: {unknown('experiment', words[0], experiments.EXPERIMENTS)}", file=sys.stderr)
            sys.exit(2)
    startup.run_command("tuning.command", words)


if __name__ == "__main__":
    main()
