"""Writes the files of a deployment into a folder."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

from pipelines.errors import UserError
from tfrec.serving.deployment import compose, exports, kubernetes, services, yaml_text
from tfrec.serving.deployment.exports import Export
from tfrec.serving.deployment.services import Service
from tfrec.utils.files import atomic_write


def write(
    folder: pathlib.Path,
    models: pathlib.Path,
    labels: Mapping[str, Mapping[str, int]],
    image: str | None = None,
    with_batching: bool = False,
) -> list[str]:
    """Writes Docker Compose, Kubernetes, and the configuration files that both use.

    Args:
        folder: where to; files of the same names are replaced.
        models: the folder of exports.
        labels: model -> label -> version.
        image: of the server; None is the oldest known one that is not older than the exports.
        with_batching: also write servers that merge requests.

    Returns:
        Sentences on what a user must know of the files.

    Raises:
        UserError: for exports that cannot be served so; nothing is written then.
    """
    found = exports.find(models, labels)
    chosen = image or exports.image_for(found)
    root = found[0].config.base_path.parent
    planned = services.plan(found, with_batching)
    files: dict[str, str] = {}
    for service in planned:
        files |= service.files()
    files["docker-compose.yml"] = compose.render(planned, chosen, root)
    files["kubernetes.yaml"] = kubernetes.render(planned, chosen)
    files["prometheus.yml"] = _scraping(planned)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            with atomic_write(folder / name) as temporary:
                temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--write-config: {folder} cannot be written: {error.strerror}.") from None
    return [f"Wrote {', '.join(sorted(files))} to {folder}, for {chosen}.", *_notes(found, planned)]


def _notes(found: Sequence[Export], planned: Sequence[Service]) -> list[str]:
    notes = []
    for export in found:
        if export.config.labels:
            versions = ", ".join(map(str, export.config.aspired()))
            notes.append(
                f"{export.config.name}: versions {versions} are served; newer ones after this command is given again."
            )
    for service in planned[1:]:
        for name, export in service.models.items():
            if not export.fills_bad_rows:
                notes.append(
                    f"{name}: send the signature `tensor` alone to the service {service.name}; a broken file in a batch"
                    " would fail the requests of others. An export with --export.on_bad_row fill has no such limit."
                )
    return notes


def _scraping(planned: Sequence[Service]) -> str:
    """The configuration of a Prometheus in the same Compose network."""
    return yaml_text.render(
        {
            "scrape_configs": [
                {
                    "job_name": service.name,
                    "metrics_path": services.METRICS_PATH,
                    "static_configs": [{"targets": [f"{service.name}:8501"]}],
                }
                for service in planned
            ]
        }
    )
