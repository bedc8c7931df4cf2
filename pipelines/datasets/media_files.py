"""The media files below a folder, and what else is there."""

import collections
import dataclasses
import os
from collections.abc import Iterator, Set

from pipelines import audio, images, paths
from pipelines.counts import counted, verb
from pipelines.errors import UserError

# Folders that systems and file managers make: caches, thumbnails, waste.
CLUTTER_FOLDERS = frozenset(
    ("__macosx", "@eadir", "#recycle", "lost+found", "$recycle.bin", "system volume information", "__pycache__")
)
CLUTTER_FILES = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"))
# Pictures and audio in formats that may not be read, and what to convert them to.
FOREIGN_SUFFIXES = {
    **dict.fromkeys((".heic", ".heif", ".avif", ".webp", ".tif", ".tiff", ".jp2", ".jxl", ".svg", ".psd"), "PNG"),
    **dict.fromkeys((".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".dcm", ".ppm", ".pgm", ".jfif"), "PNG"),
    **dict.fromkeys((".m4a", ".aac", ".wma", ".amr", ".opus", ".aiff", ".aif", ".au", ".caf", ".mka"), "WAV"),
}


@dataclasses.dataclass
class LeftOut:
    """What is below a folder and is not used."""

    suffixes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)  # of other files
    foreign: list[str] = dataclasses.field(default_factory=list)  # media in formats that are not read
    clutter: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)  # folder -> media files
    broken: list[str] = dataclasses.field(default_factory=list)  # links to nothing
    folders: list[str] = dataclasses.field(default_factory=list)  # without any media

    def add(self, other: "LeftOut") -> None:
        """Adds everything of another one."""
        self.suffixes.update(other.suffixes)
        self.clutter.update(other.clutter)
        self.foreign += other.foreign
        self.broken += other.broken
        self.folders += other.folders

    def check(self) -> None:
        """UserError for links to nothing, and for media in formats that are not read."""
        if self.broken:
            path = self.broken[0]
            raise UserError(
                f"{paths.shown(path)} is a link to {paths.shown(os.readlink(path))}, which does not exist"
                f"{_more(self.broken)}: repair or remove it."
            )
        if self.foreign:
            counts = collections.Counter(_suffix(path) for path in self.foreign)
            targets = sorted({FOREIGN_SUFFIXES[suffix] for suffix in counts})
            raise UserError(
                f"{counted(len(self.foreign), 'file')} cannot be read ({_listed(counts)}), such as "
                f"{paths.shown(self.foreign[0])}: convert to {' or '.join(targets)}, or remove."
            )

    def notes(self) -> Iterator[str]:
        """Sentences on everything else."""
        if self.clutter:
            names = ", ".join(sorted(map(paths.shown, self.clutter)))
            files = counted(sum(self.clutter.values()), "picture or audio file", "pictures or audio files")
            yield f"{files} of hidden folders or files, or of folders of file managers, left out: {names}."
        if self.suffixes:
            total = sum(self.suffixes.values())
            subject = counted(total, "file with another ending", "files with other endings")
            yield f"{subject} {verb(total, 'was', 'were')} left out: {_listed(self.suffixes)}."
        if self.folders:
            names = ", ".join(sorted(map(paths.shown, self.folders)))
            yield f"No class was made of folders without pictures and audio: {names}."


def is_media(name: str) -> bool:
    """Whether a file's ending is that of a picture or of audio that is read."""
    return _suffix(name) in (*images.SUFFIXES, *audio.SUFFIXES)


def folders(path: str, left_out: LeftOut, ancestors: Set[str] = frozenset()) -> tuple[list[str], list[str]]:
    """Lists what a folder holds.

    Args:
        path: The folder.
        left_out: What is neither a folder nor a media file is added to it.
        ancestors: Real paths of the folders above: links to these are ignored.

    Returns:
        Sorted names of its folders, and of its media files.

    Raises:
        UserError: The folder cannot be read.
    """
    names, media = [], []
    for entry in entries(path):
        if entry.is_dir():
            if _is_clutter(entry.name):
                _count_clutter(entry, left_out)
            elif os.path.realpath(entry.path) not in ancestors:
                names.append(entry.name)
        elif _takes(entry, left_out):
            media.append(entry.name)
    return names, media


def below(path: str, left_out: LeftOut, ancestors: Set[str] = frozenset()) -> list[str]:
    """Finds the media files at any depth below a folder; links are followed once.

    Args:
        path: The folder.
        left_out: Everything else is added to it.
        ancestors: Real paths of folders above, where links do not lead back to.

    Returns:
        Sorted paths.

    Raises:
        UserError: A folder cannot be read.
    """
    visited = set(ancestors)

    def walk(folder: str) -> Iterator[str]:
        visited.add(os.path.realpath(folder))
        names, media = folders(folder, left_out, visited)
        yield from (os.path.join(folder, name) for name in media)
        for name in names:
            if os.path.realpath(os.path.join(folder, name)) not in visited:  # a sibling may be the same by a link
                yield from walk(os.path.join(folder, name))

    return sorted(walk(path))


def entries(path: str) -> list[os.DirEntry[str]]:
    """Lists a folder.

    Args:
        path: The folder.

    Returns:
        Everything in it, hidden entries too, sorted by name.

    Raises:
        UserError: It cannot be read.
    """
    try:
        with os.scandir(path) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(
            f"{paths.shown(path)} cannot be read: {error.strerror}; change its permissions, or remove it."
        ) from error


def _takes(entry: os.DirEntry[str], left_out: LeftOut) -> bool:
    """Whether a file is media; notes it in `left_out` where it is not."""
    name, suffix = entry.name, _suffix(entry.name)
    if name.startswith("._"):
        return False  # macOS's metadata of a file, under that file's ending
    if _is_clutter(name):
        left_out.clutter.update([name] if is_media(name) else [])
    elif name.lower() in CLUTTER_FILES:
        pass
    elif entry.is_symlink() and not os.path.exists(entry.path):
        left_out.broken.append(entry.path)
    elif is_media(name):
        return True
    elif suffix in FOREIGN_SUFFIXES:
        left_out.foreign.append(entry.path)
    else:
        left_out.suffixes[suffix or "(none)"] += 1
    return False


def _is_clutter(name: str) -> bool:
    return name.startswith(".") or name.lower() in CLUTTER_FOLDERS


def _count_clutter(entry: os.DirEntry[str], left_out: LeftOut) -> None:
    """Counts the media files below a folder of clutter, as far as it can be read."""
    for _, _, names in os.walk(entry.path):
        if count := sum(is_media(name) and not name.startswith("._") for name in names):
            left_out.clutter[entry.name] += count


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _listed(counts: collections.Counter[str]) -> str:
    return ", ".join(f"{paths.shown(name)} {count:,}" for name, count in counts.most_common())


def _more(items: list[str]) -> str:
    return f" (and {len(items) - 1:,} more)" if len(items) > 1 else ""
