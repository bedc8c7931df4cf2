"""The blocks of a GIF file (GIF89a Specification)."""

from typing import BinaryIO


def is_complete(file: BinaryIO) -> bool:
    """Checks that a file does not end inside a block; only the end mark may be missing.

    Args:
        file: The file.

    Returns:
        Whether all blocks are whole.
    """
    file.seek(0)
    header = file.read(13)
    if len(header) < 13:
        return False
    file.seek(_table_bytes(header[10]), 1)
    frames = 0
    while byte := file.read(1):
        if byte == b";":
            return True
        if byte == b"!":
            file.seek(1, 1)
        elif byte == b",":
            descriptor = file.read(9)
            if len(descriptor) < 9:
                return False
            file.seek(_table_bytes(descriptor[8]) + 1, 1)
            frames += 1
        else:
            continue  # decoders skip what is between blocks
        if not _skip_blocks(file):
            return False
    return frames > 0


def _table_bytes(flags: int) -> int:
    """Bytes of the color table that the flags announce."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(file: BinaryIO) -> bool:
    """Skips sub-blocks up to their end mark; False where the file ends before it."""
    while size := file.read(1):
        if size == b"\0":
            return True
        if len(file.read(size[0])) < size[0]:
            return False
    return False
