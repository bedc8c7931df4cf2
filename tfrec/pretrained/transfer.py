"""Where training starts (`model.weights`): published weights, a run, or a weights file; and what of them fits."""

import dataclasses
import pathlib
import types
from collections.abc import Callable

import keras
import numpy as np

from pipelines import frontends
from pipelines.errors import UserError
from tfrec import architectures, tasks
from tfrec.config.schema import Config
from tfrec.pretrained import imagenet, weights_file
from tfrec.pretrained.imagenet import in_order, transfer
from tfrec.pretrained.weights_file import MisfitError
from tfrec.runs.run import Run

__all__ = ["Source", "find", "in_order", "load", "transfer"]

# Settings of the frontend on which the shapes of weights may depend, and those that decide what features mean.
_SIZES = ("height", "width", "channels", "form", "features", "mels", "coefficients", "deltas")
_MEANING = (
    "normalize",
    "form",
    "picture_normalize",
    "features",
    "window_ms",
    "hop_ms",
    "mels",
    "low_hz",
    "high_hz",
    "mel_scale",
    "deltas",
)


@dataclasses.dataclass(frozen=True)
class Source:
    """Weights to start from, and what is known about them.

    `layers(net)` is a context that gives {layer's name in net: function from that layer to its parts}, as
    `weights_file.layers` does. `model` and `frontend` hold the settings that they were trained with.
    """

    name: str
    layers: Callable
    model: object = None
    frontend: object = None
    pictures: object = None  # the settings of pictures, where the weights shall now see spectrograms
    class_names: tuple[str, ...] | None = None
    head: Callable = frozenset  # gives the names of the head's layers there, as far as they are known

    @property
    def normalize(self):
        """The range of pictures that the weights want, as `frontend.normalize` says it; None where nobody knows."""
        frontend = self.pictures or self.frontend
        return getattr(frontend, "picture_normalize", getattr(frontend, "normalize", None))


def find(config):
    """The Source that `model.weights` of a Config names, None where it starts at random; nothing is loaded yet.

    UserError where there is none, or where it is another architecture's.
    """
    name, model = config.model.weights, config.model
    if name is None:
        return None
    if name == "imagenet":
        constructor, normalize = imagenet.find(model)
        trained = dataclasses.replace(architectures.default_config(model.name), stem="large")
        known = {
            "pictures" if config.frontend.name == "speech" else "frontend": types.SimpleNamespace(normalize=normalize)
        }
        return Source(name, lambda net: imagenet.layers(constructor, net), trained, **known)
    path = pathlib.Path(name)
    if path.is_dir():
        return _of_run(Run.open(path), config)
    if path.is_file():
        return Source(name, lambda net: weights_file.layers(path))
    raise UserError(
        f"model.weights {name!r} is neither imagenet, nor a run folder, nor a .weights.h5 file: give one of these, or"
        " leave it out."
    )


def _of_run(run, config):
    stored, labels = run.read_json("config.json"), run.read_json("labels.json")
    if not isinstance(stored, dict):
        raise UserError(f"{run.path} is damaged: config.json must hold a JSON object.")
    trained = Config.from_dict(stored, run.path / "config.json")
    tasks.require_labels(trained.task, labels, run.path / "labels.json")
    task = tasks.build(trained.task, labels)
    if trained.model.name != config.model.name:
        raise UserError(
            f"model.weights {run.path} holds a {trained.model.name!r}, but this network is a {config.model.name!r}: set"
            f" --model.name {trained.model.name}, or leave --model.weights out."
        )
    # A network for pictures says nothing about a spectrogram's settings but the range of values.
    same = trained.frontend.name == config.frontend.name
    return Source(
        str(run.path),
        lambda net: weights_file.layers(run.best_weights),
        trained.model,
        trained.frontend if same else None,
        None if same else trained.frontend,
        task.class_names,
        lambda: _head_of(trained, task.outputs),
    )


def _head_of(config, outputs):
    frontend, kind = frontends.build(config.frontend), tasks.output_kind(config.task)
    with keras.StatelessScope():  # nothing is drawn: only the names are wanted
        net = architectures.build_network(config.model, frontend.feature_shape, outputs, frontend.takes, kind)
    return {layer.name for layer in _parted(net)[1]}


def _parted(net):
    """The layers with weights up to `embedding` and after it."""
    below = {id(layer) for block in architectures.backbone_blocks(net).values() for layer in block}
    layers = in_order(net)
    return [layer for layer in layers if id(layer) in below], [layer for layer in layers if id(layer) not in below]


