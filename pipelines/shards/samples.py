"""Samples as WebDataset has them: members of a shard that share a name up to its first dot.

`cat/7.jpg` is an example. `cat/7.cls` is its class, a name or a number; `cat/7.txt` its transcript; `cat/7.json` an
object with what a line of a manifest has: label, text, speaker, group, split, start, end, ... A recording of which
several parts are examples has a list of such objects under the key "examples".
"""

import collections
import dataclasses
import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines import paths, progress
from pipelines.counts import counted, verb
from pipelines.datasets import columns, media_files, tables
from pipelines.errors import UserError
from pipelines.shards.places import Shards
from pipelines.storage import archives, tar

EXAMPLES = "examples"  # in JSON: the list of parts of a recording
LABEL, JSON, TEXTS = "cls", ("json", "jsn"), ("txt", "text", "transcript")
SIDECARS = (LABEL, *JSON, *TEXTS)
MAX_LABEL = 1000  # characters of a .cls

Sample = dict[str, tar.Member]  # ending -> member


@dataclasses.dataclass
class LeftOut:
    """What is in shards and is not used."""

    suffixes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    without_media: int = 0  # samples
    others: tar.Others = dataclasses.field(default_factory=tar.Others)

    def add(self, other: "LeftOut") -> None:
        """Adds everything of another one."""
        self.suffixes.update(other.suffixes)
        self.without_media += other.without_media
        self.others.links += other.others.links
        self.others.devices += other.others.devices

    def notes(self) -> Iterator[str]:
        """Sentences on it."""
        if total := sum(self.suffixes.values()):
            listed = ", ".join(f"{paths.shown(name)} {count:,}" for name, count in self.suffixes.most_common(10))
            subject = counted(total, "member with another ending", "members with other endings")
            yield f"{subject} {verb(total, 'was', 'were')} left out: {listed}."
        if self.without_media:
            subject = counted(self.without_media, "sample without a picture or audio", "samples without any media")
            yield f"{subject} {verb(self.without_media, 'was', 'were')} left out."
        for count, singular, plural in (
            (self.others.links, "link", "links"),
            (self.others.devices, "member that is no regular file", "members that are no regular files"),
        ):
            if count:
                yield f"{counted(count, singular, plural)} in shards {verb(count, 'was', 'were')} left out."


def read(
    shards: Shards,
    left_out: LeftOut,
    check_columns: tables.CheckColumns,
    classes: Sequence[str] = (),
    unlabeled: bool = False,
) -> Iterator[tables.Line]:
    """Reads what shards hold, by their headers and labels alone, and makes their members known.

    Args:
        shards: Which.
        left_out: What is not used is added to it.
        check_columns: As `tables.read` takes it.
        classes: Their names, by the numbers that a `.cls` may hold.
        unlabeled: Whether samples may have no label, text or number.

    Yields:
        (the member with the picture or the audio, column -> cell); its cell `path` is the path of the member.

    Raises:
        UserError: With shard and member, something is damaged, ambiguous or missing.
    """
    results = progress.map_in_threads(_samples, shards.archives, "shards")
    splits = shards.splits or ("",) * len(shards.archives)
    total, bare = 0, []
    for shard, split, (samples, ignored) in zip(shards.archives, splits, results, strict=True):
        left_out.add(ignored)
        for key, sample in samples.items():
            media = _media(shard, key, sample, left_out)
            if media is None:
                continue
            path, sidecars = f"{shard}/{sample[media].name}", _sidecars(sample, media)
            total += 1
            if not sidecars and not unlabeled:
                bare.append(paths.shown(path))
                continue
            for number, (names, cells) in enumerate(_lines(path, split, sidecars, classes)):
                where = paths.shown(path) + (f"#{number + 1}" if number else "")
                check_columns(where, names)
                yield where, cells
    if bare:
        raise UserError(
            f"{bare[0]} has no label: a member with the same name and the ending .cls, .txt or .json must be in its"
            f" shard ({len(bare):,} of {total:,} samples have none)."
        )
    if not total:
        raise UserError(
            f"{paths.shown(shards.archives[0])}{' and the other shards hold' if len(shards.archives) > 1 else ' holds'}"
            f" no pictures and no audio{''.join(f' ({note[:-1]})' for note in list(left_out.notes())[:1])}."
        )


def _samples(shard: str) -> tuple[dict[str, Sample], LeftOut]:
    """Key -> the members of a sample, of a whole shard; its members are known from now on."""
    samples: dict[str, Sample] = {}
    members: archives.Members = {}
    left_out = LeftOut()
    for member in tar.scan(shard, _is_sidecar, left_out.others):
        members[member.name] = member.offset, member.size
        folder, name = posixpath.split(member.name)
        if name.startswith("."):
            left_out.suffixes["(hidden)"] += 1
            continue
        stem, _, ending = name.partition(".")
        sample = samples.setdefault(posixpath.join(folder, stem), {})
        if ending.lower() in sample:
            first, second = sample[ending.lower()].name, member.name
            raise UserError(f"{paths.shown(shard)} holds {paths.shown(first)} and {paths.shown(second)}: rename one.")
        sample[ending.lower()] = member
    archives.add(shard, members)
    return samples, left_out


