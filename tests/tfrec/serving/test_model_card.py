"""The model card: every number is one of the run's files, and what is not measured is named with its command."""

import shutil

import pytest

from tfrec.recognizer import Recognizer
from tfrec.runs import environment
from tfrec.runs.run import Run
from tfrec.serving import savedmodel
from tfrec.serving.model_card import card, markdown, origin, robustness, scores

CERTIFICATE = {
    "date": "2026-11-30",
    "signatures": ["serving_default", "tensor"],
    "inputs": {"a": 1, "b": 2},
    "examples": "held out of the training",
    "not_proved": ["a gap"],
    "warmup_records": 30,
}


def written(recognizer):
    return card.write(recognizer, "name", savedmodel.describe(recognizer), CERTIFICATE, iter(["a loader: passed"]))


@pytest.fixture
def copied(trained, tmp_path):
    """A function from the name of a trained run to a recognizer of a copy of it, which may be changed."""

    def copy(name):
        shutil.copytree(trained(name)[0].path, tmp_path / name)
        return Recognizer.from_run(tmp_path / name)

    return copy


def test_the_card_of_a_classifier(copied):
    recognizer = copied("digits")
    run, test = recognizer.run, recognizer.run.read_json("metrics.json")["test"]
    (start,) = environment.read(run)
    first = {**start, "command": ["x/fit.py", "digits", "--a b"]}
    run.write_json(
        "environment.json", [first, {**start, "command": ["tfrec", "fit", "--resume"], "date": "2026-05-04"}]
    )
    text = written(recognizer)
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    expected = (
        "Use, Data, Training, Scores, Calibration, Data of no class, Corrupted pictures, Limits, Certificate, Repeat it"
    )
    assert ", ".join(head[3:] for head in heads) == expected
    low, high = test["accuracy_interval"]
    assert f"| test | 360 | accuracy | {test['accuracy']:.2%} ({low:.2%} to {high:.2%}) |".replace("%", " %") in text
    seven = test["classes"][7]
    assert f"| 7 | {seven['examples']} | {100 * seven['precision']:.2f} % | {100 * seven['recall']:.2f} % (" in text
    assert f"temperature of {test['calibration']['temperature']:.4g}" in text
    assert "| seed | 0 |" in text
    assert f"| minutes | {run.read_history()[-1]['minutes']:.1f} |" in text
    assert "| starts | 2 |\n| date | 2026-05-04 |\n" in text
    assert f"| software | Python {start['python']}, tfrec " in text
    assert "- not proved: a gap" in text
    assert f"`tfrec corruption_report {run.path}` measures it." in text
    assert f"`tfrec evaluate {run.path} --groups COLUMN` measures it." in text
    assert f"tfrec fit digits '--a b'\ntfrec evaluate {run.path}\ntfrec export {run.path}\n" in text
    assert "\n\n\n" not in text


def test_the_card_of_clips_in_files(copied):
    recognizer = copied("cnn")
    text = written(recognizer)
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith(("| train |", "| test |"))]
    (train, test, *_) = rows
    assert sum(int(row[1]) for row in (train, test)) < 32  # and some are in validation
    assert len(train[3].rstrip(" |")) == 32
    assert train[3] != test[3]
    assert f"`tfrec noise_report {recognizer.run.path} --noise FOLDER` measures it." in text
    assert f"`tfrec noise_report {recognizer.run.path} --recording` measures it." in text
    path = recognizer.run.path / "splits.csv"
    path.write_text(path.read_text().replace(",train,", ",test,", 1))
    assert train[3] not in written(recognizer)  # another file is another fingerprint


def test_the_card_of_a_transcriber(copied):
    recognizer = copied("bilstm_ctc")
    test = recognizer.run.read_json("metrics.json")["test"]
    text = written(recognizer)
    for speaker, found in test["by_speaker"].items():
        assert f"| {speaker} | {found['utterances']} | {100 * found['wer']:.2f} % |" in text


def test_the_card_without_a_run(trained):
    recognizer = trained("digits")[1].replace(run=None)
    assert "Not recorded: the model was exported without a run." in written(recognizer)
    assert "## Repeat it" not in written(recognizer)


def test_pairs_have_scores_of_both_directions(copied):
    text = written(copied("dual_encoder"))
    for direction in ("image to audio", "audio to image"):
        assert f"| test {direction} | 16 | recall_at_1 | " in text


NOISE = {
    "measure": "accuracy",
    "examples": 50,
    "split": "test",
    "noise": "NOISES",
    "clean": {"accuracy": 0.98, "interval": [0.9, 1.0]},
    "noises": {"wind": {"set": "B", "snr": {"20": {"accuracy": 0.9}, "0": {"accuracy": 0.5}}}},
    "sets": {
        "B": {"snr": {"20": {"accuracy": 0.9, "interval": [0.8, 0.95]}, "0": {"accuracy": 0.5, "interval": [0.4, 0.6]}}}
    },
}


