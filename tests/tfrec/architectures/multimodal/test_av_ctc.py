"""Moving pictures and a clip under CTC: gradients, padding, steps, one input alone, the gate, modality dropout."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import UserError
from tests.tfrec.architectures.small_networks import PER_PICTURE, PICTURES, SHAPES, batch, build, perturb
from tfrec import architectures
from tfrec.architectures.layers.moving_pictures import EachPicture, ShownPicture
from tfrec.architectures.multimodal import av_ctc

FUSIONS = ("early", "late", "cross_attention")


@pytest.fixture(scope="module", params=FUSIONS)
def net(request):
    return perturb(build("av_ctc", "audio_visual", 5, fusion=request.param))


def compute(net, inputs):
    return {name: np.asarray(value) for name, value in net(inputs).items()}


def example(inputs, i, **changes):
    """Example i alone, its padding cut off."""
    frames = inputs["frames"][i]
    one = {name: value[i : i + 1] for name, value in inputs.items()} | changes
    return one | {name: one[name][:, :frames] for name in ("audio", "shown")}


def without(inputs, name):
    if name == "audio":
        return {**inputs, "has_audio": np.zeros_like(inputs["has_audio"])}
    return {**inputs, "shown": np.full_like(inputs["shown"], -1)}


@pytest.mark.slow
def test_gradient_reaches_every_weight(net):
    weights, inputs = net.trainable_weights, batch("audio_visual")
    spec = {name: tf.TensorSpec([None, None, *x.shape[2:]][: x.ndim], x.dtype) for name, x in inputs.items()}

    @tf.function(input_signature=[spec])
    def gradients(inputs):
        with tf.GradientTape() as tape:
            # Without dropout of the pictures or the sound, whose weights would have none.
            loss = tf.reduce_sum(net(inputs)["logits"] ** 2)
        return tape.gradient(loss, [weight.value for weight in weights])

    for weight, gradient in zip(weights, gradients({name: tf.constant(x) for name, x in inputs.items()}), strict=True):
        assert gradient is not None, weight.path
        gradient = np.asarray(tf.convert_to_tensor(gradient))
        assert np.isfinite(gradient).all(), weight.path
        assert np.abs(gradient).max() > 0, weight.path


def test_padding_and_neighbors_never_change_a_clip(net):
    inputs = batch("audio_visual")
    padded = {name: value.copy() for name, value in inputs.items()}
    padded["video"] = np.pad(padded["video"], [(0, 0), (0, 2)] + [(0, 0)] * 3, constant_values=np.nan)
    for i, frames in enumerate(inputs["frames"]):
        padded["audio"][i, frames:] = np.nan
        padded["shown"][i, frames:] = PICTURES + 1  # as the padding of a longer clip
    together = compute(net, padded)
    assert np.isfinite(together["logits"]).all()
    for i in range(len(inputs["frames"])):
        pictures = int(inputs["shown"][i, : inputs["frames"][i]].max()) + 1
        alone = compute(net, example(inputs, i, video=inputs["video"][i : i + 1, :pictures]))
        steps = together["steps"][i]
        assert alone["steps"].tolist() == [steps] == [-(-inputs["frames"][i] // 4)]
        np.testing.assert_allclose(together["logits"][i, :steps], alone["logits"][0], atol=1e-5)


@pytest.mark.parametrize("name", ["video", "audio"])
def test_an_input_that_is_missing_does_not_matter(net, name):
    inputs = batch("audio_visual")
    alone = compute(net, without(inputs, name))
    other = {**inputs, name: np.random.default_rng(9).normal(size=inputs[name].shape).astype("float32")}
    np.testing.assert_allclose(compute(net, without(other, name))["logits"], alone["logits"], atol=1e-6)
    assert np.abs(compute(net, inputs)["logits"] - alone["logits"]).max() > 1e-4
    if "gate" not in {layer.name for layer in net.layers}:
        return
    gate = keras.Model(net.input, net.get_layer("gate").output)(without(inputs, name))
    for i, count in enumerate(compute(net, inputs)["steps"]):
        seen = slice(0, min(count, PICTURES * PER_PICTURE // 4 - 1))  # steps with a picture
        np.testing.assert_allclose(gate[i, seen, 0], name == "audio", atol=1e-6)


def test_a_picture_goes_with_its_step():
    net = perturb(build("av_ctc", "audio_visual", 5, fusion="late"))
    inputs = without(example(batch("audio_visual"), 3), "audio")
    lookup = net.get_layer("image_shown")
    shown = keras.Model(net.input, lookup.output)(inputs)
    units = keras.Model(net.input, lookup.input[0])(inputs)
    np.testing.assert_array_equal(shown[1][0], np.arange(8) < PICTURES)
    np.testing.assert_allclose(shown[0][0, :PICTURES], units[:PICTURES], atol=1e-6)
    np.testing.assert_array_equal(shown[0][0, PICTURES:], 0)


def test_lookup_of_single_frames():
    x = np.arange(6, dtype="float32")[:, None]  # 2 moving pictures of 3
    shown = np.array([[0, 0, 1, 1, 2, -1], [0, 1, 2, 0, 0, 0]], "int32")
    keep = np.array([[True] * 3, [True, False, False]])
    found, is_shown = ShownPicture()(x, shown, np.array([6, 2], "int32"), keep)
    np.testing.assert_array_equal(found[..., 0], [[0, 1, 0], [4, 0, 0]])
    np.testing.assert_array_equal(is_shown, [[True, True, False], [True, False, False]])
    video = np.arange(6, dtype="float32").reshape(2, 3, 1, 1, 1)
    row = EachPicture()(video, shown, np.array([6, 2], "int32"))
    np.testing.assert_array_equal(np.asarray(row).ravel(), [0, 1, 2, 3, 4, 4])
    row = EachPicture()(video, np.full((2, 6), -1, "int32"), np.array([6, 2], "int32"))
    np.testing.assert_array_equal(np.asarray(row).ravel(), [0, 0, 0, 3, 3, 3])


def test_modality_dropout_in_training():
    net = build("av_ctc", "audio_visual", 5, modality_dropout=1.0)
    given = keras.Model(net.input, net.get_layer("given_steps").output)
    seen = {tuple(np.asarray(one).any(axis=0)) for one in given(batch("audio_visual", 24), training=True)}
    assert seen == {(True, False), (False, True)}
    assert np.asarray(given(batch("audio_visual", 4)))[:, :3].all()


def test_saves_and_loads(net, tmp_path):
    net.save(tmp_path / "net.keras")
    loaded, inputs = keras.saving.load_model(tmp_path / "net.keras"), batch("audio_visual")
    np.testing.assert_allclose(loaded(inputs)["logits"], net(inputs)["logits"], atol=1e-6)


@pytest.mark.slow
def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        nets = [build("av_ctc", "audio_visual", 5, fusion=fusion) for fusion in FUSIONS]
    finally:
        keras.config.set_dtype_policy("float32")
    for net in nets:
        logits = net(batch("audio_visual"), training=True)["logits"]
        assert logits.dtype == "float32"
        assert np.isfinite(logits).all()


def test_any_network_of_a_kind():
    small = {"units": 8, "depth": 1, "filters": 4, "norm": "none"}
    speech = architectures.find("gru_ctc").config
    image = architectures.find("resnet18").config
    changes = {"width_multiplier": 0.25, "depth_multiplier": 0.01}
    net = architectures.build(
        "av_ctc",
        SHAPES["audio_visual"],
        5,
        speech=type(speech)(**{"name": "gru_ctc", "cell": "gru", "subsampling": 2, **small}),
        image=type(image)(**{**vars(image), **changes}),
        units=8,
    )
    steps = compute(net, batch("audio_visual"))["steps"]
    np.testing.assert_array_equal(steps, -(-batch("audio_visual")["frames"] // 2))


def test_refuses():
    shape = SHAPES["audio_visual"]
    with pytest.raises(UserError, match=r"model\.speech\.name 'cnn' outputs a vector where a sequence is needed"):
        architectures.build("av_ctc", shape, 5, speech=architectures.find("cnn").config)
    with pytest.raises(UserError, match=r"model\.image\.name 'bilstm_ctc' takes sequence or|takes sequence features"):
        architectures.build("av_ctc", shape, 5, image=architectures.find("bilstm_ctc").config)
    with pytest.raises(UserError, match="av_ctc takes the shapes of video and audio"):
        architectures.build("av_ctc", SHAPES["pair"], 5)
    with pytest.raises(ValueError, match=r"modality_dropout must be from 0 to 1\. Received: 2"):
        av_ctc.Config(modality_dropout=2)
