"""Examples that are made for a corpus of clips: classes to reject, and further voices for the classes to recognize."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from pipelines import audio
from pipelines.counts import counted, verb
from pipelines.datasets import fingerprints, media_files, memory, synthetic_speech
from pipelines.datasets.base import OTHERS, SILENCE, SYNTHETIC, UNKNOWN, Corpus, DataConfig, Split
from pipelines.datasets.content_split import position
from pipelines.datasets.selection import append
from pipelines.errors import UserError
from pipelines.layers.synthetic_noise import SyntheticNoise

SECONDS = (0.3, 1.5)  # shortest and longest example of silence
LEVEL_DBFS = (-70.0, -10.0)  # of examples that are not digital silence
CROWD_SPEAKERS = 6
PIECE_SECONDS = (0.3, 0.9)  # of a sentence
_KINDS = ("zeros", "noise", "crowd")  # crowds only without the class "unknown", to which speech belongs
_SEEDS = {"train": 1, "validation": 2, "test": 3}


def add_examples(corpus: Corpus, config: DataConfig) -> Corpus:
    """Adds the examples and classes of `config.synthetic_examples`, `config.silence_fraction` and `config.unknown`.

    Args:
        corpus: Clips with classes, unless the config adds nothing.
        config: Its `split_seed` decides what is made, and in which split a clip of the folder `unknown` is.

    Returns:
        The corpus; a class that it already has is extended.

    Raises:
        UserError: The corpus has no clips or no classes, the folder holds no clips, or espeak-ng is not installed.
    """
    if not config.silence_fraction and not config.synthetic_examples and config.unknown in (None, OTHERS):
        return corpus
    if corpus.modality != "audio" or not corpus.class_names:
        settings = "data.silence_fraction, data.unknown and data.synthetic_examples"
        raise UserError(f"{corpus.name} has no classes of clips: leave out {settings}.")
    own = corpus
    if config.synthetic_examples:
        corpus = _with_synthetic_voices(corpus, config)
    if config.silence_fraction:
        corpus = _extended(corpus, SILENCE, {name: _silence(own, name, config) for name in corpus.splits})
    if config.unknown == SYNTHETIC:
        corpus = _extended(corpus, UNKNOWN, {name: _other_words(own, name, config) for name in corpus.splits})
    elif config.unknown not in (None, OTHERS):
        clips, notes = _unknown(corpus, config)
        corpus = _extended(corpus, UNKNOWN, clips)
        corpus = dataclasses.replace(corpus, notes=(*corpus.notes, *notes))
    return corpus


def _extended(corpus: Corpus, name: str, waveforms: dict[str, list[np.ndarray]]) -> Corpus:
    """The corpus with further clips of the class `name` in each split."""
    names = corpus.class_names if name in corpus.class_names else (*corpus.class_names, name)
    splits = dict(corpus.splits)
    for split, clips in waveforms.items():
        if clips:
            sources = [f"{name} {i}" for i in range(len(clips))]
            labels = np.full(len(clips), names.index(name))
            splits[split] = append(splits[split], memory.clips(clips, labels, sources, corpus.sample_rate_hz))
    return dataclasses.replace(corpus, class_names=names, splits=splits)


def _with_synthetic_voices(corpus: Corpus, config: DataConfig) -> Corpus:
    """The corpus with `config.synthetic_examples` of each class in training."""
    rate = corpus.sample_rate_hz or 0
    labels = np.arange(config.synthetic_examples * len(corpus.class_names)) % len(corpus.class_names)
    words = [corpus.class_names[label] for label in labels]
    generator = np.random.default_rng((config.split_seed, 0))
    clips = synthetic_speech.speak(words, synthetic_speech.VOICES["train"], rate, generator)
    sources = [f"synthetic {word} {i}" for i, word in enumerate(words)]
    train = append(corpus.splits["train"], memory.clips(clips, labels, sources, rate))
    return dataclasses.replace(corpus, splits={**corpus.splits, "train": train})


def _other_words(corpus: Corpus, name: str, config: DataConfig) -> list[np.ndarray]:
    """Speech that is no class: a third words, a third pieces of sentences, a third made of the split's own clips."""
    split, rate = corpus.splits[name], corpus.sample_rate_hz or 0
    count = max(3, round(config.unknown_fraction * split.size))
    generator = np.random.default_rng((config.split_seed, _SEEDS[name]))
    voices, classes = synthetic_speech.VOICES[name], corpus.class_names
    words = synthetic_speech.words(name, count // 3, classes, generator)
    clips = synthetic_speech.speak(words, voices, rate, generator)
    sentences = [" ".join(synthetic_speech.words(name, 6, classes, generator)) for _ in range(count // 9 + 1)]
    spoken = synthetic_speech.speak(sentences, voices, rate, generator)
    clips += [_piece(spoken[i % len(spoken)], rate, generator) for i in range(count // 3)]
    return clips + _fragments(split, count - len(clips), rate, generator)


def _piece(clip: np.ndarray, rate: int, generator: np.random.Generator) -> np.ndarray:
    """A part of a clip, anywhere in it."""
    length = min(len(clip), round(generator.uniform(*PIECE_SECONDS) * rate))
    start = generator.integers(len(clip) - length + 1)
    return clip[start : start + length]


def _fragments(split: Split, count: int, rate: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Parts of a split's clips in turn: the end of one before the beginning of another, a half, a clip backward."""
    order = generator.permutation(split.size)[: 2 * count]  # a shuffled dataset would follow the process's seed, too
    wanted, examples = set(order), enumerate(split.examples.as_numpy_iterator())
    clips = {i: example["audio"] for i, example in examples if i in wanted}
    fade = max(1, round(0.01 * rate))
    fragments: list[np.ndarray] = []
    for i in range(count):
        first, second = (clips[order[j % len(order)]] for j in (2 * i, 2 * i + 1))
        share = generator.uniform(0.3, 0.5, 2)
        beginning, end = first[: round(share[0] * len(first))], second[len(second) - round(share[1] * len(second)) :]
        if i % 4 == 3:
            fragments.append(first[::-1])
        elif i % 4 == 2:
            fragments.append(beginning if i % 8 == 2 else end)
        else:
            overlap = min(fade, len(beginning), len(end))
            weight = np.linspace(0, 1, overlap, dtype="float32")
            joint = end[len(end) - overlap :] * (1 - weight) + beginning[:overlap] * weight
            fragments.append(np.concatenate([end[: len(end) - overlap], joint, beginning[overlap:]]))
    return fragments


def _silence(corpus: Corpus, name: str, config: DataConfig) -> list[np.ndarray]:
    """Zeros, synthetic noise and crowds of reversed speech in equal parts; the same for the same config."""
    split, rate = corpus.splits[name], corpus.sample_rate_hz or 0
    count = max(1, round(config.silence_fraction * split.size))
    seed = (config.split_seed, _SEEDS[name])
    generator = np.random.default_rng(seed)
    lengths = generator.uniform(*SECONDS, count)
    rendered = {
        "zeros": np.zeros((count, round(SECONDS[1] * rate)), "float32"),
        "noise": _noise(count, rate, seed),
        "crowd": _crowd(split, count, rate, seed),
    }
    kinds = _KINDS[:2] if config.unknown else _KINDS
    clips = []
    for i, seconds in enumerate(lengths):
        clip = rendered[kinds[i % len(kinds)]][i, : max(1, round(seconds * rate))]
        level = 10 ** (generator.uniform(*LEVEL_DBFS) / 20) / max(1e-12, float(np.sqrt(np.mean(clip**2))))
        clips.append(np.clip(clip * level, -1, 1).astype("float32"))
    return clips


def _noise(count: int, rate: int, seed: Sequence[int]) -> np.ndarray:
    """Synthetic noise (count, samples)."""
    layer = SyntheticNoise(sample_rate_hz=rate, seed=1000 * seed[0] + seed[1])
    silence = np.zeros((count, round(SECONDS[1] * rate)), "float32")
    return np.asarray(keras.ops.convert_to_numpy(layer.background(silence, None)))


def _crowd(split: Split, count: int, rate: int, seed: Sequence[int]) -> np.ndarray:
    """Sums of clips that are played backward: a crowd without intelligible words, (count, samples)."""
    examples = split.examples.take(8 * CROWD_SPEAKERS).as_numpy_iterator()
    speech = [example["audio"][::-1] for example in examples]
    samples = round(SECONDS[1] * rate)
    generator = np.random.default_rng(seed)
    crowd = np.zeros((count, samples), "float32")
    for row in crowd:
        for _ in range(CROWD_SPEAKERS):
            clip = speech[generator.integers(len(speech))]
            power = float(np.sqrt(np.mean(np.square(clip)))) if len(clip) else 0.0
            if power:
                row += np.resize(np.roll(clip, generator.integers(len(clip))), samples) / power
    return crowd


def _unknown(corpus: Corpus, config: DataConfig) -> tuple[dict[str, list[np.ndarray]], list[str]]:
    """The clips below the folder `config.unknown` by split, which follows from their content, and what is left out."""
    left_out = media_files.LeftOut()
    found = media_files.below(str(config.unknown), left_out)
    left_out.check()
    paths = [path for path in found if audio.is_audio(path)]
    notes = [f"data.unknown {config.unknown}: {note}" for note in left_out.notes()]
    if len(paths) < len(found):
        left = len(found) - len(paths)
        what = f"{counted(left, 'file')} {verb(left, 'is', 'are')} left out, since {verb(left, 'it is', 'they are')}"
        notes.append(f"data.unknown {config.unknown}: {what} not audio.")
    if not paths:
        raise UserError(f"data.unknown {config.unknown} holds no audio files: name a folder of clips, or {OTHERS}.")
    parts: dict[str, list[np.ndarray]] = {name: [] for name in corpus.splits}
    for path, fingerprint in fingerprints.of_files(paths).items():
        place = position(config.split_seed, str(fingerprint))
        test = place < config.test_fraction
        validation = place < config.test_fraction + config.validation_fraction
        split = "test" if test else "validation" if validation else "train"
        parts[split].append(audio.read(path, corpus.sample_rate_hz)[0])
    return parts, notes
