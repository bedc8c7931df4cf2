"""Long loops, in threads where they can be, whose progress the program that runs them may show."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
Result = TypeVar("Result")

# Items that a thread takes at once, at most: handing over each of 100,000 small files takes longer than reading it.
TAKEN_AT_ONCE = 64

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


def map_in_threads(function: Callable[[T], Result], items: Sequence[T], unit: str) -> Iterator[Result]:
    """Calls a function for every item, several at once, and reports how many are done.

    >>> list(map_in_threads(str.upper, "ab", "letters"))
    ['A', 'B']

    Args:
        function: May raise; the exception then comes from the loop over the results.
        items: What it is called for.
        unit: See `track`.

    Yields:
        What it returns, in the order of the items.
    """
    workers = (os.cpu_count() or 1) + 4  # as ThreadPoolExecutor has
    size = min(TAKEN_AT_ONCE, 1 + len(items) // (8 * workers))
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    with ThreadPoolExecutor(workers) as pool:
        results = pool.map(lambda part: [function(item) for item in part], parts)
        yield from track((result for part in results for result in part), len(items), unit)
