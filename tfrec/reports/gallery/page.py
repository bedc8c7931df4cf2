"""The page of a gallery: one self-contained HTML file with filters."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from tfrec.reports import pages
from tfrec.utils.files import atomic_write


class Fact(NamedTuple):
    """A line below the name of an example; its kind is its color."""

    kind: Literal["right", "wrong", "plain"]
    name: str
    text: str


@dataclasses.dataclass(frozen=True)
class Item:
    """An example on the page.

    Attributes:
        name: Its file, or another name.
        facts: What is known of it.
        columns: Values by which the page can be filtered; empty where one is not known.
        pictures: PNG files, base64.
        sound: A WAV file, base64; None without sound.
    """

    name: str
    facts: Sequence[Fact]
    columns: Mapping[str, str]
    pictures: Sequence[str] = ()
    sound: str | None = None


def write(path: pathlib.Path, title: str, summary: str, items: Sequence[Item]) -> None:
    """Writes a page; a column in which not all items are the same has a filter.

    Args:
        path: HTML file to write.
        title: Of the page.
        summary: A sentence below the title.
        items: All with the same columns.
    """
    names = items[0].columns if items else ()
    values = {name: sorted({item.columns[name] for item in items}) for name in names}
    filters = {name: [value for value in known if value] for name, known in values.items() if len(known) > 1}
    page = pages.render("tfrec.reports", "gallery.html.j2", title=title, summary=summary, items=items, filters=filters)
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
