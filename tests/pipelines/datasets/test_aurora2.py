"""Aurora-2, in a small tree of its layout."""

import json
import shutil

import numpy as np
import pytest

from pipelines import audio, datasets
from pipelines.datasets import aurora2, espeak
from pipelines.errors import UserError
from tfrec.commands import fit

TRAINING = {"MAE": "m1", "MBD": "m3", "FAC": "f1", "FEH": "f2"}
TEST = {"MGH": "m5", "FKL": "f4"}
CODES = "Z123456789O"


def spoken(speakers):
    """File name -> int16 samples at 8 kHz: every digit and one string by every speaker."""
    with espeak.LOCK, espeak.engine() as (speak, engine_hz):
        clips = {}
        for speaker, voice in speakers.items():
            for code in [*CODES, "1Z9"]:
                clip = speak(" ".join(aurora2.words(code)), f"gmw/en+{voice}", 170, 50)
                clip = audio.resample_array(clip, engine_hz, 8000)
                clips[f"{speaker}_{code}A.08"] = np.round(clip / np.abs(clip).max() * 8000).astype(np.int16)
    return clips


def mixed(clip, snr_db, seed):
    noise = np.random.default_rng(seed).normal(size=len(clip))
    noise *= np.sqrt(np.mean(clip.astype(float) ** 2) / np.mean(noise**2) / 10 ** (snr_db / 10))
    return np.clip(np.round(clip + noise), -32768, 32767).astype(np.int16)


def write(folder, clips, snr_db=None, order=">"):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, clip) in enumerate(clips.items()):
        noisy = clip if snr_db is None else mixed(clip, snr_db, seed)
        (folder / name).write_bytes(noisy.astype(f"{order}i2").tobytes())


def parted(clips, count):
    """The k-th of the parts holds every count-th isolated digit, and a string."""
    single = [name for name in clips if "1Z9" not in name]
    string = next(name for name in clips if "1Z9" in name)
    return [{name: clips[name] for name in [*single[k::count], string]} for k in range(count)]


@pytest.fixture(scope="module")
def speech():
    """(training, test): the clean clips."""
    pytest.importorskip("espeakng_loader")
    return spoken(TRAINING), spoken(TEST)


@pytest.fixture(scope="module")
def tree(speech, tmp_path_factory):
    """Aurora-2 with four training and two test speakers, and other files that are ignored."""
    path = tmp_path_factory.mktemp("aurora2") / "speechdata"
    training, test = speech
    write(path / "train" / "clean", training)
    levels = [(k, snr_db) for k in range(1, 5) for snr_db in (None, 20, 15, 10, 5)]
    for (k, snr_db), clips in zip(levels, parted(training, 20), strict=True):
        write(path / "train" / (f"clean{k}" if snr_db is None else f"N{k}_SNR{snr_db}"), clips, snr_db)
    for part, noises in (("testa", 4), ("testb", 4), ("testc", 2)):
        for k, clips in enumerate(parted(test, noises), 1):
            for snr_db in (None, 20, 15, 10, 5, 0, -5):
                write(path / part / (f"clean{k}" if snr_db is None else f"N{k}_SNR{snr_db}"), clips, snr_db)
    (path / "train" / "clean" / "list.txt").write_text("MAE_1A.08")
    (path / "train" / "clean" / "._MAE_1A.08").write_text("what a Mac leaves")
    (path / "docs").mkdir()
    return path.parent


def load(path, sample_rate_hz=None, **fields):
    return aurora2.load(aurora2.Config(path=str(path), **fields), sample_rate_hz)


def speakers(split):
    return {source.split("/")[-1].split("_")[0] for source in split.sources}


def conditions(split):
    return {aurora2.condition(source) for source in split.sources}


