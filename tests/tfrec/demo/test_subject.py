"""What the page shows of a model, without the page."""

import numpy as np
import pytest
import soundfile
from PIL import Image

from pipelines.errors import UserError
from tests.tfrec import untrained
from tfrec.demo import live, markup
from tfrec.demo.live import Live
from tfrec.demo.subject import Subject
from tfrec.inference.listening import Listener
from tfrec.serving.exported import ExportedRecognizer


@pytest.fixture
def picture(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30), "uint8")).save(tmp_path / "picture.png")
    return str(tmp_path / "picture.png")


@pytest.fixture
def clip(tones):
    return str(tones / "low" / "1.wav")


def test_a_picture_is_answered_and_explained(trained, picture):
    run, recognizer = trained("digits")
    subject = Subject(recognizer, str(run.path))
    subject.warm_up()
    answer = subject.answer({"image": picture})
    np.testing.assert_allclose(answer.probabilities, next(recognizer.predict(picture)).probabilities, atol=1e-6)
    why = subject.explain({"image": picture})
    assert why.picture.std() > 10
    assert why.kept is None
    assert subject.style is not None
    assert (subject.name, subject.no_reason, subject.live) == (run.name, "", None)


@pytest.mark.slow
def test_an_export_has_no_explanation(published, picture):
    subject = Subject(ExportedRecognizer.open(published), str(published))
    subject.warm_up()
    assert subject.answer({"image": picture}).label in subject.labels
    assert subject.explain({"image": picture}) is None
    assert subject.no_reason == "An export has no explanation: give the run instead."
    assert subject.name == "digits, version 1"
    assert subject.style.size == (8, 8)


def test_a_clip_is_answered_and_its_parts_can_be_played(trained, clip, tmp_path):
    run, recognizer = trained("cnn")
    subject = Subject(recognizer, str(run.path), max_seconds=2.0)
    assert subject.answer({"audio": clip}).label == next(recognizer.predict(clip)).label
    why = subject.explain({"audio": clip})
    parts = [samples.astype("float64") for _, samples in (why.kept, why.removed)]
    np.testing.assert_allclose(sum(parts) / 2**15, soundfile.read(clip)[0], atol=2e-4)
    soundfile.write(tmp_path / "long.wav", np.zeros(24_000), 8000)
    with pytest.raises(UserError, match=r"^The clip has 3 s, and the page takes 2 s\.$"):
        subject.answer({"audio": str(tmp_path / "long.wav")})
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    with pytest.raises(UserError) as caught:
        subject.answer({"audio": str(tmp_path / "broken.wav")})
    assert "broken.wav" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.slow
def test_a_transcriber_without_a_stream(trained, melodies):
    run, recognizer = trained("bilstm_ctc")
    subject = Subject(recognizer, str(run.path))
    assert subject.live is None  # it needs later sound
    path = str(melodies.parent / "0.wav")
    assert subject.answer({"audio": path}).text == next(recognizer.predict(path)).text


