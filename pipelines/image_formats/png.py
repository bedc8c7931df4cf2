"""The chunks of a PNG file (PNG Specification, third edition)."""

import dataclasses
from typing import BinaryIO

# Text chunks that may hold an orientation.
_METADATA = (b"Raw profile type exif", b"Raw profile type APP1", b"XML:com.adobe.xmp")


@dataclasses.dataclass(frozen=True)
class Chunks:
    """What the chunks say, without any pixels."""

    bits: int  # per value, of the header
    color: int  # color type: 0 gray, 2 RGB, 3 palette, 4 gray with alpha, 6 RGB with alpha
    names: frozenset[bytes]
    has_metadata: bool  # EXIF or XMP, wherever it is stored
    key: tuple[int, ...]  # of gray or RGB: the values of the one transparent color; empty where there is not one
    is_complete: bool  # the last chunk is the end mark

    @property
    def is_transparent(self) -> bool:
        """Whether there is an alpha channel or a transparent color."""
        return self.color in (4, 6) or b"tRNS" in self.names


def read_chunks(file: BinaryIO) -> Chunks | None:
    """Reads the headers of all chunks.

    Args:
        file: The file.

    Returns:
        The Chunks; None without a header chunk.
    """
    file.seek(8)
    names, has_metadata, key, header = set(), False, b"", b""
    while len(head := file.read(8)) == 8:
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        names.add(name)
        if name == b"IEND":
            break
        if name in (b"IHDR", b"tRNS", b"tEXt", b"zTXt", b"iTXt"):
            data = file.read(length)
            header = data if name == b"IHDR" else header
            key = data if name == b"tRNS" else key
            has_metadata |= name.lower().endswith(b"txt") and data.startswith(_METADATA)
            file.seek(4, 1)
        else:
            has_metadata |= name == b"eXIf"
            file.seek(length + 4, 1)
    if len(header) != 13:
        return None
    values = tuple(int.from_bytes(key[i : i + 2], "big") for i in range(0, len(key) - 1, 2))
    transparent = values if header[9] in (0, 2) else ()
    return Chunks(header[8], header[9], frozenset(names), has_metadata, transparent, b"IEND" in names)
