"""Folders of speech in Kaldi's form: wav.scp and text, and if there, segments and utt2spk.

The lines of these files are:

wav.scp     RECORDING PATH              or of each utterance, where there is no segments
segments    UTTERANCE RECORDING START END
text        UTTERANCE WORDS
utt2spk     UTTERANCE SPEAKER
"""

import os
from collections.abc import Iterator

from pipelines import paths
from pipelines.datasets import text_files
from pipelines.errors import UserError


def read(folder: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Reads the utterances of a folder.

    Args:
        folder: It holds wav.scp and text.

    Yields:
        (file and line of the text, cells), with the cells path, text, and start, end, speaker where they are known; of
        every utterance that has a text, in the order of these.

    Raises:
        UserError: A file is missing or malformed, or a recording is the output of a command.
    """
    texts = _table(folder, "text", required=True)
    recordings = _table(folder, "wav.scp", required=True)
    for where, source in recordings.values():
        if source.endswith("|") or source.startswith("|"):
            raise UserError(
                f"{where}: the recording is the output of a command ({source[:60]!r}), and commands are not run: write "
                "the audio to files, and name these."
            )
    segments, speakers = _table(folder, "segments"), _table(folder, "utt2spk")
    for utterance, (where, text) in texts.items():
        recording, times = utterance, {}
        if segments:
            if utterance not in segments:
                raise UserError(f"{where}: {utterance!r} is not in segments: add it, or remove the line.")
            place, cells = segments[utterance][0], segments[utterance][1].split()
            if len(cells) != 3:
                raise UserError(f"{place}: not of the form UTTERANCE RECORDING START END.")
            recording, times = cells[0], {"start": cells[1], "end": cells[2] if cells[2] != "-1" else ""}
        if recording not in recordings:
            raise UserError(f"{where}: {recording!r} is not in wav.scp: add it, or remove the line.")
        path = recordings[recording][1]
        if speakers and utterance not in speakers:
            raise UserError(f"{where}: {utterance!r} is not in utt2spk: add it, or remove the line.")
        speaker = {"speaker": speakers[utterance][1]} if speakers else {}
        yield where, {"path": path, "text": text, **times, **speaker}


def _table(folder: str, name: str, required: bool = False) -> dict[str, tuple[str, str]]:
    """First word of each line -> (file and line number, the rest); empty for a file that is not there."""
    path = os.path.join(folder, name)
    if not required and not os.path.isfile(path):
        return {}
    table: dict[str, tuple[str, str]] = {}
    for number, line in enumerate(text_files.read(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{paths.shown(path)}:{number}"
        key, *rest = line.split(None, 1)
        if key in table:
            raise UserError(f"{where}: {key!r} is already in {table[key][0]}: keep one of them.")
        table[key] = (where, rest[0].strip() if rest else "")
    return table
