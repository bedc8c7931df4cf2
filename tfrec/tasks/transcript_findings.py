"""What is wrong or strange about the transcripts of a split."""

from __future__ import annotations

import collections
import itertools
import os
import re
import unicodedata
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from pipelines.counts import share, verb
from pipelines.datasets.base import Corpus, Split
from pipelines.errors import UserError
from tfrec.tasks.base import Finding, finding

if TYPE_CHECKING:
    from tfrec.recognizer import Recognizer
    from tfrec.tasks.transcription import Transcription

SHOWN_EXAMPLES = 3
SHOWN_SYMBOLS = 8
RARE = 3  # a letter in fewer training texts is hardly learned
GRID = 64  # lengths of clips at which steps are counted before those of single clips

# Scripts with letters that look alike.
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK")
_WORD = re.compile(r"[^\W\d_]+")


def find(task: Transcription, recognizer: Recognizer, name: str, split: Split) -> list[Finding]:
    """What is wrong or strange about the texts of a split for a Transcription task."""
    network = recognizer.config.model.name
    findings = finding(
        name,
        split,
        f"texts need more than the {network}'s steps, and are left out of every batch",
        too_long(task, recognizer, split),
        name == "train",
    )
    findings += finding(name, split, "texts are empty after normalization", empty(task, split), False)
    findings += finding(name, split, "texts mix letters of several scripts in a word", list(mixed(split)), False)
    return findings + _not_covered(task, name, split) + (_rare(task, split) if name == "train" else [])


def warnings(task: Transcription, corpus: Corpus) -> list[str]:
    """Sentences on what a training of a Transcription task cannot learn from the texts of a corpus, or learns wrong."""
    sentences = []
    for name, split in corpus.splits.items():
        if places := empty(task, split):
            sentences.append(
                f"{share(len(places), split.size, 'text')} of the {name} split {verb(len(places), 'is', 'are')}"
                f" empty after"
                " normalization, such as"
                f" {_text_at(split, places[0])}: they are kept, as clips without words; remove them if there is speech."
            )
        if words := mixed(split):
            first, letters = next(iter(words.items()))
            sentences.append(
                f"{share(len(words), split.size, 'text')} of the {name} split {verb(len(words), 'mixes', 'mix')}"
                f" letters of"
                f" several scripts that look alike in a word, such as {_text_at(split, first)} with {letters}."
            )
        coverage = task.vocabulary.coverage(split.texts or ())
        if missing := coverage.missing:
            some = ", ".join(map(repr, list(missing)[:SHOWN_SYMBOLS]))
            sentences.append(
                f"the {name} split has {sum(missing.values())} of {coverage.symbols:,} {task.config.unit} that no"
                f" training text has ({some}), so that no output can contain them."
            )
    return sentences


def check_training(task: Transcription, recognizer: Recognizer, corpus: Corpus) -> list[str]:
    """Sentences on texts of the training and the validation split that are too long for their clips.

    Raises:
        UserError: CTC is all that the network learns by, and no training text fits its clip.
    """
    sentences = []
    for name, adjective in (("train", "training"), ("validation", "validation")):
        split = corpus.splits[name]
        places = too_long(task, recognizer, split)
        if not places:
            continue
        example = f"such as {_text_at(split, places[0])}"
        why = f"more symbols than the {recognizer.config.model.name} has steps for their clips"
        if name == "train" and len(places) == split.size and "decoder" not in recognizer.network.output:
            raise UserError(
                f"All {split.size:,} training texts have {why}, {example}: take longer clips, a smaller"
                " model.subsampling or frontend.hop_ms, or task.unit subwords."
            )
        count = f"{share(len(places), split.size, f'{adjective} text')} {verb(len(places), 'has', 'have')}"
        sentences.append(f"{count} {why}, {example}: they are left out of CTC's loss.")
    return sentences


def too_long(task: Transcription, recognizer: Recognizer, split: Split) -> list[int]:
    """Places of the texts that need more steps than their clips have (Graves et al. 2006: tokens and repeats)."""
    seconds = split.seconds
    if seconds is None:
        sizes = split.examples.map(lambda example: tf.size(example["audio"]))
        seconds = np.array(list(sizes.as_numpy_iterator())) / recognizer.config.frontend.sample_rate_hz
    ids = [task.vocabulary.encode(text) for text in split.texts or ()]
    # A blank stands between two tokens that are alike.
    needed = np.array([len(each) + sum(a == b for a, b in itertools.pairwise(each)) for each in ids])
    steps = _count_steps(recognizer, np.asarray(seconds), needed)
    return np.flatnonzero(needed > steps).tolist()


