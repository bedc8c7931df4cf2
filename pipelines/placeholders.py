"""Text in the place of pictures and audio: pointers of Git LFS, and the pages that failed downloads leave."""

import os

from pipelines import paths
from pipelines.errors import FileError

# First bytes, in lower case, after white space -> what the file is, and what to do.
_KINDS = {
    b"version https://git-lfs": ("Git LFS pointer", "fetch the files that pointers stand for (git lfs pull)"),
    b"<!doctype html": ("web page", "a download has failed; repeat it"),
    b"<html": ("web page", "a download has failed; repeat it"),
}


def check(path: str | os.PathLike, head: bytes) -> None:
    """Refuses text that stands in the place of media.

    Args:
        path: The file.
        head: Its first bytes.

    Raises:
        FileError: The file is such a text; it says what to do.
    """
    text = head[:256].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    for start, (kind, advice) in _KINDS.items():
        if text.startswith(start):
            raise FileError(
                f"{paths.shown(os.fspath(path))} is a {kind} and not the file that its name says: {advice}.", kind
            )
