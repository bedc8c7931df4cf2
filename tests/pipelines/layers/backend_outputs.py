"""Writes the outputs of every layer, computed by the backend of the environment variable KERAS_BACKEND.

`KERAS_BACKEND=jax python -m tests.pipelines.layers.backend_outputs OUTPUTS.npz`
"""

import inspect
import os
import sys

import numpy as np

RATE_HZ = 8000
SOUND, FEATURES, IMAGES = "sound", "features", "images"

# Every layer's input and the options of its constructor.
CASES = {
    "babble": (SOUND, {"sample_rate_hz": RATE_HZ}),
    "channel_gain": (FEATURES, {}),
    "clip_norm": (FEATURES, {}),
    "aug_mix": (IMAGES, {"severity": 5.0}),
    "deltas": (FEATURES, {}),
    "dynamic_range": (FEATURES, {}),
    "filter_bank": (SOUND, {"sample_rate_hz": RATE_HZ, "filters": 20}),
    "fixed_frames": (FEATURES, {"frames": 9, "jitter": 0.1}),
    "gain": (SOUND, {}),
    "image_affine": (IMAGES, {"rotation_degrees": 20.0, "min_area": 0.5}),
    "image_color": (IMAGES, {"brightness": 0.3, "hue": 0.1}),
    "image_normalize": (IMAGES, {"mode": "per_image"}),
    "image_resize": (IMAGES, {"height": 9, "width": 40, "interpolation": "bicubic", "crop_fraction": 0.9}),
    "log_mel": (SOUND, {"sample_rate_hz": RATE_HZ, "mels": 20}),
    "mfcc": (SOUND, {"sample_rate_hz": RATE_HZ, "mels": 20}),
    "mix": (IMAGES, {}),
    "noise_mix": (SOUND, {"num_noises": 2, "noise_samples": 300, "sample_rate_hz": RATE_HZ}),
    "pcen": (SOUND, {"sample_rate_hz": RATE_HZ, "mels": 20}),
    "pre_emphasis": (SOUND, {}),
    "rand_augment": (IMAGES, {"operations": 4}),
    "random_erase": (IMAGES, {"probability": 1.0}),
    "reverb": (SOUND, {"sample_rate_hz": RATE_HZ}),
    "running_norm": (FEATURES, {}),
    "spec_augment": (FEATURES, {"frequency_width": 4, "time_width": 8}),
    "spectrogram_picture": (FEATURES, {"frames": 9, "channels": 3, "normalize": "imagenet"}),
    "spectrogram_warp": (FEATURES, {}),
    "speed": (SOUND, {}),
    "time_shift": (SOUND, {"sample_rate_hz": RATE_HZ}),
}


def inputs():
    """For each kind of input the arguments of `call`: three examples, clips with their lengths."""
    random = np.random.default_rng(0)
    waveform = (0.1 * random.standard_normal((3, 2000))).astype("float32")
    features = random.normal(-4, 2, (3, 30, 12)).astype("float32")
    images = random.integers(0, 256, (3, 17, 26, 3)).astype("uint8")
    return {
        SOUND: (waveform, np.array([2000, 900, 120], "int32")),
        FEATURES: (features, np.array([30, 11, 2], "int32")),
        IMAGES: (images,),
    }


def main(path):
    """Runs every layer and stores its outputs; random layers also with `training=True`."""
    from pipelines.layers import LAYERS

    assert set(CASES) == set(LAYERS)
    values = {}
    for name, (kind, options) in CASES.items():
        layer = LAYERS[name](**options)
        if name == "noise_mix":
            layer.fill([np.ones(300), np.linspace(-1, 1, 200)])
        random = "training" in inspect.signature(layer.call).parameters
        for training in (False, True) if random else (False,):
            arguments = {"training": training} if random else {}
            outputs = layer(*inputs()[kind], **arguments)
            for i, output in enumerate(outputs if isinstance(outputs, tuple) else (outputs,)):
                values[f"{name}/{training}/{i}"] = np.asarray(output)
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        assert "tensorflow" not in sys.modules, "a layer imports tensorflow"
    np.savez(path, **values)


if __name__ == "__main__":
    main(sys.argv[1])
