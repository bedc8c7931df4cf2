"""Near copies: pictures and recordings that were saved again."""

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines.datasets import folder, near_duplicates
from pipelines.datasets.files import Row

COPIES = 50


def picture(random, size=96):
    """A picture of smooth shapes, different for each call."""
    small = Image.fromarray(random.integers(0, 256, (6, 6, 3)).astype("uint8"))
    return small.resize((size, size), Image.Resampling.BICUBIC)


def recording(random, rate=16000):
    """Noise whose loudness and color change, as those of speech do."""
    spectrum = np.fft.rfft(random.normal(size=rate))
    hz = np.fft.rfftfreq(rate, 1 / rate)
    for center in random.uniform(300, 3000, 3):
        spectrum *= 0.3 + np.exp(-(((hz - center) / 300) ** 2))
    wave = np.fft.irfft(spectrum) * np.repeat(random.uniform(0, 1, 8), rate // 8)
    return 0.5 * wave / np.abs(wave).max()


def planted(folder, media):
    """Class folders of 100 files, of which 50 are saved again; returns the names of the pairs."""
    random, pairs = np.random.default_rng(0), []
    for i in range(100):
        where = folder / "ab"[i % 2]
        where.mkdir(exist_ok=True)
        if media == "image":
            image = picture(random)
            image.save(where / f"{i}.png")
            if i < COPIES:
                name = f"{i}copy.jpg"
                image.resize((64, 64) if i % 3 else (96, 96)).save(where / name, quality=40 + i)
        else:
            wave = recording(random)
            soundfile.write(where / f"{i}.wav", wave, 16000)
            if i < COPIES:
                name = f"{i}copy.{'mp3' if i % 2 else 'ogg'}"
                soundfile.write(where / name, wave, 16000)
        if i < COPIES:
            pairs.append((str(where / f"{i}.{'png' if media == 'image' else 'wav'}"), str(where / name)))
    return pairs


@pytest.mark.parametrize("media", ["image", "audio"])
def test_copies_saved_again_are_in_one_split(tmp_path, media):
    pairs = planted(tmp_path, media)

    def together(**fields):
        corpus = folder.load(folder.Config(path=str(tmp_path), verify=False, **fields))
        split_of = {source: name for name, split in corpus.splits.items() for source in split.sources}
        return sum(split_of[a] == split_of[b] for a, b in pairs), corpus.notes

    count, notes = together(near_duplicates=True)
    assert count >= 45
    found = [note for note in notes if "near copies" in note]
    assert 45 <= int(found[0].split()[0]) <= 53
    count, notes = together()
    assert count < 45
    assert not any("near copies" in note for note in notes)


def test_flat_pictures_are_not_copies(tmp_path):
    rows = []
    for i in range(5):
        Image.new("RGB", (20, 20), (40 * i, 0, 0)).save(tmp_path / f"{i}.png")
        rows.append(Row(str(tmp_path / f"{i}.png")))
    identities = [str(i) for i in range(5)]
    assert near_duplicates.merge(rows, identities) == (identities, [])


def test_damaged_files_are_left_to_other_checks(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    rows = [Row(str(tmp_path / f"{name}.png")) for name in "ab"]
    assert near_duplicates.merge(rows, ["a", "b"]) == (["a", "b"], [])


@pytest.mark.slow
def test_real_pictures_have_few_near_copies(tmp_path, data_dir):
    import tensorflow_datasets

    examples = tensorflow_datasets.builder("cifar10", data_dir=str(data_dir / "tfds")).as_dataset(split="test")
    rows = []
    for i, example in enumerate(examples.take(3000).as_numpy_iterator()):
        Image.fromarray(example["image"]).save(tmp_path / f"{i}.png")
        rows.append(Row(str(tmp_path / f"{i}.png")))
    _, notes = near_duplicates.merge(rows, [str(i) for i in range(len(rows))])
    assert not notes or int(notes[0].split()[0]) <= 3
