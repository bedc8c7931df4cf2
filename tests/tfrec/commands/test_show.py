"""`python -m tfrec show`: what is drawn, and user errors."""

import numpy as np
import pytest
from PIL import Image

from pipelines import datasets, frontends
from tests.tfrec.commands.test_commands import done
from tests.tfrec.user_errors import pictures
from tfrec.commands import show
from tfrec.reports import grid

SMALL = ["--rows", "3", "--columns", "3"]


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """A function from words to the arguments of the grid: versions, names and the rest."""
    monkeypatch.chdir(tmp_path)
    calls = []
    for name in ("images", "spectrograms"):
        monkeypatch.setattr(grid, name, lambda *arguments: calls.append(arguments))

    def draw(*words):
        assert show.main([*map(str, words)]) == 0
        return calls.pop()

    return draw


def test_as_a_user_types_it(tmp_path):
    out, err = done(tmp_path, "tfrec", "show", *SMALL)
    assert err == ""
    assert out == "3 examples of the train split are in show-digits.png.\n"
    with Image.open(tmp_path / "show-digits.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 300
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10


def test_the_same_command_gives_the_same_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [*SMALL, "--frontend.rand_augment_operations", "2", "--frontend.mixup", "0.4", "--frontend.cutmix", "1"]
    for name, more in (("one", ()), ("same", ()), ("other", ("--seed", "1"))):
        assert show.main(["digits", *words, "--out", f"{name}.png", *more]) == 0
    one, same, other = (tmp_path.joinpath(f"{name}.png").read_bytes() for name in ("one", "same", "other"))
    assert one == same
    assert one != other


def test_examples_as_in_evaluation_are_on_the_left(drawn):
    versions, names, notes, title, path = drawn("digits", "--rows", "10", "--columns", "4", "--split", "test")
    assert versions.shape == (4, 10, 8, 8, 1)
    assert notes is None
    assert "digits, test split" in title
    assert str(path) == "show-digits.png"
    corpus = datasets.load(datasets.digits.Config(name="digits"))
    test = {
        example["image"].tobytes(): example["label"] for example in corpus.splits["test"].examples.as_numpy_iterator()
    }
    for picture, name in zip(versions[0], names, strict=True):
        assert corpus.class_names[test[np.round(picture * 255).astype("uint8").tobytes()]] == name
    assert sorted(names) == list("0123456789")  # of different classes where the labels are known
    assert names != sorted(names)
    for i in range(4):
        for j in range(i):
            assert (np.abs(versions[i] - versions[j]).max((1, 2, 3)) > 0.05).all()


@pytest.mark.parametrize("normalize", ["per_image", "symmetric"])
def test_images_are_in_range_with_every_normalization(drawn, normalize):
    versions, *_ = drawn(*SMALL, "--frontend.normalize", normalize, "--frontend.placement", "host")
    assert versions.min() == 0
    assert 0.9 < versions.max() <= 1


def test_images_of_different_sizes(drawn, tmp_path):
    folder = pictures(tmp_path / "pets", count=12)
    words = ["--rows", "8", "--columns", "2", "--frontend.hue", "0.3"]
    versions, names, *_ = drawn("--data.name", "folder", "--data.path", folder, *words)
    assert versions.shape == (2, 8, 128, 128, 3)
    assert sorted(names) == ["cat"] * 4 + ["dog"] * 4
    assert names not in (sorted(names), sorted(names)[::-1])  # the folder is sorted by class


def test_mixed_examples_show_their_shares(drawn):
    versions, names, notes, *_ = drawn(
        "--rows", "4", "--columns", "9", "--frontend.cutmix", "1", "--frontend.rotation_degrees", "0",
        "--frontend.shift_fraction", "0", "--frontend.scale", "1", "1",
    )  # fmt: skip
    assert notes[0] == names
    shares = set()
    for version, column in zip(versions[1:], notes[1:], strict=True):
        for row, note in enumerate(column):
            if "\n" not in note:
                assert note == names[row]
                continue
            own, partner = note.split("\n")
            assert own.split("% ")[1] == names[row]
            assert partner.split("% ")[1] == names[row - 1]
            share = int(own.split("%")[0]) / 100
            shares.add(share)
            from_partner = version[row] != versions[0][row]
            assert from_partner.mean() <= 1 - share + 0.005
            np.testing.assert_array_equal(version[row][from_partner], versions[0][row - 1][from_partner])
    assert len(shares) > 8


def test_without_augmentation_a_line_says_so(drawn, tmp_path, capsys):
    drawn("--data.name", "folder", "--data.path", pictures(tmp_path / "pets"), *SMALL)
    assert "no augmentation is on" in capsys.readouterr().out


def test_audio(drawn, tones):
    versions, seconds, names, title, _ = drawn(
        "--data.name", "folder", "--data.path", tones, *SMALL, "--frontend.time_masks", "2", "--split", "validation"
    )
    config = frontends.SpeechConfig()
    assert "validation split" in title
    assert set(names) == {"high", "low"}
    for row, length in enumerate(seconds):
        plain, *augmented = (version[row] for version in versions)
        assert plain.shape == (round(length * 1000 / config.hop_ms), config.mels)
        for other in augmented:
            assert other.shape == plain.shape
            assert np.abs(other - plain).max() > 0.1
        loudest = plain.mean(0).argmax()
        assert loudest > 15 if names[row] == "high" else loudest < 15


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["minst"], "Unknown experiment 'minst': did you mean 'mnist'?"),
        (["--row", "3"], "Unknown flag '--row': did you mean '--rows'"),
        (["--resume"], "Unknown flag '--resume'"),
        (["--run", "runs/mine"], "Unknown flag '--run'"),
        (["--rows", "0"], "rows must be from 1 to 50. Received: 0"),
        (["--columns", "1"], "columns must be from 2 to 50. Received: 1"),
        (["--split", "all"], "'all'"),
        (["--seed", "-1"], "seed must be 0 or more"),
        (["--out", "grid.jpg"], "must end in .png. Received: grid.jpg"),
        (["--out", "nowhere/grid.png"], "nowhere/grid.png"),
        (["--frontend.mixup", "-1"], "frontend.mixup must be from 0 to 100. Received: -1.0"),
        (["--frontend.rand_augment_magnitude", "30"], "frontend.rand_augment_magnitude must be from 0 to 10"),
        (["--frontend.rand_augment_operations", "1.5"], "must be a whole number"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_user_errors(fails, words, message):
    assert message in fails(show, *words)


def test_help(capsys):
    with pytest.raises(SystemExit) as stop:
        show.main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "python -m tfrec show [EXPERIMENT | DATA]" in out
    assert "--rows" in out
