"""Picture files to pixels.

`probe` settles which decoder reads a file, once, from the file's content and not from its name. Pillow is the
reference: TensorFlow's decoder, which is faster, reads the files that it reads to the same pixels. Pictures are turned
upright by their EXIF orientation, transparent ones lie on a background color unless alpha is asked for, and of several
frames or pages the first is read. Pixels are uint8, or float32 in [0, 255] for files of more than 8 bits per value.
"""

import dataclasses
import functools
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from pipelines import native_output, progress, storage
from pipelines.errors import FileError
from pipelines.image_formats import foreign, pixels, png
from pipelines.image_formats.headers import (
    CODINGS,
    MAX_PIXELS,
    ImageInfo,
    damaged,
    file_errors,
    probe,
)
from pipelines.image_formats.pixels import Color, parse_color
from pipelines.image_formats.tiff import orient
from pipelines.storage import graph

__all__ = [
    "CODINGS",
    "MAX_PIXELS",
    "SUFFIXES",
    "ImageInfo",
    "check",
    "decode_color",
    "decode_file",
    "in_channels",
    "parse_color",
    "probe",
    "upright",
]

# Suffixes of pictures; those of kinds that are not read are among them, so that a sentence names the kind.
SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", ".avif",
    ".ppm", ".pgm", ".pbm", ".pnm", *foreign.SUFFIXES,
)  # fmt: skip
CHANNELS = (1, 3, 4)
WHITE: Color = (255, 255, 255)
CHECKED_TOGETHER = 128  # files whose decoders' messages are captured together

# libjpeg's words for a picture whose data ends early, which it fills up with gray.
_BAD_JPEG = "less JPEG data than announced, or wrong data"
_ENDS_EARLY = re.compile("premature end", re.IGNORECASE)


def decode_file(
    path: tf.Tensor,
    code: int | tf.Tensor,
    orientation: int | tf.Tensor,
    channels: int,
    background: Color = WHITE,
    is_deep: bool = False,
    read_bytes: Callable[[tf.Tensor], tf.Tensor] = tf.io.read_file,
) -> tf.Tensor:
    """Decodes a file in a graph.

    Args:
        path: String scalar.
        code: `ImageInfo.code`: an int32 scalar, or a Python int where all files have the same coding.
        orientation: `ImageInfo.orientation`, likewise.
        channels: 1 (gray), 3 (color) or 4 (color and alpha).
        background: The color below transparent pixels, unless alpha is kept.
        is_deep: Whether to return float32, which files of more than 8 bits need.
        read_bytes: From the path to the bytes, see `storage.graph.reader_of`.

    Returns:
        uint8 `(height, width, channels)`, or float32 in [0, 255].

    Raises:
        tf.errors.OpError: When it runs: the file is damaged.
    """
    dtype = tf.float32 if is_deep else tf.uint8

    def pillow() -> tf.Tensor:
        read = functools.partial(_read, channels=channels, background=background, dtype=dtype.as_numpy_dtype)
        return tf.numpy_function(read, [path], dtype)

    def tensorflow() -> tf.Tensor:
        return tf.cast(in_channels(upright(decode_color(read_bytes(path)), orientation), channels), dtype)

    def png16() -> tf.Tensor:
        values = tf.io.decode_png(read_bytes(path), channels=0, dtype=tf.uint16)
        finish = functools.partial(_finish_png, channels=channels, background=background)
        return tf.cast(tf.numpy_function(finish, [values, path], tf.float32), dtype)

    branches = [pillow, tensorflow, png16]
    image = branches[code]() if isinstance(code, int) else tf.switch_case(code, branches)
    return tf.ensure_shape(image, (None, None, channels))


def read(path: str | os.PathLike, channels: int, background: str = "white") -> np.ndarray:
    """Reads a picture by the code that runs in the graph.

    Args:
        path: The file.
        channels: 1 (gray), 3 (color) or 4 (color and alpha).
        background: The color below transparent pixels, see `parse_color`.

    Returns:
        uint8 `(height, width, channels)`; float32 in [0, 255] for a file of more than 8 bits.

    Raises:
        UserError: The file cannot be read.
    """
    return _checked(probe(path), channels, parse_color(background))[0]


@dataclasses.dataclass(frozen=True)
class Check:
    """What decoding a file shows.

    Attributes:
        peak: Largest value of a file of more than 8 bits; 255 for others.
        messages: What the decoder reports about damage that it could pass over.
    """

    peak: float
    messages: tuple[str, ...]


def check(info: ImageInfo) -> Check:
    """Decodes a file, to find out whether it is whole.

    Args:
        info: What `probe` returned.

    Returns:
        The Check.

    Raises:
        FileError: The file is damaged.
    """
    image, messages = _checked(info, 4 if info.is_transparent else 3, WHITE)
    return Check(_peak(image, info), tuple(messages))


