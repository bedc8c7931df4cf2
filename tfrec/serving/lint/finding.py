"""What a rule says about a SavedModel, and the SavedModel that rules read."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from tfrec.serving import protos

OK: Literal["ok"] = "ok"
PROBLEM: Literal["problem"] = "problem"
NOT_CHECKED: Literal["not checked"] = "not checked"
SHOWN = 3  # of several findings of one rule


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        rule: a few words.
        status: of the rule.
        text: what was found and, unless the status is ok, what to do.
    """

    rule: str
    status: Literal["ok", "problem", "not checked"]
    text: str


@dataclasses.dataclass(frozen=True)
class Folder:
    """A version's folder with its meta graph for servers.

    Attributes:
        path: of the version.
        graphs: every meta graph.
        graph: the one with the tag "serve", or else the first.
    """

    path: pathlib.Path
    graphs: Sequence[Any]
    graph: Any

    @functools.cached_property
    def functions(self) -> dict[str, Any]:
        """The graph's functions by name."""
        return {function.signature.name: function for function in self.graph.graph_def.library.function}

    @functools.cached_property
    def signatures(self) -> dict[str, Any]:
        """The signatures that a client can name."""
        return protos.named_signatures(self.graph)

    def nodes(self) -> Iterator[Any]:
        """Every node of the graph and of its functions."""
        yield from self.graph.graph_def.node
        for function in self.functions.values():
            yield from function.node_def


def result(rule: str, problems: Sequence[str], ok: str) -> Finding:
    """The finding of a rule: a problem where there are some, or else ok."""
    if not problems:
        return Finding(rule, OK, ok)
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return Finding(rule, PROBLEM, "; ".join(problems[:SHOWN]) + more)
