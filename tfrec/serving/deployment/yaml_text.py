"""Plain values as YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any


def render(value: Any) -> str:
    """Dicts, lists, texts, numbers and truth values as a YAML document.

    >>> print(render({"a": [1, {"b": "two", "c": "yes"}], "d": {}}), end="")
    a:
      - 1
      - b: two
        c: "yes"
    d: {}
    """
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            if isinstance(one, str) and "\n" in one:
                yield f"{_scalar(key)}: |"
                yield from (f"  {line}" for line in one.rstrip("\n").split("\n"))
            elif isinstance(one, dict | list) and one:
                yield f"{_scalar(key)}:"
                yield from (f"  {line}" for line in _lines(one))
            else:
                yield f"{_scalar(key)}: {_scalar(one)}"
    elif isinstance(value, list) and value:
        for one in value:
            first, *rest = _lines(one)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _scalar(value)


def _scalar(value: Any) -> str:
    is_plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w./-]*", value)
    if is_plain and value.lower() not in ("y", "n", "yes", "no", "on", "off", "true", "false", "null"):
        return str(value)
    return json.dumps(value)
