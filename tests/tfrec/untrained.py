"""Small untrained transcribers whose random outputs vary enough to be compared."""

import functools

import numpy as np

from tfrec.config import flags
from tfrec.config.schema import ExportConfig
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.text import vocabulary

RATE_HZ = 8000
SMALL = {
    "bilstm_ctc": ["--model.units", "8", "--model.depth", "1"],
    "deepspeech2": ["--model.units", "8", "--model.depth", "1"],
    "gru_ctc": ["--model.units", "12", "--model.depth", "1", "--model.subsampling", "2", "--model.norm", "batch"],
    "las": ["--model.units", "6", "--model.decoder", "8", "--model.width", "6"],
    "lstm_ctc": ["--model.units", "12", "--model.depth", "2", "--model.filters", "4"],
    "wavenet_ctc": [
        *("--model.channels", "8", "--model.skip_channels", "12", "--model.layers", "2", "--model.stacks", "2"),
        *("--model.convolutions", "1", "--model.block", "5"),
    ],
}


@functools.cache
def recognizer(name, *words):
    """A cached Recognizer of audio at 8 kHz with characters as tokens; `words` are flags over the smallest model's."""
    data = ["--data.name", "an4", "--data.path", "none", "--frontend.sample_rate_hz", str(RATE_HZ)]
    config = flags.to_config(flags.parse_fit([*data, "--model.name", name, *SMALL[name], *words])[1])
    built = Recognizer(config, vocabulary.build("characters", ["abc de"]).as_json())
    head = built.network.get_layer("logits")
    kernel, bias = (np.random.default_rng(0).normal(size=weight.shape) for weight in head.get_weights())
    head.set_weights([kernel, bias])
    logits, _ = offline(built, sound(2.0, seed=9))
    deviation = logits.std(axis=0)  # now the most probable token varies
    head.set_weights([2 * kernel / deviation, 2 * (bias - logits.mean(axis=0)) / deviation])
    return built


def run(folder, built):
    """Writes the recognizer into a run folder."""
    new_run = Run(folder)
    new_run.create()
    new_run.write_json("config.json", built.config.to_dict())
    new_run.write_json("labels.json", built.task.labels)
    built.network.save_weights(new_run.best_weights)
    return new_run


def sound(seconds, seed=0):
    """Amplitude-modulated noise, float32 `(samples,)` on the grid of 16-bit audio."""
    random = np.random.default_rng(seed)
    samples = round(seconds * RATE_HZ)
    wave = random.normal(scale=0.1, size=samples) * np.sin(np.arange(samples) / 900) ** 2
    return np.round(np.clip(wave, -1, 1) * 32767).astype("float32") / 32768


def offline(built, samples):
    """Logits `(steps, outputs)` and text of a whole recording."""
    outputs = built(built.batch_of_one(samples))
    text = built.task.export_outputs(outputs, ExportConfig())["text"]
    return np.asarray(outputs["logits"])[0], text.numpy()[0].decode()
