"""Columns of manifests by the names that tools and corpora give them."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

# Our name -> names that mean the same, the first of them that is there counts. In lower case, with _ for spaces.
# NeMo: audio_filepath, offset, duration. Hugging Face: file_name, transcription. SpeechBrain: wav, wrd, spk_id.
# Common Voice: path, sentence, client_id. DeepSpeech: wav_filename, transcript.
ALIASES = {
    "path": (
        *("path", "audio_filepath", "audio_file_path", "audio_file", "audio_path", "audio_filename", "file_name"),
        *("filename", "file_path", "filepath", "file", "wav", "wav_filename", "wav_path", "image_path", "image_file"),
        *("image_filename", "image_name", "img_path", "audio", "image", "img"),
    ),
    "label": ("label", "class", "class_name", "label_name", "category", "target"),
    "text": ("text", "transcription", "transcript", "sentence", "wrd"),
    "number": ("number",),
    "start": ("start", "start_s", "start_time", "offset", "begin"),
    "end": ("end", "end_s", "end_time", "stop"),
    "duration": ("duration", "duration_s"),
    "speaker": ("speaker", "speaker_id", "spk", "spk_id", "client_id"),
    "group": ("group",),
    "split": ("split", "subset", "set", "partition"),
}


def resolve(names: Iterable[str], known: Mapping[str, Sequence[str]] = ALIASES) -> dict[str, str]:
    """Finds which column of a table is what.

    >>> resolve(["Path", "class", "target", "fps"])
    {'path': 'Path', 'label': 'class'}

    Args:
        names: The columns of a table.
        known: Our name -> names that mean the same.

    Returns:
        Our name -> the table's, of all that are there.
    """
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(_plain(name), name)
    found = {ours: next((plain[alias] for alias in aliases if alias in plain), None) for ours, aliases in known.items()}
    return {ours: name for ours, name in found.items() if name is not None}


def nearest(name: str) -> str | None:
    """The known name that a column of another name may have been meant to have; None where no name is near.

    >>> nearest("lable"), nearest("age")
    ('label', None)
    """
    known = [alias for aliases in ALIASES.values() for alias in aliases]
    matches = [] if _plain(name) in known else difflib.get_close_matches(_plain(name), known, n=1, cutoff=0.8)
    return matches[0] if matches else None


def quoted(names: Sequence[str]) -> str:
    """Names of columns as a sentence shows them, with the known name where one is near."""
    parts = []
    for name in names:
        near = nearest(name)
        parts.append(f"{name!r}" + (f" (did you mean {near!r}?)" if near else ""))
    return ", ".join(parts)


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())
