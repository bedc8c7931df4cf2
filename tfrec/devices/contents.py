"""What a file says of itself: JSON and texts by name, in an archive after a LiteRT model, or in ONNX's metadata.

Readers of LiteRT models ignore what follows them, and tools for Android look for texts such as labels there; `unzip`
lists them.
"""

from __future__ import annotations

import pathlib
import zipfile
from collections.abc import Mapping

DESCRIPTION, LABELS, CERTIFICATE = "tfrec.json", "labels.txt", "certificate.json"
MAX_BYTES = 16_000_000  # of a text
_LITERT_MARK = b"TFL3"  # at byte 4


class ContentsError(Exception):
    """A file that is not what its name says: a clause."""


def write(path: pathlib.Path, texts: Mapping[str, str]) -> None:
    """Adds texts to a file."""
    if path.suffix == ".onnx":
        import onnx

        model = onnx.load(path)
        for name, text in texts.items():
            model.metadata_props.add(key=name, value=text)
        onnx.save(model, path)
        return
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in texts.items():
            # Not compressed, as those tools want it; of a fixed date, so that equal contents make equal files.
            archive.writestr(zipfile.ZipInfo(name), text)


def read_litert(path: str) -> dict[str, str]:
    """The texts of a LiteRT file; ContentsError where it is no such file, or has none."""
    with open(path, "rb") as file:
        if file.read(8)[4:] != _LITERT_MARK:
            raise ContentsError("is no LiteRT model by its first bytes")
    try:
        with zipfile.ZipFile(path) as archive:
            texts = {}
            for name in (DESCRIPTION, LABELS, CERTIFICATE):
                if name not in archive.namelist():
                    continue
                with archive.open(name) as member:  # its size in the archive's list may be a lie
                    content = member.read(MAX_BYTES + 1)
                if len(content) > MAX_BYTES:
                    raise ContentsError(f"holds a {name} of more than {MAX_BYTES:,} bytes")
                texts[name] = content.decode("utf-8")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError):
        raise ContentsError("is truncated, or was not exported by tfrec") from None
    return texts
