"""A table of files, their classes or transcripts and their splits, as a Corpus: what corpora in files share."""

import collections
import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from pipelines import audio, images
from pipelines.datasets.base import Corpus, Split, split_indices
from pipelines.errors import UserError

SPLITS = {"train": "train", "validation": "validation", "val": "validation", "valid": "validation", "test": "test"}


@dataclasses.dataclass(frozen=True)
class Row:
    """One example: a file, or a piece of an audio file."""

    path: str
    label: str = ""
    split: str = ""  # train, validation or test; empty = not named
    group: str = ""  # what a breakdown of the scores may go by, such as a language
    start_s: float = 0.0  # audio only
    end_s: float | None = None  # audio only; None = the file's end
    where: str = ""  # what an error calls the row; empty = its path
    text: str = ""  # the transcript
    speaker: str = ""


def modality_of(paths):
    """Says "image" or "audio", by the names' suffixes; UserError for other files and for both at once."""
    found = {}
    for path in paths:
        suffix = os.path.splitext(path)[1].lower()
        kind = "image" if suffix in images.SUFFIXES else "audio" if suffix in audio.SUFFIXES else None
        if kind is None:
            known = " ".join(images.SUFFIXES + audio.SUFFIXES)
            raise UserError(f"{path} is neither a picture nor audio that is read: files must end in one of {known}.")
        found.setdefault(kind, path)
    if len(found) > 1:
        raise UserError(f"Pictures and audio cannot be mixed: {found['image']} beside {found['audio']}.")
    return next(iter(found))


def split_rows(rows, labels, config, by=None):
    """Split name -> sorted indices: the rows' own splits, and fractions where they name no validation or no test.

    A fraction takes at least one example of every class, or with `by` ("speaker" or "group") whole speakers or groups,
    whatever their classes.
    """
    left = np.array([i for i, row in enumerate(rows) if row.split in ("", "train")], np.int64)
    groups = np.array([getattr(row, by) for row in rows]) if by else None
    if not by:
        missing = [name for name in ("test", "validation") if all(row.split != name for row in rows)]
        for label, count in zip(*np.unique(labels[left], return_counts=True), strict=True):
            if count <= len(missing):
                row = next(row for i, row in enumerate(rows) if labels[i] == label)
                what = f"Class {row.label!r} has" if row.label else "The corpus has"
                raise UserError(f"{what} too few examples, {count}: train, {' and '.join(missing)} need one each.")
    parts = {}
    for name, fraction in (("test", config.test_fraction), ("validation", config.validation_fraction)):
        parts[name] = np.array([i for i, row in enumerate(rows) if row.split == name], np.int64)
        if len(parts[name]) == 0:
            if by:
                kept, taken = split_indices(labels[left], fraction, config.split_seed, groups[left])
            else:
                least = len(np.unique(labels[left])) / max(1, len(left))
                kept, taken = split_indices(labels[left], max(fraction, least), config.split_seed)
            left, parts[name] = left[kept], left[taken]
    trained = set(labels[left].tolist())
    for name, indices in parts.items():
        for i in indices:
            if labels[i] not in trained:
                row = rows[i]
                raise UserError(f"Class {row.label!r} of {row.where or row.path} is in {name} but not in train.")
    return {"train": left, **parts}


def corpus(config, rows, class_names, parts, channels, verify, sample_rate_hz, own_hz=None):
    """The Corpus of rows, whose labels must all be among `class_names`, cut into `parts` (as `split_rows` does).

    Without class names examples have no label. Texts, speakers and groups are told where every row has one. Pictures
    come with `channels` channels in their own sizes; audio at `sample_rate_hz`, or at the rate that most of the files
    have; `own_hz` is the rate that all of them must have. With `verify` every file is decoded once. Raises UserError
    that counts and names unreadable files.
    """
    kind = modality_of(row.path for row in rows)
    labels = np.array([class_names.index(row.label) for row in rows], np.int64) if class_names else None
    if kind == "image":
        table, decode = {"path": [os.fsencode(row.path) for row in rows]}, _image_decoder(channels)
        rate, seconds, notes = None, None, ()
        if verify:
            _probe(images.probe, rows)
    else:
        table, decode, rate, seconds, notes = _audio(rows, sample_rate_hz, own_hz)
    if verify:
        _verify(rows, table, decode, kind)
    table = {key: np.array(values) for key, values in table.items()} | ({} if labels is None else {"label": labels})
    sources = [row.where or row.path for row in rows]

    def example(row):
        return {kind: decode(row)} | ({} if labels is None else {"label": row["label"]})

    def split(indices):
        columns = {key: values[indices] for key, values in table.items()}
        return Split(
            tf.data.Dataset.from_tensor_slices(columns).map(
                example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
            ),
            len(indices),
            labels=None if labels is None else labels[indices],
            sources=[sources[i] for i in indices],
            seconds=None if seconds is None else seconds[indices],
            **told([rows[i] for i in indices]),
        )

    splits = {name: split(indices) for name, indices in parts.items()}
    return Corpus(config.name, kind, tuple(class_names), splits, rate, notes)


