"""The certificate: what is compared, what fails, and what lies in an export."""

import dataclasses
import importlib.util
import json

import numpy as np
import pytest

from pipelines import datasets, frontends, images
from tests.tfrec import untrained
from tfrec.config import flags
from tfrec.recognizer import Recognizer
from tfrec.serving import layout
from tfrec.serving.certificate import cases, certify, compare, sample_files
from tfrec.serving.lint import report

R = np.random.default_rng(0)


def test_what_lies_in_an_export(published):
    assert (published / layout.LABELS).read_text().splitlines() == [str(digit) for digit in range(10)]
    certificate = json.loads((published / layout.CERTIFICATE).read_text())
    assert (certificate["passed"], certificate["examples"]) == (True, "held out of the training")
    kinds = {name.partition(" as ")[2] for name in certificate["inputs"]}
    assert kinds == {"", *sample_files.PICTURES}
    results = {name: loader["result"] for name, loader in certificate["loaders"].items()}
    if importlib.util.find_spec("openvino") is None:
        assert results.pop("openvino") == "not run: it is not installed"
    for result in results.values():
        assert result["requests"] > 8
        assert result["largest_difference"] <= 1e-4
    assert next(iter(results.values()))["texts_not_empty"] > 20
    assert json.loads((published / layout.DESCRIPTION).read_text())["labels"] == [str(digit) for digit in range(10)]
    card = (published / layout.CARD).read_text()
    assert card.startswith("# digits\n")
    assert "| test | 360 | accuracy | " in card
    assert "TensorFlow Serving itself: not run" in card


def test_the_linter_finds_nothing_in_an_export(published):
    findings = report.check(report.open_folder(published))
    assert {each.rule: each.text for each in findings if each.status != "ok"} == {}


ROW = {
    "label": np.array("a"),
    "probabilities": np.float32([0.7, 0.3]),
    "number": np.float32(1000),
    "accepted": np.array(True),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"number": 1000.05}, None),  # relative to numbers above 1
        ({"probabilities": np.float32([0.70005, 0.29995])}, None),
        ({"other": 1}, None),
        ({"label": "b"}, "label is 'b' where the trained model's is 'a'"),
        ({"accepted": False}, "accepted is False"),
        ({"number": 1000.2}, "number differs from the trained model's by 2.0e-04"),
        ({"probabilities": np.float32([0.7, np.nan])}, "probabilities differs from the trained model's by inf"),
    ],
)
def test_rows_are_compared(change, message):
    comparison = compare.Comparison()
    if message is None:
        comparison.add(ROW | change, ROW)
        assert (comparison.texts, comparison.ties) == (1, 0)
    else:
        with pytest.raises(compare.DifferenceError) as caught:
            comparison.add(ROW | change, ROW)
        assert str(caught.value).startswith(message)


def test_the_numbers_of_a_vector_are_rounded_as_its_largest_is():
    row = {"logits": np.float32([40.0, -0.5, 3.0])}
    compare.Comparison().add({"logits": np.float32([40.0, -0.5003, 3.0])}, row)
    with pytest.raises(compare.DifferenceError, match=r"logits differs .* by 1\.5e-04"):
        compare.Comparison().add({"logits": np.float32([40.0, -0.506, 3.0])}, row)
    frames = {"logits": np.float32([[40.0, -0.5], [1.0, 0.5]])}  # each step is a vector of its own
    with pytest.raises(compare.DifferenceError, match=r"by 3\.0e-04"):
        compare.Comparison().add({"logits": np.float32([[40.0, -0.5], [1.0, 0.5003]])}, frames)


def test_the_tolerance_is_that_of_the_dtype():
    assert [compare.tolerance_of(dtype) for dtype in ("float32", "float16", "bfloat16")] == [1e-4, 8 / 2**10, 8 / 2**7]
    comparison = compare.Comparison(compare.tolerance_of("bfloat16"), threshold=0.66)
    row = ROW | {"probability": np.float32(0.7)}
    comparison.add(row | {"probabilities": np.float32([0.65, 0.35]), "accepted": np.array(False)}, row)
    assert comparison.ties == 1  # 0.7 is so near the threshold that either is right
    with pytest.raises(compare.DifferenceError, match="label is 'b'"):  # but 0.7 and 0.3 are far apart
        comparison.add(row | {"label": np.array("b")}, row)
    with pytest.raises(compare.DifferenceError, match=r"by 7\.0e-02, more than 0\.062"):
        comparison.add(row | {"probabilities": np.float32([0.63, 0.37])}, row)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", pytest.param("mixed_float16", marks=pytest.mark.slow)])
