"""NIST SPHERE, the format of TIMIT and AN4: a text header, then 16-bit PCM (NIST, SPHERE 2.6 documentation).

libsndfile, which soundfile wraps, decodes SPHERE but reads a truncated file as a shorter one without an error. So the
header is checked here, and soundfile decodes the samples.
"""

import dataclasses
import os

import numpy as np

from pipelines import storage
from pipelines.audio_formats.names import shown
from pipelines.errors import UserError

MAGIC = b"NIST_1A\n"
MAX_HEADER_BYTES = 65536  # real headers have 1,024; a forged size must not be trusted
_SAMPLE_BYTES = 2


@dataclasses.dataclass(frozen=True)
class Header:
    """The content of a SPHERE header."""

    header_bytes: int  # offset of the first sample
    sample_rate_hz: int
    channels: int
    samples: int  # per channel, in the file
    big_endian: bool
    missing_samples: int = 0  # per channel, announced by the header but not in the file


def read_header(path: str, max_missing: float = 0.0) -> Header:
    """Reads and checks the header of a SPHERE file.

    Args:
        path: The file.
        max_missing: Fraction of the announced samples that may be missing at the end of the file, from 0 to 1.

    Returns:
        The Header; its `samples` counts those in the file.

    Raises:
        UserError: The header is malformed, the samples are not uncompressed 16-bit PCM, or too many are missing.
        OSError: The file cannot be read.
    """
    fields, header_bytes, data_bytes = _read_fields(path)
    coding = fields.get("sample_coding", "pcm")
    if coding != "pcm":
        raise UserError(
            f"{shown(path)} holds SPHERE samples coded as {coding!r}: convert it to PCM first (sph2pipe -p)."
        )
    if _number(path, fields, "sample_n_bytes", _SAMPLE_BYTES) != _SAMPLE_BYTES:
        raise UserError(
            f"{shown(path)} holds SPHERE samples of {fields['sample_n_bytes']} bytes: convert it to 16-bit PCM first."
        )
    order = fields.get("sample_byte_format", "01")
    if order not in ("01", "10"):
        raise UserError(f"{shown(path)} has an unknown SPHERE byte order {order!r}: it must be '01' or '10'.")
    channels = _number(path, fields, "channel_count", 1)
    if channels < 1:
        raise UserError(f"{shown(path)} has a SPHERE header with {channels} channels: it must have at least 1.")
    stored = max(0, data_bytes) // (_SAMPLE_BYTES * channels)
    announced = _number(path, fields, "sample_count", stored)
    if stored < announced * (1 - max_missing):
        raise UserError(
            f"{shown(path)} is truncated: its header announces {announced} samples, and it holds {stored};"
            " copy it again."
        )
    samples = min(announced, stored)
    rate = _number(path, fields, "sample_rate", None)
    return Header(header_bytes, rate, channels, samples, order == "10", announced - samples)


def read(path: str, header: Header | None = None) -> np.ndarray:
    """Reads the samples of a SPHERE file.

    Args:
        path: The file.
        header: What `read_header` returned for it; None reads it first.

    Returns:
        int16 `(samples, channels)`.

    Raises:
        UserError: As `read_header` raises it.
        OSError: The file cannot be read.
    """
    header = header or read_header(path)
    samples = _read_by_soundfile(path, header)
    return _read_pcm(path, header) if samples is None else samples


def _read_by_soundfile(path: str, header: Header) -> np.ndarray | None:
    """The samples, or None where soundfile does not read the file as its header describes it.

    libsndfile 1.2.2 reads about the first kilobyte of a header and expects one space between a field's name and type.
    Valid headers that it rejects: longer ones, those without channel_count, and those with a sample rate of type real.
    Where sample_byte_format is missing or past the first kilobyte, it assumes the byte order of this machine.
    """
    import soundfile

    try:
        with soundfile.SoundFile(storage.for_library(path)) as file:
            described = ("PCM_16", header.channels, "BIG" if header.big_endian else "LITTLE")
            if (file.subtype, file.channels, file.endian) != described:
                return None
            return file.read(header.samples, dtype="int16", always_2d=True)
    except soundfile.LibsndfileError:
        return None


def _read_pcm(path: str, header: Header) -> np.ndarray:
    """The samples of a file that soundfile rejects, see `_read_by_soundfile`."""
    kind = np.dtype(">i2" if header.big_endian else "<i2")
    with storage.open_binary(path) as file:
        file.seek(header.header_bytes)
        data = file.read(_SAMPLE_BYTES * header.channels * header.samples)
    return np.frombuffer(data, kind).astype(np.int16).reshape(header.samples, header.channels)


def _read_fields(path: str) -> tuple[dict[str, str], int, int]:
    """The values by field name, the size of the header in bytes, and the size of what follows it."""
    with storage.open_binary(path) as file:
        head = file.read(16)
        try:
            size = int(head[8:16])
        except ValueError:
            size = 0
        if not head.startswith(MAGIC) or not 16 < size <= MAX_HEADER_BYTES:
            raise UserError(f"{shown(path)} has a broken SPHERE header: copy it again.")
        lines = file.read(size - 16).decode("latin-1").split("\n")
        data_bytes = file.seek(0, os.SEEK_END) - size
    stripped = [line.strip() for line in lines]
    if "end_head" not in stripped:
        raise UserError(f"{shown(path)} has a truncated SPHERE header, without end_head: copy it again.")
    fields = {}
    for line in lines[: stripped.index("end_head")]:
        words = line.split(None, 2)  # name, type, value
        if len(words) == 3:
            fields[words[0]] = words[2].strip()
    return fields, size, data_bytes


def _number(path: str, fields: dict[str, str], name: str, default: int | None) -> int:
    """The integer value of a field, 0 or more."""
    value = fields.get(name, default)
    try:
        number = -1 if value is None else int(value)
    except ValueError:
        number = -1
    if not 0 <= number < 2**63:
        raise UserError(
            f"{shown(path)} has a SPHERE header with {name} = {str(value)[:80]!r}: it must be a whole number."
        )
    return number
