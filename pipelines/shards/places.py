"""The shards that `data.path` names, local or with an address, and the splits that their names stand for."""

import dataclasses
import fnmatch
import os
import re

from pipelines import paths
from pipelines.errors import UserError
from pipelines.storage import archives, remote

INDEX = "index.jsonl"  # in a folder of prepared shards
MAX_SHARDS = 100_000
PACKED = re.compile(r"\.(tar\.(gz|bz2|xz|zst|lz4)|tgz|tbz2|txz)$", re.IGNORECASE)

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Shards:
    """What is at a path.

    Attributes:
        archives: The sorted paths of the shards.
        index: The path of the index that lists their members; None without one.
        splits: The split of each shard by its name; empty where the names do not say.
        others: Number of other files in the folder.
    """

    archives: list[str]
    index: str | None = None
    splits: tuple[str, ...] = ()
    others: int = 0


def is_shards(path: str) -> bool:
    """Whether a path is a shard, names several, or is a local folder with an index or with archives and no more.

    Args:
        path: As people write it.
    """
    path = paths.local(path)
    if paths.is_address(path) or path.endswith(archives.SUFFIX) or PACKED.search(path):
        return not os.path.isdir(path)
    if os.path.isdir(path):
        names = _visible(path)
        below = [each for name in names for each in _visible(os.path.join(path, name)) or [name]]
        return INDEX in names or (bool(below) and all(name.endswith(archives.SUFFIX) for name in below))
    return archives.SUFFIX in os.path.basename(path) and re.search(r"[*?[{]", os.path.basename(path)) is not None


def find(path: str) -> Shards:
    """Finds shards.

    Args:
        path: A shard, a folder of them at any depth, `folder/train-*.tar`, or `folder/train-{000..146}.tar`; the
            folder may have an address.

    Returns:
        The Shards, at least one.

    Raises:
        UserError: There are none, some are packed, or only some are named after splits.
    """
    if not path:
        raise UserError(
            "data.path is needed: a folder of .tar shards, one of them, or a pattern such as a/train-*.tar."
        )
    path = path if paths.is_address(path) else paths.local(path)
    folder, _, name = path.rpartition("/")
    root, others = folder, 0
    _refuse_packed("", [path])
    if _RANGE.search(name):
        found = _expanded(path)
    elif name.endswith(archives.SUFFIX) and not re.search(r"[*?[]", name) and not os.path.isdir(path):
        found = [path]
    else:
        is_pattern = re.search(r"[*?[]", name) is not None
        root = (folder or ("/" if path.startswith("/") else ".")) if is_pattern else path.rstrip("/") or "/"
        names = _names_below(root)
        if not is_pattern and INDEX in names:
            return Shards(sorted(_join(root, each) for each in names if _is_shard(each)), _join(root, INDEX))
        names = [each for each in names if "/" not in each and fnmatch.fnmatch(each, name)] if is_pattern else names
        _refuse_packed(root, names)
        found = [_join(root, each) for each in names if _is_shard(each)]
        others = len(names) - len(found)
    _refuse_packed("", found)
    if not found:
        raise UserError(f"data.path {paths.shown(path)} names no .tar shards: name a folder of them, or one of them.")
    return Shards(found, None, _splits(found, root, path), others)


def _visible(path: str) -> list[str]:
    """The names in a folder that are not hidden; empty for a file."""
    return [name for name in os.listdir(path) if not name.startswith(".")] if os.path.isdir(path) else []


def _is_shard(name: str) -> bool:
    return name.endswith(archives.SUFFIX)


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder.rstrip('/')}/{name}"


def _refuse_packed(root: str, names: list[str]) -> None:
    packed = [name for name in names if PACKED.search(name)]
    if packed:
        raise UserError(
            f"{paths.shown(_join(root, packed[0]) if root else packed[0])} is packed, so that no member can be read"
            f" alone: unpack it to a plain .tar, such as by gunzip ({len(packed):,} of {len(names):,} files)."
        )


def _names_below(root: str) -> list[str]:
    """Sorted paths of the files below a folder, from the folder on, without hidden ones; UserError without a folder."""
    try:
        if paths.is_address(root):
            found = remote.names_below(root)
        else:
            found = [
                os.path.relpath(os.path.join(below, name), root)
                for below, _, names in os.walk(root, followlinks=True)
                for name in names
            ]
            found = found if os.path.isdir(root) else None
    except OSError as error:
        raise UserError(f"data.path {paths.shown(root)} cannot be read: {error.strerror or error}.") from error
    if found is None:
        raise UserError(f"data.path {paths.shown(root)} does not exist: name a folder of .tar shards, or one of them.")
    return sorted(name for name in found if not any(part.startswith(".") for part in name.split("/")))


def _expanded(path: str) -> list[str]:
    """The paths that one with ranges such as `{000..146}` stands for."""
    found = [path]
    while match := _RANGE.search(found[0]):
        first, last = int(match[1]), int(match[2])
        count = last - first + 1
        if not 0 < count * len(found) <= MAX_SHARDS:
            raise UserError(
                f"data.path {paths.shown(path)} stands for {max(0, count) * len(found):,} shards: it must be 1 to"
                f" {MAX_SHARDS:,}."
            )
        width = len(match[1])
        numbers = [f"{number:0{width}d}" for number in range(first, last + 1)]
        found = [_RANGE.sub(number, each, count=1) for each in found for number in numbers]
    return found


def _splits(found: list[str], root: str, path: str) -> tuple[str, ...]:
    """The splits that shards are named after, below a folder; none where train is not among them."""
    named = [_split_in(each.removeprefix(root)) for each in found]
    if "train" not in named:
        return ()
    if None in named:
        other = paths.shown(found[named.index(None)])
        raise UserError(
            f"data.path {paths.shown(path)} has shards that are named after splits, and {other}, which is not: name"
            " all of them so, or none."
        )
    return tuple(str(name) for name in named)


def _split_in(name: str) -> str | None:
    """The one split that words in a path stand for; None for none or several."""
    from pipelines.datasets.names import split_of  # its package is slow to import

    splits = {split for word in re.split(r"[^a-zA-Z]+", name) if (split := split_of(word))}
    return splits.pop() if len(splits) == 1 else None
