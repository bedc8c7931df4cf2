"""Transcription: targets, loss, outputs, scores, and a trained run."""

import dataclasses
import io
import json

import keras
import numpy as np
import pytest
import rich.console
import tensorflow as tf

from pipelines import datasets
from pipelines.datasets import memory
from pipelines.errors import UserError
from tfrec import tasks
from tfrec.commands import evaluate, fit, lm
from tfrec.config.schema import ExportConfig
from tfrec.decoding import DecodeConfig
from tfrec.tasks import transcription

TEXTS = ["BAB", "a b", "", "cab"]


@pytest.fixture(scope="module")
def split():
    waves = [np.full(4000, i / 10, "float32") for i in range(len(TEXTS))]
    return memory.clips(waves, None, list("wxyz"), 8000, texts=TEXTS, speakers=["s", "t", "s", "t"])


@pytest.fixture(scope="module")
def task(split):
    corpus = datasets.base.Corpus("own", "audio", (), {"train": split}, 8000)
    config = transcription.Config()
    return tasks.build(config, json.loads(json.dumps(tasks.labels(config, corpus))))


def outputs_of(task, texts, steps=12, scale=20.0):
    """Logits of each text, with a blank after each symbol."""
    logits = np.zeros((len(texts), steps, task.num_outputs), "float32")
    for row, text in enumerate(texts):
        path = np.zeros(steps, int)
        ids = task.vocabulary.encode(text)
        path[: 2 * len(ids) : 2] = ids
        logits[row, np.arange(steps), path] = scale
    return {"logits": tf.constant(logits), "steps": tf.fill((len(texts),), steps)}


def targets_of(task, texts, length=8):
    return tf.constant([(task.vocabulary.encode(text) + [0] * length)[:length] for text in texts])


def test_targets_decode_to_the_normalized_text(task, split):
    targets = [example["label"].numpy().tolist() for example in task.targets(split).examples]
    assert [task.vocabulary.decode(ids) for ids in targets] == ["bab", "a b", "", "cab"]
    assert task.num_outputs == 1 + len(set("abc "))


def test_intermediate_blocks_share_a_part_of_the_loss(task):
    targets, outputs = targets_of(task, ["cab", "a"]), outputs_of(task, ["cab", "b"], scale=2.0)
    between = [outputs_of(task, texts, scale=3.0) for texts in (["ab", "a"], ["ca", "b"])]
    last, *others = (float(task.loss(each, targets)) for each in (outputs, *between))
    together = {**outputs, **{f"intermediate{i}": each["logits"] for i, each in zip((3, 12), between, strict=True)}}
    assert float(task.loss(together, targets)) == pytest.approx(0.7 * last + 0.3 * sum(others) / 2, rel=1e-5)


def test_teacher_forcing_shifts_the_targets_by_one(task):
    label = targets_of(task, ["cab", "a"])
    inputs = task.training_inputs({"features": 1}, label)
    assert inputs["features"] == 1
    np.testing.assert_array_equal(inputs["tokens"], np.pad(label[:, :-1], ((0, 0), (1, 0))))


def test_the_loss_is_the_mean_of_those_that_fit(task):
    random = np.random.default_rng(0)
    logits = tf.constant(random.normal(size=(3, 6, task.num_outputs)).astype("float32"))
    targets = targets_of(task, ["cab", "a b", "aabb"])  # two repeats: six steps
    steps = tf.constant([6, 5, 5])
    outputs = {"logits": logits, "steps": steps}
    expected = tf.nn.ctc_loss(
        targets[:2], logits[:2], tf.constant([3, 3]), steps[:2], logits_time_major=False, blank_index=0
    )
    assert float(task.loss(outputs, targets)) == pytest.approx(float(tf.reduce_mean(expected)), rel=1e-5)
    assert float(task.left_out(outputs, targets)) == 1
    assert float(task.left_out({**outputs, "steps": steps + 1}, targets)) == 0


