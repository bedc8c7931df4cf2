"""User errors about data: one sentence, status 2, and no file changed or left behind."""

import shutil

import numpy as np
import pytest
import soundfile
from PIL import Image

from tests.tfrec.user_errors import QUICK, clips, pictures
from tfrec.commands import fit


def one_class(path):
    shutil.rmtree(path / "cat")


def no_class(path):
    shutil.rmtree(path / "cat")
    shutil.rmtree(path / "dog")


def empty_class(path):
    (path / "fox").mkdir()


def audio_among_pictures(path):
    soundfile.write(path / "cat" / "meow.wav", np.zeros(100), 8000)


def truncated_jpeg(path):
    Image.effect_noise((64, 64), 50).save(path / "cat" / "noise.jpg")
    (path / "cat" / "noise.jpg").write_bytes((path / "cat" / "noise.jpg").read_bytes()[:-500])


def empty_png(path):
    (path / "cat" / "0.png").write_bytes(b"")


def text_as_png(path):
    (path / "dog" / "3.png").write_text("no picture")


def sound_of_a_video(path):
    (path / "dog" / "film.mp4").write_bytes(b"1234")


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (one_class, "photos holds only the class 'dog': at least two are needed; add one."),
        (no_class, "photos holds no class folders"),
        (empty_class, "photos/fox holds no pictures and no audio"),
        (audio_among_pictures, "Pictures and audio cannot be mixed"),
        (truncated_jpeg, "1 of 13 files cannot be used (1 truncated or damaged): repair or remove them"),
        (empty_png, "photos/cat/0.png is empty"),
        (text_as_png, "photos/dog/3.png is not a JPEG, PNG, BMP, GIF, WebP, TIFF, AVIF or PPM picture"),
        (sound_of_a_video, "Pictures and audio cannot be mixed: photos/cat/0.png and photos/dog/film.mp4"),
    ],
)
def test_folders_of_pictures(fails, tmp_path, break_it, message):
    break_it(pictures(tmp_path / "photos"))
    assert message in fails(fit, "--data.name", "folder", "--data.path", "photos", *QUICK)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "data.path is needed"),
        (["--data.path", "nowhere"], "data.path nowhere is not a folder"),
        (
            ["--data.path", "photos", "--data.channels", "2"],
            "data.channels must be 1 (gray), 3 (color) or 4 (color and alpha)",
        ),
        (
            ["--data.path", "photos", "--frontend.channels", "1"],
            "frontend.channels is 1, but the images of folder have",
        ),
        (["--data.path", "photos/cat"], "is outside of the class folders"),
        (["--data.path", "photos", "--data.validation_fraction", "1.5"], "data.validation_fraction must be above 0"),
    ],
)
def test_settings_for_pictures(fails, tmp_path, words, message):
    pictures(tmp_path / "photos")
    assert message in fails(fit, "--data.name", "folder", *words, *QUICK)


def test_a_picture_that_breaks_after_the_check(fails, tmp_path):
    """Without the check, a broken file fails as one that breaks during training."""
    pictures(tmp_path / "photos")
    for i in range(6):
        path = tmp_path / "photos" / "cat" / f"{i}.png"
        path.write_bytes(path.read_bytes()[:-25])
    sentence = fails(fit, "--data.name", "folder", "--data.path", "photos", "--data.no_verify", *QUICK)
    assert "cannot be decoded as a picture: it is truncated or damaged" in sentence


def truncated_wav(path):
    (path / "no" / "0.wav").write_bytes((path / "no" / "0.wav").read_bytes()[:-1000])


