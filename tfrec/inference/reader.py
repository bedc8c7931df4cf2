"""Sources of a prediction: paths, bytes and arrays -> pixels or samples."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipelines import audio as audio_files
from pipelines import images as image_files
from pipelines.datasets import files
from pipelines.errors import UserError
from pipelines.image_formats import moving


def listed(sources: Any) -> list[Any]:
    """One source or several -> a list of them; a pair of a waveform and its rate is one source."""
    if isinstance(sources, str | bytes | os.PathLike | np.ndarray | Mapping) or _has_rate(sources):
        return [sources]
    return list(sources)


def kind(source: Any, kinds: Sequence[str]) -> str:
    """What a source is, one of some kinds: "image" or "audio", or "video" in place of "image".

    Raises:
        UserError: for a file that is neither by its name or by its first bytes.
    """
    if len(kinds) == 1:
        return kinds[0]
    picture = next(each for each in kinds if each != "audio")
    if isinstance(source, str | os.PathLike):
        is_sound = files.modality_of([os.fspath(source)]) == "audio"
    elif isinstance(source, bytes):
        is_sound = source[:4] in (b"RIFF", b"fLaC", b"OggS", b"NIST") or source[:3] == b"ID3"
        is_sound = is_sound and source[8:12] != b"WEBP"
    else:
        is_sound = _has_rate(source) or np.ndim(source) == 1
    return "audio" if is_sound else picture


def pair(sources: Mapping[str, Any], read: Callable[[Any], Any], names: Sequence[str]) -> dict[str, Any]:
    """The sources of a picture and of a clip -> {"image": pixels, "audio": samples}.

    Args:
        sources: {"image": source, "audio": source}, with these names.
        read: from a source to a dict with the one of the two that it is.
        names: of a picture and of a clip, "image" and "audio" or "video" and "audio".

    Raises:
        UserError: for a file that cannot be read, or is of the other kind.
        ValueError: for other keys, and where one source is enough.
    """
    if len(names) > 1 and set(sources) != set(names):
        rule = f"A pair must have the keys {' and '.join(names)}"
        raise ValueError(f"{rule}. Received: {', '.join(map(str, sources))}")
    parts: dict[str, Any] = {}
    for name, source in sources.items():
        raw = read(source)
        if not isinstance(raw, dict):
            raise ValueError("The model takes one source at a time, not pairs.")
        if name not in raw:
            raise UserError(f"The source of {name} of a pair is of another kind: {source!r}.")
        parts |= raw
    return parts


def image(
    source: Any, channels: int, background: str = "white", reduced_to: tuple[int, int] | None = None
) -> np.ndarray:
    """A path, the bytes of a file, or pixels -> uint8 `(height, width, channels)`; see `images.read`.

    Raises:
        UserError: for a file that cannot be read.
        ValueError: for an array of another shape, or with values outside 0 to 255.
    """
    if isinstance(source, bytes):
        return _from_bytes(source, lambda path: image_files.read(path, channels, background, reduced_to))
    if isinstance(source, str | os.PathLike):
        return image_files.read(source, channels, background, reduced_to)
    pixels = np.asarray(source)
    if pixels.ndim == 2 and channels == 1:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[-1] != channels:
        raise ValueError(f"A picture must have the shape (height, width, {channels}). Received: {pixels.shape}")
    if pixels.dtype != np.uint8 and (pixels.min(initial=0) < 0 or pixels.max(initial=0) > 255):
        raise ValueError(f"Pixels must be from 0 to 255. Received: {pixels.min(initial=0)} to {pixels.max(initial=0)}")
    return pixels


def video(source: Any, channels: int, frames_per_second: int, background: str = "white") -> np.ndarray:
    """A path, the bytes of a file, or pixels at that rate -> uint8 `(frames, height, width, channels)`.

    Raises:
        UserError: for a file that cannot be read.
        ValueError: for an array of another shape or type.
    """
    reading = channels, image_files.parse_color(background), frames_per_second
    if isinstance(source, bytes):
        return _from_bytes(source, lambda path: moving.read(path, *reading))
    if isinstance(source, str | os.PathLike):
        return moving.read(source, *reading)
    pixels = np.asarray(source)
    if pixels.ndim != 4 or pixels.shape[-1] != channels or not len(pixels) or pixels.dtype != np.uint8:
        received = f"{pixels.dtype} {pixels.shape}"
        raise ValueError(
            f"Moving pictures must be uint8 of the shape (frames, height, width, {channels}). Received: {received}"
        )
    return pixels


def audio(source: Any, sample_rate_hz: int, channel: str = "average") -> np.ndarray:
    """A path, the bytes of a file, samples, or a pair of samples and their rate -> float32 `(samples,)`.

    Args:
        source: see above.
        sample_rate_hz: the rate to convert to.
        channel: of a file, see `pipelines.audio.read`.

    Raises:
        UserError: for a file that cannot be read.
        ValueError: for samples of another shape.
    """
    if isinstance(source, bytes):
        return _from_bytes(source, lambda path: audio_files.read(path, sample_rate_hz, channel=channel)[0])
    if isinstance(source, str | os.PathLike):
        return audio_files.read(source, sample_rate_hz, channel=channel)[0]
    samples, rate = source if _has_rate(source) else (source, sample_rate_hz)
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise ValueError(f"A waveform must have the shape (samples,). Received: {samples.shape}")
    if np.issubdtype(samples.dtype, np.integer):
        samples = samples / (np.iinfo(samples.dtype).max + 1)
    samples = samples.astype("float32")
    return samples if rate == sample_rate_hz else audio_files.resample_array(samples, rate, sample_rate_hz)


def audio_blocks(
    source: Any, sample_rate_hz: int, channel: str = "average", on_block: Callable[[float], None] | None = None
) -> Iterator[np.ndarray]:
    """Yields what `audio` returns in blocks; of a long file, each as it is decoded.

    Args:
        source: as `audio` takes it.
        sample_rate_hz: the rate to convert to.
        channel: of a file, see `pipelines.audio.read`.
        on_block: is called with the seconds of a file that have been read.

    Raises:
        UserError: for a file that cannot be read, possibly after some blocks.
        ValueError: for samples of another shape.
    """
    if isinstance(source, str | os.PathLike):
        samples = 0
        for block in audio_files.read_in_parts(source, sample_rate_hz, channel=channel):
            samples += len(block)
            if on_block:
                on_block(samples / sample_rate_hz)
            yield block
    else:
        yield audio(source, sample_rate_hz, channel)


def _has_rate(source: Any) -> bool:
    return isinstance(source, tuple) and len(source) == 2 and isinstance(source[1], int) and np.ndim(source[0]) == 1


def _from_bytes(contents: bytes, read: Any) -> np.ndarray:
    with tempfile.NamedTemporaryFile() as file:
        file.write(contents)
        file.flush()
        try:
            return read(file.name)
        except UserError as error:
            raise UserError(str(error).replace(file.name, "The bytes")) from error
