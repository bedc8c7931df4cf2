"""The page as it is served, asked without a browser."""

import contextlib
import importlib.util
import json
import re
import socket
import sys

import numpy as np
import pytest
import soundfile

from pipelines.errors import UserError
from tfrec.commands import demo
from tfrec.demo import _compat, page, server
from tfrec.demo.subject import Subject

needs_gradio = pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="gradio is not installed")
DEPENDENCY = "the library has changed: see _compat.py"


@contextlib.contextmanager
def recorded_connections():
    """Addresses that this process connects to or looks up."""
    found = []

    def audit(event, arguments):
        if found is not None and event in ("socket.connect", "socket.getaddrinfo"):
            found.append(str(arguments[1][0] if event == "socket.connect" else arguments[0]))

    sys.addaudithook(audit)  # stays until the process ends
    yield found


@pytest.fixture(scope="module")
def served(trained, tmp_path_factory):
    """The address of the page of the classifier of tones, and the hosts that this process has asked for so far."""
    run, recognizer = trained("cnn")
    subject = Subject(recognizer, str(run.path))
    with recorded_connections() as found, server.serve(subject, port=0, max_upload_mb=1) as url:
        yield url, found


@pytest.fixture
def client(served):
    import httpx

    with httpx.Client(base_url=served[0], timeout=60, trust_env=False) as client:
        yield client


def upload(client, path):
    with open(path, "rb") as file:
        return client.post("gradio_api/upload", files={"files": (path.name, file)})


def ask(client, values, number=0):
    """What a function of the page answers; its number is that of the order in which they were connected."""
    body = {"data": values, "fn_index": number, "session_hash": "s"}
    assert client.post("gradio_api/queue/join", json=body).status_code == 200
    with client.stream("GET", "gradio_api/queue/data", params={"session_hash": "s"}) as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data: ")) if line else {}
            if message.get("msg") == "process_completed":
                return message["success"], message["output"]


def file_data(path):
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}}


@pytest.mark.slow
@needs_gradio
def test_a_clip_is_recognized(client, tones, trained):
    source = tones / "low" / "1.wav"
    (stored,) = upload(client, source).json()
    success, output = ask(client, [file_data(stored)])
    assert success
    label, note = output["data"]
    assert label["label"] == next(trained("cnn")[1].predict(str(source))).label
    assert sum(each["confidence"] for each in label["confidences"]) == pytest.approx(1, abs=1e-3)
    assert isinstance(note, str)
    success, output = ask(client, [file_data(stored)], 1)
    assert success
    for shown in output["data"]:  # the map, what mattered, the rest
        assert client.get(f"gradio_api/file={shown['path']}").status_code == 200


@needs_gradio
def test_errors_are_sentences(client, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.zeros(61 * 4000, "int16"), 4000)
    (stored,) = upload(client, tmp_path / "long.wav").json()
    assert ask(client, [file_data(stored)])[1]["error"] == "The clip has 61 s, and the page takes 60 s."


@needs_gradio
def test_only_uploaded_files_are_read(client, tmp_path):
    secret = tmp_path / "secret.wav"
    soundfile.write(secret, np.zeros(4000), 8000)
    for path in (secret, "/etc/passwd", "setup.cfg"):
        assert client.get(f"gradio_api/file={path}").status_code in (403, 404)
        assert not ask(client, [file_data(path)])[0]


@needs_gradio
def test_large_uploads_are_refused(client, tmp_path):
    (tmp_path / "large.wav").write_bytes(bytes(1_200_000))
    assert upload(client, tmp_path / "large.wav").status_code == 413


@needs_gradio
def test_addresses_are_not_fetched(client, served):
    assert not ask(client, [file_data("https://example.com/clip.wav")])[0]
    assert not [host for host in served[1] if "example" in host], DEPENDENCY


@needs_gradio
def test_the_page_names_no_other_server(client, served):
    answer = client.get("/")
    assert answer.headers["content-security-policy"].startswith("default-src 'self';")
    loaded = re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"'](https?:)?//([^\"'/]+)", answer.text)
    assert [host for _, host in loaded if not host.startswith("127.0.0.1")] == []
    config = client.get("config").json()
    assert (config["analytics_enabled"], config["max_file_size"]) == (False, 2**20)
    assert "fonts.googleapis" not in client.get("theme.css").text
    for path in ("docs", "openapi.json", "monitoring", "gradio_api/info"):
        assert "/queue/join" not in client.get(path).text


@needs_gradio
def test_nothing_else_is_connected_to(client, served):
    client.get("/")
    assert {host for host in served[1] if not _is_local(host)} == set(), DEPENDENCY


def _is_local(host):
    return host in ("None", "localhost", "0.0.0.0") or host.startswith(("127.", "/", "::1", socket.gethostname()))


@needs_gradio
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("digits", {"html", "image", "label"}),
        ("cnn", {"audio", "label", "image", "html"}),
        ("bilstm_ctc", {"audio", "html", "image", "button"}),
        pytest.param("av_fusion", {"audio", "image", "label"}, marks=pytest.mark.slow),
    ],
)
def test_the_widgets_are_those_of_the_task(name, kinds, trained, tmp_path):
    run, recognizer = trained(name)
    built = page.build(_compat.load(str(tmp_path)), Subject(recognizer, str(run.path)))
    found = {block.get_block_name() for block in built.blocks.values()}
    assert found & {"audio", "image", "label", "html", "gallery", "button"} == kinds


@pytest.mark.slow
@needs_gradio
def test_a_search_has_a_gallery(trained, pairs, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run, recognizer = trained("dual_encoder")
    subject = Subject(recognizer, str(run.path), [str(pairs.parent / f"{i}.png") for i in range(4)])
    built = page.build(_compat.load(str(tmp_path)), subject)
    (answer,) = [each for each in built.fns.values() if each.name == "answer"][:1]
    gallery, _ = answer.fn(str(pairs.parent / "0.wav"))
    assert len(gallery) == 4
    assert gallery[0][0].shape == (12, 16, 3)
    assert re.fullmatch(r"\d+\.png  -?\d\.\d{3}", gallery[0][1])
    assert answer.fn(None) == (None, "")


@needs_gradio
def test_a_port_that_is_taken(served, trained):
    run, recognizer = trained("digits")
    port = int(served[0].rstrip("/").rpartition(":")[2])
    with pytest.raises(UserError, match=f"cannot listen at 127.0.0.1, port {port}: .*; give another --port"):
        server.serve(Subject(recognizer, str(run.path)), port=port).__enter__()


def test_without_gradio(trained, fails, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = fails(demo, trained("digits")[0].path)
    assert message == "The page needs gradio, which this Python lacks: run `pip install 'tfrec[demo]'`."


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "70000"], "port"),
        (["--max_seconds", "0"], "max_seconds"),
        (["--max_upload_mb", "0"], "max_upload_mb"),
    ],
)
def test_mistakes(fails, words, message):
    assert message in fails(demo, "nowhere", *words)


def test_what_is_no_model(fails, monkeypatch):
    monkeypatch.setattr(_compat, "require", lambda: None)
    assert "is neither a run" in fails(demo, "nowhere")
