"""Networks for pairs: pictures of speech, and parts that answer alone; any two networks are in `test_combinations`."""

import keras
import numpy as np
import pytest

from pipelines.errors import UserError
from tests.tfrec.architectures.small_networks import SHAPES, batch, build, cases, perturb, small_config
from tfrec import architectures


def test_pictures_of_speech():
    values = {"image": batch("image"), "audio": batch("image")}
    shape = {"image": SHAPES["image"], "audio": SHAPES["image"]}
    net = architectures.build("dual_encoder", shape, 7, image=small_config("cnn"), speech=small_config("resnet18"))
    assert set(net.input) == {"image", "audio"}
    assert net(values)["audio"].shape == (4, 7)


@pytest.mark.parametrize(("name", "kind"), cases("pair"))
def test_parts_padding_and_saving(name, kind, tmp_path):
    net = perturb(build(name, kind, 6))
    values = batch(kind)
    outputs = net(values)
    padded = {**values, "audio": np.pad(values["audio"], [[0, 0], [0, 9], [0, 0]], constant_values=np.nan)}
    for key, value in net(padded).items():
        np.testing.assert_allclose(value, outputs[key], atol=1e-5, err_msg=key)
    for part in ("image", "audio"):
        alone = architectures.part_encoder(net, part)({key: values[key] for key in _inputs(part)})
        np.testing.assert_allclose(alone[part], outputs[part], atol=1e-6)
    net.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")(values)
    for key, value in outputs.items():
        np.testing.assert_allclose(loaded[key], value, atol=1e-6)


def _inputs(part):
    return ("image",) if part == "image" else ("audio", "frames")


def test_refusals():
    with pytest.raises(UserError, match=r"model\.speech\.name 'resnet18' takes image features, but"):
        architectures.build("dual_encoder", SHAPES["pair"], 5, speech=small_config("resnet18"))
    with pytest.raises(UserError, match=r"model\.image\.name 'bilstm_ctc' takes sequence"):
        architectures.build("dual_encoder", SHAPES["pair"], 5, image=small_config("bilstm_ctc"))
    with pytest.raises(UserError, match=r"model\.temperature must be from 0\.01 to 10"):
        architectures.build("dual_encoder", SHAPES["pair"], 5, temperature=0.0)
    with pytest.raises(UserError, match=r"model\.image must be ModelConfig\. Received: 3"):
        architectures.build("dual_encoder", SHAPES["pair"], 5, image=3)
