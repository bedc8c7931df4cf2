"""Progress of long loops, which the program that runs them may show."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

Update = Callable[[int], None]  # takes the number of finished items
Show = Callable[[str, int], contextlib.AbstractContextManager[Update]]


@contextlib.contextmanager
def _hidden(unit: str, total: int) -> Iterator[Update]:
    yield lambda done: None


_shown_by: list[Show] = [_hidden]


def show_by(show: Show) -> None:
    """Sets what shows the progress of this process; without it nothing does.

    Args:
        show: From what is counted, in the plural, and how many there are to a context that yields an Update.
    """
    _shown_by[0] = show


def track(items: Iterable[T], total: int, unit: str) -> Iterator[T]:
    """Yields the items of a loop, and reports after each how many are done.

    >>> list(track("ab", 2, "letters"))
    ['a', 'b']

    Args:
        items: What the loop goes through.
        total: Number of items.
        unit: What is counted, in the plural: "files".

    Yields:
        Each item.
    """
    with _shown_by[0](unit, total) as update:
        for done, item in enumerate(items, 1):
            yield item
            update(done)