def _is_sidecar(name: str) -> bool:
    return name.rpartition(".")[2].lower() in SIDECARS


def _media(shard: str, key: str, sample: Sample, left_out: LeftOut) -> str | None:
    """The ending of the sample's one picture or clip; None where it has none. Counts what is neither it nor labels."""
    found = [ending for ending in sample if media_files.is_media(f"x.{ending}")]
    left_out.suffixes.update(f".{ending}" for ending in sample if ending not in found and not _is_sidecar(ending))
    if len(found) > 1:
        names = " and ".join(paths.shown(sample[ending].name) for ending in found[:2])
        raise UserError(
            f"{paths.shown(shard)}: the sample {paths.shown(key)} holds {names}: a sample has one picture or one clip."
        )
    left_out.without_media += not found
    return found[0] if found else None


def _sidecars(sample: Sample, media: str) -> dict[str, tar.Member]:
    """Kind ("cls", "json" or "txt") -> the member with the label, the object or the transcript of a sample."""
    prefix = media[: media.rfind(".") + 1]
    found = {}
    for kind, endings in (("cls", (LABEL,)), ("json", JSON), ("txt", TEXTS)):
        names = [*endings, *(prefix + ending for ending in endings)]
        if name := next((name for name in names if name in sample), None):
            found[kind] = sample[name]
    return found


def _lines(
    path: str, split: str, sidecars: Mapping[str, tar.Member], classes: Sequence[str]
) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """(names of columns, duplicates included; column -> cell) of the examples of a sample."""
    objects: list[Any] = [tables.Pairs()]
    if "json" in sidecars:
        objects = _objects(path, sidecars["json"])
    for pairs in objects:
        pairs = [(name, tables.cell(value)) for name, value in pairs if columns.resolve([name]).get("path") is None]
        ours = columns.resolve([name for name, _ in pairs])
        cells: dict[str, Any] = {"path": path}
        names = ["path"]
        if "cls" in sidecars and not _is_text(dict(pairs).get(ours.get("label", ""))):
            pairs = [(name, value) for name, value in pairs if name != ours.get("label")]
            pairs.append(("label", _label(path, sidecars["cls"], classes)))
        if "txt" in sidecars and "text" not in ours:
            pairs.append(("text", _text(path, sidecars["txt"])))
        if split and "split" not in ours:
            pairs.append(("split", split))
        yield names + [name for name, _ in pairs], cells | dict(pairs)


def _is_text(cell: Any) -> bool:
    return isinstance(cell, str) and bool(cell.strip())


def _objects(path: str, member: tar.Member) -> list[tables.Pairs]:
    """The objects in a .json: one, or those of the parts of a recording."""
    where = f"{paths.shown(path)}: {paths.shown(posixpath.basename(member.name))}"
    text = _decoded(where, member)
    try:
        value = json.loads(text, object_pairs_hook=tables.Pairs)
    except RecursionError as error:
        raise UserError(f"{where} is not read: its lists and objects are too deep.") from error
    except ValueError as error:
        raise UserError(f"{where} is not JSON: {error}.") from error
    parts = dict(value).get(EXAMPLES) if isinstance(value, tables.Pairs) else None
    is_list = isinstance(parts, list) and not isinstance(parts, tables.Pairs) and bool(parts)
    found: Any = parts if is_list else [value]
    if not all(isinstance(each, tables.Pairs) for each in found):
        raise UserError(f'{where} must hold an object such as {{"label": ...}}.')
    return found


def _label(path: str, member: tar.Member, classes: Sequence[str]) -> str:
    """The class in a .cls; where it is a number, the class of that number."""
    where = f"{paths.shown(path)}: {paths.shown(posixpath.basename(member.name))}"
    label = _decoded(where, member).strip()
    if not label or len(label) > MAX_LABEL or "\n" in label:
        raise UserError(f"{where} must hold the name or the number of a class, on one line.")
    if classes and label not in classes and label.isdecimal() and label.isascii() and len(label) < 10:
        if int(label) >= len(classes):
            raise UserError(f"{where} holds the class {label}, but data.classes names {len(classes)}, from 0 on.")
        return classes[int(label)]
    return label


def _text(path: str, member: tar.Member) -> str:
    return _decoded(f"{paths.shown(path)}: {paths.shown(posixpath.basename(member.name))}", member)


def _decoded(where: str, member: tar.Member) -> str:
    try:
        return (member.content or b"").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{where} is not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}."
        ) from error
