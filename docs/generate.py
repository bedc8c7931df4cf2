"""The pages of the reference, made from the registries at build time: a hook of mkdocs (mkdocs.yml).

`pages` returns them as Markdown. mkdocs keeps them in memory; nothing is written into the source tree.
"""

import ast
import dataclasses
import importlib
import inspect
import io
import itertools
import os
import pathlib
import sys
import textwrap
import tokenize
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any

ROOT = pathlib.Path(__file__).parents[1]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

# {page: (its first sentence, objects)}: the API reference, which mkdocstrings writes.
API = {
    "tfrec": ("The functions for notebooks and programs.", ["tfrec"]),
    "recognizer": ("A frontend, a network and a task, as one object.", ["tfrec.recognizer"]),
    "config": ("The configuration of a run.", ["tfrec.config", "tfrec.config.schema"]),
    "tasks": (
        "What the outputs of a network mean.",
        [
            *("tfrec.tasks.base", "tfrec.tasks.classification", "tfrec.tasks.label", "tfrec.tasks.regression"),
            *("tfrec.tasks.retrieval", "tfrec.tasks.transcription"),
            *("tfrec.tasks.pretraining", "tfrec.tasks.simclr", "tfrec.tasks.best_rq"),
            *("tfrec.tasks.masked_pixels", "tfrec.tasks.predictive_coding", "tfrec.tasks.wav2vec"),
        ],
    ),
    "architectures": (
        "Functions that build networks.",
        ["tfrec.architectures.registry", "tfrec.architectures.config", "tfrec.architectures.submodels"],
    ),
    "datasets": ("What loads a corpus.", ["pipelines.datasets", "pipelines.datasets.base"]),
    "frontends": (
        "From raw examples to features.",
        [
            *("pipelines.frontends", "pipelines.frontends.base", "pipelines.frontends.image"),
            *("pipelines.frontends.speech", "pipelines.frontends.paired"),
        ],
    ),
    "layers": ("Preprocessing and augmentation as Keras layers.", ["pipelines.layers.base"]),  # and every public layer
    "runs": ("The folder of a training.", ["tfrec.runs.run"]),
    "serving": (
        "An export, opened again, and a client of a server.",
        ["tfrec.serving.exported", "tfrec.serving.client.client", "tfrec.serving.client.requests"],
    ),
    "errors": ("The exception that a user can correct.", ["pipelines.errors"]),
}