@pytest.mark.parametrize(("training", "folders"), [("clean", 1), ("multi", 20)])
def test_training_parts(tree, speech, training, folders):
    corpus = load(tree, training=training)
    assert (corpus.name, corpus.modality, corpus.sample_rate_hz) == ("aurora2", "audio", 8000)
    assert corpus.class_names == ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "oh")
    assert {name: split.size for name, split in corpus.splits.items()} == {"train": 33, "validation": 11, "test": 154}
    assert speakers(corpus.splits["test"]) == set(TEST)
    assert len(speakers(corpus.splits["validation"])) == 1
    assert speakers(corpus.splits["train"]) | speakers(corpus.splits["validation"]) == set(TRAINING)
    assert not speakers(corpus.splits["train"]) & speakers(corpus.splits["validation"])
    assert len(conditions(corpus.splits["train"]) | conditions(corpus.splits["validation"])) == folders
    clean = {**speech[0], **speech[1]}
    for split in corpus.splits.values():
        for example, label, source in zip(split.examples.as_numpy_iterator(), split.labels, split.sources, strict=True):
            name = source.split("/")[-1]
            assert example["label"] == label == CODES.index(name.split("_")[1][0])
            assert example["audio"].dtype == np.float32
            noise = example["audio"] * 32768 - clean[name]
            snr_db = aurora2.condition(source).snr_db
            if snr_db is None:
                assert not noise.any()
            else:
                measured = 10 * np.log10(np.mean(clean[name].astype(float) ** 2) / np.mean(noise**2))
                assert measured == pytest.approx(snr_db, abs=0.3)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {f"testa/{end}" for k in "1234" for end in (f"clean{k}", *(f"N{k}_SNR{x}" for x in range(-5, 21, 5)))}),
        ({"test_snr": ("clean",)}, {"testa/clean1", "testa/clean2", "testa/clean3", "testa/clean4"}),
        ({"test_noise": "subway", "test_snr": ("10",)}, {"testa/N1_SNR10"}),
        ({"test_set": "b", "test_noise": "airport", "test_snr": ("0", "-5")}, {"testb/N3_SNR0", "testb/N3_SNR-5"}),
        (
            {"test_set": "c", "test_snr": ("clean", "5")},
            {f"testc/{x}" for x in ("clean1", "clean2", "N1_SNR5", "N2_SNR5")},
        ),
    ],
)
def test_test_conditions(tree, fields, expected):
    loaded = conditions(load(tree, **fields).splits["test"])
    assert set(map(str, loaded)) == expected
    test = load(tree, **fields).splits["test"]
    for source, (noise, ratio) in zip(test.sources, test.conditions, strict=True):
        known = aurora2.condition(source)
        assert (noise, ratio) == (known.noise, np.inf if known.snr_db is None else known.snr_db)
    if "test_noise" in fields:
        assert {each.noise for each in loaded} == {fields["test_noise"]}


def test_the_split_is_seeded(tree):
    first, second, *others = (load(tree, test_snr=("clean",), split_seed=seed) for seed in (0, 0, 1, 2))
    assert first.splits["validation"].sources == second.splits["validation"].sources
    assert any(first.splits["validation"].sources != other.splits["validation"].sources for other in others)


def test_rate(tree):
    own, doubled = (load(tree, hz, test_snr=("clean",)) for hz in (None, 16000))
    assert (own.sample_rate_hz, doubled.sample_rate_hz) == (8000, 16000)
    lengths = [
        [len(example["audio"]) for example in some.splits["test"].examples.as_numpy_iterator()]
        for some in (own, doubled)
    ]
    np.testing.assert_array_equal(lengths[1], 2 * np.array(lengths[0]))


def test_fit(tree, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.chdir(tmp_path)
    words = [
        "--data.name",
        "aurora2",
        "--data.path",
        str(tree),
        "--data.test_noise",
        "car",
        "--data.test_snr",
        "0",
        "-5",
    ]
    words += ["--model.name", "cnn", "--model.width", "4", "--fit.epochs", "1", "--export.no_after_fit", "--run", "run"]
    assert fit.main(words) == 0
    assert "11 classes, 33 train, 11 validation, 10 test examples" in " ".join(caplog.text.split())
    assert json.loads((tmp_path / "run" / "labels.json").read_text()) == list(aurora2.WORDS)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("train/clean", aurora2.Condition("train")),
        ("TRAIN/CLEAN_TRAIN", aurora2.Condition("train")),
        ("clean_train", aurora2.Condition("train")),
        ("aurora2b/TRAIN/CLEAN2", aurora2.Condition("train", 2)),
        ("train/multi/N4_SNR5", aurora2.Condition("train", 4, 5)),
        ("multi_train/n1_snr20", aurora2.Condition("train", 1, 20)),
        ("/data/TESTA/N1_SNR-5", aurora2.Condition("testa", 1, -5)),
        ("Test_B/clean3", aurora2.Condition("testb", 3)),
        ("testc/N2_SNR0", aurora2.Condition("testc", 2, 0)),
        ("testc/N3_SNR0", None),
        ("testa/N5_SNR0", None),
        ("testa", None),
        ("latesta/clean1", None),
        ("train/clean/more", None),
    ],
)
def test_folders(folder, expected):
    assert aurora2.condition(f"{folder}/MAE_1A.08") == expected


def test_noises():
    assert aurora2.Condition("testb", 1, 10).noise == "restaurant"
    assert aurora2.Condition("testc", 2).noise == "street"
    assert aurora2.Condition("train").noise is None


def test_words():
    assert aurora2.words("1Z9") == ("one", "zero", "nine")
    assert aurora2.words("O") == ("oh",)
    assert [aurora2.words(code) for code in CODES] == [(word,) for word in aurora2.WORDS]
    for code in ("", "0", "1A", "z"):
        with pytest.raises(ValueError, match=f"Received: {code!r}"):
            aurora2.words(code)


ONE = {"training": "clean", "test_noise": "subway", "test_snr": ("10",)}


def hum(path, order=">"):
    """Only what ONE takes, without speech."""
    clips = {
        f"{speaker}_{code}B.08": np.round(4000 * np.sin(np.arange(1600) * (0.1 + 0.02 * i))).astype(np.int16)
        for speaker in ("MAE", "FAC", "FBD")
        for i, code in enumerate(CODES)
    }
    write(path / "TRAIN" / "CLEAN", clips, order=order)
    write(path / "TESTA" / "N1_SNR10", clips, 10, order=order)
    return path