def empty(task: Transcription, split: Split) -> list[int]:
    """Places of the texts without anything after normalization, such as a single emoji."""
    return [i for i, text in enumerate(split.texts or ()) if not task.vocabulary.normalize(text)]


def mixed(split: Split) -> dict[int, str]:
    """Place of a text -> the letters of the rarer script in a word that has letters of several."""
    words = {}
    for i, text in enumerate(split.texts or ()):
        for word in () if text.isascii() else _WORD.findall(text):
            by_script: dict[str, list[str]] = {}
            for letter in word:
                script = unicodedata.name(letter, "").split(" ")[0]
                if script in _SCRIPTS:
                    by_script.setdefault(script, []).append(letter)
            if len(by_script) > 1:
                script, letters = min(by_script.items(), key=lambda item: len(item[1]))
                words[i] = f"{script.capitalize()} {', '.join(map(repr, dict.fromkeys(letters)))}"
                break
    return words


def _text_at(split: Split, place: int) -> str:
    text = (split.texts or ())[place]
    shown = repr(text if len(text) <= 40 else f"{text[:39]}…")
    return f"{os.path.basename(str(split.sources[place]))} {shown}" if split.sources else shown


def _rare(task: Transcription, split: Split) -> list[Finding]:
    """Letters that few training texts have."""
    if task.config.unit != "characters":
        return []
    texts = [task.vocabulary.normalize(text) for text in split.texts or ()]
    counts = collections.Counter(letter for text in texts for letter in set(text))
    rare = sorted((letter for letter in counts if counts[letter] < RARE), key=lambda letter: (counts[letter], letter))
    if not rare or len(texts) < 10 * RARE:
        return []
    letters = ", ".join(f"{letter!r} {counts[letter]}" for letter in rare[:SHOWN_SYMBOLS])
    examples = tuple(text for text in texts if rare[0] in text)[:SHOWN_EXAMPLES]
    what = f"characters are in fewer than {RARE} texts each: {letters}"
    return [Finding("train", what, len(rare), len(counts), examples, False)]


def _count_steps(recognizer: Recognizer, seconds: np.ndarray, needed: np.ndarray) -> np.ndarray:
    """How many steps the network makes of clips of these lengths; at least `needed` where there are enough."""
    frontend, network = recognizer.frontend.parts()["audio"], recognizer.network
    samples = np.round(seconds * frontend.config.sample_rate_hz).astype("int32")
    frames = samples if frontend.features is None else np.array(frontend.features.num_frames(samples))
    # Of pairs, the steps are those of the network for speech.
    name = "features" if "features" in network.input else "audio"
    inputs = {key: network.input[key] for key in (name, "frames")}
    count = keras.Model(inputs, network.get_layer("steps").output)
    mels = network.input[name].shape[2]

    def steps_of(lengths: np.ndarray) -> np.ndarray:
        silence = np.zeros((1, max(1, int(lengths.max(initial=1))), mels), "float32")
        batches = ({name: silence[:, : max(1, n)], "frames": np.array([n], "int32")} for n in lengths)
        return np.array([int(count(batch)[0]) for batch in batches], int)

    # Longer clips have no fewer steps: most texts fit the clips that are a little shorter, too.
    lengths, places = np.unique(frames, return_inverse=True)
    grid = np.unique(np.linspace(0, len(lengths) - 1, min(GRID, len(lengths))).astype(int))
    steps = steps_of(lengths[grid])[np.searchsorted(grid, np.arange(len(lengths)), side="right") - 1]
    unsure = np.setdiff1d(np.unique(places[needed > steps[places]]), grid)
    steps[unsure] = steps_of(lengths[unsure])
    return steps[places]


def _not_covered(task: Transcription, name: str, split: Split) -> list[Finding]:
    coverage = task.vocabulary.coverage(split.texts or ())
    if not coverage.missing:
        return []
    symbols = ", ".join(f"{symbol!r} {count}" for symbol, count in list(coverage.missing.items())[:SHOWN_SYMBOLS])
    what = f"{task.config.unit} are not in the vocabulary: {symbols}"
    texts = tuple(next(iter(coverage.examples.values()))[:SHOWN_EXAMPLES])
    return [Finding(name, what, sum(coverage.missing.values()), coverage.symbols, texts, False)]