def test_a_part_counts_by_the_texts_that_fit(task):
    """Of CTC alone by those; with a decoder by all, whose loss is a mean over all texts."""
    random = np.random.default_rng(0)
    logits = tf.constant(random.normal(size=(4, 6, task.num_outputs)).astype("float32"))
    scores = tf.constant(random.normal(size=(4, 5, task.num_outputs)).astype("float32"))
    targets = targets_of(task, ["cab", "a b", "aabb", "b"], length=5)  # two repeats: six steps
    joint = type(task)(dataclasses.replace(task.config, ctc_share=0.3), task.vocabulary.as_json())
    for each, further in ((task, {}), (joint, {"decoder": scores})):
        outputs = {"logits": logits, "steps": tf.constant([6, 5, 5, 5]), **further}
        parts = [({name: value[s] for name, value in outputs.items()}, targets[s]) for s in (slice(0, 3), slice(3, 4))]
        total = sum(float(each.loss(*part)) * float(each.loss_count(*part)) for part in parts)
        count = sum(float(each.loss_count(*part)) for part in parts)
        assert count == (4 if further else 3)
        assert float(each.loss(outputs, targets)) == pytest.approx(total / count, rel=1e-5)


def test_a_decoder_shares_the_loss(task):
    random = np.random.default_rng(0)
    config = dataclasses.replace(task.config, ctc_share=0.25, label_smoothing=0.2)
    joint = transcription.Transcription(config, task.vocabulary.as_json())
    targets = targets_of(task, ["cab", "a"], length=6)
    outputs = {
        "logits": tf.constant(random.normal(size=(2, 6, task.num_outputs)).astype("float32")),
        "steps": tf.constant([6, 6]),
    }
    ctc = float(joint.loss(outputs, targets))
    scores = random.normal(size=(2, 6, task.num_outputs)).astype("float32")
    smooth = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2, reduction=None)
    each = smooth(tf.one_hot(targets, task.num_outputs), scores).numpy()
    expected = 0.25 * ctc + 0.75 * (each[0, :4].sum() + each[1, :2].sum()) / 2  # each with its end
    scores[:, 5] = np.nan  # past the ends
    scores[1, 2:] = 1e6
    assert float(joint.loss({**outputs, "decoder": tf.constant(scores)}, targets)) == pytest.approx(expected)


def test_export_outputs_are_the_greedy_text_and_its_confidence(task):
    answer = task.export_outputs(outputs_of(task, ["cab a", ""]), ExportConfig())
    assert [text.decode() for text in answer["text"].numpy()] == ["cab a", ""]
    np.testing.assert_allclose(answer["confidence"], [1, 0], atol=1e-6)
    ids = [task.vocabulary.encode(letter)[0] for letter in "ab"]
    space = task.vocabulary.encode("a b")[1]
    gaps = [space, ids[0], space, space, ids[1]]
    assert task.detokenize(tf.constant([gaps]))[0].numpy().decode() == task.vocabulary.decode(gaps) == "a b"
    # The steps between the letters, which are surely blank, do not raise the confidence.
    outputs = outputs_of(task, ["cab"], steps=60, scale=20.0)
    outputs["logits"] = tf.where(tf.range(60)[None, :, None] < 6, outputs["logits"] / 20, outputs["logits"])
    expected = np.e / (np.e + task.num_outputs - 1)
    np.testing.assert_allclose(task.export_outputs(outputs, ExportConfig())["confidence"], expected, rtol=1e-5)
    empty = task.export_outputs(outputs_of(task, ["", "cab"]), ExportConfig(beam_width=4))
    np.testing.assert_allclose(empty["confidence"], [0, 1], atol=1e-6)


def test_an_empty_text_has_no_confidence(task):
    answers = task.read_answers({"text": np.array([b"", b"a"]), "confidence": np.array([0.0, 0.5])}, task.labels)
    assert [answer.to_dict()["confidence"] for answer in answers] == [None, 0.5]
    console = rich.console.Console(width=80, record=True, file=io.StringIO())
    console.print(type(answers[0]).table([("x.wav", answers[0]), ("y.wav", answers[1])]))
    assert "x.wav (no words):" in console.export_text()


def test_warnings_name_symbols_outside_the_vocabulary(task, split):
    other = dataclasses.replace(split, texts=["abc", "a x", "yx", "b"])
    corpus = datasets.base.Corpus("own", "audio", (), {"train": split, "test": other}, 8000)
    empty, sentence = task.warnings(corpus)
    assert empty.startswith("1 of 4 texts of the train split is empty after normalization, such as y '': they are kept")
    assert "the test split has 3 of 9 characters" in sentence
    assert "'x', 'y'" in sentence


def test_labels_without_a_vocabulary_are_refused():
    with pytest.raises(UserError, match=r"[Vv]ocabulary|needs"):
        tasks.build(transcription.Config(), ["a", "b"])


