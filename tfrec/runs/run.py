"""The folder of one training.

config.json           every setting, resolved
splits.csv            each file of the data with its split and fingerprint, see `tfrec.runs.splits`
labels.json           the classes, in the order of the network's outputs; or the vocabulary of transcripts
environment.json      package versions, machine, git commit and command of each start
model.keras           raw input to outputs; `keras.saving.load_model` opens it
best.weights.h5       the network after its best epoch, or the mean of several epochs
history.csv           one row for each epoch
metrics.json          scores of the splits
predictions_SPLIT.csv label, answer and its probability of each example
*.png                 plots
hypotheses.txt, .html reference and recognized transcripts of the test split
examples.npz          a few examples with the network's outputs, replayed before an export is published
state/                what --resume needs, see `tfrec.runs.training_state`; state.json is the part for people
"""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from pipelines.errors import UserError
from tfrec.utils import json_files
from tfrec.utils.files import atomic_write, require_space
from tfrec.utils.folder_lock import hold_folder

if TYPE_CHECKING:
    import keras

StrPath = str | os.PathLike[str]


class Run:
    """Paths and files of a run; every file is written completely or not at all.

    Args:
        path: the folder, which need not exist.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = pathlib.Path(path)
        self.best_weights = self.path / "best.weights.h5"
        self._created_parents: list[pathlib.Path] = []

    @classmethod
    def open(cls, path: StrPath, trained: bool = True) -> Self:
        """Opens an existing run.

        Args:
            path: folder of the run.
            trained: whether the run must have finished an epoch.

        Returns:
            The run.

        Raises:
            UserError: where there is no run, or none with weights.
        """
        run, quoted = cls(path), shlex.quote(os.fspath(path))
        if not (run.path / "config.json").is_file():
            raise UserError(
                f"{path} is not a run: it has no config.json; `python -m tfrec.fit --run {quoted}` creates one."
            )
        if trained and not run.best_weights.is_file():
            raise UserError(f"{path} has no weights yet: finish it with `python -m tfrec.fit --run {quoted} --resume`.")
        return run

    @classmethod
    def next_free_path(cls, name: str, root: StrPath = "runs") -> pathlib.Path:
        """Returns the first path of runs/NAME, runs/NAME-2, ... that does not exist."""
        number = 1
        while (path := pathlib.Path(root) / (name if number == 1 else f"{name}-{number}")).exists():
            number += 1
        return path

    def free_report(self, name: str, result: Any) -> pathlib.Path:
        """Finds the folder of a report in the run.

        Args:
            name: what the folder and its JSON file are called.
            result: what the file holds, as JSON values.

        Returns:
            The first of RUN/NAME, RUN/NAME-2, ... that does not exist or whose NAME.json holds the same result.
        """
        number = 1
        while True:
            folder = Run(self.path / (name if number == 1 else f"{name}-{number}"))
            if not (folder.path / f"{name}.json").exists() or folder.read_json(f"{name}.json") == result:
                return folder.path
            number += 1

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.resolve().name

    def require_empty(self, flag: str = "--run") -> None:
        """Checks that the folder is empty or does not exist.

        Args:
            flag: the flag that names the folder, for the message.

        Raises:
            UserError: where the folder holds something.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise UserError(
                f"{self.path} already exists and is not empty: choose another {flag}, or resume it with"
                f" {flag} {shlex.quote(str(self.path))} --resume."
            )

    def create(self) -> None:
        """Creates the folder; UserError where it holds something or cannot be created."""
        self.require_empty()
        self._created_parents = [parent for parent in self.path.parents if not parent.exists()]
        try:
            (self.path / "state").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"Cannot create the run folder {self.path}: {error.strerror}; choose another --run."
            ) from error

    @contextlib.contextmanager
    def remove_on_failure(self) -> Iterator[None]:
        """Context that undoes `create` where the block raises before a state has been written."""
        try:
            yield
        except BaseException:
            if not self.has_state():
                shutil.rmtree(self.path, ignore_errors=True)
                with contextlib.suppress(OSError):
                    for parent in self._created_parents:
                        parent.rmdir()
            raise

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Context that locks the folder; UserError where another process holds the lock."""
        return hold_folder(self.path, f"is using {self.path}: wait until it ends, or stop it.")

    def read_json(self, name: str) -> Any:
        """Reads a JSON file of the run; UserError where it cannot be read or is damaged."""
        try:
            return json_files.load(self.path / name)
        except OSError as error:
            raise UserError(f"Cannot read {self.path / name}: {error.strerror}.") from error
        except ValueError as error:
            raise UserError(f"{self.path / name} is damaged: {error}.") from error

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file of the run."""
        self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Writes a text file of the run."""
        with atomic_write(self.path / name) as temporary:
            # Paths need not be UTF-8; JSON reads the replacement as the bytes that it encodes.
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")

    def write_weights(self, model: "keras.Model", path: StrPath) -> None:
        """Writes the weights of a model, and of its optimizer if it has one; OSError where the disk is full."""
        require_space(model, path)
        with atomic_write(path) as temporary:
            model.save_weights(temporary)

    def write_model(self, model: "keras.Model") -> None:
        """Writes a Keras model as `model.keras`."""
        require_space(model, self.path / "model.keras")
        with atomic_write(self.path / "model.keras") as temporary:
            model.save(temporary)

    def checkpoint(self, epoch: int) -> pathlib.Path:
        """The file with the weights of an epoch that may be averaged with those of others."""
        (self.path / "state" / "checkpoints").mkdir(parents=True, exist_ok=True)
        return self.path / "state" / "checkpoints" / f"{epoch}.weights.h5"

    @property
    def _state_file(self) -> pathlib.Path:
        return self.path / "state" / "state.json"

    def states(self) -> list[pathlib.Path]:
        """The files that `tfrec.runs.training_state` has written, the oldest first."""
        return sorted((self.path / "state").glob("[0-9]*-[0-9]*.npz"))

    def has_state(self) -> bool:
        """Whether `--resume` has something to continue from."""
        return bool(self.states()) or self._state_file.is_file()

    def read_history(self) -> list[dict[str, Any]]:
        """Returns a dict for each finished epoch; an empty list where the state was deleted to save space."""
        return self.read_json("state/state.json")["history"] if self._state_file.is_file() else []

    def read_kept_epochs(self) -> list[int]:
        """Returns the epochs whose weights the run keeps: the best one, or several that are averaged."""
        state = self.read_json("state/state.json") if self._state_file.is_file() else {}
        averaged = sorted(epoch for _, epoch in state.get("checkpoints", []))
        best = state.get("best_epoch")
        return averaged if len(averaged) > 1 else [best] if best else []

    def is_finished(self) -> bool:
        """Whether `tfrec.fit` has finished: it writes the time of the training last."""
        return (self.path / "metrics.json").is_file() and "fit_seconds" in self.read_json("metrics.json")
