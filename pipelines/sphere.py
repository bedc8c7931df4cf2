"""NIST SPHERE, the format of TIMIT and AN4: 16-bit PCM behind a text header (NIST, SPHERE 2.6 documentation)."""

import dataclasses
import os

import numpy as np

from pipelines.errors import UserError

MAGIC = b"NIST_1A\n"
# Real headers have 1,024 bytes; the bound keeps a forged size from being believed.
MAX_HEADER_BYTES = 65536


@dataclasses.dataclass(frozen=True)
class Header:
    """What a SPHERE header says about the PCM behind it."""

    header_bytes: int  # where the samples begin
    sample_rate_hz: int
    channels: int
    samples: int  # per channel
    big_endian: bool
    lacking: int = 0  # samples that were announced and are not there


def read_header(path, may_lack=0.0):
    """The Header of a file; UserError unless it is well-formed, uncompressed 16-bit PCM and complete.

    With `may_lack` (a fraction) so many of the announced samples may be missing: the Header then counts those there.
    """
    with open(path, "rb") as file:
        head = file.read(16)
        try:
            size = int(head[8:16])
        except ValueError:
            size = 0
        if not head.startswith(MAGIC) or not 16 < size <= MAX_HEADER_BYTES:
            raise UserError(f"{path} has a broken SPHERE header.")
        lines = file.read(size - 16).decode("latin-1").split("\n")
        stored_bytes = os.fstat(file.fileno()).st_size - size
    if "end_head" not in (line.strip() for line in lines):
        raise UserError(f"{path} has a truncated SPHERE header: no end_head.")
    fields = {}
    for line in lines[: [line.strip() for line in lines].index("end_head")]:
        words = line.split(None, 2)
        if len(words) == 3:
            fields[words[0]] = words[2].strip()
    coding = fields.get("sample_coding", "pcm")
    if coding != "pcm":
        raise UserError(f"{path} holds SPHERE samples coded as {coding!r}: convert it to PCM first (sph2pipe -p does).")
    if _number(path, fields, "sample_n_bytes", 2) != 2:
        raise UserError(f"{path} holds SPHERE samples of {fields['sample_n_bytes']} bytes: only 16-bit PCM is read.")
    order = fields.get("sample_byte_format", "01")
    if order not in ("01", "10"):
        raise UserError(f"{path} has an unknown SPHERE byte order {order!r}: it must be '01' or '10'.")
    channels = _number(path, fields, "channel_count", 1)
    if channels < 1:
        raise UserError(f"{path} has a SPHERE header with {channels} channels.")
    samples = _number(path, fields, "sample_count", stored_bytes // (2 * channels))
    there = max(0, stored_bytes) // (2 * channels)
    if there < samples * (1 - may_lack):
        raise UserError(f"{path} is truncated: {samples} samples announced, {there} there.")
    here = min(samples, there)
    rate = _number(path, fields, "sample_rate", None)
    return Header(size, rate, channels, here, order == "10", samples - here)


def read(path, header=None):
    """The samples of a file as int16 (samples, channels); UserError as `read_header` raises it."""
    header = header or read_header(path)
    kind = np.dtype(">i2" if header.big_endian else "<i2")
    with open(path, "rb") as file:
        file.seek(header.header_bytes)
        data = file.read(2 * header.channels * header.samples)
    return np.frombuffer(data, kind).astype(np.int16).reshape(header.samples, header.channels)


def _number(path, fields, name, default):
    value = fields.get(name, default)
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number < 2**63:
        raise UserError(f"{path} has a SPHERE header with {name} = {str(value)[:80]!r}: it must be a number.")
    return number
