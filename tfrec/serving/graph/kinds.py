"""Kinds of files by their first bytes."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.serving.graph import fields

Tensor = Any

# Kind -> (place, bytes) that its files have, all of them.
_MAGIC: tuple[tuple[str, tuple[tuple[int, bytes], ...]], ...] = (
    ("JPEG", ((0, b"\xff\xd8\xff"),)),
    ("PNG", ((0, b"\x89PNG\r\n\x1a\n"),)),
    ("WAV", ((0, b"RIFF"), (8, b"WAVE"))),
    ("GIF", ((0, b"GIF8"),)),
    ("BMP", ((0, b"BM"),)),
    ("WebP", ((0, b"RIFF"), (8, b"WEBP"))),
    ("AVI", ((0, b"RIFF"), (8, b"AVI "))),
    ("TIFF", ((0, b"II*\0"),)),
    ("TIFF", ((0, b"MM\0*"),)),
    ("AVIF", ((4, b"ftypavi"),)),
    ("HEIC", ((4, b"ftyphei"),)),
    ("HEIC", ((4, b"ftypmif1"),)),
    ("MP4", ((4, b"ftyp"),)),
    ("PSD", ((0, b"8BPS"),)),
    ("PDF", ((0, b"%PDF"),)),
    ("SVG", ((0, b"<svg"),)),
    ("ICO", ((0, b"\0\0\1\0"),)),
    ("PPM", ((0, b"P6"),)),
    ("PGM", ((0, b"P5"),)),
    ("JPEG 2000", ((0, b"\0\0\0\x0cjP  "),)),
    ("JPEG 2000", ((0, b"\xff\x4f\xff\x51"),)),
    ("JPEG XL", ((0, b"\xff\x0a"),)),
    ("JPEG XL", ((0, b"\0\0\0\x0cJXL "),)),
    ("big-endian WAV (RIFX)", ((0, b"RIFX"),)),
    ("64-bit WAV (RF64)", ((0, b"RF64"),)),
    ("64-bit WAV (BW64)", ((0, b"BW64"),)),
    ("Wave64", ((0, b"riff"),)),
    ("FLAC", ((0, b"fLaC"),)),
    ("Ogg", ((0, b"OggS"),)),
    ("MP3", ((0, b"ID3"),)),
    ("AAC", ((0, b"\xff\xf1"),)),
    ("AAC", ((0, b"\xff\xf9"),)),
    ("AIFF", ((0, b"FORM"),)),
    ("AU", ((0, b".snd"),)),
    ("NIST SPHERE", ((0, b"NIST_1A"),)),
    ("CAF", ((0, b"caff"),)),
    ("AMR", ((0, b"#!AMR"),)),
    ("Matroska or WebM", ((0, b"\x1a\x45\xdf\xa3"),)),
    ("gzip", ((0, b"\x1f\x8b"),)),
    ("ZIP", ((0, b"PK\3\4"),)),
)
_HEAD_BYTES = 16


def of(contents: Tensor) -> Tensor:
    """Names the kinds of files by their first bytes.

    Args:
        contents: Strings `(batch,)`.

    Returns:
        Strings `(batch,)`, such as "PNG"; "empty" without bytes, and "" for a kind that is not known.
    """
    head = fields.read(contents, 0, _HEAD_BYTES)
    matches = tf.reduce_all((head[:, None] == tf.constant(_PATTERNS)) | (tf.constant(_PATTERNS) < 0), axis=-1)
    # Eleven bits of ones begin a frame of MPEG audio, whose layer is not 0.
    is_frame = (head[:, 0] == 255) & (head[:, 1] >= 224) & (head[:, 1] // 2 % 4 > 0)
    found = tf.concat([matches, is_frame[:, None], tf.ones_like(is_frame)[:, None]], axis=1)
    names = tf.constant([kind for kind, _ in _MAGIC] + ["MP3", ""])
    return tf.where(contents == "", "empty", tf.gather(names, tf.argmax(tf.cast(found, tf.int32), axis=1)))


def _patterns() -> np.ndarray:
    """The bytes of each kind, int64 `(kinds, _HEAD_BYTES)`, -1 for any."""
    patterns = np.full((len(_MAGIC), _HEAD_BYTES), -1, np.int64)
    for row, (_, parts) in zip(patterns, _MAGIC, strict=True):
        for start, magic in parts:
            row[start : start + len(magic)] = list(magic)
    return patterns


_PATTERNS = _patterns()


def refusals(contents: Tensor, wanted: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Finds files of other kinds than those that are read.

    Args:
        contents: Strings `(batch,)`.
        wanted: Names of the kinds that are read.

    Returns:
        The kinds, and what is wrong with each file, "" for nothing: strings `(batch,)`.
    """
    kinds, listed = of(contents), " or ".join(wanted)
    is_wanted = tf.reduce_any(tf.stack([kinds == kind for kind in wanted]), axis=0)
    named = tf.strings.join(["is a file of the kind ", kinds, f", which is not read: send {listed}"])
    other = tf.where(kinds == "", f"is no {listed} file by its first bytes: send {listed}", named)
    empty = f"has no bytes: send a {listed} file"
    return kinds, tf.where(is_wanted, "", tf.where(kinds == "empty", empty, other))