def on_files(files: Any, config: Any) -> Any:
    """Adds the generated pages to those in docs/; mkdocs calls it."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def pages() -> dict[str, str]:
    """Returns {path below docs/: Markdown}."""
    if str(ROOT) not in sys.path:  # mkdocs undoes what a hook changes at import
        sys.path.insert(0, str(ROOT))  # this source, whatever is installed
    lists = {
        "architectures": architectures_page,
        "commands": commands_page,
        "datasets": datasets_page,
        "experiments": experiments_page,
        "flags": flags_page,
        "layers": layers_page,
    }
    return {f"reference/{name}.md": page() for name, page in lists.items()} | {
        f"reference/api/{name}.md": api_page(name) for name in API
    }


def architectures_page() -> str:
    """Every architecture with its paper, its input and its number of weights."""
    from tfrec.architectures import ARCHITECTURES, REFERENCE_SHAPES, find

    rows: dict[str, list[list[str]]] = {"vector": [], "sequence": [], "pair": []}
    for name in ARCHITECTURES:
        entry = find(name)
        counts = ", ".join(f"{count:,}" for count in entry.parameters.values())
        cells = [code(name), ", ".join(entry.input_kinds), counts, "yes" if entry.imagenet else ""]
        rows[entry.output_kind].append([*cells, summary(entry.module)])
    shapes = [
        [inputs, outputs, code(shape), f"{number:,}"] for (inputs, outputs), (shape, number) in REFERENCE_SHAPES.items()
    ]
    head = ["`model.name`", "takes", "weights", "ImageNet", "paper"]
    return join(
        "# Architectures",
        "The numbers of trainable weights are those of the default settings with the input of the paper, for each kind"
        " of input in the order of the column `takes`. `tfrec fit --model.name NAME --help` lists the settings, and"
        " [the flags](flags.md#model) are all in one place.",
        "## One output for each example",
        "For the tasks `classify` and `regress`.",
        table(head, rows["vector"]),
        "## One output for each step",
        "For the task `transcribe`.",
        table(head, rows["sequence"]),
        "## Embeddings of pairs",
        "For the task `retrieve`.",
        table(head, rows["pair"]),
        "## Shapes of the counts",
        table(["takes", "outputs", "features of one example", "number of outputs"], shapes),
    )


def datasets_page() -> str:
    """Every dataset, with the settings of its own."""
    from pipelines.datasets import DATASETS, label_kind

    rows = [[code(name), label_kind(name), summary(module)] for name, module in DATASETS.items()]
    return join(
        "# Datasets",
        "Any other set of TensorFlow Datasets with images or audio works under its own name, as"
        " `--data.name NAME` or `--data.name NAME:VERSION`. [The flags](flags.md#data) of each dataset are on a page of"
        " their own, and [data](../guides/data.md) says how to bring your own.",
        table(["`data.name`", "labels", "what it is"], rows),
    )


def experiments_page() -> str:
    """Every experiment with its docstring."""
    from tfrec.config import experiments

    parts = [
        "# Experiments",
        "An experiment is a complete configuration by name: `tfrec fit NAME`. Flags change anything in it.",
    ]
    for name in experiments.EXPERIMENTS:
        parts += [f"## {name}", inspect.getdoc(experiments.find(name)) or ""]
    return join(*parts)


def layers_page() -> str:
    """Every public preprocessing layer."""
    from pipelines.layers import LAYERS

    rows = [[f"[`{layer.__name__}`][{path_of(layer)}]", summary(layer)] for layer in LAYERS.values()]
    return join(
        "# Layers",
        "Keras layers for features and augmentation. They run on any backend, in `tf.data`, under XLA and in a"
        " SavedModel. Augmentation happens only with `training=True`.",
        table(["layer", "what it does"], rows),
    )


def commands_page() -> str:
    """Every command with the flags that it has in addition to those of `tfrec fit`."""
    from tfrec.__main__ import COMMANDS
    from tfrec.config.schema import Config
    from tfrec.studies import STUDIES
    from tuning.arguments import Arguments as SweepArguments

    rows = [[f"[`tfrec {name}`](#tfrec-{name})", text] for name, text in COMMANDS.items()]
    rows.append(["[`tfrec-sweep`](#tfrec-sweep)", "search the settings of an experiment"])
    parts = [
        "# Commands",
        "`tfrec COMMAND` and `python -m tfrec COMMAND` are the same. `tfrec COMMAND --help` lists the flags."
        " `fit`, `show`, `check`, `prepare`, `lm`, `compare`, `study` and `tfrec-sweep` also take [the flags of `tfrec"
        " fit`](flags.md).",
        table(["command", "what it does"], rows),
    ]
    kinds = {f"tfrec {name}": importlib.import_module(f"tfrec.commands.{name}") for name in COMMANDS}
    classes = {title: getattr(module, "Arguments", None) for title, module in kinds.items()}
    for title, kind in {**classes, "tfrec-sweep": SweepArguments}.items():
        if kind is None:  # `tfrec fit`, whose flags have a page
            parts += [f"## {title}", "See [the flags of `tfrec fit`](flags.md)."]
            continue
        parts += [f"## {title}", docstring(kind), flag_table(kind, "", Config)]
        if title == "tfrec study":
            for name, study in STUDIES.items():
                parts += [f"### tfrec study {name}", docstring(study.Options), flag_table(study.Options, "")]
    return join(*parts)


def flags_page() -> str:
    """Every flag of `tfrec fit`, by section and by the name that decides which flags a section has."""
    from pipelines.datasets import DATASETS
    from pipelines.datasets.base import DataConfig
    from pipelines.frontends import FRONTENDS, default_config
    from tfrec.architectures import ARCHITECTURES, ImageModelConfig, ModelConfig, find
    from tfrec.config.flags import FitArguments
    from tfrec.config.schema import Config, ExportConfig, FitConfig
    from tfrec.tasks import TASKS

    parts = [
        "# Flags of tfrec fit",
        "Flags have the form `--SECTION.NAME VALUE`. Spaces separate several values: `--frontend.scale 0.9 1.1`."
        " `--SECTION.NAME` and `--SECTION.no_NAME` switch a setting on and off. The same names are the keys of"
        " `config.json`. The names of data, frontend, model and task decide which flags these sections have.",
        "## Without a section",
        flag_table(FitArguments, "", Config),
        table(HEAD, [row for row in rows_of(Config, "") if row[0] == code("--seed")]),
        "## fit",
        flag_table(FitConfig, "fit."),
        "## export",
        flag_table(ExportConfig, "export."),
        "## data",
        "Of every dataset:",
        flag_table(DataConfig, "data."),
        *grouped(DATASETS, lambda name: DATASETS[name].Config, "data", DataConfig),
        "## frontend",
        *grouped(FRONTENDS, lambda name: type(default_config(name)), "frontend"),
        "## task",
        *grouped(TASKS, lambda name: TASKS[name].config_type, "task"),
        "## model",
        "Of every architecture:",
        flag_table(ModelConfig, "model."),
        "Of the published architectures for images:",
        flag_table(ImageModelConfig, "model.", ModelConfig),
        "A default is that of the module. `tfrec list architectures --json` has the values that each name stands for.",
        *grouped(ARCHITECTURES, lambda name: type(find(name).config), "model", ImageModelConfig, ModelConfig),
    ]
    return join(*parts)


def api_page(name: str) -> str:
    """The directives from which mkdocstrings writes a page of the API."""
    from pipelines.layers import LAYERS

    sentence, objects = API[name]
    layers = [path_of(layer) for layer in LAYERS.values()] if name == "layers" else []
    return join(f"# {name}", sentence, *(f"::: {path}" for path in (*objects, *layers)))


def grouped(names: Iterable[str], kind_of: Any, section: str, *bases: type) -> list[str]:
    """For each dataclass of settings a heading with the names that have it, and the table of its own flags."""
    kinds: dict[type, list[str]] = {}
    for name in names:
        kinds.setdefault(kind_of(name), []).append(name)
    parts = []
    for kind, members in kinds.items():
        if rows := flag_table(kind, f"{section}.", *bases):
            parts += [f"### {section}: {', '.join(members)}", rows]
    return parts


HEAD = ["flag", "values", "default", "meaning"]


def flag_table(kind: type, prefix: str, *without: type) -> str:
    """The flags of a dataclass as a table, but for those that it has from one of the classes `without`; "" for none."""
    inherited: set[str] = set()
    for ancestor in without:
        if issubclass(kind, ancestor):
            between = kind.__mro__[: kind.__mro__.index(ancestor)]
            changed = {name for base in between for name in fields_in_source(base)}
            inherited |= {field.name for field in dataclasses.fields(ancestor)} - (changed - {"name"})
    rows = rows_of(kind, prefix, inherited)
    return table(HEAD, rows) if rows else ""


def rows_of(kind: type, prefix: str, inherited: Iterable[str] = ()) -> list[list[str]]:
    """The cells of `flag_table`; a field that is a dataclass itself gives a row for each of its fields."""
    sources: dict[str, tuple[str, str]] = {}
    for base in reversed(kind.__mro__):
        sources |= fields_in_source(base)
    hints = typing.get_type_hints(kind, include_extras=True)
    rows = []
    for field in dataclasses.fields(kind):
        if field.name in inherited:
            continue
        hint, default = hints[field.name], field.default
        if dataclasses.is_dataclass(type(default)):
            rows += rows_of(type(default), f"{prefix}{field.name}.")
            continue
        positional = typing.get_origin(hint) is typing.Annotated
        name = f"{prefix}{field.name}".upper() if positional else f"--{prefix}{field.name}"
        text, comment = sources[field.name]
        rows.append([code(name), values(hint), code(words(default, text)), comment.replace("|", "&#124;")])
    return rows


def values(hint: Any) -> str:
    """What a flag of a type takes, in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return values(arguments[0])
    if origin is typing.Literal:
        return ", ".join(code(argument) for argument in arguments)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(values(argument) for argument in arguments)
    if origin is tuple:
        kinds = list(dict.fromkeys(argument for argument in arguments if argument is not Ellipsis))
        number = "several" if Ellipsis in arguments else "two" if len(arguments) == 2 else str(len(arguments))
        return f"{number}: {', '.join(map(values, kinds))}"
    names = {bool: "on, off", float: "number", int: "whole number", str: "text", types.NoneType: code("None")}
    return names.get(hint, code(getattr(hint, "__name__", hint)))


