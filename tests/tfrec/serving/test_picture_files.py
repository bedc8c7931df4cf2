"""Picture files of people: the run and its export read them alike."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from pipelines import datasets, frontends
from tfrec import tasks
from tfrec.config import flags
from tfrec.recognizer import Recognizer
from tfrec.serving import savedmodel
from tfrec.serving.exported import ExportedRecognizer

R = np.random.default_rng(0)


def classes(path, picture, count=6):
    for number, name in enumerate(("far", "near")):
        (path / name).mkdir(parents=True)
        for i in range(count):
            picture(number).save(path / name / f"{i}.png")
    return path


def recognizers(path, *words):
    """An untrained recognizer of a folder, and its export."""
    words = ["--data.name", "folder", "--data.path", str(path), "--model.name", "mlp", "--model.width", "4", *words]
    config = flags.to_config(flags.parse_fit(words)[1])
    corpus = datasets.load(config.data)
    config = dataclasses.replace(config, frontend=frontends.resolve(config.frontend, corpus))
    recognizer = Recognizer(config, tasks.labels(config.task, corpus))
    head = recognizer.network.get_layer("logits")
    head.set_weights([R.normal(size=weight.shape, scale=3) for weight in head.get_weights()])
    savedmodel.write(recognizer, path.parent / "export" / "1")
    return recognizer, ExportedRecognizer.open(path.parent / "export")


def probabilities(recognizer, *sources):
    return np.stack([answer.probabilities for answer in recognizer.predict(list(sources))])


def test_a_turned_photo_is_answered_as_the_upright_one(tmp_path):
    path = classes(tmp_path / "P", lambda k: Image.fromarray(R.integers(0, 256, (8, 8, 3), np.uint8)))
    run, export = recognizers(path)
    upright = Image.new("RGB", (40, 40), "black")
    upright.paste("white", (0, 0, 40, 20))
    tag = Image.Exif()
    tag[0x0112] = 6
    upright.save(tmp_path / "upright.png")
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "phone.png", exif=tag)
    for recognizer in (run, export):
        first, second = probabilities(recognizer, tmp_path / "upright.png", tmp_path / "phone.png")
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("background", ["white", "#203040"])
def test_the_background_of_the_training_is_that_of_predictions(tmp_path, background):
    path = classes(tmp_path / "P", lambda k: Image.fromarray(R.integers(0, 256, (8, 8, 4), np.uint8)))
    run, export = recognizers(path, "--data.background", background)
    icon = Image.fromarray(R.integers(0, 256, (8, 8, 4), np.uint8))
    icon.save(tmp_path / "icon.png")
    canvas = Image.alpha_composite(Image.new("RGBA", icon.size, background), icon).convert("RGB")
    for recognizer in (run, export):
        first, second = probabilities(recognizer, tmp_path / "icon.png", np.asarray(canvas))
        np.testing.assert_allclose(first, second, atol=1e-6)


def test_the_export_takes_more_than_8_bits(tmp_path):
    def dark(number):
        return Image.fromarray(R.integers(0, 90, (8, 8)).astype("uint16") + 100 * number)

    path = classes(tmp_path / "P", dark)
    run, export = recognizers(path, "--data.channels", "1")
    sources = [path / "near" / "0.png", path / "far" / "0.png"]
    expected = probabilities(run, *sources)
    np.testing.assert_allclose(probabilities(export, *sources), expected, atol=1e-5)
    assert np.abs(expected[0] - expected[1]).max() > 1e-4
    encoded = export._model.signatures["encoded"](encoded=np.array([path.read_bytes() for path in sources], object))
    np.testing.assert_allclose(encoded["probabilities"], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("reduced_to", "shape"), [(["16", "20"], (20, 27)), pytest.param(["0", "0"], (160, 211), marks=pytest.mark.slow)]
)
def test_large_photos_are_reduced_alike_in_training_and_in_the_export(tmp_path, reduced_to, shape):
    path, tag = tmp_path / "P", Image.Exif()
    for orientation, name in ((1, "far"), (6, "near")):
        tag[0x0112] = orientation
        (path / name).mkdir(parents=True)
        for i in range(6):
            coarse = Image.fromarray(R.integers(0, 256, (12, 16, 3), np.uint8))
            coarse.resize((211, 160), Image.Resampling.BICUBIC).save(path / name / f"{i}.jpg", exif=tag, quality=95)
    size = ["--frontend.height", "16", "--frontend.width", "20", "--data.reduced_to", *reduced_to]
    run, export = recognizers(path, *size)
    sources = sorted(path.rglob("*.jpg"))
    corpus = datasets.load(run.config.data)
    read = {example["image"].shape[:2] for example in corpus.splits["train"].examples}
    assert shape in {tuple(sides) for sides in read}
    assert run.read(sources[0]).shape[:2] == export.read(sources[0]).shape[:2] == shape
    expected = probabilities(run, *sources)
    np.testing.assert_allclose(probabilities(export, *sources), expected, atol=1e-4)
    contents = np.array([source.read_bytes() for source in sources], object)
    encoded = export._model.signatures["encoded"](encoded=contents)
    np.testing.assert_allclose(encoded["probabilities"], expected, atol=1e-4)
