"""Numbers of things in sentences."""


def counted(count: int, noun: str, plural: str = "") -> str:
    """Writes a number and what it counts.

    >>> counted(1, "file"), counted(2, "file"), counted(12_000, "entry", "entries"), counted(0, "class", "classes")
    ('1 file', '2 files', '12,000 entries', '0 classes')

    Args:
        count: The number.
        noun: What is counted, in the singular; words before and after the noun may be part of it.
        plural: The same for other numbers than 1; empty adds an "s".

    Returns:
        The number, with commas, and the noun.
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def share(count: int, total: int, noun: str, plural: str = "") -> str:
    """Writes how many of all are meant; what follows agrees with the first number, see `verb`.

    >>> share(1, 70, "example"), share(1, 1, "entry", "entries")
    ('1 of 70 examples', '1 of 1 entry')
    """
    return f"{count:,} of {counted(total, noun, plural)}"


def verb(count: int, singular: str, plural: str) -> str:
    """Chooses the form of a verb for a number of things.

    >>> verb(1, "is", "are"), verb(2, "is", "are")
    ('is', 'are')
    """
    return singular if count == 1 else plural
