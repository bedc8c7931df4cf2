"""The client with models that take a picture and a clip."""

import json

import numpy as np
import pytest

from pipelines.errors import UserError
from tfrec.commands import client as command
from tfrec.commands import predict
from tfrec.serving.client import Client

PAIRS = ("dual_encoder", "av_fusion")
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["rest", "grpc"])
@pytest.mark.parametrize("name", PAIRS)
def test_pairs(exports, urls, printed, monkeypatch, kind, name):
    monkeypatch.chdir(exports)
    files = ["1.png", "clip.wav", "list.csv"]
    local = json.loads(printed(predict.main, f"saved_models/{name}", *files, "--json").out)
    words = [urls(kind, name), *files, "--pairs", "1.png", "clip.wav", "0.png", "clip.wav", "--json"]
    served = json.loads(printed(command.main, *words).out)
    assert [row["file"] for row in served[4:]] == ["1.png + clip.wav", "0.png + clip.wav"]
    expected = [*local, local[3], local[2]]
    assert len(served) == len(expected) == 6
    for one, other in zip(served, expected, strict=True):
        assert list(one) == list(other)
        for key, value in other.items():
            if key in ("label", "kind", "accepted"):
                assert one[key] == value
            elif key == "embedding":
                np.testing.assert_allclose(one[key], value, atol=1e-4)
            elif key in ("probability", "similarity"):
                assert one[key] == pytest.approx(value, abs=1e-4)


def test_pairs_in_python_and_in_a_table(exports, urls, printed, monkeypatch):
    monkeypatch.chdir(exports)
    shown = printed(command.main, urls("rest", "dual_encoder"), "1.png", "--pairs", "0.png", "clip.wav").out
    assert "1.png" in shown
    assert "0.png + clip.wav" in shown
    with Client(urls("rest", "dual_encoder")) as client:
        pair = {"image": (exports / "0.png").read_bytes(), "audio": "clip.wav"}
        both, image, audio = client.predict([pair, "0.png", (exports / "clip.wav").read_bytes()])
        assert both.value == pytest.approx(float(image.vector @ audio.vector), abs=1e-4)
        assert client.outputs({"encoded_audio": [(exports / "clip.wav").read_bytes()]}, "embed_audio").keys() == {
            "audio_embedding"
        }


def test_pairs_that_are_refused(exports, urls, printed, monkeypatch):
    monkeypatch.chdir(exports)
    url = urls("rest", "av_fusion")
    shown = printed(command.main, url, "--pairs", "broken.png", "clip.wav", "0.png", "none.wav", status=1)
    first, second = shown.err.splitlines()
    assert first.startswith("error: broken.png + clip.wav: ")
    assert second == "error: none.wav: No such file or directory."
    with pytest.raises(UserError, match=r"--pairs: .* takes one file at a time"):
        command.main([urls("rest", "digits"), "--pairs", "0.png", "clip.wav"])
    with pytest.raises(UserError, match="pictures and clips in turn"):
        command.main([url, "--pairs", "0.png"])
    with Client(urls("rest", "digits")) as client, pytest.raises(UserError, match="takes one file at a time"):
        client.answer({"image": "0.png", "audio": "clip.wav"})
    with Client(url) as client:
        client.signatures = {name: each for name, each in client.signatures.items() if "only" not in name}
        with pytest.raises(UserError, match="name both files of each pair"):
            client.answer("0.png")
