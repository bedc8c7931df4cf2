"""TensorFlow Datasets' builders: find, prepare and read a set, with one sentence for what goes wrong."""

import contextlib
import os
import pathlib
import re
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from pipelines.errors import UserError, unknown

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder


def find_builder(name: str, data_dir: str | None) -> "DatasetBuilder":
    """Finds TFDS's builder of a set; nothing is downloaded.

    Args:
        name: Of the set, with a config and a version where wanted, as in `cmaterdb/bangla:1.*.*`.
        data_dir: Folder of prepared sets; None is TFDS_DATA_DIR, or else TFDS's own default.

    Returns:
        The builder.

    Raises:
        UserError: TFDS does not know the name.
    """
    import tensorflow_datasets as tfds  # slow to import

    data_dir = data_dir or os.environ.get("TFDS_DATA_DIR")
    try:
        return tfds.builder(name, data_dir=os.path.expanduser(data_dir) if data_dir else None)
    except tfds.core.DatasetNotFoundError as error:
        raise unknown("dataset", re.split("[/:]", name)[0], tfds.list_builders()) from error
    except Exception as error:  # a wrong config or version raises whatever the builder chose
        raise UserError(f"TensorFlow Datasets cannot open {name!r}: {first_line(error)}") from error


def prepare(builder: "DatasetBuilder") -> None:
    """Downloads and prepares a set unless its data folder holds it.

    TFDS retries an unreachable host for minutes, so the host's name is resolved first.

    Args:
        builder: Of the set.

    Raises:
        UserError: The files must be downloaded by hand, the host cannot be reached, or TFDS fails.
    """
    with quiet():
        if builder.is_prepared():
            return
    where = f"{builder.info.full_name!r} is not under {str(builder.data_dir)!r}"
    if builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        manual = os.path.join(_root(builder), "downloads", "manual")
        if not os.path.isdir(manual) or not os.listdir(manual):
            instructions = " ".join(builder.MANUAL_DOWNLOAD_INSTRUCTIONS.split())
            raise UserError(
                f"{where} and TFDS may not download it for you: put its files into {manual!r} ({instructions})"
            )
    host = _unreachable_host(builder)
    if host:
        raise UserError(
            f"{where} and the download host {host} cannot be reached: connect to the network, "
            "or point data.data_dir or TFDS_DATA_DIR to a folder where the set is prepared."
        )
    try:
        builder.download_and_prepare()
    except Exception as error:  # network, disk, checksums, missing encoders: TFDS has no common base for them
        raise UserError(f"{where} and TFDS cannot prepare it: {first_line(error)}") from error


def read(builder: "DatasetBuilder", split: str, features: Sequence[str]) -> tf.data.Dataset:
    """Reads a split of a prepared set, always in the same order.

    Args:
        builder: Of the set.
        split: Its name, slices such as `train[:10%]` included.
        features: Names of those that are read.

    Returns:
        Examples as dicts of these features; images are still encoded.
    """
    import tensorflow_datasets as tfds

    skip = {
        name: tfds.decode.SkipDecoding()
        for name in features
        if isinstance(builder.info.features[name], tfds.features.Image)
    }
    with quiet():
        return builder.as_dataset(
            split=split,
            shuffle_files=False,
            decoders=tfds.decode.PartialDecoding(dict.fromkeys(features, True), decoders=skip),
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppresses what TFDS logs about its internals (deprecations, folders that it searched)."""
    from absl import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message that is not blank, or else the error's class."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _root(builder: "DatasetBuilder") -> pathlib.Path:
    """The folder of prepared sets; below it a set's folder is its full name, such as `cmaterdb/bangla/1.0.0`."""
    depth = len(pathlib.PurePosixPath(builder.info.full_name).parts)
    return pathlib.Path(builder.data_dir).parents[depth - 1]


def _unreachable_host(builder: "DatasetBuilder") -> str | None:
    """The first download host whose name does not resolve, or None; a proxy resolves names itself."""
    if set(urllib.request.getproxies()) - {"no"}:  # hosts without a proxy, as NO_PROXY names them
        return None
    url = next(iter(builder.url_infos or ()), None)
    host = urllib.parse.urlsplit(url).hostname if url else None
    if host is None:
        return None
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return host
    return None
