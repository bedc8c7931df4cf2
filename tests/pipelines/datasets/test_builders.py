"""TensorFlow Datasets' builders: what stops a set from being found or prepared."""

import socket
import time

import pytest

from pipelines.datasets import builders, tfds
from pipelines.errors import UserError


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "localhost")  # alone it is no proxy
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", ["fashion_mnist", "speech_commands", "spoken_digit"])
def test_no_network_is_one_quick_sentence(tmp_path, name):
    start = time.monotonic()
    with pytest.raises(UserError, match=r"cannot be reached.*data\.data_dir or TFDS_DATA_DIR") as raised:
        tfds.load(tfds.Config(name=name, data_dir=str(tmp_path)))
    assert "\n" not in str(raised.value)
    assert time.monotonic() - start < 10


def test_a_failing_download_is_one_sentence(tmp_path, monkeypatch):
    builder = builders.find_builder("fashion_mnist", str(tmp_path))
    monkeypatch.setattr(builders, "_unreachable_host", lambda _: None)

    def fail(*_, **__):
        raise ConnectionError("refused\nsecond line")

    monkeypatch.setattr(builder, "download_and_prepare", fail)
    with pytest.raises(UserError, match=r"TFDS cannot prepare it: refused$"):
        builders.prepare(builder)


def test_manual_downloads_say_what_goes_where(tmp_path):
    with pytest.raises(UserError, match=r"downloads/manual.*ILSVRC2012_img_train\.tar"):
        tfds.load(tfds.Config(name="imagenet2012", data_dir=str(tmp_path)))


def test_tfds_reads_manual_downloads_where_the_error_says(tmp_path):
    import tensorflow_datasets as datasets

    folders = []

    class ManualSet(datasets.core.GeneratorBasedBuilder):
        VERSION = datasets.core.Version("1.0.0")
        MANUAL_DOWNLOAD_INSTRUCTIONS = "Ask the authors."

        def _info(self):
            return self.dataset_info_from_configs(
                features=datasets.features.FeaturesDict({"text": datasets.features.Text()})
            )

        def _split_generators(self, dl_manager):
            folders.append(str(dl_manager.manual_dir))
            return {"train": [(0, {"text": "one"})]}

        def _generate_examples(self):
            raise NotImplementedError

    builder = ManualSet(data_dir=str(tmp_path))
    with pytest.raises(UserError, match=r"put its files into '.*/downloads/manual' \(Ask the authors\.\)") as raised:
        builders.prepare(builder)
    manual = tmp_path / "downloads" / "manual"
    manual.mkdir(parents=True)
    (manual / "texts.txt").write_text("one")
    builders.prepare(builder)
    assert folders == [str(manual)]
    assert repr(str(manual)) in str(raised.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [("mnits", "did you mean 'mnist'"), ("mnist:9.9.9", "only: 3.0.1"), ("mnist/nosuch", "nosuch")],
)
def test_wrong_names(tmp_path, name, message):
    with pytest.raises(UserError, match=message) as raised:
        tfds.load(tfds.Config(name=name, data_dir=str(tmp_path)))
    assert "\n" not in str(raised.value)