def test_the_noise_card_is_that_of_the_latest_report(tmp_path):
    run = Run(tmp_path)
    for name, accuracy in (("noise", 0.1), ("noise-2", 0.98), ("noise-old", 0.2)):
        (tmp_path / name).mkdir()
        clean = {"accuracy": accuracy, "interval": [0.9, 1.0]}
        Run(tmp_path / name).write_json("noise.json", {**NOISE, "clean": clean})
    (tmp_path / "recording").mkdir()
    conditions = {"mu-law": {"accuracy": 0.7, "interval": [0.6, 0.8]}}
    changed = {"measure": "accuracy", "examples": 50, "split": "test", "conditions": conditions}
    Run(tmp_path / "recording").write_json("recording.json", changed)
    text = "\n".join(robustness.noise(run))
    assert "Without noise: 98.00 % (90.00 % to 100.00 %)." in text
    assert "| wind | B | 90.00 % | 50.00 % |" in text
    assert "| all of B | B | 90.00 % (80.00 % to 95.00 %) | 50.00 % (40.00 % to 60.00 %) |" in text
    assert "| mu-law | 70.00 % (60.00 % to 80.00 %) |" in text
    assert "not measured" not in text


def test_corruptions_by_family(tmp_path):
    (tmp_path / "corruptions").mkdir()
    found = {"measure": "accuracy", "examples": 9, "split": "test", "severities": [1, 3]}
    found |= {"clean": {"accuracy": 0.9, "interval": [0.8, 1]}, "families": {"blur": {"accuracy": 0.5}}}
    found |= {"mean": None, "worst": None, "extra": {"gray": {"accuracy": 0.7, "interval": [0.6, 0.8]}}}
    Run(tmp_path / "corruptions").write_json("corruptions.json", found)
    text = "\n".join(robustness.corruptions(Run(tmp_path)))
    assert "accuracy on 9 pictures of the test split, severities 1, 3:" in text
    for row in ("| as they are | 90.00 % (80.00 % to 100.00 %) |", "| blur | 50.00 % |", "| gray | 70.00 % (60.00 %"):
        assert row in text


def test_groups_and_sets():
    rows = [
        {"group": "a|b", "examples": 10, "accuracy": 0.5, "interval": [0.2, 0.8], "p_holm": 0.01},
        {"group": "c", "examples": 12, "accuracy": 1.0, "interval": [0.8, 1.0], "p_holm": 1.0},
    ]
    column = {
        "measure": "accuracy",
        "groups": rows,
        "worst": "a|b",
        "best": "c",
        "gap": 0.5,
        "gap_interval": [0.2, 0.7],
    }
    text = "\n".join(scores.by_group({"groups": {"speaker": column}}, "run"))
    assert "By `speaker`: the worst is a|b, the gap to the best, c, is 50.00 % (20.00 % to 70.00 %)." in text
    assert "| a\\|b | 10 | 50.00 % (20.00 % to 80.00 %) | 0.01 |" in text
    test = {"conformal": {"level": 0.9, "coverage": 0.93, "coverage_interval": [0.9, 0.95], "mean_size": 1.25}}
    decision = {"threshold": 0.25, "false_alarm_rate": 0.01, "rejected": ["silence"]}
    text = "\n".join(scores.calibration(test, decision, "run"))
    assert "coverage of 90%: on the test split 93.00 % (90.00 % to 95.00 %), a 99 % interval." in text
    assert "1.25 classes on average" in text
    assert "Classes that are never accepted: silence." in text
    assert "Whether the probabilities are right: not measured. `tfrec evaluate run` measures it." in text


def test_confidences_of_words():
    found = {"words": 200, "accuracy": 0.9, "ece": 0.02, "ece_interval": [0.01, 0.03], "ece_unscaled": 0.08}
    text = "\n".join(scores.word_confidences({"word_confidence": found}, "run"))
    assert "Of 200 words of the test split 90.00 % are right." in text
    assert (
        "confidences: 2.00 % (1.00 % to 3.00 %); without the scaling that the validation split has chosen\n8.00 %."
        in text
    )
    text = "\n".join(scores.word_confidences({}, "run"))
    assert "Whether the confidences of words are right: not measured. `tfrec evaluate run` measures it." in text


def test_data_of_no_class():
    found = {"examples": 90, "other_examples": 1200, "energy": {"auroc": 0.9876, "auroc_interval": [0.98, 0.99]}}
    text = "\n".join(scores.out_of_domain({"test": {}, "ood_letters": found}, "run"))
    assert "| energy | 90 | 1,200 of letters | 0.9876 (0.98 to 0.99) |" in text
    assert "`tfrec evaluate run --ood FOLDER` measures it." in "\n".join(scores.out_of_domain({"test": {}}, "run"))


def test_many_classes_are_cut_to_the_worst():
    classes = [{"label": f"c{i}", "examples": 4, "precision": 1, "recall": 0.75, "f1": i / 50} for i in range(50)]
    text = "\n".join(scores.by_class({"classes": classes}))
    assert "The 20 of 50 classes with the lowest F1." in text
    assert "| c19 |" in text
    assert "| c20 |" not in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["/a/tfrec/fit.py", "digits", "--run", "my run"], "tfrec fit digits --run 'my run'"),
        (["/a/bin/tfrec", "fit", "digits"], "tfrec fit digits"),
        (["/a/tfrec/__main__.py", "fit"], "tfrec fit"),
        (["train.py"], "# trained by a program"),
        (None, "# trained by a program"),
    ],
)
def test_the_command_of_a_training(words, expected, tmp_path):
    run = Run(tmp_path)
    run.write_json("environment.json", [{"command": words}])
    lines = list(origin.commands(run))
    assert lines[3].startswith(expected)


def test_scores_are_parts_or_numbers():
    assert markdown.scored("accuracy", 0.5, [0.25, 1.0]) == "50.00 % (25.00 % to 100.00 %)"
    assert markdown.scored("loss", 0.0123456, None) == "0.01235"
    assert markdown.of_cell("wer", None) == "-"
    assert markdown.cell("a\nb|c") == "a b\\|c"
