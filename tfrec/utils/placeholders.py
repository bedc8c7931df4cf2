"""Empty stand-ins for heavy libraries, for commands that only print text, such as `--help`.

Many modules of ours import them, and the help needs only our dataclasses. Sphinx's `autodoc_mock_imports` does the
same to document such modules.
"""

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Iterator, MutableSequence
from typing import Any

LIBRARIES = (
    "h5py",
    "jiwer",
    "keras",
    "keras_tuner",
    "matplotlib",
    "scipy",
    "sentencepiece",
    "sklearn",
    "soundfile",
    "tensorflow",
    "tensorflow_io",
)
NEEDS_TENSORFLOW = "tensorflow_datasets"  # cannot be imported on placeholders


class Placeholder:
    """Stands for any function, class, decorator or constant of a library: whatever is done to it gives another one."""

    def __getattr__(self, name: str) -> "Placeholder":
        if name.startswith("__") and name.endswith("__"):  # those are asked for by Python itself
            raise AttributeError(name)
        return Placeholder()

    def __call__(self, *arguments: Any, **_: Any) -> Any:
        """Returns what a decorator is applied to, another placeholder for any other call."""
        is_decorated = len(arguments) == 1 and isinstance(arguments[0], type | types.FunctionType)
        return arguments[0] if is_decorated else Placeholder()

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type]:
        """A class with placeholders as its bases derives from `_Base`."""
        return (_Base,)

    def __getitem__(self, _: Any) -> "Placeholder":
        return Placeholder()

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __or__(self, _: Any) -> "Placeholder":
        return self

    __ror__ = __or__


class _Base:
    """The base of classes that derive from a placeholder."""


class _Module(types.ModuleType):
    """A module whose every attribute is a placeholder."""

    __path__: MutableSequence[str] = []  # noqa: RUF012, the type that `ModuleType` has

    def __getattr__(self, name: str) -> Placeholder:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Placeholder()


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an empty module for each library and its submodules."""

    def find_spec(self, name: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] == NEEDS_TENSORFLOW:
            raise ImportError(f"{name} needs TensorFlow")
        is_heavy = name.partition(".")[0] in LIBRARIES
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if is_heavy else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def install() -> None:
    """Makes all later imports of the libraries in this process placeholders.

    An import of TensorFlow Datasets raises ImportError.
    """
    sys.meta_path.insert(0, _Finder())
