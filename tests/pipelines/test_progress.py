"""Loops in threads: every item once, in order, few or many at once, and their progress."""

import contextlib
import threading

import pytest

from pipelines import progress


@pytest.mark.parametrize("count", [0, 1, 7, 63, 64, 65, 5000])
def test_every_item_once_and_in_order(count):
    assert list(progress.map_in_threads(lambda i: -i, range(count), "numbers")) == [-i for i in range(count)]


def test_few_items_are_taken_one_by_one():
    """So that two long ones are not in the same thread."""
    both = threading.Barrier(2, timeout=20)
    assert sorted(progress.map_in_threads(lambda _: both.wait(), range(2), "recordings")) == [0, 1]


def test_an_exception_comes_from_the_loop():
    def refuse(i):
        if i == 3:
            raise ValueError("three")
        return i

    seen = []
    with pytest.raises(ValueError, match="three"):
        seen.extend(progress.map_in_threads(refuse, range(5), "numbers"))


def test_progress_counts_every_item(monkeypatch):
    shown = []

    @contextlib.contextmanager
    def show(unit, total):
        shown.append((unit, total))
        yield shown.append

    monkeypatch.setattr(progress, "_shown_by", [show])
    list(progress.map_in_threads(str, range(200), "files"))
    assert shown == [("files", 200), *range(1, 201)]
