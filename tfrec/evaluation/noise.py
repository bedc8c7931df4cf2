"""A recognizer among noises: a split mixed with every type of noise at every ratio, and how much it still knows.

noise.json            everything that `measure` returns
noise.csv             one row for each noise and ratio, then the averages
heat_map.png, curves.png; of classes also confusion.png, confusion_0_dB.png
"""

import dataclasses
import itertools
import math
import os
import pathlib

import keras
import numpy as np
import tensorflow as tf

from pipelines import noises
from pipelines.datasets.base import Split
from pipelines.errors import UserError, unknown
from pipelines.layers.background import mix_at_snr
from tfrec.evaluation.metrics import classification
from tfrec.evaluation.metrics.per_example import average_conditions, score_condition
from tfrec.reports import noise_plots, noise_tables, plots
from tfrec.runs.run import Run

CLEAN = math.inf  # decibels: as much speech as one likes over no noise
AVERAGED_DB = (20.0, 15.0, 10.0, 5.0, 0.0)  # what Aurora-2 averages over (Hirsch and Pearce 2000)
CLIPS = 64  # mixed at once


@dataclasses.dataclass(frozen=True)
class Conditions:
    """What the mixes follow from, beside the corpus: no recognizer has a say in them, but for its sample rate.

    Set A are the noises `seen`, of which the first `seen_fraction` of each file is left out; set B are the others.
    """

    noise: str  # folder
    snr_db: tuple[float, ...] = (CLEAN, *AVERAGED_DB, -5.0)
    seen: tuple[str, ...] = ()  # types of noise
    seen_fraction: float = 0.0  # of each file
    seed: int = 0
    repeats: int = 1  # mixes of each clip with each type of noise
    split: str = "test"

    def load(self, sample_rate_hz):
        """A dict from each type of noise to its waveforms; UserError for a folder that does not hold them."""
        loaded = noises.load(self.noise, sample_rate_hz)
        if self.seen:
            loaded |= noises.load(self.noise, sample_rate_hz, self.seen, "test", self.seen_fraction)
        return loaded


def conditions_of(frontend, noise, seen=None, seen_fraction=None, **others):
    """The Conditions in a folder of noises that are fair to a run, of which `frontend` is the configuration.

    What training heard is left out, unless `seen` and `seen_fraction` say otherwise. Raises UserError where they name
    noises that are not there, and where nothing of the noises seen would remain.
    """
    here = noises.type_names(noise)
    for name in seen or ():
        if name not in here:
            raise unknown(f"type of noise in {noise}", name, here)
    if seen is None:
        seen = tuple(name for name in _heard(frontend) if name in here)
    if seen and seen_fraction is None:
        if not _hears(frontend):
            raise UserError(
                "--seen needs --seen-fraction F, since this run heard no noise: the first part of each file."
            )
        seen_fraction = frontend.noise_fraction
    if seen and seen_fraction == 1:
        raise UserError(
            f"Training heard the whole of each noise {', '.join(seen)}, so that nothing is left for set A: train with"
            f" --frontend.noise_fraction 0.65, or say by --seen-fraction how much of each file in {noise} it heard."
        )
    return Conditions(noise=str(noise), seen=seen, seen_fraction=seen_fraction or 0.0, **others)


def _hears(frontend):
    return frontend.noise_path is not None and frontend.noise_probability > 0


def _heard(frontend):
    """The types of noise that training heard."""
    if not _hears(frontend):
        return ()
    if frontend.noise_types:
        return frontend.noise_types
    if not os.path.isdir(frontend.noise_path):
        raise UserError(f"The noise that training heard, {frontend.noise_path}, is gone: name its types by --seen.")
    return noises.type_names(frontend.noise_path)


def measure(recognizer, corpus, conditions, batch_size=64):
    """How much a recognizer knows of a split of its corpus in all conditions: plain dicts, lists and numbers.

    "measure" is what the task is judged by: "accuracy", or "wer" and "per" of texts; by that name "clean" and each
    noise's "snr" hold it, with a 95 % interval for as many clips as there are (see `per_example.score_condition`): a clip
    counts once in it, however often it is mixed. "averages" over 20 to 0 dB, of each noise and of the "sets" A, B and
    all, exist where all of those ratios were asked for; their 95 % intervals, and those of the sets at each ratio, are
    a percentile bootstrap over the clips, since one clip stands in many cells. "confusion" (truth, answer) is summed
    over the noises for each ratio, and under "noisy" over all but the clean clips; "recall" is that of each class; both
    are empty for texts.
    Raises UserError for noises that cannot be read.
    """
    loaded = conditions.load(recognizer.config.frontend.sample_rate_hz)
    places, found = _mixed(recognizer, corpus.splits[conditions.split], loaded, conditions, batch_size)
    sets = {name: "A" if name in conditions.seen else "B" for name in loaded}
    told = {**dataclasses.asdict(conditions), "seen": list(conditions.seen)}
    return {**told, **_scores(places, found, sets, recognizer.task.class_names, shared=True)}