def test_half_precision_is_published(precision, tmp_path):
    words = ["digits", "--fit.precision", precision, "--model.width", "8", "--export.warmup_batches", "1"]
    config = flags.to_config(flags.parse_fit(words)[1])
    config = dataclasses.replace(config, frontend=frontends.resolve(config.frontend, datasets.load(config.data)))
    recognizer = Recognizer(config, [str(digit) for digit in range(10)])
    certificate = json.loads((recognizer.export(tmp_path, "half") / layout.CERTIFICATE).read_text())
    assert certificate["loaders"]["openvino"]["result"] == certify.FLOAT32_ALONE
    assert certificate["tolerance"] == compare.tolerance_of(precision.removeprefix("mixed_"))
    result = certificate["loaders"]["c_api"]["result"]
    assert result["largest_difference"] <= certificate["tolerance"]
    assert result["texts_not_empty"] > 20


@pytest.mark.parametrize(("gap", "has"), [(0.001, False), (0.00005, True)])
def test_another_text_is_right_where_two_tokens_are_as_probable(gap, has):
    logits = np.float32([[[9, 0, 0], [np.log(0.5 + gap), np.log(0.5 - gap), -30], [1, 1, 1]]])

    class Transcriber:
        def batch_of_one(self, raw):
            return raw

        def __call__(self, raw):
            return {"logits": logits, "steps": np.int32([2])}

    case = cases.Case("clip", np.zeros(1), {"text": np.array("a")})
    assert certify._has_other_texts(Transcriber(), case, compare.FLOAT32_TOLERANCE) == has


def test_either_of_two_equal_classes_is_right():
    comparison = compare.Comparison()
    tie = {"label": np.array("a"), "probabilities": np.float32([0.50001, 0.49999])}
    comparison.add({"label": np.array("b"), "probabilities": np.float32([0.49999, 0.50001])}, tie)
    assert comparison.ties == 1


def test_padding_of_a_batch_is_no_difference():
    alone = {"words": np.array(["a"]), "tokens": np.int32([3]), "logits": np.float32([[1, 2]]), "steps": np.int32(1)}
    batch = {"words": np.array(["a", ""]), "tokens": np.int32([3, 0]), "logits": np.float32([[1, 2], [9, 9]])}
    compare.Comparison().add(batch | {"steps": np.int32(1)}, alone)
    with pytest.raises(compare.DifferenceError, match="tokens"):
        compare.Comparison().add(batch | {"tokens": np.int32([3, 1]), "steps": np.int32(1)}, alone)


def test_every_kind_of_picture_is_read_by_training(tmp_path):
    pixels = R.integers(0, 256, (9, 7, 3)).astype("uint8")
    for kind in sample_files.PICTURES:
        (tmp_path / "file").write_bytes(sample_files.picture(kind, pixels))
        read = images.read(tmp_path / "file", 3)
        assert read.shape == pixels.shape, kind
        if kind in ("PNG", "PNG of 16 bits"):
            np.testing.assert_array_equal(np.rint(read), pixels)


def silent(blank_logit):
    """An untrained transcriber whose texts are all empty where the blank's logit is large."""
    built = untrained.recognizer.__wrapped__("bilstm_ctc")
    head = built.network.get_layer("logits")
    kernel, bias = head.get_weights()
    bias[0] += blank_logit
    head.set_weights([kernel, bias])
    return built


@pytest.mark.slow
def test_empty_texts_prove_nothing(monkeypatch):
    monkeypatch.setattr(cases, "TEXT_SEEDS", 2)
    collected = cases.collect(silent(1000))
    assert not cases.has_texts(collected)
    assert cases.has_texts(cases.collect(silent(0)))


def test_a_clip_with_a_text_is_searched(monkeypatch):
    """Where the held-out clips have none."""
    built = silent(0)
    answers = cases.examples.answer_each
    zeros = [np.zeros(4000, "float32")]
    monkeypatch.setattr(cases.examples, "generate", lambda _: zeros)
    empty = {"text": np.array(""), "confidence": np.float32(0)}
    monkeypatch.setattr(cases.examples, "answer_each", lambda r, raw: answers(r, raw) if raw[0].any() else [empty])
    collected = cases.collect(built)
    assert [case.name.split(" ")[0] for case in collected[:4]] == ["example", "half", "generated", "generated"]
    assert str(collected[2].expected["text"])  # and a file is made of it
