"""Training, `predict` and `noise_report` on recordings and noises as people have them."""

import csv
import json
import shutil

import numpy as np
import pytest
import soundfile

from tests.pipelines.audio_formats.test_irregular_files import chunk, wav
from tests.tfrec.user_errors import QUICK, clips
from tfrec.commands import fit, noise_report, predict

RATE = 16000
_WAVE = 0.3 * np.sin(2 * np.pi * 440 * np.arange(9600) / RATE) + np.random.default_rng(1).normal(scale=0.03, size=9600)
SOUND = (_WAVE * 32767).astype("<i2")
# One sound, in WAV files that readers stumble over.
WAVS = {
    "plain": wav(samples=SOUND),
    "JUNK": wav(chunk(b"JUNK", bytes(28)), samples=SOUND),
    "bext": wav(chunk(b"bext", bytes(602)), samples=SOUND),
    "odd": wav(chunk(b"LIST", b"INFOISFT\x05\0\0\0abcde"), samples=SOUND),
    "unpadded": wav(chunk(b"LIST", b"INFOISFT\x05\0\0\0abcde", fill=False), samples=SOUND),
    "sox": wav(announced=0x7FFFF000, samples=SOUND),
    "arecord": wav(announced=0x80000000, samples=SOUND),
    "ffmpeg": wav(announced=0xFFFFFFFF, samples=SOUND),
    "zero": wav(announced=0, samples=SOUND),
    "whole file": wav(announced=2 * SOUND.size + 36, form_size=2 * SOUND.size + 36, samples=SOUND),
}
SUBTYPES = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")
OTHERS = (("aiff", "PCM_16"), ("au", "PCM_16"), ("flac", "PCM_16"), ("caf", "PCM_16"), ("w64", "PCM_16"))
LOSSY = (("opus", "OPUS"), ("ogg", "OPUS"), ("oga", "VORBIS"), ("mp3", "MPEG_LAYER_III"))


def words(folder):
    """Clips of two classes at 16 kHz."""
    random = np.random.default_rng(0)
    for name, hz in (("no", 440), ("yes", 1500)):
        (folder / name).mkdir(parents=True)
        for i in range(12):
            wave = 0.3 * np.sin(2 * np.pi * hz * np.arange(9600) / RATE) + random.normal(scale=0.02, size=9600)
            soundfile.write(folder / name / f"{i}.wav", wave, RATE)
    return folder


def train(folder, run, *more):
    """Trains for an epoch."""
    path = ["--data.name", "folder", "--data.path", str(folder), "--run", str(run)]
    assert fit.main([*path, *QUICK, *map(str, more)]) == 0
    return run


def history(run):
    with open(run / "history.csv", encoding="utf-8") as file:
        return [float(value) for row in csv.DictReader(file) for value in row.values()]


@pytest.fixture(scope="module")
def trained_on_all(tmp_path_factory):
    """A run trained on files of every kind; (the run, the folder of these files)."""
    root = tmp_path_factory.mktemp("recordings")
    folder = words(root / "W")
    for name, data in WAVS.items():
        (folder / "no" / f"{name}.wav").write_bytes(data)
    sound = SOUND / 32767
    for subtype in SUBTYPES:
        soundfile.write(folder / "no" / f"{subtype}.wav", sound, RATE, subtype=subtype)
    for suffix, subtype in (*OTHERS, *LOSSY):
        soundfile.write(folder / "no" / f"{subtype}.{suffix}", sound, RATE, subtype=subtype, format=container(suffix))
    size, mp3 = 3000, (folder / "no" / "MPEG_LAYER_III.mp3").read_bytes()
    tag = b"ID3\x03\0\0" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0)) + bytes(size)
    (folder / "no" / "tagged.mp3").write_bytes(tag + mp3)
    return train(folder, root / "run"), folder / "no"


def container(suffix):
    return "OGG" if suffix in ("opus", "ogg", "oga") else None


def test_every_kind_is_trained_on_and_predicted_alike(trained_on_all, capsys):
    run, folder = trained_on_all
    names = [f"{name}.wav" for name in (*WAVS, *SUBTYPES)]
    names += [f"{subtype}.{suffix}" for suffix, subtype in (*OTHERS, *LOSSY)] + ["tagged.mp3"]
    capsys.readouterr()
    assert predict.main([str(run), *(str(folder / name) for name in names), "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    expected = answers[0]["probabilities"]["no"]
    for name, answer in zip(names, answers, strict=True):
        lossy = name.endswith((".opus", ".ogg", ".oga", ".mp3", "ADPCM.wav", "LAW.wav", "GSM610.wav"))
        assert answer["probabilities"]["no"] == pytest.approx(expected, abs=0.2 if lossy else 1e-3), name
    with open(run / "splits.csv", encoding="utf-8") as file:
        used = {row["path"] for row in csv.DictReader(file)}
    assert {str(folder / name) for name in names} <= used
    assert np.isfinite(history(run)).all()


def test_several_rates_and_channels_give_one_answer(tmp_path, capsys, caplog):
    folder = words(tmp_path / "W")
    rates = (8000, 11025, 22050, 44100, 48000)
    for rate in rates:
        wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(0.6 * rate)) / rate)
        soundfile.write(folder / "no" / f"{rate}.wav", np.stack([wave, wave], axis=1), rate, subtype="FLOAT")
    run = train(folder, tmp_path / "run")
    for rate in rates:
        assert f"1 of 29 files has {rate:,} Hz and is resampled to 16,000." in caplog.text
    assert "5 of 29 files have two channels, which are averaged" in caplog.text
    capsys.readouterr()
    predict.main([str(run), *(str(folder / "no" / f"{rate}.wav") for rate in rates), "--json"])
    answers = [answer["probabilities"]["no"] for answer in json.loads(capsys.readouterr().out)]
    assert np.ptp(answers) < 0.05


