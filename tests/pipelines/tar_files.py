"""Tar archives for tests, whole and hostile."""

import io
import tarfile


def packed(members, format=tarfile.PAX_FORMAT):
    """The bytes of an archive of {name: bytes, or a TarInfo}."""
    file = io.BytesIO()
    with tarfile.TarFile(fileobj=file, mode="w", format=format) as archive:
        for name, data in members.items():
            info = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
            content = b"" if isinstance(data, tarfile.TarInfo) else data
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def header(name, size, kind=tarfile.REGTYPE):
    """A header alone, which may announce any size."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def link(kind, target):
    info = tarfile.TarInfo("link.png")
    info.type, info.linkname = kind, target
    return info


END = bytes(1024)