def told(rows):
    """The fields `texts`, `speakers` and `groups` of a Split of rows: a list where every row has one, else None."""
    fields = {"texts": "text", "speakers": "speaker", "groups": "group"}
    lists = {name: [getattr(row, field) for row in rows] for name, field in fields.items()}
    return {name: values if all(values) else None for name, values in lists.items()}


def _image_decoder(channels):
    if channels not in (1, 3):
        raise UserError(f"data.channels must be 1 (gray) or 3 (color). Received: {channels}.")
    return lambda row: images.decode(tf.io.read_file(row["path"]), channels)


def _audio(rows, sample_rate_hz, own_hz):
    """(columns, decoder, rate, seconds, notes); the columns hold what the headers say: a graph need not look."""
    infos = _probe(audio.probe, rows)
    counts = collections.Counter(info.sample_rate_hz for info in infos)
    if own_hz and (wrong := [info for info in infos if info.sample_rate_hz != own_hz]):
        raise UserError(
            f"{wrong[0].path} has {wrong[0].sample_rate_hz} Hz, but the corpus comes at {own_hz} Hz: "
            f"bring it as distributed ({len(wrong)} of {len(infos)} are so)."
        )
    rate = sample_rate_hz or max(counts, key=lambda hz: (counts[hz], hz))
    starts, stops, seconds = [], [], []
    for row, info in zip(rows, infos, strict=True):
        length = info.samples / info.sample_rate_hz
        if row.end_s is not None and row.end_s > length + 0.5 / info.sample_rate_hz:
            raise UserError(f"{row.where}: end {row.end_s} is past the end of {row.path}, which lasts {length:.3f} s.")
        start = round(row.start_s * info.sample_rate_hz)
        stop = info.samples if row.end_s is None else round(row.end_s * info.sample_rate_hz)
        if stop <= start:
            raise UserError(f"{row.where}: no samples lie between start {row.start_s} and the end ({length:.3f} s).")
        starts.append(start)
        seconds.append((stop - start) / info.sample_rate_hz)
        stops.append(np.iinfo(np.int64).max if row.end_s is None else stop)
    codes, rates = np.array([info.code for info in infos], np.int32), [info.sample_rate_hz for info in infos]
    # One branch instead of a switch, where all files are alike.
    code, from_hz = (int(codes[0]) if np.ptp(codes) == 0 else None), (rates[0] if len(counts) == 1 else None)
    whole = not any(row.start_s or row.end_s for row in rows)
    table = {
        "path": [os.fsencode(info.path) for info in infos],
        "code": codes,
        "rate": np.array(rates, np.int32),
        "start": np.array(starts, np.int64),
        "stop": np.array(stops, np.int64),
    }

    def decode(row):
        waveform = audio.decode(row["path"], row["code"] if code is None else code)
        if not whole:
            waveform = waveform[row["start"] : tf.minimum(row["stop"], tf.size(waveform, tf.int64))]
        return audio.resample(waveform, row["rate"] if from_hz is None else from_hz, rate)

    notes = tuple(
        f"{count:,} of {len(infos):,} files have {hz:,} Hz and are resampled to {rate:,}."
        for hz, count in sorted(counts.items())
        if hz != rate
    )
    return table, decode, rate, np.array(seconds), notes


def _probe(probe, rows):
    """What `probe` says of every row's file; all complaints are collected before one is raised."""

    def attempt(path):
        try:
            return probe(path)
        except UserError as error:
            return error

    paths = list(dict.fromkeys(row.path for row in rows))
    with ThreadPoolExecutor() as pool:
        found = dict(zip(paths, pool.map(attempt, paths), strict=True))
    _complain([error for error in found.values() if isinstance(error, UserError)], len(paths))
    return [found[row.path] for row in rows]


def _verify(rows, table, decode, kind):
    """Decodes every file once, in parallel, and raises UserError where any cannot be."""
    first = np.array(sorted({path: i for i, path in reversed(list(enumerate(table["path"])))}.values()))
    columns = {key: np.array(values)[first] for key, values in table.items()}
    # An element that fails goes missing, and the missing numbers are the broken files.
    sound = (
        tf.data.Dataset.from_tensor_slices({"number": first, **columns})
        .map(
            lambda row: (row["number"], tf.size(decode(row))),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=False,
        )
        .ignore_errors()
    )
    missing = sorted(set(first.tolist()) - {int(number) for number, _ in sound.as_numpy_iterator()})
    _complain([_why(rows[i].path, kind) for i in missing], len(first))


def _why(path, kind):
    try:
        if kind == "audio":
            audio.read(path)
        else:
            images.read(path, 3)
    except UserError as error:
        return error
    return UserError(f"{path} could not be decoded.")


def _complain(errors, total):
    if errors:
        count = f"{len(errors)} of {total} files cannot be used: mend or remove them. The first: " if total > 1 else ""
        raise UserError(f"{count}{errors[0]}")