def load(source, net, config, class_names):
    """Loads what fits into the network of `config`; returns what a user should know, a sentence each.

    The head, which is what comes after `embedding`, may stay at random; another number of input channels and, by
    the layer's own method `resize_weight`, another size are adapted. UserError, and nothing is changed, when anything else
    does not fit.
    """
    if source.name == "imagenet" and config.model.small_stem(net.input_shape[1:]):
        raise UserError(
            "model.weights imagenet is for the large stem, and this network has the small one: set --model.stem large."
        )
    backbone, head = _parted(net)
    layers = backbone + head
    first = next((layer for layer in layers if isinstance(layer, keras.layers.Conv2D)), None)
    plan, notes, left, why = [], [], [], None
    if head and source.class_names not in (None, tuple(class_names)):
        # A decoder reads the symbols too, and may give them out in a layer beside the last.
        spells = isinstance(net.output, dict)
        left, why = (head, "the vocabulary is another") if spells else (head[-1:], "the classes are others")
    with source.layers(net) as stored:
        if extra := stored.keys() - {layer.name for layer in layers}:
            if unknown := sorted(extra - source.head()):
                raise _refusal(source, config, f"{unknown[0]!r} is a layer there and not here")
            left, why = head, f"the head there has {sorted(extra)[0]!r}"
        for layer in layers:
            if layer in left:
                continue
            try:
                if layer.name not in stored:
                    raise MisfitError("is missing there")
                parts, note = _fitted(layer, stored[layer.name](layer), layer is first)
            except MisfitError as misfit:
                said = f"{type(layer).__name__} {layer.name!r} {misfit}"
                if layer not in head:
                    raise _refusal(source, config, said) from None
                left, why = head[head.index(layer) :], said  # after a random layer, trained ones are worth nothing
                continue
            plan += parts
            notes += note
    for layer, values in plan:
        layer.load_own_variables(values)
    return [_summary(source, layers, left, why), *notes, *_warnings(source, config)]


def _fitted(layer, parts, first):
    """Parts of a layer as its `load_own_variables` takes them, adapted, and what to say about that."""
    result, notes = [], []
    for part, stored in parts:
        own, values = {}, {}
        part.save_own_variables(own)
        for key, variable in own.items():
            wanted, found = tuple(variable.shape), stored[key]
            values[key] = np.asarray(
                found if found.shape == wanted else _adapted(part, np.asarray(found), wanted, first)
            )
            if values[key].shape != wanted:
                raise MisfitError(f"has the shape {found.shape} there and {wanted} here")
            if found.shape != wanted:
                notes.append(_told(layer, found.shape, wanted))
            if not np.isfinite(values[key]).all():
                raise MisfitError("holds values there that are not finite")
        result.append((part, values))
    return result, notes


def _adapted(layer, values, wanted, first):
    """Values of another shape, where it is known how; otherwise as they are."""
    if hasattr(layer, "resize_weight"):
        try:
            return layer.resize_weight(values)
        except ValueError:
            return values
    there, here = values.shape, wanted
    same = len(there) == len(here) == 4 and (*there[:2], there[3]) == (*here[:2], here[3])
    if first and same and isinstance(layer, keras.layers.Conv2D) and layer.groups == 1:
        # On a gray picture, whose channels are alike, the sum over the channels stays what it was.
        return np.repeat(values.mean(axis=2, keepdims=True) * (there[2] / here[2]), here[2], axis=2)
    return values


def _told(layer, there, here):
    if hasattr(layer, "resize_weight"):
        return f"{layer.name!r} was resized from {there} to {here}."
    return (
        f"{layer.name!r} was averaged over its {there[2]} input channels and scaled for {here[2]}: a gray picture gives"
        " the same as before."
    )


def _summary(source, layers, left, why):
    if not left:
        return f"Weights of {source.name}: all {len(layers)} layers."
    names = ", ".join(repr(layer.name) for layer in left)
    return f"Weights of {source.name}: {len(layers) - len(left)} of {len(layers)} layers; at random: {names}, as {why}."


def _warnings(source, config):
    if source.frontend is source.pictures is None and hasattr(config.frontend, "normalize"):
        given = config.frontend.normalize
        yield f"Nothing says which features of this kind {source.name} knows; frontend.normalize is {given}."
    for flag, (there, here) in _differences(source, config, _MEANING).items():
        yield f"{source.name} was trained with {flag} {there}; now it is {here}."


def _refusal(source, config, said):
    found = {name: there for name, (there, _) in _differences(source, config, _SIZES).items()}
    # Where the networks differ by themselves, the size of what they see is rarely to blame.
    chosen = [name for name in found if name.startswith("model.")] or list(found)
    wanted = " ".join(_words(name, found[name]) for name in chosen)
    advice = f"set {wanted}" if wanted else "give the network the settings that they were trained with"
    return UserError(f"model.weights {source.name} does not fit: {said}; {advice}, or leave --model.weights out.")


def _differences(source, config, names):
    """{setting of the model, or one of `names` of the frontend: (there, here)} where they differ."""
    there, here = (_settings(part.model, part.frontend, names) for part in (source, config))
    return {name: (there[name], here[name]) for name in there if name in here and there[name] != here[name]}


def _settings(model, frontend, names):
    if model is None:
        return {}
    free = ("name", "weights", "dropout", "stochastic_depth")
    result = {
        f"model.{field.name}": getattr(model, field.name)
        for field in dataclasses.fields(model)
        if field.name not in free
    }
    if "model.stem" in result:
        size = getattr(frontend, "height", None), getattr(frontend, "width", None)
        result["model.stem"] = model.stem if None in size else ("small" if model.small_stem(size) else "large")
    return {**result, **{f"frontend.{name}": getattr(frontend, name) for name in names if hasattr(frontend, name)}}


def _words(name, value):
    part, field = name.split(".")
    if isinstance(value, bool):
        return f"--{name}" if value else f"--{part}.no_{field}"
    return " ".join([f"--{name}", *map(str, value if isinstance(value, tuple | list) else [value])])