def test_each_task_names_what_a_corpus_lacks(split):
    corpus = datasets.base.Corpus("own", "audio", (), {"train": split}, 8000)
    with pytest.raises(UserError, match=r"own has no classes, which task.name classify needs: set another --task.name"):
        tasks.labels(tasks.default_config("classify"), corpus)
    silent = dataclasses.replace(corpus, splits={"train": dataclasses.replace(split, texts=None)})
    with pytest.raises(UserError, match="own, train split, has no transcripts"):
        tasks.labels(transcription.Config(), silent)


@pytest.mark.parametrize(
    ("field", "value"), [("ctc_share", 1.5), ("label_smoothing", 1), ("vocabulary_size", 1), ("shown", -1)]
)
def test_bad_settings_are_refused(field, value):
    with pytest.raises(ValueError, match=f"task.{field} must be .*Received: {value}"):
        transcription.Config(**{field: value})


@pytest.mark.slow
def test_a_run_learns_to_transcribe_melodies(trained):
    run, _ = trained("bilstm_ctc")
    scores = run.read_json("metrics.json")["test"]
    assert scores["wer"] <= 0.2
    assert scores["cer"] <= 0.1
    assert scores["utterances"] == 8
    assert "hypotheses" not in scores
    epoch = run.read_history()[-1]
    assert {"val_loss", "val_wer", "val_cer", "left_out"} <= epoch.keys()
    assert "<html" in (run.path / "hypotheses.html").read_text(encoding="utf-8").lower()
    assert (run.path / "hypotheses.txt").is_file()


def test_nothing_is_traced_again_after_the_first_epoch(trained):
    """An epoch has eight batches of six shapes."""
    _, recognizer = trained("bilstm_ctc")
    assert recognizer.loss_traces
    assert set(recognizer.loss_traces) == {0}


@pytest.mark.slow
def test_a_run_with_a_decoder_learns(trained):
    run, _ = trained("las")
    history = run.read_history()
    assert history[-1]["val_loss"] < 0.8 * history[0]["val_loss"]


def test_a_beam_is_never_less_likely_than_greedy(trained):
    _, recognizer = trained("bilstm_ctc")
    corpus = datasets.load(recognizer.config.data, 8000)
    split = corpus.splits["test"]
    greedy, beam = (recognizer.evaluate(split, 8, DecodeConfig(method=method)) for method in ("greedy", "beam"))
    assert abs(beam["cer"] - greedy["cer"]) < 0.1
    assert [row["reference"] for row in greedy["hypotheses"]] == [text.lower() for text in split.texts]
    assert [row["source"] for row in greedy["hypotheses"]] == list(split.sources)


def test_evaluate_decodes_in_other_ways(trained, tmp_path, capsys):
    run, _ = trained("bilstm_ctc")
    sentences = tmp_path / "texts.txt"
    sentences.write_text("abc ab\nba c\ncab\n" * 4, encoding="utf-8")
    assert lm.main([str(sentences), "--order", "2", "--output", str(tmp_path / "lm.arpa")]) == 0
    assert evaluate.main([str(run.path), "--decode.lm", str(tmp_path / "lm.arpa"), "--json"]) == 0
    assert '"test_beam_lm"' in capsys.readouterr().out
    scores = run.read_json("metrics.json")
    assert scores["test_beam_lm"]["utterances"] == scores["test"]["utterances"] == 8
    assert (run.path / "test_beam_lm" / "hypotheses.html").is_file()


def test_user_errors_of_evaluation(trained, fails, tmp_path_factory):
    run, _ = trained("bilstm_ctc")
    assert "needs a network with a decoder" in fails(evaluate, run.path, "--decode.method", "attention")
    assert "Cannot read missing.arpa" in fails(evaluate, run.path, "--decode.lm", "missing.arpa")
    digits, _ = trained("digits")
    assert "--decode: task.name classify does not decode" in fails(evaluate, digits.path, "--decode.method", "beam")


def test_user_errors_of_training(melodies, fails):
    words = ("--data.name", "manifest", "--data.path", melodies, "--task.name", "transcribe")
    assert "fit.monitor 'accuracy' is not measured" in fails(fit, *words, "--fit.monitor", "accuracy")
    assert "XLA has no CTC loss" in fails(fit, *words, "--fit.jit_compile")
    assert "outputs a vector where a sequence is needed" in fails(fit, *words, "--model.name", "lstm")
    assert "has no classes" in fails(fit, *words[:-1], "classify")