def words(default: object, text: str) -> str:
    """A default as a user writes it on the command line; `text` is that of the source, for a number such as 1 / 9."""
    if default is dataclasses.MISSING:
        return ""
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, tuple):
        return " ".join(map(str, default))
    return text if isinstance(default, float) else str(default)


def fields_in_source(kind: type) -> dict[str, tuple[str, str]]:
    """{field: (default, comment)} of the fields that a class itself defines, as its source writes them."""
    if not dataclasses.is_dataclass(kind) or kind.__module__ == "builtins":
        return {}
    source = textwrap.dedent(inspect.getsource(kind))
    comments: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments[token.start[0]] = token.string.lstrip("# ")
    result = {}
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
    for statement in definition.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
            comment = " ".join(comments[line] for line in lines if line in comments)
            comment = comment or _comment_above(statement.lineno, source.splitlines())
            default = "" if statement.value is None else ast.unparse(statement.value)
            result[statement.target.id] = (default, comment)
    return result


def _comment_above(line: int, lines: Sequence[str]) -> str:
    """The comment on lines of their own that ends above a line, counted from 1."""
    above = itertools.takewhile(lambda text: text.lstrip().startswith("#"), reversed(lines[: line - 1]))
    return " ".join(text.lstrip("# ") for text in reversed(list(above)))


def summary(documented: object) -> str:
    """The first sentence of a docstring, without its full stop."""
    return (inspect.getdoc(documented) or "").split("\n\n")[0].replace("\n", " ").rstrip(".").replace("|", "&#124;")


def docstring(documented: object) -> str:
    """A docstring as Markdown; indented commands in it become code."""
    return inspect.getdoc(documented) or ""


def path_of(kind: type) -> str:
    """The dotted name by which Python finds a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def code(value: object) -> str:
    """A value as code in the cell of a table; nothing for an empty one."""
    text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;").replace("*", "&#42;")
    return f"<code>{text}</code>" if text else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def join(*parts: str) -> str:
    """Blocks of Markdown with an empty line between them."""
    return "\n\n".join(part for part in parts if part) + "\n"