def corrupt_flac(path):
    data = bytearray((path / "no" / "1.flac").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    (path / "no" / "1.flac").write_bytes(data)


def not_a_number(path):
    soundfile.write(path / "yes" / "0.wav", np.full(3000, np.nan), 8000, subtype="FLOAT")


def no_samples(path):
    soundfile.write(path / "yes" / "0.wav", np.zeros(0), 8000)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (truncated_wav, "voices/no/0.wav is truncated"),
        (corrupt_flac, "voices/no/1.flac cannot be decoded"),
        (not_a_number, "voices/yes/0.wav holds samples that are NaN or infinite"),
        (no_samples, "voices/yes/0.wav holds no samples"),
    ],
)
def test_folders_of_audio(fails, tmp_path, break_it, message):
    break_it(clips(tmp_path / "voices"))
    assert message in fails(fit, "--data.name", "folder", "--data.path", "voices", "--export.no_after_fit")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--frontend.high_hz", "5000"], "5000"),
        (["--frontend.low_hz", "4500"], "4500"),
        (["--frontend.sample_rate_hz", "8"], "frontend.sample_rate_hz must be between 1,000"),
        (["--frontend.window_ms", "5"], "window"),
        (["--frontend.mels", "0"], "mels"),
        (["--frontend.features", "mfcc", "--frontend.coefficients", "99"], "coefficients"),
        (["--frontend.noise_path", "nowhere"], "nowhere does not exist"),
        (["--frontend.noise_path", "silent"], "silent holds no audio"),
        (["--frontend.snr_db", "20", "5", "--frontend.noise_path", "voices"], "snr_db"),
        (["--frontend.time_masks", "-1"], "time_masks"),
        (
            ["--model.name", "lstm", "--frontend.form", "picture"],
            "takes sequence features, but the data gives image features",
        ),
        (["--frontend.name", "image"], "frontend.name 'image' does not go with folder, which holds audio examples"),
    ],
)
def test_settings_for_audio(fails, tmp_path, words, message):
    clips(tmp_path / "voices")
    (tmp_path / "silent").mkdir()
    path = ["--data.name", "folder", "--data.path", "voices", "--export.no_after_fit"]
    assert message in fails(fit, *path, *words)


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("", [], "list.csv:1: the column 'path' is missing"),
        ("path,label\n", [], "list.csv lists no files"),
        ("path,clas\n0.wav,a\n", [], "one of the columns 'label' (for classification)"),
        ("path\n0.wav\n", [], "one of the columns 'label' (for classification), 'text' (for transcription)"),
        ("path,label\n9.wav,a\n", [], "list.csv:2: there is no file 9.wav"),
        ("path,label\n0.wav,\n", [], "list.csv:2: label is empty"),
        ("path,label\n0.wav\n", [], "list.csv:2: 1 cells, but the header names 2 columns"),
        ("path,label\n0.wav,a\n1.wav,a\n", [], "list.csv has only the label 'a'"),
        ("path,label,start,end\n0.wav,a,0.3,0.2\n", [], "list.csv:2: start must be before end"),
        ("path,label,start,end\n0.wav,a,soon,0.2\n", [], "list.csv:2: start must be seconds, 0 or more"),
        (
            "path,label,end\n" + "".join(f"0.wav,a,0.2{i}\n1.wav,b,0.1{i}\n" for i in range(3)) + "1.wav,b,99\n",
            [],
            "list.csv:8: end 99.0 is past the end",
        ),
        ("path,label\n0.wav,a\n", ["--data.classes", "x", "b"], "list.csv:2: Unknown label 'a': known are 'x', 'b'"),
        ("path,label,split\n0.wav,a,tset\n", [], "list.csv:2: Unknown split 'tset': did you mean 'test'"),
        ("path,label\n0.wav,a\n", ["--data.split_by", "speaker"], "list.csv:2: speaker is empty"),
        ("path,label\n\xff\n", [], "list.csv is not UTF-8"),
    ],
)
def test_manifests(fails, tmp_path, text, words, message):
    (tmp_path / "list.csv").write_bytes(text.encode("latin-1"))
    for i in range(2):
        soundfile.write(tmp_path / f"{i}.wav", np.zeros(4000), 8000)
    assert message in fails(fit, "--data.name", "manifest", "--data.path", "list.csv", *words)


def test_unknown_sets(fails, data_dir):
    assert "did you mean 'mnist'" in fails(fit, "--data.name", "mnits")
    folder = ["--data.data_dir", data_dir / "tfds"]
    assert "cannot open 'mnist:9.9.9'" in fails(fit, "--data.name", "mnist:9.9.9", *folder)
    assert "split 'test[' of 'mnist' cannot be read" in fails(fit, "mnist", *folder, "--data.test_split", "test[")
    assert "split of 'mnist' 'exam'" in fails(fit, "mnist", *folder, "--data.test_split", "exam")
    assert "split 'test[:0]' of 'mnist' holds no examples" in fails(
        fit, "mnist", *folder, "--data.test_split", "test[:0]", *QUICK
    )
    assert "data.test_speakers" in fails(fit, "spoken_digit", *folder, "--data.split", "speaker")


def test_a_missing_set_without_a_network(fails, tmp_path, monkeypatch):
    import socket

    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    sentence = fails(fit, "mnist", "--data.data_dir", tmp_path)
    assert "cannot be reached: connect to the network" in sentence
