"""Rules on the files of a version's folder and on the folder of the model."""

from __future__ import annotations

import re
import stat

from pipelines.counts import counted
from tfrec.serving import layout
from tfrec.serving.lint.finding import Finding, Folder, result

VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
AGAIN = "copy the whole folder, or export again"


def variables(folder: Folder) -> Finding:
    """A server loads a version without `variables.index`, and then every request fails."""
    if not any(node.op in VARIABLES for node in folder.nodes()):
        return result("variables", [], "the graph has none")
    inside = folder.path / "variables"
    index = inside / "variables.index"
    if not index.is_file() or not index.stat().st_size:
        return result("variables", [f"variables/variables.index is missing or empty: {AGAIN}"], "")
    shards = sorted(inside.glob("variables.data-*"))
    counts = {int(found[1]) for path in shards if (found := re.search(r"-of-(\d+)$", path.name))}
    problems = []
    if {len(shards)} != counts:
        problems.append(f"{len(shards)} of {max(counts, default=1)} files variables.data-* are there: {AGAIN}")
    problems += [f"variables/{path.name} is empty: {AGAIN}" for path in shards if not path.stat().st_size]
    size = sum(path.stat().st_size for path in shards)
    return result("variables", problems, f"the index and {counted(len(shards), 'file')} of data, {size / 1e6:.1f} MB")


def assets(folder: Folder) -> Finding:
    """Each file that the graph reads is in `assets/`."""
    names = sorted({asset.filename for asset in folder.graph.asset_file_def})
    missing = [name for name in names if not (folder.path / "assets" / name).is_file()]
    problems = [f"assets/{name} is missing: {AGAIN}" for name in missing]
    return result("assets", problems, f"the graph reads {counted(len(names), 'file')}")


def place(folder: Folder) -> Finding:
    """A server watches a folder of versions, which are integers; half a copy begins there under another name."""
    path = folder.path.resolve()
    problems = []
    if not path.name.isdecimal():
        problems.append(f"the folder {path.name!r} is no version: rename it to an integer")
    left = sorted(child.name for child in path.parent.iterdir() if child.name.startswith(layout.TEMPORARY))
    problems += [f"{path.parent / name} is left of a publication that was killed: remove it" for name in left]
    return result("place", problems, f"version {path.name} of {path.parent.name}")


def permissions(folder: Folder) -> Finding:
    """A server runs as another user, who must read files and enter folders."""
    closed = []
    for path in (folder.path.resolve().parent, folder.path, *sorted(folder.path.rglob("*"))):
        mode = path.stat().st_mode
        needed = stat.S_IROTH | stat.S_IXOTH if path.is_dir() else stat.S_IROTH
        if mode & needed != needed:
            closed.append(f"{path} has mode {mode & 0o777:03o}: chmod {'o+rx' if path.is_dir() else 'o+r'} it")
    return result("permissions", closed, "every user can read the files")
