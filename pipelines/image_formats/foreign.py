"""Kinds of files that show pictures and are not read, found by their content, and by their suffix where it decides."""

import os

from pipelines import placeholders
from pipelines.errors import FileError

# What cameras call their raw files: most of them are TIFF files whose first picture is a thumbnail.
RAW_SUFFIXES = (".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw")
SUFFIXES = (".heic", ".heif", ".svg", ".psd", ".jp2", ".j2k", ".jxl", *RAW_SUFFIXES)

_TO_PNG = "export it as PNG"
# How a kind is converted.
_ADVICE = {
    "HEIC": "convert it (heif-convert a.heic a.png), or set the phone to save JPEG",
    "SVG": "draw it in pixels (rsvg-convert a.svg -o a.png)",
    "PDF": "convert its pages (pdftoppm -png a.pdf a)",
    "PSD": _TO_PNG,
    "JPEG 2000": "convert it (opj_decompress -i a.jp2 -o a.png)",
    "JPEG XL": "convert it (djxl a.jxl a.png)",
}
_MAGIC = {
    b"%PDF": "PDF",
    b"8BPS": "PSD",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
}
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def check(path: str, head: bytes) -> None:
    """Refuses the kinds that are known and not read.

    Args:
        path: The file.
        head: Its first bytes, at least 64 where it has them.

    Raises:
        FileError: The file is of such a kind; it says how to convert it.
    """
    placeholders.check(path, head)
    if (
        os.path.splitext(path)[1].lower() in RAW_SUFFIXES
        or head[:10] == b"II*\0\x10\0\0\0CR"
        or head.startswith(b"FUJIFILMCCD-RAW")
    ):
        refuse_raw(path)
    kind = kind_of(head)
    if kind:
        raise FileError(f"{path} is a {kind} file, which is not read: {_ADVICE[kind]}.", kind)


def refuse_raw(path: str) -> None:
    """Raises the FileError for a raw picture of a camera."""
    kind = "raw camera picture"
    raise FileError(f"{path} is a {kind}, which is not read: develop it and save it as PNG or JPEG.", kind)


def kind_of(head: bytes) -> str:
    """Names the kind by a file's first bytes; empty where it is not one of those that are known and not read."""
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    brands = {head[i : i + 4] for i in range(8, min(len(head), int.from_bytes(head[:4], "big")), 4)}
    if head[4:8] == b"ftyp" and brands & set(_HEIF_BRANDS) and not brands & {b"avif", b"avis"}:
        return "HEIC"
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    return "SVG" if text.startswith(b"<svg") or (text.startswith(b"<?xml") and b"<svg" in text) else ""