def check_all(infos: Sequence[ImageInfo]) -> list[Check | FileError]:
    """Decodes files in parallel.

    Decoders in C write to the one standard error of the process. Where they do, the files of that time are decoded
    again, one by one.

    Args:
        infos: What `probe` returned for each file.

    Returns:
        What `check` returns, or the error that it raises, for each file.
    """

    def attempt(info: ImageInfo) -> Check | FileError:
        try:
            return Check(_peak(_decoded(info, 4 if info.is_transparent else 3, WHITE), info), ())
        except FileError as error:  # of Python code, which eager execution calls directly
            return error
        except tf.errors.OpError as error:
            return damaged(info.path, _reason(error))

    def attempt_again(info: ImageInfo) -> Check | FileError:
        try:
            return check(info)
        except FileError as error:
            return error

    results: list[Check | FileError] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = [infos[start : start + CHECKED_TOGETHER] for start in range(0, len(infos), CHECKED_TOGETHER)]
        for some in progress.track(parts, len(parts), f"parts of {len(infos):,} pictures"):
            with native_output.captured() as messages:
                checks = list(pool.map(attempt, some))
            results += map(attempt_again, some) if messages else checks
    return results


def _peak(image: np.ndarray, info: ImageInfo) -> float:
    return float(image[..., :3].max()) if info.is_deep else 255.0


def _checked(info: ImageInfo, channels: int, background: Color) -> tuple[np.ndarray, list[str]]:
    """(pixels of a file, messages of its decoder)."""
    failure = None
    with native_output.captured() as messages:
        try:
            image = _decoded(info, channels, background)
        except tf.errors.OpError as error:
            failure = _reason(error)
    if failure is not None:
        raise damaged(info.path, messages[-1] if messages and failure == _BAD_JPEG else failure)
    if any(_ENDS_EARLY.search(message) for message in messages):
        raise damaged(info.path, "its picture data ends early")
    return image, messages


def _decoded(info: ImageInfo, channels: int, background: Color) -> np.ndarray:
    """Pixels of a file; TensorFlow decodes every JPEG, since Pillow keeps libjpeg's messages to itself."""
    path, read_bytes = tf.constant(os.fsencode(info.path)), graph.reader_of([info.path])
    if info.has_messages and info.coding == "pillow":
        decode_color(read_bytes(path))
    return decode_file(path, info.code, info.orientation, channels, background, info.is_deep, read_bytes).numpy()


def _reason(error: tf.errors.OpError) -> str:
    """The last line of a Python traceback, or what TensorFlow's decoder says."""
    lines = [line for line in (error.message or "").strip().splitlines() if line.strip()]
    if "jpeg::" in (error.message or ""):
        return _BAD_JPEG
    sentences = re.findall(r"^(?:[\w.]*Error|PIL\.\w+): (.+)", error.message or "", re.MULTILINE)
    return sentences[-1] if sentences else re.sub(r"^\{\{.*?\}\} ", "", lines[0] if lines else "")


def decode_color(data: tf.Tensor) -> tf.Tensor:
    """Color of a JPEG, or of a PNG without alpha, uint8 `(height, width, 3)`, by Pillow's exact method."""
    return tf.ensure_shape(tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE"), (None, None, 3))


def upright(image: tf.Tensor, orientation: int | tf.Tensor) -> tf.Tensor:
    """`tiff.orient` in a graph."""
    if isinstance(orientation, int):
        if orientation == 1:
            return image
        orientation = tf.constant(orientation)

    def turned() -> tf.Tensor:
        x = tf.cond(orientation >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
        x = tf.cond(tf.reduce_any(orientation == [3, 4, 7, 8]), lambda: x[::-1], lambda: x)
        return tf.cond(tf.reduce_any(orientation == [2, 3, 6, 7]), lambda: x[:, ::-1], lambda: x)

    return tf.cond(orientation > 1, turned, lambda: image)


def in_channels(color: tf.Tensor, channels: int) -> tf.Tensor:
    """uint8 color in the number of channels; gray is computed as Pillow does, in whole numbers."""
    if channels == 4:
        return tf.concat([color, tf.fill(tf.concat([tf.shape(color)[:-1], [1]], 0), tf.constant(255, tf.uint8))], -1)
    if channels == 3:
        return color
    red, green, blue = tf.unstack(tf.cast(color, tf.int32), num=3, axis=-1)
    gray = tf.bitwise.right_shift(red * 19595 + green * 38470 + blue * 7471 + 32768, 16)
    return tf.cast(gray, tf.uint8)[..., None]


def _read(path: bytes | np.ndarray, channels: int, background: Color, dtype: type) -> np.ndarray:
    """Pillow's pixels, as a graph calls it."""
    name = _path(path)
    with file_errors(name):
        info = probe(name)
        image = pixels.read(name, info.kind, channels, background, info.is_deep)
    return np.ascontiguousarray(image, dtype)


def _finish_png(values: np.ndarray, path: bytes | np.ndarray, channels: int, background: Color) -> np.ndarray:
    """float32 pixels of the values of a PNG of 16 bits, as a graph calls it."""
    name = _path(path)
    with file_errors(name), storage.open_binary(name) as file:
        chunks = png.read_chunks(file)
        if chunks is not None and chunks.key:
            opaque = (values != np.array(chunks.key, np.uint16)).any(axis=-1, keepdims=True)
            values = np.concatenate([values, 65535 * opaque.astype(np.uint16)], axis=-1)
        orientation = probe(name).orientation if chunks is not None and chunks.has_metadata else 1
    return np.ascontiguousarray(orient(pixels.convert_deep(values, 65535, channels, background), orientation))


def _path(path: bytes | np.ndarray) -> str:
    """A path as TensorFlow passes it to Python: bytes in a graph, an array with bytes in eager mode."""
    return os.fsdecode(path if isinstance(path, bytes) else path.item())
