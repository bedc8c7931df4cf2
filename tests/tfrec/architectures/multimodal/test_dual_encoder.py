"""Networks for pairs: any two networks, embeddings of length 1, and parts that answer alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tests.tfrec.architectures.small_networks import SHAPES, batch, build, cases, perturb, small_config
from tfrec import architectures

IMAGE, SPEECH = ("cnn", "resnet18", "mlp"), {"cnn": "sequence", "lstm": "sequence", "wavenet": "waveform"}


def of_kind(kind):
    """A batch and its shapes with clips of this kind."""
    values, clips = batch("pair"), batch(kind)
    audio = {"audio": clips} if kind == "image" else {"audio": clips["features"], "frames": clips["frames"]}
    return {"image": values["image"], **audio}, {"image": SHAPES["image"], "audio": SHAPES[kind]}


@pytest.mark.parametrize("image", IMAGE)
@pytest.mark.parametrize("speech", SPEECH)
def test_any_two_networks_embed_and_learn(image, speech):
    keras.utils.set_random_seed(1)
    settings = {"image": small_config(image), "speech": small_config(speech)}
    values, shape = of_kind(SPEECH[speech])
    net = perturb(architectures.build("dual_encoder", shape, 7, **settings))
    with tf.GradientTape() as tape:
        outputs = net(values, training=True)
        loss = tf.reduce_mean(
            tf.exp(outputs["log_scale"]) * tf.reduce_sum(outputs["image"] * outputs["audio"], axis=-1)
        )
    for name in ("image", "audio"):
        np.testing.assert_allclose(np.linalg.norm(outputs[name], axis=1), 1, rtol=1e-5)
    assert outputs["log_scale"].shape == (4,)
    gradients = tape.gradient(loss, [weight.value for weight in net.trainable_weights])
    assert all(gradient is not None for gradient in gradients)


def test_pictures_of_speech():
    values, shape = of_kind("image")
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