@pytest.mark.slow
def test_speech_finds_pictures(trained, pairs, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run, recognizer = trained("dual_encoder")
    images = [str(pairs.parent / f"{i}.png") for i in range(12)]
    subject = Subject(recognizer, str(run.path), images)
    subject.warm_up()
    query = str(pairs.parent / "0.wav")
    found = subject.search({"audio": query})
    similarities = [value for _, value in found]
    assert len(found) == 9
    assert similarities == sorted(similarities, reverse=True)
    expected = next(recognizer.predict([{"image": found[0][0], "audio": query}])).value
    assert similarities[0] == pytest.approx(expected, abs=1e-5)
    assert subject.pixels(found[0][0]).shape == (12, 16, 3)
    with pytest.raises(UserError, match="name those to search by --images FOLDER"):
        Subject(recognizer, str(run.path))


@pytest.mark.slow
def test_speech_points_to_regions_of_the_picture_that_it_finds(trained, pairs, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run, recognizer = trained("davenet")
    subject = Subject(recognizer, str(run.path), [str(pairs.parent / f"{i}.png") for i in range(4)])
    subject.warm_up()
    why = subject.explain({"audio": str(pairs.parent / "0.wav")})
    assert why.picture.shape[2] == 3
    assert why.picture.std() > 10
    assert subject.explain({"image": str(pairs.parent / "0.png")}) is None
    assert subject.no_reason == ""


@pytest.mark.slow
def test_pictures_with_speech(trained, pairs):
    run, recognizer = trained("av_fusion")
    subject = Subject(recognizer, str(run.path))
    subject.warm_up()
    files = {"image": str(pairs.parent / "0.png"), "audio": str(pairs.parent / "0.wav")}
    assert subject.answer(files).label == next(recognizer.predict([files])).label
    assert subject.no_reason == "There is no explanation for this model."


@pytest.mark.slow
def test_models_without_a_page(trained, picture):
    run, recognizer = trained("av_ctc")
    with pytest.raises(UserError, match="takes moving pictures, for which there is no page"):
        Subject(recognizer, str(run.path))
    run, recognizer = trained("digits")
    with pytest.raises(UserError, match=r"--images: .* does not compare pictures with speech"):
        Subject(recognizer, str(run.path), [picture])


def speak(subject, session, samples, rate, piece=4800):
    for start in range(0, len(samples), piece):
        found = subject.feed(session, rate, samples[start : start + piece])
        yield found
    yield subject.end(session)


def test_live_words_are_those_of_the_listener(trained):
    _, recognizer = trained("cnn")
    parts = [np.zeros(4000)]
    for hz in (300, 1500, 300):
        parts += [0.3 * np.sin(2 * np.pi * hz * np.arange(3000) / 8000), np.zeros(5000)]
    samples = np.concatenate(parts).astype("float32")
    listener = Listener(recognizer)
    events = listener.feed(samples) + listener.end()
    assert events
    sixteen = np.round(samples * 32767).astype("int16")
    stereo = np.stack([sixteen, sixteen], axis=1)
    followed = Live(recognizer)
    for _ in range(2):  # a second recording begins with nothing
        words = list(speak(followed, "a", stereo, 8000))
        assert [(word.word, word.start_s) for word in words[-1].words] == [(e.word, e.start_s) for e in events]
        assert not words[0].words
    resampled = list(speak(followed, "a", np.repeat(samples, 6), 48_000))  # 48 kHz, as of a browser
    assert [word.word for word in resampled[-1].words] == [event.word for event in events]


def test_one_page_speaks_at_a_time(trained, monkeypatch):
    followed = Live(trained("cnn")[1])
    piece = np.zeros(800, "float32")
    followed.feed("a", 8000, piece)
    with pytest.raises(UserError, match="Another page is listening"):
        followed.feed("b", 8000, piece)
    assert followed.end("b") is None
    monkeypatch.setattr(live, "MAX_PAUSE_S", 0.0)  # a page that was closed
    followed.feed("b", 8000, piece)
    assert followed.end("b") is not None
    assert followed.end("a") is None


def test_text_appears_while_it_is_said():
    recognizer = untrained.recognizer("lstm_ctc", "--frontend.normalize", "running", "--frontend.pre_emphasis", "0.97")
    samples = untrained.sound(1.6)
    followed = Live(recognizer)
    found = list(speak(followed, "a", samples, untrained.RATE_HZ, 2000))
    text = untrained.offline(recognizer, samples)[1]
    assert " ".join(word.word for word in found[-1].words) == " ".join(text.split())
    early = found[len(found) // 2]
    assert text.startswith(" ".join([*(word.word for word in early.words), early.rest]).strip())
    assert early.words or early.rest


def test_words_are_escaped():
    word = live.Word("<b>", 0.5, 1.0, 0.9)
    html = markup.words([word], "a & b")
    assert "&lt;b&gt;<small>0.50 to 1.00 s, 90%</small>" in html
    assert "<i>a &amp; b</i>" in html
    assert "No words yet." in markup.words([])
    assert markup.words([live.Word("x", None, None, None)]).count("<small></small>") == 1
