"""What the header of a picture file says, and which decoder reads it."""

import contextlib
import dataclasses
import os
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from pipelines import storage
from pipelines.errors import FileError
from pipelines.image_formats import foreign, gif, jpeg, pixels, png, tiff

# Which decoder reads a file; a graph takes a coding as its index here. TensorFlow's equals Pillow's where it is used.
CODINGS = ("pillow", "tensorflow", "png16")
MAX_PIXELS = 100_000_000  # a small file may announce a picture that fills the memory
READ_KINDS = "JPEG, PNG, BMP, GIF, WebP, TIFF, AVIF or PPM"
# What Pillow's readers raise on damaged files.
PILLOW_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, RuntimeError,
    struct.error, zlib.error,
)  # fmt: skip

_ORIENTATION = 0x0112  # EXIF's tag
_HEAD_BYTES = 1024


@dataclasses.dataclass(frozen=True)
class ImageInfo:
    """The content of a file's header."""

    path: str
    kind: str  # Pillow's name of the format
    height: int  # pixels, upright
    width: int
    coding: str  # one of CODINGS
    orientation: int = 1  # EXIF's; 1 is upright
    bits: int = 8  # per value: 8, or more
    is_transparent: bool = False  # has an alpha channel or transparent colors
    is_animated: bool = False  # has further frames or pages, which are not read
    has_messages: bool = False  # TensorFlow's decoder reports damage, which Pillow's does not

    @property
    def code(self) -> int:
        """The coding as graphs take it."""
        return CODINGS.index(self.coding)

    @property
    def is_deep(self) -> bool:
        """Whether pixels are float32, since they have more than 8 bits."""
        return self.bits > 8

    def read_by_pillow(self) -> "ImageInfo":
        """The same file, read by Pillow, whose decoder writes nothing to the terminal."""
        return dataclasses.replace(self, coding="pillow")


def probe(path: str | os.PathLike) -> ImageInfo:
    """Reads the header of a picture.

    Args:
        path: The file.

    Returns:
        The ImageInfo; no pixels are decoded.

    Raises:
        FileError: The file is missing, empty, not a picture that is read, or has more than MAX_PIXELS.
    """
    path = os.fspath(path)
    with file_errors(path):
        with storage.open_binary(path) as file:
            head = file.read(_HEAD_BYTES)
            if not head:
                raise FileError(f"{path} is empty: replace or remove it.", "empty")
            foreign.check(path, head)
            fields = _fields(path, head, file)
            directory = tiff.read_directory(file)
        if directory and directory.is_dng:
            foreign.refuse_raw(path)
        if directory and directory.is_deep(path):
            return _deep_tiff(path, directory)
        with pixels.open_image(path) as image:
            _check_size(path, *image.size)
            if directory:
                fields["orientation"] = directory.orientation
            return _info(path, image, fields)


@contextlib.contextmanager
def file_errors(path: str) -> Iterator[None]:
    """Raises a FileError with the path for what Pillow raises on missing and damaged files."""
    from PIL import Image

    try:
        yield
    except Image.DecompressionBombError as error:
        raise FileError(f"{path} is too large a picture: {error}", "too many pixels") from error
    except Image.UnidentifiedImageError as error:
        raise FileError(f"{path} is not a {READ_KINDS} picture.", "no picture") from error
    except OSError as error:
        if error.strerror:
            raise FileError(f"{path} cannot be read: {error.strerror}.", error.strerror) from error
        raise damaged(path, str(error)) from error
    except PILLOW_ERRORS as error:
        raise damaged(path, str(error)) from error


def damaged(path: str, reason: str) -> FileError:
    """Builds the error for a file whose pixels cannot be decoded."""
    reason = " ".join(reason.split())[:200]
    return FileError(
        f"{path} cannot be decoded as a picture: it is truncated or damaged ({reason}); copy it again, or save it"
        " again as PNG.",
        "truncated or damaged",
    )


def _fields(path: str, head: bytes, file: Any) -> dict[str, Any]:
    """What is in the file and not in what Pillow reads: arguments of ImageInfo."""
    if head.startswith(b"\xff\xd8\xff"):
        frame = jpeg.read_frame(file)
        if frame and frame.bits > 8:
            raise FileError(
                f"{path} is a JPEG of {frame.bits} bits, which is not read: save it as PNG of 16 bits.",
                f"JPEG of {frame.bits} bits",
            )
        is_plain = frame is not None and frame.is_huffman
        fast = is_plain and frame is not None and frame.components in (1, 3)
        return {"coding": "tensorflow" if fast else "pillow", "has_messages": is_plain}
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        chunks = png.read_chunks(file)
        if chunks is None:
            raise damaged(path, "no header")
        if chunks.bits == 16:
            fields = {"bits": 16, "is_transparent": chunks.is_transparent, "coding": "png16"}
        else:
            is_special = chunks.is_transparent or chunks.has_metadata or b"acTL" in chunks.names
            fields = {"coding": "pillow" if is_special or not chunks.is_complete else "tensorflow"}
        return {**fields, "has_metadata": chunks.has_metadata}
    if head.startswith(b"GIF8") and not gif.is_complete(file):
        raise damaged(path, "the file ends inside a frame")
    return {}


def _check_size(path: str, width: int, height: int) -> None:
    """FileError for a picture that has more than MAX_PIXELS."""
    if height * width > MAX_PIXELS:
        raise FileError(
            f"{path} announces {width} x {height} pixels: the maximum is {MAX_PIXELS:,}; scale it down.",
            "too many pixels",
        )


def _deep_tiff(path: str, directory: tiff.Directory) -> ImageInfo:
    """The ImageInfo of a TIFF with more than 8 bits, some of which Pillow does not open."""
    height, width = directory.size
    _check_size(path, width, height)
    return ImageInfo(
        path,
        "TIFF",
        height,
        width,
        "pillow",
        directory.orientation,
        directory.bits,
        is_transparent=directory.channels in (2, 4),
        is_animated=directory.has_pages,
    )


def _info(path: str, image: Any, fields: dict[str, Any]) -> ImageInfo:
    """The ImageInfo of an image that Pillow has opened."""
    width, height = image.size
    is_png, is_tiff = image.format == "PNG", image.format == "TIFF"
    orientation = fields.pop("orientation", 1)
    # Pillow decodes a whole PNG to search for its EXIF.
    if fields.pop("has_metadata", not is_png) and not is_tiff:
        orientation = image.getexif().get(_ORIENTATION, 1)
    if orientation not in range(2, 9):
        orientation = 1
    if orientation >= 5 and not is_tiff:  # Pillow gives those of TIFF upright
        width, height = height, width
    if "bits" not in fields:
        if image.mode == "I" and image.format == "PPM":
            fields["bits"] = 16
        elif image.mode in ("I", "F") or image.mode.startswith("I;"):
            raise FileError(
                f"{path} holds values of the kind {image.mode}, whose range is not known: save it with 8 or 16 bits.",
                "values of 32 bits",
            )
        fields["is_transparent"] = pixels.is_transparent(image)
    # Two pictures of a phone in one JPEG are no animation.
    is_animated = image.format != "MPO" and getattr(image, "is_animated", False)
    return ImageInfo(
        path, image.format, height, width, orientation=orientation, is_animated=is_animated,
        **{"coding": "pillow", **fields},
    )  # fmt: skip
