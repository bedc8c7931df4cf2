"""A raw example as a file of each kind that an export reads."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import soundfile
import tensorflow as tf
from PIL import Image

Encoders = dict[str, Callable[..., bytes]]


def picture(kind: str, pixels: np.ndarray) -> bytes:
    """A file of a kind, a key of PICTURES, of pixels `(height, width, channels)` in [0, 255], uint8 or float32."""
    eight_bits = np.clip(np.rint(pixels), 0, 255).astype("uint8")
    image = Image.fromarray(eight_bits[..., 0] if pixels.shape[-1] == 1 else eight_bits)
    return PICTURES[kind](image, pixels)


def sound(kind: str, samples: np.ndarray, sample_rate_hz: int) -> bytes:
    """A file of a kind, a key of SOUNDS, of samples `(samples,)` in [-1, 1]."""
    return SOUNDS[kind](samples, sample_rate_hz)


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    contents = io.BytesIO()
    image.save(contents, form, **options)
    return contents.getvalue()


def _turned(image: Image.Image, pixels: np.ndarray) -> bytes:
    """As a phone stores it: on its side, with the orientation that turns it upright."""
    tag = Image.Exif()
    tag[0x0112] = 6
    return _saved(image.convert("RGB").transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=tag)


def _transparent(image: Image.Image, pixels: np.ndarray) -> bytes:
    alpha = np.linspace(0, 255, image.width * image.height).reshape(image.height, image.width).astype("uint8")
    image = image.convert("RGB")
    image.putalpha(Image.fromarray(alpha))
    return _saved(image, "PNG")


def _png_of_16_bits(image: Image.Image, pixels: np.ndarray) -> bytes:
    values = pixels if pixels.dtype != np.uint8 else pixels.astype("float32")
    deep = np.rint(np.clip(values, 0, 255) * 257).astype("uint16")
    return bytes(tf.io.encode_png(deep).numpy())


def _wav(samples: np.ndarray, sample_rate_hz: int, subtype: str = "PCM_16", form: str = "WAV") -> bytes:
    contents = io.BytesIO()
    soundfile.write(contents, samples, sample_rate_hz, subtype=subtype, format=form)
    return contents.getvalue()


def _wav_of(subtype: str, form: str = "WAV") -> Callable[[np.ndarray, int], bytes]:
    return lambda samples, sample_rate_hz: _wav(samples, sample_rate_hz, subtype, form)


PICTURES: Encoders = {
    "PNG": lambda image, pixels: _saved(image, "PNG"),
    "PNG with a palette": lambda image, pixels: _saved(image.convert("RGB").quantize(64), "PNG"),
    "PNG with alpha": _transparent,
    "PNG of 16 bits": _png_of_16_bits,
    "JPEG": lambda image, pixels: _saved(image.convert("RGB"), "JPEG", quality=90),
    "JPEG, gray": lambda image, pixels: _saved(image.convert("L"), "JPEG", quality=90),
    "JPEG, progressive": lambda image, pixels: _saved(image.convert("RGB"), "JPEG", progressive=True),
    "JPEG, CMYK": lambda image, pixels: _saved(image.convert("CMYK"), "JPEG", quality=90),
    "JPEG, turned": _turned,
}
SOUNDS: Encoders = {
    "WAV of 8 bits": _wav_of("PCM_U8"),
    "WAV of 16 bits": _wav_of("PCM_16"),
    "WAV of 24 bits": _wav_of("PCM_24"),
    "WAV of 32 bits": _wav_of("PCM_32"),
    "WAV of floats": _wav_of("FLOAT"),
    "WAV, extensible": _wav_of("PCM_16", "WAVEX"),
    "WAV, two channels": lambda samples, rate: _wav(np.stack([samples, samples[::-1] / 2], axis=1), rate),
    "WAV of another rate": lambda samples, rate: _wav(samples, 44100 if rate != 44100 else 48000),
}
