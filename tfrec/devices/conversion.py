"""Starts a converter in a process of its own, which may abort, and says in one sentence what fails."""

from __future__ import annotations

import re
from typing import Any

from pipelines.errors import UserError
from tfrec.serving.loaders import process

# What the converters say of operations that a format lacks.
_MISSING = re.compile(
    r"\bFlex([A-Z]\w*)|'tf\.([A-Z]\w*)' op is neither a custom op nor a flex op|legalize operation 'tf\.([A-Z]\w*)'"
    r"|Tensorflow op \[[^:\]]*: ([A-Z]\w*)\] is not supported"
)
MAX_REASON = 300  # characters


def convert(name: str, saved_model: Any, target: Any) -> None:
    """Converts a SavedModel of `graph.write`.

    Args:
        name: of the format.
        saved_model: its folder.
        target: the file that is written.

    Raises:
        UserError: where the format lacks an operation, or the converter fails or ends by a signal.
    """
    try:
        process.run_module(["tfrec.devices", name, str(saved_model), str(target)])
    except process.LoaderError as error:
        raise UserError(f"Not published: no {name} file can be made of this network: {reason(str(error))}.") from None


def reason(message: str) -> str:
    """What a converter's message says, as a clause.

    >>> reason("Some ops are not supported. Flex ops: FlexErf, FlexRFFT Details: ...")
    'the format lacks Erf, RFFT'
    """
    names = dict.fromkeys("".join(found) for found in _MISSING.findall(message))
    if names:
        return f"the format lacks {', '.join(names)}"
    return " ".join(message.split())[:MAX_REASON].rstrip(".")
