"""Train with several processes: `tfrec launch [--workers N | --hosts A,B --index I] -- fit ...`."""

from collections.abc import Sequence

from tfrec.utils import launcher
from tfrec.utils.launcher import Arguments

__all__ = ["Arguments", "main"]


def main(argv: Sequence[str]) -> int:
    """Starts the workers of a training; see `tfrec.utils.launcher`."""
    return launcher.main(argv)
