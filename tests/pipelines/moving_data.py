"""A small made set of moving pictures with clips: each letter of a text is a bar in one of three places and a tone."""

import csv

import numpy as np
import soundfile
from PIL import Image

RATE_HZ, FRAMES_PER_LETTER, FRAME_MS = 8000, 5, 40
SIDE = 12
TONES_HZ = {"a": 300, "b": 800, "c": 2000}


def frames_of(text, random):
    """uint8 (frames, SIDE, SIDE): the bar of each letter moves down, and it is dark between letters."""
    frames = []
    for letter in text:
        for step in range(FRAMES_PER_LETTER):
            pixels = random.integers(0, 40, (SIDE, SIDE)).astype("uint8")
            if 0 < step < FRAMES_PER_LETTER - 1:
                column = 4 * "abc".index(letter)
                pixels[2 * step : 2 * step + 5, column : column + 3] += 180
            frames.append(pixels)
    return np.stack(frames)


def clip_of(text, random):
    """float (samples,): a tone for each letter, as long as its frames."""
    samples = RATE_HZ * FRAME_MS * FRAMES_PER_LETTER // 1000
    times = np.arange(samples) / RATE_HZ
    tones = [0.3 * np.sin(2 * np.pi * TONES_HZ[letter] * times) * np.hanning(samples) for letter in text]
    return np.concatenate(tones) + random.normal(scale=0.003, size=samples * len(text))


def save_moving(path, frames, duration_ms=FRAME_MS, **options):
    """Writes frames as an animated picture."""
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=duration_ms, loop=0, **options)


def write_list(folder, count=24, seed=0, longest=3):
    """Writes `count` moving pictures and clips, and a list of them with their texts; returns its path."""
    random = np.random.default_rng(seed)
    with open(folder / "speakers.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "audio", "text", "split"])
        for i in range(count):
            text = "".join(random.permutation(list("abc"))[: random.integers(1, longest + 1)])
            save_moving(folder / f"{i}.gif", frames_of(text, random))
            soundfile.write(folder / f"{i}.wav", clip_of(text, random), RATE_HZ)
            split = ("validation", "test")[i % 6] if i % 6 < 2 else "train"
            writer.writerow([f"{i}.gif", f"{i}.wav", text, split])
    return folder / "speakers.csv"
