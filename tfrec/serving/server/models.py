"""Models with their versions: found on the disk, loaded, warmed up, labeled, swapped, and unloaded."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import pathlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tfrec.serving import operations
from tfrec.serving.deployment.model_config import ModelConfig
from tfrec.serving.server import errors, warmup
from tfrec.serving.server.errors import ServingError
from tfrec.serving.server.servable import Servable

POLL_INTERVAL_S = 1.0
MAX_RETRIES = 5  # of a version that cannot be loaded
RETRY_INTERVAL_S = 60.0  # sooner where its files have changed

logger = logging.getLogger(__name__)


@dataclasses.dataclass
class Version:
    """A version's state, as ModelService reports it."""

    number: int
    state: str = "START"  # START, LOADING, AVAILABLE, UNLOADING, END
    error: ServingError | None = None
    servable: Servable | None = None
    attempts: int = 0
    retry_at: float = 0.0  # of time.monotonic()
    files: float = 0.0  # when the newest file changed, at the last attempt


class Model:
    """The versions of one model."""

    def __init__(self, config: ModelConfig, on_load: Callable[[str, int, Servable], None], trust: bool) -> None:
        self.config = config
        self.versions: dict[int, Version] = {}
        self.labels: dict[str, int] = {}
        self._on_load, self._trust = on_load, trust
        self._lock = threading.Lock()

    def poll(self) -> None:
        """Loads versions that have appeared, then unloads those that the policy no longer serves."""
        aspired = self.config.aspired()
        for number in aspired:
            version = self.versions.setdefault(number, Version(number))
            if version.state == "START" or (version.state == "END" and self._may_retry(version)):
                self._load(version)
        if not any(self._is_available(number) for number in aspired):
            return  # what is served stays until there is something to replace it
        labeled = set(self.labels.values())
        for number, version in list(self.versions.items()):
            if number not in aspired and version.state == "AVAILABLE" and number not in labeled:
                self._unload(version)

    def _is_available(self, number: int) -> bool:
        return self.versions[number].state == "AVAILABLE"

    def _may_retry(self, version: Version) -> bool:
        if version.attempts == 0:  # unloaded, and aspired once more
            return True
        has_changed = _newest(self.config.base_path / str(version.number)) != version.files
        is_time = version.attempts <= MAX_RETRIES and time.monotonic() >= version.retry_at
        return has_changed or is_time

    def _load(self, version: Version) -> None:
        version.state, version.error = "LOADING", None
        started = time.monotonic()
        servable = None
        try:
            path = self.config.path_of(version.number)
            version.files = _newest(path)
            if not self._trust:
                operations.require_allowed(path)
            servable = Servable(path)
            records = warmup.run(servable, path)
        except Exception as error:
            if servable:
                servable.close()
            version.error, version.state = errors.from_exception(error), "END"
            version.attempts += 1
            version.retry_at = time.monotonic() + RETRY_INTERVAL_S
            logger.warning(
                "Cannot load version %d of %s: %s",
                version.number,
                self.config.name,
                version.error.message.splitlines()[0],
            )
            return
        self._on_load(self.config.name, version.number, servable)
        with self._lock:
            version.servable, version.state, version.attempts = servable, "AVAILABLE", 0
        logger.info(
            "Serving version %d of %s, loaded in %.1f s with %d warm-up records.",
            version.number,
            self.config.name,
            time.monotonic() - started,
            records,
        )

    def _unload(self, version: Version) -> None:
        with self._lock:
            servable, version.servable, version.state = version.servable, None, "UNLOADING"
        if servable:
            servable.close()
        version.state = "END"
        logger.info("Unloaded version %d of %s.", version.number, self.config.name)

    def close(self) -> None:
        """Unloads everything."""
        for version in list(self.versions.values()):
            if version.state == "AVAILABLE":
                self._unload(version)

    def set_labels(self, labels: Mapping[str, int]) -> None:
        """Assigns labels to versions that are loaded; ServingError for any other."""
        for label, number in labels.items():
            version = self.versions.get(number)
            if version is None or version.state != "AVAILABLE":
                raise ServingError(
                    "FAILED_PRECONDITION",
                    f"Request to assign label {label} to version {number} of model {self.config.name}, which is not"
                    " currently available for inference",
                )
        self.labels = dict(labels)

    @contextlib.contextmanager
    def use(self, version: int | None, label: str) -> Iterator[tuple[int, Servable]]:
        """Context in which a version, the latest one without a version or a label, stays loaded."""
        with self._lock:
            if label:
                if label not in self.labels:
                    raise errors.invalid(f"Unrecognized servable version label: {label}")
                version = self.labels[label]
            loaded = {number: one.servable for number, one in self.versions.items() if one.servable}
            number = max(loaded, default=-1) if version is None else version
            servable = loaded.get(number)
            if servable is None:
                what = f"Latest({self.config.name})" if version is None else f"Specific({self.config.name}, {version})"
                raise ServingError("NOT_FOUND", f"Servable not found for request: {what}")
            context = servable.use()
            context.__enter__()
        try:
            yield number, servable
        finally:
            context.__exit__(None, None, None)