def test_channels_that_cancel_each_other_and_silence_are_named(tmp_path, caplog):
    folder, silent = words(tmp_path / "W"), np.zeros(9600)
    for i in range(6):
        wave = soundfile.read(folder / "no" / f"{i}.wav")[0]
        soundfile.write(folder / "no" / f"{i}.wav", np.stack([wave, -wave], axis=1), RATE)
        soundfile.write(folder / "yes" / f"{i}.wav", silent, RATE)
    run = train(folder, tmp_path / "run")
    assert "6 of 24 files have channels that cancel each other" in caplog.text
    assert "6 of 24 clips are silent" in caplog.text
    assert np.isfinite(history(run)).all()


@pytest.mark.parametrize(("name", "data"), [("empty", b""), ("header", wav(samples=SOUND[:0]))])
def test_recordings_and_noises_without_samples_are_named(tmp_path, fails, name, data):
    clips(tmp_path / "W")
    (tmp_path / "N" / "rain").mkdir(parents=True)
    soundfile.write(tmp_path / "N" / "rain" / "fine.wav", SOUND, RATE)
    place = {"no": tmp_path / "W" / "no", "rain": tmp_path / "N" / "rain"}
    for kind, folder in place.items():
        (folder / f"{name}.wav").write_bytes(data)
        path = ("--data.name", "folder", "--data.path", tmp_path / "W", "--frontend.noise_path", tmp_path / "N")
        message = fails(fit, *path, *QUICK)
        assert f"{kind}/{name}.wav" in message
        (folder / f"{name}.wav").unlink()


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A run trained among noises: in folders of two levels, of three samples, long, and silent; half the clips are."""
    root = tmp_path_factory.mktemp("noisy")
    folder, random = words(root / "W"), np.random.default_rng(0)
    for i in range(6):
        soundfile.write(folder / "no" / f"{i}.wav", np.zeros(9600), RATE)
    soundfile.write(folder / "no" / "short.wav", SOUND[:3], RATE)
    for name, samples in (
        ("music/jamendo/x.wav", random.normal(scale=0.1, size=RATE)),
        ("noise/free-sound/y.wav", random.normal(scale=0.1, size=3)),
        ("noise/free-sound/z.flac", random.normal(scale=0.1, size=20 * RATE)),
        ("silent/0.wav", np.zeros(RATE)),
    ):
        (root / "N" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / "N" / name, samples, RATE)
    return root


def test_training_among_noises_of_all_kinds_is_finite(noisy, capsys, caplog):
    noise = ["--frontend.noise_path", noisy / "N", "--frontend.noise_fraction", "0.65"]
    run = train(noisy / "W", noisy / "run", *noise, "--frontend.snr_db", "10", "10")
    assert np.isfinite(history(run)).all()
    assert "1 of 4 noises" in caplog.text
    assert "silent/0.wav" in caplog.text
    capsys.readouterr()
    assert noise_report.main([str(run), "--noise", str(noisy / "N"), "--snr", "0"]) == 0
    (path,) = (run / "noise").glob("*.json")
    report = json.loads(path.read_text(encoding="utf-8"))
    assert set(report["noises"]) - {"silent"} == {"music", "noise"}
    assert all(0 <= scores["snr"]["0"]["accuracy"] <= 1 for scores in report["noises"].values())


def test_ratios_in_the_wrong_order(noisy, fails):
    words = ("--data.name", "folder", "--data.path", noisy / "W", "--frontend.noise_path", noisy / "N")
    message = fails(fit, *words, *QUICK, "--frontend.snr_db", "20", "0")
    assert "snr_db must be (low, high), low not above high. Received: (20.0, 0.0)" in message


@pytest.mark.parametrize("ratios", [["--snr", "-5,0"], ["--snr=-5,0"], ["--snr", "-5"]])
def test_negative_ratios_of_a_report(noisy, trained, tmp_path, capsys, ratios):
    run = shutil.copytree(trained("cnn")[0].path, tmp_path / "run")
    words = [str(run), "--noise", str(noisy / "N"), *ratios]
    assert noise_report.main(words) == 0
    assert "-5 dB" in capsys.readouterr().out
