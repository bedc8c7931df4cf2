"""Files of a corpus that cannot be used: all of them in one sentence, in a list, or left out."""

import collections
import csv
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from pipelines import paths, progress
from pipelines.counts import share, verb
from pipelines.errors import FileError, UserError

if TYPE_CHECKING:
    from pipelines.datasets.files import Row

MAX_NAMED = 30  # files that a sentence names where no list is written

# What is wrong, by the words of a sentence that does not say itself of which kind it is.
_KINDS = {
    "missing": r"No such file",
    "empty": r"\bis empty",
    "truncated or damaged": r"truncated|damaged|cannot be decoded",
    "not readable": "",
}

Result = TypeVar("Result")


def probe_all(probe: Callable[[str], Result], paths: Sequence[str]) -> tuple[dict[str, Result], dict[str, UserError]]:
    """Calls a function for every file, in parallel.

    Args:
        probe: Raises UserError for a file that cannot be used.
        paths: The files, each once.

    Returns:
        Path -> what `probe` returned; path -> what it raised.
    """

    def attempt(path: str) -> Result | UserError:
        try:
            return probe(path)
        except UserError as error:
            return error

    results: dict[str, Result] = {}
    errors: dict[str, UserError] = {}
    for path, result in zip(paths, progress.map_in_threads(attempt, paths, "files"), strict=True):
        if isinstance(result, UserError):
            errors[path] = result
        else:
            results[path] = result
    return results, errors


def kind_of(error: UserError) -> str:
    """A few words on what is wrong with a file."""
    if isinstance(error, FileError):
        return error.kind
    return next(kind for kind, pattern in _KINDS.items() if re.search(pattern, str(error)))


def describe(errors: Mapping[str, UserError], total: int) -> str:
    """Counts files that cannot be used by what is wrong with them, such as "2 of 9 files cannot be used (2 empty)".

    Args:
        errors: Path -> its error, at least one.
        total: Number of all files.

    Returns:
        The words, without a full stop.
    """
    counts = collections.Counter(kind_of(error) for error in errors.values())
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
    return f"{share(len(errors), total, 'file')} cannot be used ({kinds})"


def check(errors: Mapping[str, UserError], total: int, list_path: str | None) -> None:
    """Raises one error about all files that cannot be used.

    Args:
        errors: Path -> its error.
        total: Number of all files.
        list_path: Where the list of all is written, with a reason each; None names up to MAX_NAMED in the sentence.

    Raises:
        UserError: There are errors. It counts them by kind, has the first one and says where all names are.
    """
    if not errors:
        return
    first = next(iter(errors.values()))
    if total == 1 and not list_path:
        raise first
    if list_path:
        write(errors, list_path)
        names = f"all of them are in {list_path}"
    elif len(errors) <= MAX_NAMED:
        names = f"all of them: {', '.join(errors)}"
    else:
        names = f"{', '.join(list(errors)[:MAX_NAMED])}, ...; data.broken_list writes all names into a file"
    raise UserError(
        f"{describe(errors, total)}: repair or remove them, or leave them out by data.skip_broken. The first: {first}"
        f" And {names}"
    )


def without(
    rows: "Sequence[Row]", parts: Mapping[str, np.ndarray], errors: Mapping[str, UserError]
) -> "tuple[list[Row], dict[str, np.ndarray]]":
    """Leaves out rows whose files cannot be used; the others stay in their splits.

    Args:
        rows: One per example.
        parts: Split name -> indices of rows.
        errors: Path -> its error.

    Returns:
        The other rows; split name -> indices of these.
    """
    kept = np.array([row.path not in errors for row in rows], bool)
    numbers = np.cumsum(kept) - 1
    others = [row for row, keep in zip(rows, kept, strict=True) if keep]
    return others, {name: numbers[indices[kept[indices]]] for name, indices in parts.items()}


def remaining(
    rows: "Sequence[Row]", parts: Mapping[str, np.ndarray], errors: Mapping[str, UserError], class_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Leaves out rows whose files cannot be used from the splits.

    Args:
        rows: One per example.
        parts: Split name -> indices of rows.
        errors: Path -> its error.
        class_names: The classes; each must stay in the training split.

    Returns:
        Split name -> indices of the other rows.

    Raises:
        UserError: A split or a class would be empty.
    """
    left = {
        name: np.array([i for i in indices if rows[i].path not in errors], np.int64) for name, indices in parts.items()
    }
    for name, indices in left.items():
        if not len(indices):
            raise UserError(f"data.skip_broken leaves no example in {name}: repair files, or add others.")
    missing = set(class_names) - {rows[i].label for i in left["train"]}
    if missing:
        raise UserError(f"data.skip_broken leaves no training example of class {min(missing)!r}: repair files of it.")
    return left


def write(errors: Mapping[str, UserError], path: str) -> None:
    """Writes a CSV file with the columns path, kind and reason.

    Args:
        errors: Path -> its error.
        path: The file, which is replaced.

    Raises:
        UserError: It cannot be written.
    """
    try:
        with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file)
            writer.writerow(("path", "kind", "reason"))
            writer.writerows(
                (paths.cell(name), kind_of(error), paths.cell(str(error))) for name, error in errors.items()
            )
    except OSError as error:
        raise UserError(f"data.broken_list {path} cannot be written: {error.strerror}.") from error


def note(errors: Mapping[str, UserError], total: int, list_path: str | None) -> str:
    """Builds the note of a corpus without the files that cannot be used.

    Args:
        errors: Path -> its error, at least one.
        total: Number of all files.
        list_path: As `check` takes it.

    Returns:
        The sentence.
    """
    if list_path:
        write(errors, list_path)
    names = list(errors)
    listed = f"all in {list_path}" if list_path else ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{describe(errors, total)} and {verb(len(errors), 'is', 'are')} left out by data.skip_broken: {listed}."
