"""Files to texts by a run: the command `predict`, and the Transcriber behind it."""

import json

import numpy as np
import pytest
import soundfile

import tfrec
from pipelines.errors import UserError
from tests.tfrec import untrained
from tfrec.commands import predict
from tfrec.config.schema import ExportConfig
from tfrec.decoding import DecodeConfig
from tfrec.inference import reader
from tfrec.inference.transcriber import Transcriber


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with recordings and a run of transcription, and its recognizer."""
    folder = tmp_path_factory.mktemp("texts")
    built = untrained.recognizer("bilstm_ctc")
    untrained.run(folder / "run", built)
    soundfile.write(folder / "one.wav", untrained.sound(1.6), untrained.RATE_HZ, subtype="PCM_16")
    soundfile.write(folder / "two.flac", untrained.sound(0.9, seed=4), untrained.RATE_HZ, subtype="PCM_16")
    soundfile.write(folder / "sample.wav", np.zeros(1), untrained.RATE_HZ)
    soundfile.write(folder / "none.wav", np.zeros(0), untrained.RATE_HZ)
    (folder / "empty.wav").write_bytes(b"")
    (folder / "letter.txt").write_text("Dear Sir")
    arpa = "\\data\\\nngram 1=5\n\n\\1-grams:\n-1 <s>\n-1 </s>\n-1 <unk>\n-0.5 a\n-3 bc\n\n\\end\\\n"
    (folder / "lm.arpa").write_text(arpa)
    return folder, built


def predict_json(capsys, folder, *words, status=0):
    """What `predict --json` prints, by name of file, and standard error."""
    words = [str(folder / word) if (folder / word).exists() else word for word in words]
    assert predict.main([*words, "--json"]) == status
    out, err = capsys.readouterr()
    return {row["file"].split("/")[-1]: row for row in json.loads(out)}, err


def test_texts_and_times(home, capsys):
    folder, built = home
    rows, _ = predict_json(capsys, folder, "run", "one.wav", "two.flac")
    for name, samples in (("one.wav", untrained.sound(1.6)), ("two.flac", untrained.sound(0.9, seed=4))):
        row = rows[name]
        assert set(row) == {"file", "text", "confidence", "words"}
        assert row["text"] == untrained.offline(built, samples)[1]
        assert 0 < row["confidence"] < 1
        assert [word["word"] for word in row["words"]] == row["text"].split()
        times = [word[key] for word in row["words"] for key in ("start_s", "end_s")]
        assert times == sorted(times)
        assert all(0 < word["confidence"] <= 1 for word in row["words"])
        assert 0 <= times[0] < times[-1] <= len(samples) / untrained.RATE_HZ
    assert len(rows["one.wav"]["words"]) > 1
    assert predict.main([str(folder / "run"), str(folder / "one.wav")]) == 0
    assert rows["one.wav"]["text"] in capsys.readouterr().out


@pytest.mark.slow
def test_a_long_stereo_file_is_read_in_blocks(home, capsys, monkeypatch):
    folder, built = home
    samples = np.tile(untrained.sound(30.0), 5)
    stereo = np.repeat(np.stack([samples, 0.5 * samples], axis=1), 6, axis=0)  # 48 kHz
    for name in ("long.flac", "long.wav"):
        soundfile.write(folder / name, np.round(stereo * 32767).astype("int16"), 48_000)
    sizes = []
    forward = Transcriber.__call__
    blocks = lambda part: sizes.append(len(part)) or part  # noqa: E731
    monkeypatch.setattr(Transcriber, "__call__", lambda self, parts: forward(self, map(blocks, parts)))
    rows, _ = predict_json(capsys, folder, "run", "long.flac", "long.wav")
    assert max(sizes) <= 30 * untrained.RATE_HZ
    whole = built.predictor()(reader.audio(folder / "long.wav", untrained.RATE_HZ))
    for row in rows.values():
        assert row["text"] == whole.text
        assert len(row["text"]) > 200
        for word, expected in zip(row["words"], whole.words, strict=True):
            assert word == pytest.approx(expected._asdict(), abs=1e-5)


def test_silence_before_a_recording_shifts_its_words(home):
    """By its duration, in whole steps, where the receptive field is finite."""
    built = untrained.recognizer("wavenet_ctc", "--frontend.normalize", "none")
    transcriber, samples = Transcriber.from_recognizer(built), untrained.sound(1.6)
    words, later = transcriber(samples).words, transcriber(np.concatenate([np.zeros(8000, "float32"), samples])).words
    same = [(old, new) for old, new in zip(words[-3:], later[-3:], strict=True) if old[0] == new[0]]
    assert len(same) > 1
    for (_, start, end, _), (_, new_start, new_end, _) in same[1:]:
        assert (new_start, new_end) == pytest.approx((start + 1, end + 1))


def test_a_language_model(home, capsys):
    folder, built = home
    words = ["one.wav", "--decode.lm", str(folder / "lm.arpa"), "--decode.lm_weight", "3"]
    fused = predict_json(capsys, folder, "run", *words)[0]["one.wav"]
    assert fused["text"] != untrained.offline(built, untrained.sound(1.6))[1]
    assert [word["word"] for word in fused["words"]] == fused["text"].split()


def test_a_beam_search_in_one_chunk_and_in_several(home):
    _, built = home
    samples = untrained.sound(1.6)
    beam = DecodeConfig(method="beam", width=8)
    whole = Transcriber.from_recognizer(built, beam)(samples)
    outputs = built.task.export_outputs(built(built.batch_of_one(samples)), ExportConfig(beam_width=8))
    assert whole.text == outputs["text"].numpy()[0].decode()
    assert whole.text != untrained.offline(built, samples)[1]
    for transcript in (
        whole,
        Transcriber.from_recognizer(built, beam, chunk_seconds=1.0, overlap_seconds=0.2)(samples),
    ):
        assert [word.word for word in transcript.words] == transcript.text.split()


@pytest.mark.slow
def test_attention():
    built = untrained.recognizer("las")
    transcript = Transcriber.from_recognizer(built, DecodeConfig(method="attention", width=2, max_length=9))(
        untrained.sound(1.6)
    )
    assert 0 < len(transcript.text) <= 9
    assert transcript.text != untrained.offline(built, untrained.sound(1.6))[1]
    with pytest.raises(UserError, match="attention needs a network with a decoder"):
        Transcriber.from_recognizer(untrained.recognizer("bilstm_ctc"), DecodeConfig(method="attention"))


def test_files_that_cannot_be_read(home, capsys):
    folder, _ = home
    bad = ["nowhere.wav", "empty.wav", "none.wav", "letter.txt"]
    rows, err = predict_json(capsys, folder, "run", "sample.wav", *bad, status=1)
    assert set(rows) == {"sample.wav"}  # one sample is padded to a window
    assert [line.split("/")[-1].split()[0] for line in err.splitlines() if "error: " in line][1:] == bad[1:]
    assert len(err.splitlines()) == len(bad)


def test_silence_has_no_words():
    built = untrained.recognizer.__wrapped__("bilstm_ctc")
    head = built.network.get_layer("logits")
    kernel, bias = head.get_weights()
    head.set_weights([0 * kernel, np.float32([9] + [0] * (len(bias) - 1))])
    transcriber = Transcriber.from_recognizer(built)
    for samples in (1, 150, 8000 * 30):
        transcript = transcriber(np.zeros(samples, "float32"))
        assert (transcript.text, transcript.words) == ("", ())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stream"], "--stream: task.name classify does not take this"),
        (["--decode.method", "beam"], "--decode: task.name classify does not take this"),
        (["--chunk_seconds", "9"], "--chunk_seconds: task.name classify does not take this"),
    ],
)
def test_options_that_classification_does_not_have(trained, words, message):
    with pytest.raises(UserError, match=message):
        predict.main([str(trained("digits")[0].path), "some.png", *words])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stream", "--decode.method", "beam"], "leave out --decode, or --stream"),
        (["--stream"], "frontend.normalize clip do not"),
        (["--chunk_seconds", "1"], "more than twice overlap_seconds"),
        (["--decode.lm", "nowhere.arpa"], "nowhere.arpa"),
        (["--decode.width", "0"], "width must be 1 or more"),
    ],
)
def test_impossible_options_are_refused(home, words, message):
    with pytest.raises(UserError, match=message):
        predict.main([str(home[0] / "run"), "one.wav", *words])


def test_a_run_is_loaded_with_its_task(home):
    folder, built = home
    recognizer = tfrec.load(folder / "run")
    assert (recognizer.task.name, recognizer.task.labels) == ("transcribe", built.task.labels)
