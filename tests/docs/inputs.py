"""The small data that the commands of the documentation find in their folder."""

import csv

import numpy as np
import soundfile
from PIL import Image

from tests.pipelines import moving_data

RATE_HZ = 8000
PITCHES_HZ = {"a": 300, "b": 500, "c": 800, "d": 1300, "e": 2000, " ": 0}
WORDS = ("bad", "cab", "dad", "bed", "add", "ace")


def write(folder):
    """Writes everything that a page may name: pictures, clips, noises, lists, a corpus of transcripts."""
    random = np.random.default_rng(0)
    _pictures(folder, random)
    _clips(folder, random)
    _noises(folder / "NOISES", random)
    _transcripts(folder, random)
    _pairs(folder)
    _moving(folder)
    _esc50(folder / "ESC-50", random)


def _picture(random, gray):
    size = random.integers(32, 40, 2)
    return Image.fromarray(random.normal(gray, 20, (*size, 3)).clip(0, 255).astype("uint8"))


def _pictures(folder, random):
    rows = []
    for label, gray in (("cat", 190), ("dog", 60)):
        for place, count in ((folder / "PHOTOS" / label, 16), (folder / "MORE" / f"young-{label}", 8)):
            place.mkdir(parents=True)
            for i in range(count):
                _picture(random, gray + i).save(place / f"{i}.{'jpg' if i % 2 else 'png'}")
        rows += [(f"PHOTOS/{label}/{i}.{'jpg' if i % 2 else 'png'}", gray + i) for i in range(16)]
    _table(folder / "ages.csv", ("path", "number"), rows)
    for name in ("new.jpg", "cat.jpg", "dog.jpg", "seven.png"):
        _picture(random, 190).save(folder / name)


def _tone(random, hz, seconds):
    samples = int(seconds * RATE_HZ)
    wave = 0.3 * np.sin(2 * np.pi * hz * random.uniform(0.95, 1.05) * np.arange(samples) / RATE_HZ)
    return wave + random.normal(scale=0.01, size=samples)


def _clips(folder, random):
    rows = []
    for label, hz in (("no", 400), ("yes", 1500)):
        (folder / "CLIPS" / label).mkdir(parents=True)
        for i in range(16):
            name = f"CLIPS/{label}/{i}.{'flac' if i % 2 else 'wav'}"
            soundfile.write(folder / name, _tone(random, hz, random.uniform(0.3, 0.6)), RATE_HZ)
            rows.append((name, label, f"s{i % 4}", ("train", "train", "validation", "test")[i % 4]))
    _table(folder / "clips.csv", ("path", "label", "speaker", "split"), rows)
    soundfile.write(folder / "new.wav", _tone(random, 1500, 0.5), RATE_HZ)


def _noises(folder, random):
    for name, step in (("crowd", 1), ("machine", 2), ("traffic", 4), ("wind", 8)):
        (folder / name).mkdir(parents=True)
        for i in range(2):
            noise = np.repeat(random.normal(scale=0.1, size=3 * RATE_HZ // step), step)
            soundfile.write(folder / name / f"{i}.wav", noise, RATE_HZ)


def _sentence(random):
    words = list(random.choice(WORDS, random.integers(1, 3)))
    text = " ".join(words)
    wave = [0.3 * np.sin(2 * np.pi * PITCHES_HZ[letter] * np.arange(1600) / RATE_HZ) for letter in text]
    return text, np.concatenate(wave) + random.normal(scale=0.005, size=1600 * len(text))


def _transcripts(folder, random):
    """A manifest with the column text, and the same as AN4 is distributed."""
    (folder / "TALKS").mkdir()
    rows, files = [], {"train": [], "test": []}
    for i in range(40):
        text, wave = _sentence(random)
        soundfile.write(folder / "TALKS" / f"{i}.wav", wave, RATE_HZ)
        split = "test" if i < 6 else "validation" if i < 12 else "train"
        rows.append((f"TALKS/{i}.wav", text, f"s{i % 4}{split}", split))
        speaker = f"m{split}{i % 4}"
        name = f"an4_clstk/{speaker}/an{i}-{speaker}-b"
        _sphere(folder / "an4" / "wav" / f"{name}.sph", np.repeat(wave, 2))
        files["test" if split == "test" else "train"].append((name, text.upper()))
    _table(folder / "talks.csv", ("path", "text", "speaker", "split"), rows)
    (folder / "an4" / "etc").mkdir()
    for split, lines in files.items():
        ids = "".join(f"{name}\n" for name, _ in lines)
        texts = "".join(f"<s> {text} </s> ({name.rsplit('/', 1)[1]})\n" for name, text in lines)
        (folder / "an4" / "etc" / f"an4_{split}.fileids").write_text(ids)
        (folder / "an4" / "etc" / f"an4_{split}.transcription").write_text(texts)
    soundfile.write(folder / "talk.flac", _sentence(random)[1], RATE_HZ)


def _sphere(path, wave):
    """A NIST SPHERE file at 16 kHz, as AN4 has them."""
    fields = f"sample_count -i {len(wave)}\nsample_rate -i 16000\nchannel_count -i 1\nsample_n_bytes -i 2\n"
    head = f"NIST_1A\n   1024\n{fields}sample_byte_format -s2 01\nend_head\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.round(wave.clip(-1, 1) * 32767).astype("<i2")
    path.write_bytes(head.encode().ljust(1024) + samples.tobytes())


def _pairs(folder):
    """Pictures with clips: cats with "yes", dogs with "no"."""
    rows = [
        (f"PHOTOS/{label}/{i}.{'jpg' if i % 2 else 'png'}", f"CLIPS/{word}/{i}.{'flac' if i % 2 else 'wav'}", label)
        for label, word in (("cat", "yes"), ("dog", "no"))
        for i in range(16)
    ]
    _table(folder / "pairs.csv", ("image", "audio", "group"), rows)
    _table(folder / "labeled_pairs.csv", ("image", "audio", "label"), rows)


def _moving(folder):
    """Moving pictures with clips and texts: a bar and a tone for each letter."""
    (folder / "LIPS").mkdir()
    moving_data.write_list(folder / "LIPS", 18, longest=2)
    with open(folder / "LIPS" / "speakers.csv", encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    _table(folder / "speakers.csv", head, [(f"LIPS/{row[0]}", f"LIPS/{row[1]}", *row[2:]) for row in rows])


def _esc50(folder, random):
    """Two classes of ESC-50 in its own layout, five folds."""
    (folder / "audio").mkdir(parents=True)
    (folder / "meta").mkdir()
    rows = []
    for label, hz in (("dog", 300), ("rain", 1700)):
        for i in range(15):
            name = f"{i % 5 + 1}-{label}-{i}.wav"
            soundfile.write(folder / "audio" / name, _tone(random, hz, 0.5), RATE_HZ)
            rows.append((name, i % 5 + 1, label))
    _table(folder / "meta" / "esc50.csv", ("filename", "fold", "category"), rows)


def _table(path, head, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])
