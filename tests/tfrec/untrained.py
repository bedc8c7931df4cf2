"""Small recognizers that transcribe, untrained, but with something to say."""

import functools

import numpy as np

from tfrec.config import flags
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
    """A Recognizer of sound at 8 kHz that writes words of letters, as other flags than the smallest ask; kept."""
    data = ["--data.name", "an4", "--data.path", "none", "--frontend.sample_rate_hz", str(RATE_HZ)]
    config = flags.to_config(flags.parse_fit([*data, "--model.name", name, *SMALL[name], *words])[1])
    built = Recognizer(config, vocabulary.build("characters", ["abc de"]).as_json())
    head = built.net.get_layer("logits")
    kernel, bias = (np.random.default_rng(0).normal(size=weight.shape) for weight in head.get_weights())
    head.set_weights([kernel, bias])
    logits, _ = offline(built, sound(2.0, seed=9))
    deviation = logits.std(axis=0)  # now every symbol is the likeliest now and then
    head.set_weights([2 * kernel / deviation, 2 * (bias - logits.mean(axis=0)) / deviation])
    return built


def run(folder, built):
    """The folder of a run that holds the recognizer."""
    made = Run(folder)
    made.create()
    made.write_json("config.json", built.config.to_dict())
    made.write_json("labels.json", built.task.vocabulary.as_json())
    built.net.save_weights(made.best_weights)
    return made


def sound(seconds, seed=0):
    """Noise that swells and ebbs, float32 (samples,) on the grid of 16 bits."""
    random = np.random.default_rng(seed)
    samples = round(seconds * RATE_HZ)
    wave = random.normal(scale=0.1, size=samples) * np.sin(np.arange(samples) / 900) ** 2
    return np.round(np.clip(wave, -1, 1) * 32767).astype("float32") / 32768


def offline(built, samples):
    """(logits (steps, outputs), text) of a whole recording."""
    given = {"audio": samples[None], "length": np.array([len(samples)], "int32")}
    outputs = built.classifier(built.frontend(given), training=False)
    return np.asarray(outputs["logits"])[0], built.task.answer(outputs)["text"].numpy()[0].decode()
