"""Files that are written whole or not at all."""

import contextlib
import errno
import math
import os
import pathlib
import shutil


def require_space(model, path):
    """OSError where the weights will not fit, because the HDF5 library crashes the process when a disk fills up."""
    variables = [*model.variables, *(model.optimizer.variables if getattr(model, "optimizer", None) else [])]
    size = sum(math.prod(variable.shape) * 4 + 4096 for variable in variables) + 65536  # HDF5's own tables
    if shutil.disk_usage(pathlib.Path(path).parent).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@contextlib.contextmanager
def replacing(path):
    """A temporary path beside `path` that takes its place when the block ends well, and is deleted when it does not."""
    path = pathlib.Path(path)
    temporary = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
