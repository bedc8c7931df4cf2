"""The spine: frontend, network and task of a configuration, composed once."""

from __future__ import annotations

import contextlib
import copy
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipelines import assemble, frontends, progress
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.config.schema import Config
from tfrec.inference import reader
from tfrec.runs.run import Run
from tfrec.serving import examples, publish, savedmodel
from tfrec.tasks.base import Answer

DECISION = "decision.json"  # in a run: what the task has chosen on the validation split


class Features(NamedTuple):
    """Features that are computed already, as opposed to raw input: an array, or a dict of arrays."""

    values: Any


class Recognizer:
    """Raw examples in, a network's outputs out, and a task that gives them a meaning.

    Training, evaluation, prediction, reports and exports call this object; nothing else composes a frontend and a
    network, but for `streaming`, which runs both on pieces of a recording.

    Args:
        config: a resolved configuration (`frontends.resolve` has filled in what the corpus decides).
        labels: what the task knows of its corpus, see `tasks.labels`.

    Attributes:
        frontend: a layer from raw input of any size to features, without augmentation.
        network: the functional model from features to outputs, as it is trained.
        inference_network: the model that answers: `network`, a part of it, or a mean over several views.
        task: the Task that owns loss, metrics, decoding and reports.

    Raises:
        UserError: for settings that do not go together.
    """

    def __init__(self, config: Config, labels: Any) -> None:
        self.config = config
        # Not 0: with that global seed TensorFlow refuses the seeded shuffles of `assemble`.
        keras.utils.set_random_seed(config.seed + 1)
        # The features of a GPU must equal those of the CPU that may serve them.
        tf.config.experimental.enable_tensor_float_32_execution(config.fit.tf32)
        self.frontend = frontends.build(config.frontend)
        self.task = tasks.build(config.task, labels)
        with _dtype_policy(config.fit.precision):
            self.network = self.task.build_network(config.model, self.frontend)
        self.inference_network = self.task.inference_network(self.network)
        self.run: Run | None = None

    def __call__(self, inputs: Any, training: bool = False) -> Any:
        """Raw batch, or `Features`, -> the network's outputs. The only place where frontend and network meet.

        Args:
            inputs: images `(batch, height, width, channels)` in [0, 255]; or `{"audio": (batch, samples) in [-1, 1],
                "length": (batch,)}`, for pairs with "image" or "video"; or Features. The dict also holds further inputs
                of the network, such as a decoder's "tokens", under their names.
            training: whether augmentation and dropout are on; it also selects the network as it is trained.
        """
        network = self.network if training else self.inference_network
        features = self.features(inputs, training)
        if isinstance(network.input, dict):
            given = inputs.values if isinstance(inputs, Features) else inputs
            features = {name: features.get(name, given.get(name)) for name in network.input}
        return network(features, training=training)

    def features(self, inputs: Any, training: bool = False) -> Any:
        """Raw batch, or `Features`, -> the network's features."""
        return inputs.values if isinstance(inputs, Features) else self.frontend(inputs, training=training)

    def as_received(self, inputs: Any) -> Any:
        """A batch of `pipelines.assemble` as this recognizer takes it: marked as features if the host made them."""
        return Features(inputs) if self.config.frontend.placement == "host" else inputs

    @staticmethod
    def as_features(values: Any) -> Features:
        """Marks values as features."""
        return Features(values)

    def replace(self, **parts: Any) -> Recognizer:
        """A recognizer that shares all but the given attributes with this one."""
        other = copy.copy(self)
        vars(other).update(parts)
        return other

    def of_inputs(self, given: Sequence[str]) -> Recognizer:
        """This recognizer, or where one input of pairs is missing the one that answers without it.

        Args:
            given: some of the names of the raw inputs, such as "image" and "audio".

        Raises:
            UserError: for one input, where the network needs both.
        """
        if set(given) == set(self.frontend.parts()):
            return self
        (name,) = given
        if name not in (alone := self.of_single_inputs()):
            raise UserError(
                f"The model was trained without modality dropout, so it needs a picture and a clip, and only the {name}"
                " is there: give both, or train with --model.modality_dropout above 0."
            )
        return alone[name]

    def of_single_inputs(self) -> dict[str, Recognizer]:
        """Of a network of pairs that was trained for it: the recognizers without a clip, and without a picture."""
        if not getattr(self.config.model, "modality_dropout", 0):
            return {}
        if self.frontend.fills_in:
            return dict.fromkeys(self.frontend.parts(), self)
        single = architectures.single_input
        return {
            name: self.replace(inference_network=single(self.inference_network, name)) for name in self.frontend.parts()
        }

    # Construction and storage

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Recognizer:
        """The untrained recognizer of `get_config`'s dict."""
        return cls(Config.from_dict(dict(config["config"])), config["labels"])

    def get_config(self) -> dict[str, Any]:
        """Everything but the weights, as plain dicts, lists, numbers and strings."""
        return {"config": json.loads(json.dumps(self.config.to_dict())), "labels": self.task.labels}

    @classmethod
    def from_run(cls, path: Any) -> Recognizer:
        """The trained recognizer of a run folder.

        Raises:
            UserError: where the folder is no run, or its files do not fit together.
        """
        run = path if isinstance(path, Run) else Run.open(path)
        stored, labels = run.read_json("config.json"), run.read_json("labels.json")
        if not isinstance(stored, dict):
            raise UserError(f"{run.path / 'config.json'} is damaged: it must hold a JSON object.")
        config = Config.from_dict(stored, run.path / "config.json")
        tasks.require_labels(config.task, labels, run.path / "labels.json")
        recognizer = cls(config, labels)
        recognizer.load_weights(run)
        if (run.path / DECISION).is_file():
            try:
                recognizer.task.use_decision(run.read_json(DECISION))
            except (KeyError, TypeError, ValueError):
                raise UserError(f"{run.path / DECISION} is damaged: train again.") from None
        return recognizer

    def calibrate(self, run: Run, split: Split, batch_size: int) -> None:
        """Chooses on the validation split what the task's answers need beyond weights, and writes it into the run."""
        if decision := self.task.calibrate(self, split, batch_size):
            run.write_json(DECISION, decision)
            self.task.use_decision(decision)

    def load_weights(self, run: Run) -> None:
        """Loads the best weights of a run, which is then this recognizer's; UserError where they do not fit."""
        try:
            with warnings.catch_warnings(action="ignore"):  # Keras warns before it fails, once for each layer
                self.network.load_weights(run.best_weights)
        except (ValueError, OSError, KeyError, RuntimeError) as error:
            raise UserError(
                f"{run.best_weights} is damaged or does not fit the run's config.json and labels.json: restore the"
                " files, or train again."
            ) from error
        self.run = run

    def save(self, run: Any) -> None:
        """Writes configuration, labels, weights, `model.keras` and examples for `export` into a run folder."""
        run = run if isinstance(run, Run) else Run(run)
        run.path.mkdir(parents=True, exist_ok=True)
        run.write_json("config.json", self.config.to_dict())
        run.write_json("labels.json", self.task.labels)
        run.write_weights(self.network, run.best_weights)
        run.write_model(self.model)
        examples.write(run, self, examples.generate(self))
        self.run = run

    def export(self, folder: Any = None, name: str | None = None) -> Any:
        """Publishes the next version for TensorFlow Serving; returns its folder `FOLDER/NAME/VERSION`.

        Args:
            folder: holds the models; None is the configuration's `export.folder`.
            name: the model's name; None is the configuration's, or else the run's.
        """
        return publish.publish(self, folder, name)

    # Use

    @property
    def modality(self) -> str:
        """What it takes: "image", "audio", or "image_audio" for pairs, and "video_audio" for those that move."""
        return self.frontend.modality

    @property
    def takes_pairs(self) -> bool:
        """Whether it answers from a picture and a clip together."""
        return len(self.frontend.parts()) > 1 and self.task.answers_pairs

    @property
    def takes_blocks(self) -> bool:
        """Whether `predictor` takes a recording in blocks of samples."""
        return self.modality == "audio" and self.task.takes_blocks

    @property
    def audio_channel(self) -> str:
        """Which channel of a recording it takes, as `pipelines.audio.read` does; that of its training."""
        return str(getattr(self.config.data, "audio_channel", "average"))

    @property
    def feature_size(self) -> int:
        """Size of the last axis of the features: bins, or channels."""
        size = self.frontend.feature_shape[-1]
        assert size is not None
        return size

    @property
    def model(self) -> keras.Model:
        """A Keras model from raw input to outputs, sharing this recognizer's weights."""
        inputs = self.frontend.inputs()
        return keras.Model(inputs, self(inputs), name=self.config.model.name)

    def predict(self, sources: Any, **options: Any) -> Iterator[Answer]:
        """Yields the task's answer for each source, in order.

        Args:
            sources: one or several of: a path, the bytes of a file, a picture `(height, width, channels)`, a waveform
                `(samples,)` at the recognizer's rate, a pair `(waveform, sample_rate_hz)`; where it takes pairs, also
                {"image": source, "audio": source}, or with "video" where pictures move.
            **options: the task's, such as `decode` and `chunk_seconds` of transcription.

        Raises:
            UserError: at a source that cannot be read, and for options that the task does not have.
        """
        answer = self.predictor(**options)
        return (answer(source) for source in reader.listed(sources))

    def predictor(self, **options: Any) -> Callable[..., Answer]:
        """A function from one source to its Answer; see `predict`. It takes the options of `read_blocks` too."""
        answer = self.task.predictor(self, **options)
        read: Callable[..., Any] = self.read_blocks if self.takes_blocks else self.read
        return lambda source, **reading: answer(read(source, **reading))

    def read(self, source: Any) -> Any:
        """One source of `predict` as the frontend takes it: pixels, or samples at the frontend's rate.

        Where it takes pairs, a source is either, and the result {"image": pixels}, {"video": pixels} or {"audio":
        samples}; or a dict of both, and so is the result.
        """
        parts = self.frontend.parts()
        if isinstance(source, Mapping):
            return reader.pair(source, self.read, tuple(parts))
        kind = reader.kind(source, tuple(parts))
        raw = self.read_part(source, kind)
        return raw if len(parts) == 1 else {kind: raw}

    def read_part(self, source: Any, kind: str) -> np.ndarray:
        """One source that is known to be "image", "video" or "audio", as that part of the frontend takes it."""
        config, background = self.frontend.parts()[kind].config, getattr(self.config.data, "background", "white")
        if kind == "image":
            return reader.image(source, config.channels, background, getattr(self.config.data, "reduced_to", None))
        if kind == "video":
            return reader.video(source, config.channels, self.config.frontend.frames_per_second, background)
        return reader.audio(source, config.sample_rate_hz, self.audio_channel)

    def read_blocks(self, source: Any, **reading: Any) -> Iterator[np.ndarray]:
        """A recording as `read` returns it, in blocks; `reading` are options of `reader.audio_blocks`."""
        return reader.audio_blocks(
            source, self.config.frontend.sample_rate_hz, **{"channel": self.audio_channel, **reading}
        )

    def examples(self) -> list[Any]:
        """The raw examples that the run keeps; empty without a run, and where it has none."""
        try:
            return examples.read(self.run)[0] if self.run else []
        except UserError:
            return []

    def batch_of_one(self, raw: Any) -> Any:
        """One raw example, pixels or samples, or a dict of them for pairs, as a batch."""
        return self.frontend.batch_of_one(raw)

    @property
    def description(self) -> dict[str, Any]:
        """What a client must know, as `assets.extra/tfrec.json` of an export has it."""
        return savedmodel.describe(self)

    def answers(self, inputs: Any) -> dict[str, np.ndarray]:
        """What the export answers to a batch of raw inputs, as numpy arrays."""
        outputs = self.task.export_outputs(self(inputs), self.config.export)
        return {name: value.numpy() for name, value in outputs.items()}

    def answer_function(self) -> Callable[[Any], dict[str, np.ndarray]]:
        """What `answers` does, compiled, and traced once for all sizes of pictures and lengths of clips."""

        def outputs(inputs: Any) -> dict[str, Any]:
            return self.task.export_outputs(self(inputs), self.config.export)

        traced = tf.function(outputs, reduce_retracing=True)
        return lambda inputs: {name: value.numpy() for name, value in traced(inputs).items()}

    def evaluate(self, data: Split | Corpus, batch_size: int = 64, decode: Any = None) -> dict[str, Any]:
        """The task's scores on a split, or on the test split of a corpus.

        Args:
            data: what is measured.
            batch_size: examples in a batch; does not change the scores.
            decode: how texts are decoded, of tasks that decode.
        """
        split = data.splits["test"] if isinstance(data, Corpus) else data
        return self.task.evaluate(self, split, batch_size, decode)

    def on_split(self, split: Split) -> Recognizer:
        """The same recognizer with a frontend for the shapes of a split's examples."""
        return self.replace(frontend=frontends.build(self.config.frontend, split=split))

    def outputs(self, split: Split, batch_size: int) -> tuple[Any, np.ndarray]:
        """Outputs `(examples, units)`, or a dict of them, and targets of a split, in its order."""
        recognizer = self.on_split(split)
        batches = assemble.evaluation_batches(split, recognizer.frontend, batch_size)
        forward = recognizer.forward_function(batches)
        outputs, targets = [], []
        for inputs, target in progress.track(batches, -(-split.size // batch_size), "batches"):
            outputs.append(tf.nest.map_structure(lambda value: value.numpy(), forward(inputs)))
            targets.append(target.numpy())
        return tf.nest.map_structure(lambda *parts: np.concatenate(parts), *outputs), np.concatenate(targets)

    def sequence_outputs(self, split: Split, batch_size: int) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
        """Yields `(outputs, targets, numbers)` of batches of clips of about the same length.

        `numbers` are the places of the examples in the split.
        """
        recognizer = self.on_split(split)
        batches = assemble.numbered_batches(split, recognizer.frontend, batch_size, self.config.fit.batch_seconds)
        forward = recognizer.forward_function(batches)
        for inputs, (targets, numbers) in batches:
            outputs = tf.nest.map_structure(lambda value: value.numpy(), forward(inputs))
            yield outputs, targets.numpy(), numbers.numpy()

    def forward_function(self, batches: tf.data.Dataset) -> Any:
        """A compiled function from the inputs of such batches to outputs, traced once for all lengths."""
        return tf.function(lambda inputs: self(self.as_received(inputs)), input_signature=[batches.element_spec[0]])


@contextlib.contextmanager
def _dtype_policy(policy: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
