"""Gradio without the network: no telemetry, and no file fetched from elsewhere."""

from __future__ import annotations

import importlib.util
import os
import warnings
from typing import Any

from pipelines.errors import UserError

SETTINGS = {  # read when gradio and huggingface_hub are imported
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "GRADIO_RUN_HISTORY": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}


def require() -> None:
    """Raises UserError where the extra `demo` is missing."""
    if importlib.util.find_spec("gradio") is None:
        raise UserError("The page needs gradio, which this Python lacks: run `pip install 'tfrec[demo]'`.")


def load(upload_folder: str) -> Any:
    """Imports gradio.

    Args:
        upload_folder: Where it keeps what people send and what they are shown.

    Raises:
        UserError: It is not installed.
    """
    require()
    os.environ.update(SETTINGS, GRADIO_TEMP_DIR=upload_folder)
    for name in ("GRADIO_ALLOWED_PATHS", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "GRADIO_ROOT_PATH"):
        os.environ.pop(name, None)
    local = {"127.0.0.1", "localhost", "::1"}  # gradio asks its own page, which no proxy reaches
    for name in ("no_proxy", "NO_PROXY"):
        os.environ[name] = ",".join(sorted(local | set(filter(None, os.environ.get(name, "").split(",")))))
    with warnings.catch_warnings(action="ignore"):  # pydub misses ffmpeg, which nothing here needs
        import gradio
        from gradio import processing_utils
    processing_utils.async_ssrf_protected_get = _refuse
    return gradio


async def _refuse(url: str) -> Any:
    """Takes the place of gradio's download of files that a request names by their address."""
    raise ValueError("The page takes no addresses: send the file itself.")
