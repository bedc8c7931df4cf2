"""The command `corruption_report`."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.tfrec.conftest import train
from tfrec.commands import corruption_report
from tfrec.config import flags
from tfrec.evaluation.corruptions import measure, registry
from tfrec.recognizer import Recognizer
from tfrec.runs import splits


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a trained run in the user's folder."""
    return pathlib.Path(shutil.copytree(trained("digits")[0].path, tmp_path / "mine"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A run on bright and dark color pictures of different sizes."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for label, gray in (("dark", 70), ("light", 180)):
        (folder / "pictures" / label).mkdir(parents=True)
        for i in range(20):
            pixels = random.normal(gray, 20, (*random.integers(36, 44, 2), 3)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(folder / "pictures" / label / f"{i}.png")
    words = ["--data.name", "folder", "--data.path", str(folder / "pictures"), "--model.width", "4"]
    words += [
        "--frontend.height",
        "34",
        "--frontend.width",
        "36",
        "--frontend.crop_fraction",
        "0.9",
        "--fit.epochs",
        "2",
    ]
    return train(flags.to_config(flags.parse_fit(words)[1]), folder / "run")[0]


def report(capsys, *words):
    assert corruption_report.main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_all_corruptions_of_gray_pictures(run, capsys):
    assert corruption_report.main([str(run), "--limit", "40", "--severities", "5", "1", "5"]) == 0
    out = capsys.readouterr().out
    folder = run / "corruptions"
    assert f"In {folder}: " in out.replace("\n", "")
    assert sorted(path.name for path in folder.iterdir()) == [
        "corruptions.csv", "corruptions.json", "corruptions.md", "curves.png", "examples.png", "extra_examples.png",
        "heat_map.png",
    ]  # fmt: skip
    result = json.loads((folder / "corruptions.json").read_text())
    assert list(result["corruptions"]) == list(registry.BENCHMARK)
    assert list(result["extra"]) == [
        "rotate_90",
        "jpeg_quality_10",
        "occlusion_25",
        "occlusion_50",
        "screenshot_borders",
    ]
    assert result["left_out"] == ["gray", "tint"]
    assert (result["examples"], result["severities"], result["size"]) == (40, [1, 5], [8, 8])
    assert result["parameters"] == "cifar10_c"
    scores = [cell["accuracy"] for one in result["corruptions"].values() for cell in one["severity"].values()]
    assert result["mean"]["accuracy"] == pytest.approx(np.mean(scores))
    assert result["mean"]["corruption_error"] == pytest.approx(1 - np.mean(scores))
    low, high = result["mean"]["corruption_error_interval"]
    assert low < result["mean"]["corruption_error"] < high
    averages = {name: one["average"]["accuracy"] for name, one in result["corruptions"].items()}
    assert result["worst"]["accuracy"] == averages[result["worst"]["name"]] == min(averages.values())
    assert set(result["families"]) == {"noise", "blur", "weather", "digital"}
    assert len((folder / "corruptions.csv").read_text().splitlines()) == 1 + 1 + 15 * 3 + 4 + 1 + 5
    for text in (out, (folder / "corruptions.md").read_text()):
        for part in ("mean corruption error", "worst: ", "frost overlays computed textures", "jpeg_compression"):
            assert part in " ".join(text.split())
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            assert min(picture.size) > 200
            assert np.asarray(picture.convert("L")).std() > 20


def test_a_report_is_reproducible_and_independent_of_batch_and_others(run, capsys):
    words = [run, "--limit", "24", "--severities", "3", "--corruptions"]
    both = report(capsys, *words, "shot_noise", "fog")
    assert both == report(capsys, *words, "fog", "shot_noise", "--batch_size", "7")
    assert both["extra"] == {}
    assert [path.name for path in run.glob("corruptions*")] == ["corruptions"]
    alone = report(capsys, *words, "fog")
    assert alone["corruptions"]["fog"] == both["corruptions"]["fog"]
    assert (run / "corruptions-2" / "corruptions.json").is_file()
    extra = report(capsys, *words, "rotate_90")
    assert (extra["mean"], extra["worst"], list(extra["extra"])) == (None, None, ["rotate_90"])
    assert report(capsys, *words, "fog", "--seed", "1")["seed"] == 1


def test_the_clean_score_is_that_of_evaluate(run, capsys):
    result = report(capsys, run, "--corruptions", "contrast", "--severities", "1")
    test = json.loads((run / "metrics.json").read_text())["test"]
    assert result["clean"]["accuracy"] == test["accuracy"]
    assert result["clean"]["interval"] == pytest.approx(test["accuracy_interval"])


def test_color_pictures_are_corrupted_at_the_size_of_the_network(photos, capsys):
    result = report(capsys, photos.path, "--corruptions", "gray", "jpeg_compression", "tint", "--severities", "1", "2")
    assert (result["size"], result["parameters"], result["left_out"]) == ([34, 36], "imagenet_c", [])
    assert set(result["extra"]) == {"gray", "tint"}


def test_pictures_are_cropped_once(photos):
    recognizer = Recognizer.from_run(photos)
    split = splits.load(photos, recognizer.config, recognizer.task.labels, ("test",)).splits["test"]
    (image, *_) = measure.pictures(recognizer, split, 2)
    features = recognizer.features(recognizer.batch_of_one(next(split.examples.as_numpy_iterator())["image"]))
    after = measure.without_crop(recognizer).on_split(split).frontend(image[None])
    np.testing.assert_allclose(after, features, atol=0.05)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--limit", "0"], "limit must be 1 or more. Received: 0"),
        (["--batch_size", "0"], "batch_size must be 1 or more. Received: 0"),
        (["--seed", "-1"], "seed must be 0 or more. Received: -1"),
        (["--severities", "6"], "severities must be numbers from 1 to 5. Received: (6,)"),
        (["--corruptions", "fogg"], "Unknown corruption 'fogg': did you mean 'fog'"),
        (["--corruptions", "tint", "gray"], "Gray pictures have no color for gray and tint: name other --corruptions"),
        (["--split", "tests"], "split"),
        (["--corruption", "fog"], "Unknown flag '--corruption': did you mean '--corruptions'"),
    ],
)
def test_user_errors(fails, run, words, message):
    assert message in fails(corruption_report, "mine", *words)


def test_runs_that_cannot_be_measured(fails, trained):
    assert "is not a run" in fails(corruption_report, "nothing")
    assert "was trained on speech" in fails(corruption_report, trained("cnn")[0].path)
