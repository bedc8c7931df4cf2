"""The Docker Compose file of TensorFlow Serving."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import Any

from tfrec.serving.deployment import yaml_text
from tfrec.serving.deployment.services import CONFIG_FOLDER, MODELS_FOLDER, Service

HEADER = """# TensorFlow Serving with exports of tfrec: docker compose up -d
# Ports are those of this machine alone; remove 127.0.0.1 to offer them to others.
"""
# The image has neither curl nor wget.
HEALTH = "exec 3<>/dev/tcp/127.0.0.1/8501 && printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q AVAILABLE <&3"


def render(services: Sequence[Service], image: str, models: pathlib.Path) -> str:
    """The file.

    Args:
        services: the servers.
        image: of each of them.
        models: the folder of exports on this machine.
    """
    return HEADER + yaml_text.render({"services": {one.name: _service(one, image, models) for one in services}})


def _service(service: Service, image: str, models: pathlib.Path) -> dict[str, Any]:
    return {
        "image": image,
        "entrypoint": ["tensorflow_model_server"],
        "command": service.arguments(),
        "ports": [f"127.0.0.1:{service.grpc_port}:8500", f"127.0.0.1:{service.rest_port}:8501"],
        "volumes": [f"{_escaped(models)}:{MODELS_FOLDER}:ro", f".:{CONFIG_FOLDER}:ro"],
        "healthcheck": {
            "test": ["CMD", "bash", "-c", HEALTH.format(path=service.health_path)],
            "interval": "10s",
            "timeout": "5s",
            "start_period": "60s",
        },
        "restart": "unless-stopped",
        "stop_grace_period": "60s",
    }


def _escaped(path: pathlib.Path) -> str:
    return os.path.abspath(path).replace("$", "$$")
