"""Train with several processes: `tfrec launch [--workers N | --hosts A,B --index I] -- fit ...`."""

from collections.abc import Sequence

from tfrec.training.distributed import launcher
from tfrec.training.distributed.launcher import Arguments

__all__ = ["Arguments", "main"]


def main(argv: Sequence[str]) -> int:
    """Starts the workers of a training; see `tfrec.training.distributed.launcher`."""
    return launcher.main(argv)
