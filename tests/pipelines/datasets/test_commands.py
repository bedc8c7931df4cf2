import numpy as np
import pytest
import soundfile

from pipelines import datasets
from pipelines.datasets import commands
from pipelines.errors import UserError


@pytest.fixture
def archive(tmp_path):
    generator = np.random.default_rng(0)
    for word in ("yes", "no", "bed", "_background_noise_"):
        (tmp_path / word).mkdir()
        for speaker in ("0a7c2a8d", "1b2c3d4e", "2c3d4e5f", "3d4e5f6a"):
            clip = 0.1 * generator.standard_normal(1600)
            soundfile.write(tmp_path / word / f"{speaker}_nohash_0.wav", clip, 16000)
    (tmp_path / "validation_list.txt").write_text("yes/1b2c3d4e_nohash_0.wav\nno/1b2c3d4e_nohash_0.wav\n")
    (tmp_path / "testing_list.txt").write_text("".join(f"{w}/2c3d4e5f_nohash_0.wav\n" for w in ("yes", "no", "bed")))
    return tmp_path


def test_official_lists(archive):
    corpus = datasets.load(commands.Config(path=str(archive)))
    assert corpus.class_names == ("bed", "no", "yes")
    assert corpus.sample_rate_hz == 16000
    assert {name: split.size for name, split in corpus.splits.items()} == {"train": 7, "validation": 2, "test": 3}
    assert set(corpus.splits["test"].speakers) == {"2c3d4e5f"}


def test_twelve_classes_in_small(archive):
    config = commands.Config(path=str(archive), only_classes=("yes", "no"), unknown="others", silence_fraction=0.1)
    corpus = datasets.load(config)
    assert corpus.class_names == ("yes", "no", "unknown", "silence")
    assert np.bincount(corpus.splits["test"].labels).tolist() == [1, 1, 1, 1]


def test_without_lists_the_hash_decides(archive):
    (archive / "validation_list.txt").unlink()
    (archive / "testing_list.txt").unlink()
    for row in commands.list_files(commands.Config(path=str(archive))):
        assert row.split == commands.official_split(row.path)


def test_the_hash_of_the_corpus():
    # of the lists that come with version 0.02
    assert commands.official_split("yes/004ae714_nohash_0.wav") in ("train", "validation", "test")
    names = [f"{i:08x}_nohash_{i % 3}.wav" for i in range(3000)]
    shares = [np.mean([commands.official_split(name) == split for name in names]) for split in ("validation", "test")]
    np.testing.assert_allclose(shares, 0.1, atol=0.02)
    assert commands.official_split("a/1234_nohash_0.wav") == commands.official_split("b/1234_nohash_7.wav")


def test_mistakes(archive, tmp_path):
    with pytest.raises(UserError, match=r"data\.path is needed"):
        commands.load(commands.Config())
    with open(archive / "testing_list.txt", "a") as file:
        file.write("yes/missing_nohash_0.wav\n")
    with pytest.raises(UserError, match=r"missing_nohash_0\.wav, which does not exist"):
        commands.load(commands.Config(path=str(archive)))
    (archive / "testing_list.txt").unlink()
    with pytest.raises(UserError, match=r"testing_list\.txt is missing"):
        commands.load(commands.Config(path=str(archive)))