def measure_own(recognizer, corpus, split="test", batch_size=64):
    """The same for a split that the corpus itself has mixed with noises, see `Split.conditions`; the one set is "all".

    Every noise has clips of its own there, the same at all ratios. UserError for a corpus that tells of no noises, and
    for a split that does not hold each noise at each ratio alike.
    """
    conditions = corpus.splits[split].conditions
    if conditions is None:
        raise UserError(f"{corpus.name} comes without noises of its own: give --noise FOLDER to mix them in.")
    places = {}
    for clip, (name, ratio) in enumerate(conditions):
        places.setdefault((None if ratio == CLEAN else name, ratio), []).append(clip)
    sets = dict.fromkeys(sorted({name for name, _ in places if name}), "")
    if not sets:
        raise UserError(f"The {split} split of {corpus.name} holds clean speech alone: take another.")
    ratios = {ratio for name, ratio in places if name}
    if any(len({len(places.get((name, ratio), ())) for ratio in ratios}) > 1 for name in sets):
        raise UserError(
            f"The {split} split of {corpus.name} does not have the same clips of a noise at all its ratios, as the test"
            " split should: take --split test, or copy the corpus anew."
        )
    found = recognizer.task.per_example(recognizer, corpus.splits[split], batch_size)
    places = {place: np.array(clips)[None] for place, clips in places.items()}
    scores = _scores(places, found, sets, recognizer.task.class_names, shared=False)
    return {"noise": None, "split": split, **scores, "examples": len(found.counts)}


def _scores(places, found, sets, class_names, shared):
    """What `measure` returns, from a PerExampleScores and {(type of noise or None, ratio): where its clips are in it}.

    Those places are (repeats, clips). `sets` has the set of each noise; `shared` tells whether all noises are mixed
    with the same clips.
    """
    name = found.name
    counts = {place: found.counts[clips] for place, clips in places.items()}
    sizes = {place: found.sizes[clips[0]] for place, clips in places.items()}
    noisy = sorted({ratio for _, ratio in places if ratio != CLEAN}, reverse=True)
    members = {group: [name for name in sets if sets[name] == group] for group in sorted(set(sets.values())) if group}
    members["all"] = list(sets)

    def mean(names, ratios):
        groups = [names] if shared else [[name] for name in names]
        pairs = [([counts[noise, ratio] for noise in group for ratio in ratios], group[0]) for group in groups]
        return average_conditions(name, [(group, sizes[first, ratios[0]]) for group, first in pairs])

    def one(place):
        return score_condition(name, counts[place], sizes[place])

    complete = set(AVERAGED_DB) <= set(noisy)
    result = {"measure": name, "snr_db": noisy, "examples": next(iter(places.values())).shape[1]}
    result["classes"] = [] if found.answers is None else list(class_names)
    result["clean"] = one((None, CLEAN)) if (None, CLEAN) in places else None
    result["noises"] = {
        noise: {
            "set": group,
            "snr": {label(ratio): one((noise, ratio)) for ratio in noisy},
            "average": mean([noise], AVERAGED_DB) if complete else None,
        }
        for noise, group in sets.items()
    }
    result["sets"] = {
        group: {"noises": names, "snr": {label(ratio): mean(names, [ratio]) for ratio in noisy}}
        for group, names in members.items()
    }
    result["averages"] = {group: mean(names, AVERAGED_DB) for group, names in members.items()} if complete else {}
    result["confusion"] = _confusions(places, found, len(result["classes"]))
    recalls = {
        key: classification.precision_recall_f1(np.array(table))[1] for key, table in result["confusion"].items()
    }
    result["recall"] = {key: dict(zip(result["classes"], map(float, row), strict=True)) for key, row in recalls.items()}
    return result


def label(ratio_db):
    """A ratio as the keys of a result have it: "20", "-2.5", "clean"."""
    return "clean" if ratio_db == CLEAN else f"{ratio_db:g}"


