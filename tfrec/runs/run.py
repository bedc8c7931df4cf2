"""The folder of one training.

config.json           every setting, resolved
labels.json           the classes, in the order of the network's outputs; or the vocabulary of texts
environment.json      package versions, machine, git commit, command
model.keras           raw input to outputs, with the weights of best.weights.h5; `keras.saving.load_model` opens it
best.weights.h5       the network after its best epoch, or the mean of several
history.csv           one row an epoch
metrics.json          scores of the splits
*.png                 plots
hypotheses.txt, .html texts of the test split beside what was recognized
examples.npz          a few examples with the network's answers, replayed before an export is published
state/                what --resume needs
"""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil

import h5py

from pipelines.errors import UserError
from tfrec.utils.files import replacing, require_space


class Run:
    """Paths, and files that are written whole or not at all."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.best_weights = self.path / "best.weights.h5"
        self._made = []  # folders around it that `create` has made

    def require_empty(self, flag="--run"):
        """UserError where the folder already holds something; `flag` is the one that names it."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise UserError(
                f"{self.path} already holds something: give another {flag}, or go on with it by"
                f" {flag} {self.path} --resume."
            )

    def create(self):
        """Makes the folder; UserError where it already holds something."""
        self.require_empty()
        self._made = [parent for parent in self.path.parents if not parent.exists()]
        try:
            (self.path / "state").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"Cannot make the run folder {self.path}: {error.strerror}; give another --run.") from error

    @contextlib.contextmanager
    def kept_from_first_epoch(self):
        """Takes `create` back when the block fails before an epoch has finished: nothing there is worth keeping."""
        try:
            yield
        except BaseException:
            if not (self.path / "state" / "state.json").is_file():
                shutil.rmtree(self.path, ignore_errors=True)
                with contextlib.suppress(OSError):
                    for parent in self._made:
                        parent.rmdir()
            raise

    @contextlib.contextmanager
    def alone(self):
        """UserError where another process is at work on this folder."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"Another process is at work on {self.path}: wait for it, or end it.") from None
        else:
            yield
        finally:
            os.close(folder)

    @classmethod
    def open(cls, path, trained=True):
        """An existing run; UserError where there is none, or, with `trained`, none that has finished an epoch."""
        run = cls(path)
        if not (run.path / "config.json").is_file():
            raise UserError(f"{path} is no run: it has no config.json; `python -m tfrec.fit --run {path}` makes one.")
        if trained and not run.best_weights.is_file():
            raise UserError(f"{path} has no weights yet: finish it with `python -m tfrec.fit --run {path} --resume`.")
        return run

    @classmethod
    def free(cls, name, root="runs"):
        """The first path runs/NAME, runs/NAME-2, ... that does not exist."""
        number = 1
        while (path := pathlib.Path(root) / (name if number == 1 else f"{name}-{number}")).exists():
            number += 1
        return path

    @property
    def name(self):
        """The folder's own name."""
        return self.path.resolve().name

    def read_json(self, name):
        """A JSON file of the run; UserError when it cannot be read."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"Cannot read {self.path / name}: {error.strerror}.") from error
        except ValueError as error:
            raise UserError(f"{self.path / name} is damaged: {error}.") from error

    def write_json(self, name, value):
        """Writes a JSON file of the run."""
        self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def write_text(self, name, text):
        """Writes a text file of the run."""
        with replacing(self.path / name) as temporary:
            # Paths need not be UTF-8; JSON reads the replacement as what it stands for.
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")

    def write_weights(self, model, path):
        """Writes the weights of a model, and of its optimizer if it has one."""
        require_space(model, path)
        with replacing(path) as temporary:
            model.save_weights(temporary)

    def write_model(self, model):
        """Writes a Keras model as `model.keras`."""
        require_space(model, self.path / "model.keras")
        with replacing(self.path / "model.keras") as temporary:
            model.save(temporary)

    def state_weights(self, epoch):
        """Where the weights and optimizer after an epoch are kept for resuming."""
        return self.path / "state" / f"{epoch}.weights.h5"

    def checkpoint(self, epoch):
        """Where the weights of an epoch wait for being averaged with others."""
        (self.path / "state" / "checkpoints").mkdir(exist_ok=True)
        return self.path / "state" / "checkpoints" / f"{epoch}.weights.h5"

    def read_state(self):
        """What `write_state` wrote last, or None; UserError when it is damaged."""
        if not (self.path / "state" / "state.json").is_file():
            return None
        state = self.read_json("state/state.json")
        try:
            with h5py.File(self.state_weights(len(state["history"]))):
                return state
        except (OSError, KeyError, TypeError) as error:
            raise UserError(
                f"{self.path / 'state'} is damaged, so that nothing can resume from it: start another --run."
            ) from error

    def is_measured(self):
        """Whether `tfrec.fit` has come to its end: what the training took is written down with its scores."""
        return (self.path / "metrics.json").is_file() and "fit_seconds" in self.read_json("metrics.json")

    def read_history(self):
        """The finished epochs; none where somebody has deleted the state to save space."""
        return self.read_json("state/state.json")["history"] if (self.path / "state" / "state.json").is_file() else []

    def write_state(self, state, model):
        """Keeps a training's state and weights; the state before is deleted only when this one is whole."""
        epoch = len(state["history"])
        self.write_weights(model, self.state_weights(epoch))
        self.write_json("state/state.json", state)
        for old in (self.path / "state").glob("*.weights.h5"):
            if old != self.state_weights(epoch):
                old.unlink()
