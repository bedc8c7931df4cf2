"""Frontend, network and task of a configuration, put together."""

import contextlib
import warnings

import keras
import numpy as np
import tensorflow as tf

from pipelines import assemble, frontends
from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.config import flags


class Recognizer:
    """Raw examples in, logits out, and a task that says what they mean.

    `frontend` takes raw input of any size, without augmentation; `net` goes from features to logits; `classifier` does
    too, by one look at the features or by several, as the task asks.
    """

    def __init__(self, config, labels, counts=None):
        self.config = config
        # Not 0: with that global seed TensorFlow refuses the seeded shuffles of `assemble`.
        keras.utils.set_random_seed(config.seed + 1)
        # The features of a GPU are to be those of the CPU that may serve them.
        tf.config.experimental.enable_tensor_float_32_execution(config.fit.tf32)
        self.frontend = frontends.build(config.frontend)
        self.task = tasks.build(config.task, labels, counts)
        with _precision(config.fit.precision):
            shape = self.frontend.feature_shape
            kind = tasks.output_kind(config.task)
            self.net = architectures.build_network(config.model, shape, self.task.outputs, self.frontend.takes, kind)
        self.classifier = self.task.classifier(self.net)

    @classmethod
    def load(cls, run):
        """The trained recognizer of a run; UserError when its files do not fit together."""
        stored, labels = run.read_json("config.json"), run.read_json("labels.json")
        if not isinstance(stored, dict):
            raise UserError(f"{run.path / 'config.json'} is damaged: it must hold a JSON object.")
        config = flags.from_json(stored, run.path / "config.json")
        tasks.require_labels(config.task, labels, run.path / "labels.json")
        recognizer = cls(config, labels)
        try:
            with warnings.catch_warnings(action="ignore"):  # Keras warns before it fails, once for each layer
                recognizer.net.load_weights(run.best_weights)
        except (ValueError, OSError, KeyError, RuntimeError) as error:
            raise UserError(
                f"{run.best_weights} is damaged or does not fit config.json and labels.json beside it: restore what was"
                " changed, or train anew."
            ) from error
        return recognizer

    @property
    def takes_tokens(self):
        """Whether the network has a decoder, which in training is shown the symbols so far."""
        return isinstance(self.net.input, dict) and "tokens" in self.net.input

    def model_for(self, split):
        """(model, frontend) for batches of a split, without augmentation."""
        frontend = frontends.build(self.config.frontend, split=split)
        if self.config.frontend.placement == "host":
            return self.classifier, frontend
        inputs = frontend.inputs()
        return keras.Model(inputs, self.classifier(frontend(inputs)), name="recognizer"), frontend

    def logits(self, split, batch_size):
        """Logits (examples, outputs) and targets of a split, in its order."""
        model, frontend = self.model_for(split)
        batches = assemble.evaluation_batches(split, frontend, batch_size)
        # Clips come in many lengths; Keras's own predict would be traced anew for each.
        forward = tf.function(lambda inputs: model(inputs, training=False), input_signature=[batches.element_spec[0]])
        answers, targets = [], []
        for inputs, target in batches:
            answers.append(forward(inputs).numpy())
            targets.append(target.numpy())
        return np.concatenate(answers), np.concatenate(targets)

    def outputs(self, split, batch_size):
        """(outputs, targets, numbers) of batches of clips of about the same length; `numbers` are places in it."""
        model, frontend = self.model_for(split)
        batches = assemble.numbered_batches(split, frontend, batch_size, self.config.fit.batch_seconds)
        forward = tf.function(lambda inputs: model(inputs, training=False), input_signature=[batches.element_spec[0]])
        for inputs, (targets, numbers) in batches:
            outputs = tf.nest.map_structure(lambda value: value.numpy(), forward(inputs))
            yield outputs, targets.numpy(), numbers.numpy()

    def answer(self, inputs, **options):
        """The task's answer to a batch of raw inputs, as numpy arrays; `options` are those of the task's `answer`."""
        outputs = self.task.answer(self.classifier(self.frontend(inputs, training=False), training=False), **options)
        return {name: value.numpy() for name, value in outputs.items()}


def strategy_scope(config):
    """Where a training's variables live: one device, or a copy on each device of this machine."""
    if config.fit.strategy == "default":
        return contextlib.nullcontext()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices]).scope()


@contextlib.contextmanager
def _precision(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