def mixtures(waveforms, pieces, ratios_db, sample_rate_hz):
    """Yields for each ratio the mixes, a list of float32 (samples,), of waveforms with pieces of noise as long.

    The levels are measured once: at other ratios than 0 dB the noise that `mix_at_snr` has added is louder or softer.
    """
    lengths = np.array([len(waveform) for waveform in waveforms], "int32")
    speech, noise = np.zeros((2, len(waveforms), lengths.max()), "float32")
    for row, length in enumerate(lengths):
        speech[row, :length], noise[row, :length] = waveforms[row], pieces[row]
    mixed = mix_at_snr(speech, noise, np.zeros(len(waveforms), "float32"), lengths, sample_rate_hz)
    added = keras.ops.convert_to_numpy(mixed) - speech
    for ratio in ratios_db:
        mixed = speech + np.float32(10 ** (-ratio / 20)) * added
        yield [row[:length] for row, length in zip(mixed, lengths, strict=True)]


def _mixed(recognizer, split, loaded, conditions, batch_size):
    """(a dict from (type of noise or None, ratio) to where its clips are, (repeats, clips), the PerExampleScores of all).

    All conditions stand in one split, so that one compiled program serves them all, and are mixed as it is read.
    """
    clean = list(split.examples.as_numpy_iterator())
    rate, seed, waveforms = recognizer.config.frontend.sample_rate_hz, conditions.seed, [c["audio"] for c in clean]
    blocks = [np.arange(len(clean))[start : start + CLIPS] for start in range(0, len(clean), CLIPS)]
    parts = list(itertools.product(blocks, _sources(conditions, loaded)))

    def examples():
        for clips, (name, repeat, ratios) in parts:
            batches = [[waveforms[clip] for clip in clips]]
            if name is not None:
                pieces = [
                    noises.piece(loaded[name], len(waveforms[clip]), name, (seed, repeat, clip)) for clip in clips
                ]
                batches = mixtures(batches[0], pieces, ratios, rate)
            for batch in batches:
                yield from ({**clean[clip], "audio": audio} for audio, clip in zip(batch, clips, strict=True))

    order, places = [], {}
    for clips, (name, repeat, ratios) in parts:
        for ratio in ratios:
            shape = (conditions.repeats if name else 1, len(clean))
            places.setdefault((name, ratio), np.zeros(shape, int))[repeat, clips] = len(order) + np.arange(len(clips))
            order += clips.tolist()
    mixed = tf.data.Dataset.from_generator(examples, output_signature=split.examples.element_spec)
    texts = split.texts and [split.texts[clip] for clip in order]
    seconds = np.array([len(waveforms[clip]) for clip in order]) / rate
    mixed = Split(mixed, len(order), texts=texts, seconds=seconds)
    return places, recognizer.task.per_example(recognizer, mixed, batch_size)


def _sources(conditions, names):
    """(type of noise or None, repeat, ratios) of each piece that a clip is mixed with; the same for all its ratios."""
    noisy = [ratio for ratio in conditions.snr_db if ratio != CLEAN]
    clean = [(None, 0, [CLEAN])] if CLEAN in conditions.snr_db else []
    return clean + [(name, repeat, noisy) for name in names for repeat in range(conditions.repeats)]


def _confusions(places, found, classes):
    if found.answers is None:
        return {}
    tables = {}
    for (name, ratio), clips in places.items():
        pairs = found.labels[clips] * classes + found.answers[clips]
        counts = np.bincount(pairs.ravel(), minlength=classes**2).reshape(classes, classes)
        for key in [label(ratio)] if name is None else [label(ratio), "noisy"]:
            tables[key] = tables.get(key, 0) + counts
    return {key: table.tolist() for key, table in tables.items()}


def write(folder, result):
    """Writes the tables and pictures of what `measure` returned into a folder, which it makes."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    Run(folder).write_json("noise.json", result)
    Run(folder).write_text("noise.csv", noise_tables.as_csv(result))
    noise_plots.heat_map(result, folder / "heat_map.png")
    noise_plots.curves(result, folder / "curves.png")
    if "noisy" in result["confusion"]:
        plots.confusion(result["confusion"]["noisy"], result["classes"], folder / "confusion.png")
    if "0" in result["confusion"]:
        plots.confusion(result["confusion"]["0"], result["classes"], folder / "confusion_0_dB.png")
