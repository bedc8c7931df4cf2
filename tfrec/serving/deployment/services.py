"""The servers of a deployment: one that answers each request by itself, and those that merge requests into batches."""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Mapping, Sequence

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tfrec.serving.deployment import batching_config
from tfrec.serving.deployment.batching_config import BatchingConfig
from tfrec.serving.deployment.exports import Export

CONFIG_FOLDER = "/config"  # in the container
MODELS_FOLDER = "/models"
MONITORING_FILE = "monitoring.config"
METRICS_PATH = "/monitoring/prometheus/metrics"
MONITORING = f'prometheus_config {{ enable: true path: "{METRICS_PATH}" }}\n'
TENSOR_SUFFIX = "_tensor"  # of the name of a model whose signature `tensor` alone is for clients
BATCHING = BatchingConfig(
    max_batch_size=32,
    batch_timeout_micros=2000,
    max_enqueued_batches=100,
    num_batch_threads=4,
    allowed_batch_sizes=(1, 2, 4, 8, 16, 32),
)
BATCHING_HEADER = """# Requests that arrive within batch_timeout_micros of each other are answered together.
# num_batch_threads: the number of CPU cores. Batches are padded to allowed_batch_sizes.
"""


@dataclasses.dataclass(frozen=True)
class Service:
    """One server.

    Attributes:
        name: of the service.
        models: name -> export.
        batching: how it merges requests; None answers each by itself.
        rest_port, grpc_port: of the machine.
    """

    name: str
    models: Mapping[str, Export]
    batching: BatchingConfig | None
    rest_port: int
    grpc_port: int

    @property
    def health_path(self) -> str:
        """Where it answers when it is ready."""
        return f"/v1/models/{urllib.parse.quote(next(iter(self.models)), safe='')}"

    def arguments(self) -> list[str]:
        """The flags of tensorflow_model_server."""
        flags = [
            "--port=8500",
            "--rest_api_port=8501",
            "--rest_api_timeout_in_ms=30000",
            f"--model_config_file={CONFIG_FOLDER}/{self.name}-models.config",
            "--model_config_file_poll_wait_seconds=60",
            "--allow_version_labels_for_unavailable_models=true",  # else labels need a second start
            f"--monitoring_config_file={CONFIG_FOLDER}/{MONITORING_FILE}",
        ]
        if self.batching:
            flags += [
                "--enable_batching=true",
                f"--batching_parameters_file={CONFIG_FOLDER}/{self.name}-batching.config",
            ]
        return flags

    def files(self) -> dict[str, str]:
        """Name -> contents of its configuration files."""
        files = {f"{self.name}-models.config": self._models(), MONITORING_FILE: MONITORING}
        if self.batching:
            files[f"{self.name}-batching.config"] = BATCHING_HEADER + batching_config.render(self.batching)
        return files

    def _models(self) -> str:
        message = model_server_config_pb2.ModelServerConfig()
        for name, export in self.models.items():
            config = export.config
            model = message.model_config_list.config.add(name=name, model_platform="tensorflow")
            model.base_path = f"{MODELS_FOLDER}/{config.name}"
            if config.labels:
                model.model_version_policy.specific.versions.extend(config.aspired())
                model.version_labels.update(config.labels)
            else:
                model.model_version_policy.latest.num_versions = 1
        return text_format.MessageToString(message)


def plan(exports: Sequence[Export], with_batching: bool) -> list[Service]:
    """The servers for some exports.

    A signature that takes the bytes of files must not be batched, because one broken file fails its whole batch,
    requests of others included: unless the export fills bad rows, the servers that batch have it under a name that
    ends in `_tensor`, for the signature `tensor` alone. Clips of different lengths are padded, and pictures of
    different sizes cannot be: so there is a server for each.
    """
    services = [Service("serving", {export.config.name: export for export in exports}, None, 8501, 8500)]
    for number, modality in enumerate(
        sorted({export.modality for export in exports}) if with_batching else [], start=1
    ):
        models = {
            export.config.name + ("" if export.fills_bad_rows else TENSOR_SUFFIX): export
            for export in exports
            if export.modality == modality
        }
        batching = dataclasses.replace(BATCHING, pad_variable_length_inputs="audio" in modality)
        name = "-".join(filter(None, ("batching", modality)))
        services.append(Service(name, models, batching, 8501 + 10 * number, 8500 + 10 * number))
    return services
