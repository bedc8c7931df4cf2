"""Finds the weights that `model.weights` names, and what is known about their training."""

import dataclasses
import pathlib
import types
from collections.abc import Callable, Collection
from typing import Any

import keras

from pipelines import frontends
from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.config.schema import Config
from tfrec.pretrained import imagenet, weights_file
from tfrec.pretrained.layers import OpenLayers, layers_with_weights
from tfrec.runs.run import Run


@dataclasses.dataclass(frozen=True)
class PretrainedWeights:
    """Weights to start from, and what is known about them.

    `open_layers(net)` is a context with {name of a layer in net: function from that layer to its stored parts}.
    """

    name: str  # "imagenet" or a path
    open_layers: OpenLayers
    model: Any = None  # config of the network that was trained, None where it is unknown
    frontend: Any = None  # its frontend's config, where it is for the same modality as the new one
    image_frontend: Any = None  # its frontend's config, where it was trained on images and now gets spectrograms
    class_names: tuple[str, ...] | None = None
    read_head: Callable[[], Collection[str]] = frozenset  # returns the names of the layers in its head

    @property
    def normalize(self) -> str | None:
        """The `frontend.normalize` of the images that the weights were trained on; None where it is unknown."""
        frontend = self.image_frontend or self.frontend
        return getattr(frontend, "picture_normalize", getattr(frontend, "normalize", None))


def networks(config: Config) -> dict[str, Config]:
    """What has weights of its own: the network, or those inside a network for pairs.

    Returns:
        {name of the layer in the network that is trained, or "" for all of it: its config, with its frontend}.
    """
    model = config.model
    if not isinstance(getattr(model, "image", None), architectures.ModelConfig):
        return {"": config}
    return {
        f"{part}_network": dataclasses.replace(
            config, model=getattr(model, part), frontend=getattr(config.frontend, part)
        )
        for part in ("image", "speech")
    }


def find_all(config: Config) -> dict[str, PretrainedWeights]:
    """Finds the weights of all `networks` that name some, by the names of `networks`; UserError as of `find`."""
    if config.model.weights is not None and "" not in networks(config):
        raise UserError(
            f"model.weights {config.model.weights!r}: name the weights of a network for pairs by model.image.weights"
            " and model.speech.weights."
        )
    found = {name: find(part) for name, part in networks(config).items()}
    return {name: weights for name, weights in found.items() if weights is not None}


def find(config: Config) -> PretrainedWeights | None:
    """Finds the weights that `config.model.weights` names; loads nothing yet.

    Args:
        config: config of the training that starts from them.

    Returns:
        The weights, or None where training starts from random ones.

    Raises:
        UserError: where they do not exist, or are those of another architecture.
    """
    name, model = config.model.weights, config.model
    if name is None:
        return None
    if name == "imagenet":
        constructor, normalize = imagenet.find(model)
        trained = dataclasses.replace(architectures.default_config(model.name), stem="large")
        kind = "image_frontend" if config.frontend.name == "speech" else "frontend"
        known: dict[str, Any] = {kind: types.SimpleNamespace(normalize=normalize)}
        return PretrainedWeights(name, lambda net: imagenet.open_layers(constructor, net), trained, **known)
    path = pathlib.Path(name)
    if path.is_dir():
        return _of_run(Run.open(path), config)
    if path.is_file():
        return PretrainedWeights(name, lambda _: weights_file.open_layers(path))
    raise UserError(
        f"model.weights {name!r} is neither imagenet, nor a run folder, nor a .weights.h5 file: give one of these, or"
        " leave it out."
    )


def _of_run(run: Run, config: Config) -> PretrainedWeights:
    stored, labels = run.read_json("config.json"), run.read_json("labels.json")
    if not isinstance(stored, dict):
        raise UserError(f"{run.path} is damaged: config.json must hold a JSON object.")
    trained = Config.from_dict(stored, run.path / "config.json")
    tasks.require_labels(trained.task, labels, run.path / "labels.json")
    task = tasks.build(trained.task, labels)
    if trained.model.name != config.model.name:
        raise UserError(
            f"model.weights {run.path} is a {trained.model.name!r}, but this network is a {config.model.name!r}: set"
            f" --model.name {trained.model.name}, or leave --model.weights out."
        )
    same = trained.frontend.name == config.frontend.name
    return PretrainedWeights(
        str(run.path),
        lambda _: weights_file.open_layers(run.best_weights),
        trained.model,
        frontend=trained.frontend if same else None,
        image_frontend=None if same else trained.frontend,
        class_names=task.class_names,
        read_head=lambda: _head_names(trained, task),
    )


def _head_names(config: Config, task: tasks.Task) -> set[str]:
    """Names of the layers in the head of a network, which is built without weights."""
    with keras.StatelessScope():  # allocates no weights
        net = task.build_network(config.model, frontends.build(config.frontend))
    return {layer.name for layer in split_at_embedding(net)[1]}


def split_at_embedding(net: keras.Model) -> tuple[list[keras.Layer], list[keras.Layer]]:
    """Returns the layers with weights of the backbone, up to the layer `embedding`, and those of the head after it."""
    below = {id(layer) for block in architectures.backbone_blocks(net).values() for layer in block}
    layers = layers_with_weights(net)
    return [layer for layer in layers if id(layer) in below], [layer for layer in layers if id(layer) not in below]