class Models:
    """All models of a server, polled by a thread of their own.

    Args:
        find: returns the configurations; it is called at each poll, so that new models appear.
        on_load: called with the name, the version and the servable before a version becomes available.
        trust: whether versions are loaded whatever their operations are, see `operations.require_allowed`.
    """

    def __init__(
        self,
        find: Callable[[], Sequence[ModelConfig]],
        on_load: Callable[[str, int, Servable], None],
        trust: bool = False,
    ) -> None:
        self._find, self._on_load, self._trust = find, on_load, trust
        self.models: dict[str, Model] = {}
        self._stop = threading.Event()
        self._polling = threading.Lock()
        self._thread = threading.Thread(target=self._poll_for_ever, name="versions", daemon=True)

    def start(self) -> None:
        """Loads what there is, assigns labels, and starts to poll; ServingError for a label without a version."""
        self.poll()
        for model in self.models.values():
            model.set_labels(model.config.labels)
        self._thread.start()

    def stop(self) -> None:
        """Stops to poll and unloads everything."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for model in self.models.values():
            model.close()

    def poll(self) -> None:
        """Compares the disk with what is loaded."""
        with self._polling:
            configs = {config.name: config for config in self._find()}
            for name, config in configs.items():
                if name not in self.models:
                    self.models[name] = Model(config, self._on_load, self._trust)
                self.models[name].config = config
                self.models[name].poll()
            for name in [name for name in self.models if name not in configs]:
                self.models.pop(name).close()

    def reload(self, configs: Sequence[ModelConfig]) -> None:
        """Serves other models from now on; ServingError for a label without a version."""
        self._find = lambda: configs
        self.poll()
        for config in configs:
            self.models[config.name].set_labels(config.labels)

    def find(self, name: str) -> Model:
        """The model of a name; ServingError for any other."""
        if not name:
            raise errors.invalid("ModelSpec has no name specified.")
        if name not in self.models:
            raise ServingError("NOT_FOUND", f"Servable not found for request: Latest({name})")
        return self.models[name]

    def use(self, spec: Any) -> Any:
        """Context in which the version of a ModelSpec stays loaded; yields its number and the servable."""
        version = spec.version.value if spec.HasField("version") else None
        if spec.name not in self.models and version is not None:
            raise ServingError("NOT_FOUND", f"Servable not found for request: Specific({spec.name}, {version})")
        return self.find(spec.name).use(version, spec.version_label)

    def _poll_for_ever(self) -> None:
        while not self._stop.wait(POLL_INTERVAL_S):
            try:
                self.poll()
            except Exception:
                logger.exception("Cannot poll the folders of the models")


def _newest(folder: pathlib.Path) -> float:
    """When the newest file below a folder changed; 0 in an empty one."""
    times = [0.0]
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            times.append(path.stat().st_mtime + path.stat().st_size * 1e-9)
    return max(times) + len(times)
