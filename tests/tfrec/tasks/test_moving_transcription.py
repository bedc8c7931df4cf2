"""Transcription of moving pictures with clips: one training, answers with either input, and what is refused."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from pipelines import datasets
from pipelines.errors import UserError
from tests.pipelines.moving_data import write_list
from tfrec.commands import check, evaluate, export, fit, noise_report, predict
from tfrec.config import flags
from tfrec.inference import pair_transcriber
from tfrec.recognizer import Recognizer


@pytest.fixture(scope="module")
def run(trained):
    return trained("av_ctc")[0].path


@pytest.fixture(scope="module")
def recognizer(trained):
    return trained("av_ctc")[1]


@pytest.fixture(scope="module")
def train_split(recognizer):
    return datasets.load(recognizer.config.data).splits["train"]


def listed(speakers):
    """{number of the pair: text}."""
    rows = [line.split(",") for line in speakers.read_text(encoding="utf-8").splitlines()[1:]]
    return {int(row[0].removesuffix(".gif")): row[2] for row in rows}


def sources(speakers, number):
    return {"video": str(speakers.parent / f"{number}.gif"), "audio": str(speakers.parent / f"{number}.wav")}


def test_data_with_moving_pictures_bring_the_network():
    words = ["--data.name", "paired", "--data.moving", "--task.name", "transcribe"]
    config = flags.to_config(flags.parse_fit(words)[1])
    assert (config.model.name, config.frontend.name) == ("av_ctc", "audio_visual")
    config = flags.to_config(flags.parse_fit([*words, "--model.speech.name", "conformer_s"])[1])
    assert config.model.speech.name == "conformer_s"


def test_training_learns_the_texts(recognizer, train_split):
    scores = recognizer.evaluate(train_split, 8)
    assert scores["wer"] == 0, scores["hypotheses"]
    assert scores["utterances"] == train_split.size == 40


@pytest.mark.slow
def test_predict_takes_either_input_or_both(run, speakers, train_split, capsys):
    recognizer, texts = Recognizer.from_run(run), listed(speakers)
    number = next(i for i, text in texts.items() if i % 6 > 1 and len(text) == 2)
    both = sources(speakers, number)
    for source in (both, both["video"], both["audio"]):
        (answer,) = recognizer.predict(source)
        assert answer.text == texts[number], source
        assert 0 < answer.confidence <= 1
        assert answer.words is None
    contents = {name: pathlib.Path(path).read_bytes() for name, path in both.items()}
    assert next(recognizer.predict(contents)).text == texts[number]
    assert next(recognizer.predict(contents["video"])).text == texts[number]
    raw = recognizer.read(both)
    assert raw["video"].shape == (10, 12, 12, 1)
    assert next(recognizer.predict({"video": raw["video"], "audio": raw["audio"]})).text == texts[number]
    rows = speakers.parent / "few.csv"
    rows.write_text(f"image,audio\n{number}.gif,{number}.wav\n", encoding="utf-8")
    assert predict.main([str(run), str(rows), *both.values(), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["text"] for row in printed] == [texts[number]] * 3
    assert predict.main([str(run), str(rows), "--decode.method", "beam", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["text"] == texts[number]


def test_an_example_alone_and_in_a_padded_batch_has_the_same_text(recognizer, train_split):
    texts = recognizer.task.transcribe(recognizer, train_split, 16)
    predicted = pair_transcriber.build(recognizer)
    examples = train_split.examples.take(6).as_numpy_iterator()
    assert [predicted(recognizer.frontend.raw(example)).text for example in examples] == texts[:6]


def test_evaluate_other_moving_pictures(run, tmp_path, capsys):
    path = write_list(tmp_path, 12, seed=5, longest=1)
    assert evaluate.main([str(run), "--data.path", str(path), "--json"]) == 0
    (scores,) = json.loads(capsys.readouterr().out).values()
    assert scores["utterances"] == 2


def test_check(speakers, capsys):
    words = ["--data.name", "paired", "--data.moving", "--data.path", str(speakers), "--task.name", "transcribe"]
    words += ["--frontend.image.height", "12", "--frontend.image.width", "12", "--model.units", "8"]
    assert check.main(words) == 0
    assert "train 40 pairs" in capsys.readouterr().out


def test_user_errors(run, recognizer, speakers, pairs, fails, tmp_path):
    assert "Networks for moving pictures are not exported" in fails(export, run)
    assert "moving pictures, which a noise report does not take" in fails(noise_report, run)
    words = ["--data.name", "paired", "--task.name", "transcribe", "--data.path"]
    assert "takes moving ones: set --data.moving" in fails(fit, *words, pairs)
    words = ["--data.name", "paired", "--data.moving", "--data.path", speakers, "--task.name", "transcribe"]
    message = fails(fit, *words, "--model.name", "bilstm_ctc")
    assert "'bilstm_ctc' takes sequence features, but the data gives audio_visual features" in message
    assert "frontend.speech.speed moves the sound in time" in fails(fit, *words, "--frontend.speech.speed", 0.9, 1.1)
    assert "--stream: a network for moving pictures" in fails(predict, run, speakers, "--stream")
    assert "transcribed in one piece" in fails(predict, run, speakers, "--chunk_seconds", 3)
    no_texts = tmp_path / "few.csv"
    no_texts.write_text(f"image,audio\n{speakers.parent}/0.gif,{speakers.parent}/0.wav\n", encoding="utf-8")
    assert "has no transcripts, which the run needs: fill in" in fails(evaluate, run, "--data.path", no_texts)
    Image.new("L", (9, 9)).save(tmp_path / "still.png")
    with pytest.raises(ValueError, match=r"uint8 of the shape \(frames, height, width, 1\)"):
        list(recognizer.predict(np.zeros((2, 12, 12, 3), "uint8")))
    with pytest.raises(ValueError, match="keys video and audio"):
        list(recognizer.predict({"image": "a.gif", "audio": "a.wav"}))


def test_files_that_cannot_be_read(run, speakers, tmp_path, capsys):
    Image.new("L", (9, 9)).save(tmp_path / "still.png")
    (tmp_path / "cut.gif").write_bytes((speakers.parent / "0.gif").read_bytes()[:-40])
    assert predict.main([str(run), str(tmp_path / "still.png"), str(tmp_path / "cut.gif")]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert "does not move" in lines[0]
    assert "truncated or damaged" in lines[1]


def test_a_network_that_needs_both_inputs_says_so(recognizer, speakers):
    model = dataclasses.replace(recognizer.config.model, modality_dropout=0.0)
    both = recognizer.replace(config=dataclasses.replace(recognizer.config, model=model))
    with pytest.raises(UserError, match="trained without modality dropout, so it needs a picture and a clip"):
        list(both.predict(sources(speakers, 0)["audio"]))
