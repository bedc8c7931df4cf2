"""The table of a file's certificate: the trained model and the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from tfrec.devices import certify


def build(certificate: Mapping[str, Any]) -> Table:
    """A table of score, size, latency and memory, for the terminal."""
    table = Table(caption=certify.summary(dict(certificate)))
    table.add_column("format")
    for column in (certificate["score"], "95 % interval", "examples", "MB", "ms", "peak MB"):
        table.add_column(column, justify="right")
    for row in certificate["rows"]:
        interval = row["interval"]
        table.add_row(
            row["format"],
            "-" if row["score"] is None else f"{row['score']:.4f}",
            "-" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}",
            f"{row['examples']:,}",
            f"{row['bytes'] / 1e6:.2f}",
            f"{row['latency_ms']:g}",
            "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.1f}",
        )
    return table
