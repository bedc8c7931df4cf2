"""What the page shows of a model: answers to files, and why it answers so."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import soundfile
from PIL import Image

from pipelines import audio, paths
from pipelines.datasets.base import INPUTS, Modality
from pipelines.errors import UserError
from tfrec.demo.live import Live
from tfrec.explain.files import FileExplainer, Options
from tfrec.inference import file_search
from tfrec.inference.file_search import FileSearch
from tfrec.predictions import sources
from tfrec.recognizer import Recognizer
from tfrec.serving.drawing import DrawingStyle
from tfrec.serving.examples import parts_of

if TYPE_CHECKING:
    from tfrec.serving.exported import ExportedRecognizer
    from tfrec.tasks.base import Answer

MATCHES = 9  # pictures that a search shows


class Why(NamedTuple):
    """An explanation: a picture (height, width, 3), and of clips the parts that mattered and the rest."""

    picture: np.ndarray
    kept: tuple[int, np.ndarray] | None = None  # sample rate and samples
    removed: tuple[int, np.ndarray] | None = None


class Subject:
    """A run or an export on a page.

    Args:
        model: As `tfrec.load` returns it.
        path: Its folder.
        images: Files and folders of pictures that a model of pictures and speech searches.
        max_seconds: Of a clip.

    Attributes:
        kind: What it answers, the `label_kind` of its task: "classes", "texts", "numbers", or "pairs" for a search.
        parts: What it takes, "image", "audio" or both.
        live: Recognizes words while they are said; None where the model cannot.
        style: Of drawings that it takes; None where it was trained on other pictures.
        no_reason: Why there are no explanations, as a sentence; "" where there are.

    Raises:
        UserError: There is no page for the model, or pictures are missing.
    """

    def __init__(
        self, model: Recognizer | ExportedRecognizer, path: str, images: Sequence[str] = (), max_seconds: float = 60.0
    ) -> None:
        self.model, self.path, self.max_seconds = model, path, max_seconds
        if model.task.label_kind is None:
            raise UserError(f"{path} answers with features, for which there is no page: use `tfrec predict`.")
        self.kind, self.parts = model.task.label_kind, INPUTS[cast("Modality", model.modality)]
        if "video" in self.parts:
            raise UserError(f"{path} takes moving pictures, for which there is no page: use `tfrec predict`.")
        self._search = self._open_search(images) if self.kind == "pairs" else None
        if images and self._search is None:
            raise UserError(f"--images: {path} does not compare pictures with speech; leave it out.")
        self._folder = tempfile.TemporaryDirectory(prefix="tfrec-demo-")
        self._answer = model.predictor()
        self._explainer, self.no_reason = self._open_explainer()
        self.live = self._open_live()
        style = model.description.get("drawing")
        self.style = None if style is None else DrawingStyle.from_dict(style)

    @property
    def name(self) -> str:
        """The name of the folder; of an export, that of the model with its version."""
        path = pathlib.Path(getattr(self.model, "path", None) or self.path).resolve()
        return f"{path.parent.name}, version {path.name}" if path.name.isdecimal() else path.name

    @property
    def labels(self) -> list[str]:
        """The names of the classes; empty where there are none."""
        return list(self.model.description.get("labels", ())) if self.kind == "classes" else []

    def answer(self, files: Mapping[str, str]) -> Answer:
        """The answer to a picture, to a clip, or to both.

        Args:
            files: Path of "image", of "audio", or of both.

        Raises:
            UserError: A file cannot be read, or a clip is too long.
        """
        with self._named(files):
            return self._answer(dict(files) if len(self.parts) > 1 else next(iter(files.values())))

    def explain(self, files: Mapping[str, str]) -> Why | None:
        """Why the model answers so; None where there is no explanation, as of an export."""
        if self._explainer is None:
            return None
        if self._explainer.takes_pairs:
            if "audio" not in files:
                return None
            path, _ = self.search(files)[0]
            found = sources.of_pairs([(path, files["audio"])])
        else:
            found = sources.find([next(iter(files.values()))], self.model.modality)
        with self._named(files), tempfile.TemporaryDirectory(dir=self._folder.name) as folder:
            self._explainer(found[0], pathlib.Path(folder))
            return _read_why(pathlib.Path(folder))

    def search(self, files: Mapping[str, str]) -> list[tuple[str, float]]:
        """The most similar pictures to a picture or a clip: paths and similarities."""
        assert self._search is not None
        with self._named(files):
            vector = self._search.embed(next(iter(files.values())))
        return [(match.path, match.similarity) for match in self._index.search(vector[None], MATCHES)[0]]

    def pixels(self, path: str) -> np.ndarray:
        """A picture of the search, uint8 (height, width, 3)."""
        pixels = np.asarray(self.model.read(path)["image"])
        return np.broadcast_to(pixels[..., :3], (*pixels.shape[:2], 3)).astype("uint8")

    def write_picture(self, pixels: np.ndarray) -> str:
        """Writes pixels (height, width, channels) as a file in a folder of their own; returns its path."""
        folder = os.path.join(self._folder.name, hashlib.sha256(pixels.tobytes()).hexdigest()[:16])
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "drawing.png")
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)
        return path

    def warm_up(self) -> None:
        """Answers and explains an example, since the first call of a model takes the time of many."""
        for files in self._example_files():
            self.answer(files) if self._search is None else self.search(files)
        if self.kind != "texts":  # whose explanation takes the longest, and is computed after the answer
            self.explain(files)
        if self.live is not None:
            self.live.warm_up()

    def _open_search(self, images: Sequence[str]) -> FileSearch:
        if not images:
            raise UserError(f"{self.path} finds pictures by speech: name those to search by --images FOLDER.")
        found = sources.find(images, "image")
        for source in found:
            if source.error is not None:
                raise source.error
        search = FileSearch(self.model, self.path)
        folder = file_search.default_folder(self.path, [paths.local(name) for name in images])
        units = int(self.model.description["embedding_dim"])
        self._index = search.index([source.path for source in found], units, folder)
        if not self._index.files:
            raise UserError(f"None of the files in {', '.join(map(paths.shown, images))} can be read: name others.")
        return search

    def _open_explainer(self) -> tuple[FileExplainer | None, str]:
        if not isinstance(self.model, Recognizer):
            return None, "An export has no explanation: give the run instead."
        try:
            return FileExplainer(self.model, pathlib.Path(self._folder.name), Options()), ""
        except UserError:
            return None, "There is no explanation for this model."

    def _open_live(self) -> Live | None:
        if self.parts != ("audio",) or self.kind == "numbers":
            return None
        if self.kind == "texts" and not isinstance(self.model, Recognizer):
            return None
        try:
            return Live(self.model)
        except UserError:  # a network that needs later sound
            return None

    def _example_files(self) -> list[dict[str, str]]:
        """Two examples as files, of different sizes, so that nothing is compiled for one size later."""
        rate = int(self.model.description.get("sample_rate_hz", 16_000))
        raw = {"image": np.zeros((64, 64, 3), "uint8"), "audio": np.zeros(rate, "float32")}
        if isinstance(self.model, Recognizer) and (examples := self.model.examples()):
            raw |= parts_of(examples[0])
        files: list[dict[str, str]] = []
        for number in range(2):
            row = {}
            for part in self.parts if self.kind != "pairs" else ("audio",):
                path = os.path.join(self._folder.name, f"example-{number}.{'png' if part == 'image' else 'wav'}")
                if part == "image":
                    pixels = np.repeat(np.repeat(raw["image"], 1 + number, axis=0), 1 + 2 * number, axis=1)
                    Image.fromarray(
                        np.asarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).astype("uint8")
                    ).save(path)
                else:
                    soundfile.write(path, np.concatenate([raw["audio"], np.zeros(number * rate // 4)]), rate)
                row[part] = path
            files.append(row)
        return files

    @contextlib.contextmanager
    def _named(self, files: Mapping[str, str]) -> Any:
        """Refuses long clips; errors name files without their folder, which is not the user's."""
        try:
            if "audio" in files:
                info = audio.probe(files["audio"])
                if info.samples > self.max_seconds * info.sample_rate_hz:
                    seconds = info.samples / info.sample_rate_hz
                    raise UserError(f"The clip has {seconds:.0f} s, and the page takes {self.max_seconds:g} s.")
            yield
        except UserError as error:
            message = str(error)
            for path in files.values():
                message = message.replace(path, os.path.basename(path))
            raise UserError(message) from error


def _read_why(folder: pathlib.Path) -> Why:
    """What a FileExplainer has written into a folder."""
    (path,) = folder.rglob("*.png")
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    sounds: dict[str, tuple[int, np.ndarray]] = {}
    for kind in ("kept", "removed"):
        for file in folder.rglob(f"*_{kind}.wav"):
            samples, rate = soundfile.read(file, dtype="int16")
            sounds[kind] = (rate, samples)
    return Why(pixels, sounds.get("kept"), sounds.get("removed"))
