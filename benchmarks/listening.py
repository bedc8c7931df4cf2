"""An hour of sound with 60 words in it: what `tfrec listen` misses and where it finds words that are not there.

`python -m benchmarks.listening RUN --noise NOISES/ --an4 AN4/`. The run recognizes spoken digits; the words are clips
of its test split, at least four seconds from each other. Between them are sentences without digits (AN4's, and words
of espeak-ng's test voices), over noise of all types at 10 to 30 dB below the speech. Seeded.
"""

import argparse
import itertools
import time

import numpy as np
import rich.console
import rich.table

import tfrec
from pipelines import datasets, noises
from pipelines.datasets import synthetic_speech
from tfrec.inference.listening import Listener

WORDS, SECONDS, LATE_S = 60, 3600, 0.3
DIGITS = frozenset(["ZERO", "OH", "O", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"])


def sentences(an4, rate, random):
    """Utterances without digits: of AN4, and of three to six synthetic words."""
    found = []
    for split in datasets.load(datasets.an4.Config(name="an4", path=an4), rate).splits.values():
        for text, example in zip(split.texts, split.examples.as_numpy_iterator(), strict=True):
            if not DIGITS & set(text.upper().split()):
                found.append(example["audio"])
    words = synthetic_speech.WORDS["test"].split()
    for voice in synthetic_speech.VOICES["test"] * 20:
        chosen = [words[i] for i in random.integers(len(words), size=random.integers(3, 7))]
        found.append(np.concatenate(synthetic_speech.speak(chosen, [voice], rate, random)))
    return found


def hour(recognizer, arguments, random):
    """(float32 samples, [(word, start in seconds, end)])."""
    rate = recognizer.config.frontend.sample_rate_hz
    sound = np.zeros(SECONDS * rate, "float32")
    kinds = [clip for clips in noises.load(arguments.noise, rate).values() for clip in clips]
    place = 0
    while place < len(sound):
        noise = np.tile(kinds[random.integers(len(kinds))], 3)[: len(sound) - place]
        level = 10 ** (random.uniform(-30, -10) / 20) * 0.1
        sound[place : place + len(noise)] += level * noise / max(1e-9, np.sqrt(np.mean(noise**2)))
        place += len(noise)
    split = datasets.load(recognizer.config.data, rate).splits["test"]
    names = recognizer.task.class_names
    clips = [(names[e["label"]], e["audio"]) for e in split.examples.as_numpy_iterator() if e["label"] < 10]
    spoken = sentences(arguments.an4, rate, random)
    truth, gap = [], SECONDS / WORDS
    for i, number in enumerate(random.permutation(len(clips))[:WORDS]):
        word, clip = clips[number]
        start = round((i + random.uniform(0.05, 0.15)) * gap * rate)
        sound[start : start + len(clip)] += 0.1 * clip / np.sqrt(np.mean(clip**2))
        truth.append((word, start / rate, (start + len(clip)) / rate))
        place = start + len(clip) + 4 * rate
        while True:
            sentence = spoken[random.integers(len(spoken))]
            if place + len(sentence) + 4 * rate > (i + 1) * gap * rate:
                break
            sound[place : place + len(sentence)] += 0.1 * sentence / np.sqrt(np.mean(sentence**2))
            place += len(sentence) + round(random.uniform(0.5, 6) * rate)
    return np.clip(sound, -1, 1), truth


def score(events, truth):
    """(words found, events where no such word was)."""
    found, false = set(), 0
    for event in events:
        for i, (word, start, end) in enumerate(truth):
            if event.start_s < end + LATE_S and event.end_s > start - LATE_S and event.word == word:
                found.add(i)
                break
        else:
            false += 1
    return len(found), false


class Remembered:
    """A recognizer whose answers are computed once, for several listeners to the same sound."""

    def __init__(self, recognizer):
        self.description, self._function, self._answers = recognizer.description, recognizer.answer_function(), []

    def answer_function(self):
        """The function `answers` for one more pass over the sound."""
        calls = itertools.count()

        def answers(inputs):
            call = next(calls)
            if call == len(self._answers):
                self._answers.append(self._function(inputs))
            return self._answers[call]

        return answers


def main():
    """Prints misses and false alarms by threshold, and the share of a core."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    for name in ("--noise", "--an4"):
        parser.add_argument(name, required=True)
    arguments = parser.parse_args()
    recognizer = tfrec.load(arguments.run)
    sound, truth = hour(recognizer, arguments, np.random.default_rng(0))
    model = Remembered(recognizer)
    table = rich.table.Table(title=f"{len(truth)} words in {SECONDS} s of noise and sentences")
    for column in ("threshold", "missed", "false alarms an hour", "core"):
        table.add_column(column, justify="right")
    share = None
    for threshold in (None, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95):
        listener = Listener(model, threshold)
        started, events = time.process_time(), []
        for start in range(0, len(sound), 80_000):
            events += listener.feed(sound[start : start + 80_000])
        events += listener.end()
        found, false = score(events, truth)
        share = share or (time.process_time() - started) / SECONDS
        label = f"{threshold or recognizer.description.get('threshold', 0):.2f}"
        table.add_row(label, f"{100 * (1 - found / len(truth)):.1f} %", f"{false}", f"{share:.3f}")
    rich.console.Console().print(table)


if __name__ == "__main__":
    main()
