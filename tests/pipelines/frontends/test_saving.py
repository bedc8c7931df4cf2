"""Models that contain a frontend save to .keras files and load in a process that imports pipelines.frontends only."""

import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from pipelines import frontends
from tests.pipelines.frontends.speech_data import PAIRED, PICTURE, SPEECH, as_batch, clips

ROOT = pathlib.Path(__file__).parents[3]
CONFIGS = {
    "sequence": SPEECH["mfcc"],
    "waveform": SPEECH["waveform"],
    "picture": PICTURE,
    "stretched": SPEECH["stretched"],
    "paired": PAIRED,
    "image": frontends.ImageConfig(height=8, width=9, channels=3, crop_fraction=0.9, normalize="caffe"),
}
LOAD = """
import sys
import keras
import numpy as np
import pipelines.frontends

for name in sys.argv[2:]:
    model = keras.saving.load_model(f"{sys.argv[1]}/{name}.keras", safe_mode=True)
    with np.load(f"{sys.argv[1]}/{name}.npz") as values:
        inputs = dict(values)
    outputs = model(inputs if len(inputs) > 1 else inputs["image"])
    outputs = outputs if isinstance(outputs, dict) else {"features": outputs}
    np.savez(f"{sys.argv[1]}/{name}_loaded.npz", **{key: np.asarray(value) for key, value in outputs.items()})
"""


def raw_inputs(name):
    images = {"image": np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3)).astype("uint8")}
    if name == "image":
        return images
    return as_batch(clips(3000, 8000, 150)) | (images if name == "paired" else {})


def model_around(frontend):
    inputs = frontend.inputs()
    return keras.Model(inputs, frontend(inputs))


def outputs_of(model, name):
    inputs = raw_inputs(name)
    outputs = model(inputs if len(inputs) > 1 else inputs["image"])
    return outputs if isinstance(outputs, dict) else {"features": outputs}


def test_models_load_in_a_fresh_process(tmp_path):
    models = {name: model_around(frontends.build(config)) for name, config in CONFIGS.items()}
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
        np.savez(tmp_path / f"{name}.npz", **raw_inputs(name))
    command = [sys.executable, "-c", LOAD, str(tmp_path), *CONFIGS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, model in models.items():
        expected = outputs_of(model, name)
        with np.load(tmp_path / f"{name}_loaded.npz") as loaded:
            assert set(loaded) == set(expected)
            for key, value in expected.items():
                np.testing.assert_allclose(loaded[key], value, rtol=0, atol=1e-6, err_msg=f"{name} {key}")


@pytest.mark.parametrize("name", CONFIGS)
def test_config_round_trips(name):
    frontend = frontends.build(CONFIGS[name])
    config = frontend.get_config()
    assert isinstance(config["config"], dict)
    restored = type(frontend).from_config(json.loads(json.dumps(config)))
    assert restored.get_config() == config
    assert restored.config == frontend.config
    assert restored.feature_shape == frontend.feature_shape
    assert keras.saving.get_registered_name(type(frontend)) == f"tfrec>{type(frontend).__name__}"


def test_arguments_round_trip():
    config = frontends.ImageConfig(height=8, width=9, channels=3, scale=(0.5, 2.0), brightness=0.2)
    frontend = frontends.ImageFrontend(config, augment=True, seed=3, raw_shape=(None, None, 3), name="pixels")
    restored = frontends.ImageFrontend.from_config(json.loads(json.dumps(frontend.get_config())))
    assert restored.config == config
    assert (restored.name, restored.raw_shape, restored.resized_before) == ("pixels", (8, 9, 3), True)
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 9, 3)).astype("uint8")
    np.testing.assert_array_equal(restored(images, training=True), frontend(images, training=True))


def test_features_stay_float32_under_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        frontend = frontends.build(SPEECH["log_mel"])
        restored = frontends.SpeechFrontend.from_config(frontend.get_config())
    finally:
        keras.config.set_dtype_policy(before)
    for layer in (frontend, restored):
        assert layer.compute_dtype == "float32"
        assert layer(as_batch(clips(3000)))["features"].dtype == "float32"
