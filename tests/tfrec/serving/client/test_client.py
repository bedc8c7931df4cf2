"""The client: URLs, answers of a real export, errors, retries."""

import contextlib
import http.server
import json
import threading

import numpy as np
import pytest

from pipelines.errors import UserError
from tfrec import tasks
from tfrec.commands import client as command
from tfrec.commands import predict
from tfrec.serving.client import Client, RequestError, Retries
from tfrec.serving.client.requests import Address, sentence

SPEECH = ["--data.name", "an4", "--data.path", "none", "--frontend.sample_rate_hz", "8000"]


@pytest.mark.parametrize("kind", ["rest", "grpc"])
@pytest.mark.parametrize(("name", "file"), [("digits", "0.png"), ("speech", "clip.wav")])
def test_the_answers_are_those_of_predict(exports, urls, printed, monkeypatch, kind, name, file):
    monkeypatch.chdir(exports)
    served = json.loads(printed(command.main, urls(kind, name), file, "--json").out)[0]
    local = json.loads(printed(predict.main, f"saved_models/{name}", file, "--json").out)[0]
    assert list(served) == list(local)
    for key in ("file", "label", "text", "accepted"):
        assert served.get(key) == local.get(key)
    for key in ("probability", "confidence"):
        assert served.get(key) == pytest.approx(local.get(key), abs=1e-4)
    assert [word["word"] for word in served.get("words", [])] == [word["word"] for word in local.get("words", [])]
    for one, other in zip(served.get("words", []), local.get("words", []), strict=True):
        assert list(one) == list(other)
        assert one["start_s"] == pytest.approx(other["start_s"], abs=1e-3)


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_a_table_and_a_file_that_is_refused(exports, urls, printed, monkeypatch, kind):
    monkeypatch.chdir(exports)
    shown = printed(command.main, urls(kind, "digits"), "0.png", "broken.png", "1.png", "none.png", status=1)
    assert " 0.png " in shown.out
    assert " 1.png " in shown.out
    errors = shown.err.splitlines()
    assert len(errors) == 2
    assert errors[0].startswith("error: broken.png: ")
    assert errors[1] == "error: none.png: No such file or directory."


def test_the_python_client(exports, urls):
    with Client(urls("rest", "digits")) as rest, Client(urls("grpc", "digits") + "/versions/1") as by_grpc:
        answers = [list(one.predict([exports / "0.png", (exports / "1.png").read_bytes()])) for one in (rest, by_grpc)]
        assert [one.label for one in answers[0]] == [one.label for one in answers[1]]
        pixels = np.zeros((2, 8, 8, 1), "uint8")
        outputs = [one.outputs({"image": pixels}, "tensor") for one in (rest, by_grpc)]
        np.testing.assert_allclose(outputs[0]["probabilities"], outputs[1]["probabilities"], atol=1e-6)
        assert outputs[0]["label"].dtype == outputs[1]["label"].dtype == object
        for one in (rest, by_grpc):
            with pytest.raises(UserError, match="no signature 'none'"):
                one.outputs({}, "none")
            with pytest.raises(RequestError) as caught:
                one.outputs({"image": pixels[0]}, "tensor")
            assert caught.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_a_model_that_is_not_served(exports, urls, kind):
    with pytest.raises(RequestError, match="Servable not found"):
        command.main([urls(kind, "none"), str(exports / "0.png")])


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1/models/digits", "grpc://127.0.0.1:9/digits"])
def test_a_server_that_does_not_run(exports, url):
    with pytest.raises(RequestError, match="Cannot reach digits") as caught:
        command.main([url, str(exports / "0.png"), "--retries", "1"])
    assert caught.value.code == "UNAVAILABLE"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["digits", "http://host/digits", "ftp://host/v1/models/a", "grpc://host:1", "http:///v1/models/a", "grpc://h/a:b"],
)
def test_urls_that_are_wrong(url):
    with pytest.raises(UserError, match="Cannot send to"):
        Client(url)


def test_urls():
    assert Address.parse("http://h:1/proxy/v1/models/a%20b/versions/3") == ("http", "h:1", "/proxy", "a b", 3, "")
    assert Address.parse("grpc://h:1/a/labels/stable") == ("grpc", "h:1", "", "a", None, "stable")


@contextlib.contextmanager
def fake(*answers):
    """A server that gives some answers in turn, (status, text) each, and the last one for ever; yields its URL."""
    left = list(answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, text = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/models/m"
    server.shutdown()
    server.server_close()


METADATA = {"metadata": {"signature_def": {"signature_def": {"a": {"inputs": {}, "outputs": {}}}}}}


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(status):
    busy = (status, '{"error": "full"}')
    with fake(busy, (status, "<html>"), (200, json.dumps(METADATA))) as url:
        assert list(Client(url, retries=Retries(2, 0.01)).signatures) == ["a"]
    with fake(busy) as url, pytest.raises(RequestError, match="refuses: full"):
        Client(url, retries=Retries(2, 0.01)).signatures  # noqa: B018


def test_what_is_no_server():
    for answer in ((200, "<html>"), (404, "Not Found"), (200, "{}"), (200, "[]")):
        with fake(answer) as url, pytest.raises(UserError, match="does not answer as TensorFlow Serving does"):
            Client(url).signatures  # noqa: B018


def test_messages_of_servers():
    message = "assertion failed: [row 0 is a GIF file: send JPEG or PNG] [Condition x == y]\n\t [[{{node Assert}}]]"
    assert sentence(message) == "row 0 is a GIF file: send JPEG or PNG"
    assert sentence("\n2 root error(s) found.\n  [[{{node a}}]]") == "2 root error(s) found"


def test_transcripts_have_the_words_of_the_outputs():
    outputs = {"text": np.array([b"a b", b"c"], object), "confidence": np.array([0.5, 0.25])}
    task = tasks.of_outputs(outputs)
    assert [one.timed_words() for one in task.served_answers(outputs)] == [None, None]
    outputs |= {"words": np.array([[b"a", b"b"], [b"c", b""]], object)}
    outputs |= {name: np.array([[0.0, 1.0], [0.5, 0.0]]) for name in ("word_starts", "word_ends", "word_confidences")}
    words = [one.timed_words() for one in task.served_answers(outputs)]
    assert [[word.word for word in row] for row in words] == [["a", "b"], ["c"]]
    assert words[1][0].start_s == 0.5


def test_labels_have_the_names_of_the_outputs():
    outputs = {"label": np.array([b"b"], object), "probability": np.array([0.75]), "accepted": np.array([False])}
    task = tasks.of_outputs(outputs)
    assert task.served_answers(outputs)[0].to_dict()["probabilities"] == {"b": 0.75}
    outputs |= {"top_labels": np.array([[b"b", b"a"]], object), "top_probabilities": np.array([[0.75, 0.25]])}
    answer = task.served_answers(outputs)[0]
    assert answer.to_dict() == {
        "label": "b",
        "probability": 0.75,
        "accepted": False,
        "probabilities": {"b": 0.75, "a": 0.25},
    }
    with pytest.raises(UserError, match="not those of an export"):
        tasks.of_outputs(["y"])