def test_byte_order(tmp_path):
    big, little = (hum(tmp_path / name, order) for name, order in (("big", ">"), ("little", "<")))
    first, second = (
        [
            example["audio"]
            for example in load(path, byte_order=order, **ONE).splits["test"].examples.as_numpy_iterator()
        ]
        for path, order in ((big, "big"), (little, "little"))
    )
    assert np.abs(first[0]).max() < 0.25
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(UserError, match=r"little is noise when read as big: set data\.byte_order to 'little'"):
        load(little, **ONE)
    with pytest.raises(UserError, match=r"set data\.byte_order to 'big'"):
        load(big, byte_order="little", **ONE)


def test_links(tmp_path):
    hum(tmp_path / "disc")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "train").symlink_to(tmp_path / "disc" / "TRAIN")
    (tmp_path / "home" / "discs").symlink_to(tmp_path / "disc")
    (tmp_path / "disc" / "circle").symlink_to(tmp_path / "home")
    assert load(tmp_path / "home", **ONE).splits["test"].size == 33


@pytest.mark.parametrize(("above", "is_found"), [("a/b/c/d", True), ("a/b/c/d/e", False)])
def test_depth(tmp_path, monkeypatch, above, is_found):
    hum(tmp_path / above)
    monkeypatch.chdir(tmp_path)
    if is_found:
        assert load(".", **ONE).splits["test"].size == 33
    else:
        with pytest.raises(UserError, match="holds no train/clean"):
            load(".", **ONE)


def empty(path):
    (path / "TRAIN/CLEAN/FAC_3B.08").write_bytes(b"")


def odd(path):
    (path / "TESTA/N1_SNR10/FAC_3B.08").write_bytes(b"123")


def endless(path):
    (path / "TRAIN/CLEAN/FAC_3B.08").write_bytes(bytes(960_002))


def headed(path):
    (path / "TRAIN/CLEAN/FAC_3B.08").write_bytes(b"RIFF" + bytes(100))


def a_folder(path):
    (path / "TRAIN/CLEAN/FAC_3A.08").mkdir()


def strange_name(path):
    (path / "TRAIN/CLEAN/FAC_3B.08").rename(path / "TRAIN/CLEAN/FAC-three.08")


def no_digits(path):
    for file in (path / "TESTA/N1_SNR10").iterdir():
        file.rename(file.with_name(file.name.replace("B.08", "1B.08")))


def no_test(path):
    shutil.rmtree(path / "TESTA")


def no_training(path):
    shutil.rmtree(path / "TRAIN")


def nothing(path):
    no_test(path)
    no_training(path)


def twice(path):
    shutil.copytree(path / "TRAIN", path / "copy" / "TRAIN")


def one_speaker(path):
    for name in ("FBD", "MAE"):
        for file in (path / "TRAIN/CLEAN").glob(f"{name}*"):
            file.unlink()


def no_oh(path):
    for file in (path / "TRAIN/CLEAN").glob("*_O*"):
        file.unlink()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (empty, r"CLEAN/FAC_3B\.08 is empty"),
        (odd, r"N1_SNR10/FAC_3B\.08 has 3 bytes, but samples take two each"),
        (endless, r"CLEAN/FAC_3B\.08 lasts more than 60 s"),
        (headed, r"CLEAN/FAC_3B\.08 has a header"),
        (a_folder, r"CLEAN/FAC_3A\.08 cannot be read: Is a directory"),
        (strange_name, r"CLEAN/FAC-three\.08 is not named as in TIDigits"),
        (no_digits, "N1_SNR10 holds no isolated digits"),
        (no_test, r"corpus has no folder testa/N1_SNR10: .* data\.test_set"),
        (no_training, r"corpus has no folder train/clean: .* data\.training"),
        (nothing, "corpus holds no train/clean, testa/N1_SNR10 and so on"),
        (twice, "TRAIN/CLEAN and .*/TRAIN/CLEAN both are train/clean of Aurora-2: keep one"),
        (one_speaker, "1 of 1 groups"),
        (no_oh, "Class 'oh' of .* is in test but not in train"),
    ],
)
def test_user_errors(tmp_path, break_it, message):
    break_it(hum(tmp_path / "corpus"))
    with pytest.raises(UserError, match=message):
        load(tmp_path / "corpus", **ONE)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"path": ""}, r"data\.path is needed: .* licensed"),
        ({"path": "/no/such/folder"}, "data.path /no/such/folder is not a folder: Aurora-2 is licensed"),
        ({"test_noise": "subwy"}, r"Unknown noise of test set a in data\.test_noise 'subwy': did you mean 'subway'"),
        ({"test_set": "b"}, r"Unknown noise of test set b in data\.test_noise 'subway': known are 'restaurant', "),
    ],
)
def test_settings(tmp_path, fields, message):
    with pytest.raises(UserError, match=message):
        load(**{"path": hum(tmp_path), **ONE, **fields})


def test_registered(tmp_path):
    config = aurora2.Config(path=str(hum(tmp_path)), only_classes=("oh", "zero"), **ONE)
    assert datasets.find("aurora2") is aurora2
    assert datasets.load(config).class_names == ("oh", "zero")
