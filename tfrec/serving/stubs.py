"""The libraries of the extra `serve`, and the messages of TensorFlow Serving that it uses."""

from __future__ import annotations

import importlib.util

from pipelines.errors import UserError

LIBRARIES = ("aiohttp", "grpc", "tensorflow_serving")


def require() -> None:
    """Raises UserError where a library of the extra `serve` is missing."""
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"Serving needs {', '.join(missing)}, which this Python lacks: run `pip install 'tfrec[serve]'`."
        )
