"""Experiments that write down what was said."""

from pipelines import datasets, frontends
from tfrec import architectures
from tfrec.config import Config
from tfrec.tasks import transcribe
from tfrec.training import FitConfig


def an4():
    """A bidirectional LSTM under CTC on AN4: spelled words, numbers and dates, 130 test utterances, 773 words."""
    return Config(
        data=datasets.an4.Config(name="an4"),
        frontend=frontends.SpeechConfig(
            mels=80,
            normalise="mean_variance",
            speed=(0.85, 1.15),
            tract=(0.9, 1.1),
            frequency_masks=2,
            frequency_width=16,
            time_masks=2,
            time_width=30,
            time_fraction=0.1,
        ),
        model=architectures.recurrent_ctc.Config(name="bilstm_ctc", bidirectional=True, units=256),
        task=transcribe.Config(),
        fit=FitConfig(
            epochs=60,
            batch_size=32,
            batch_seconds=60.0,
            learning_rate=1.5e-3,
            warmup_epochs=4,
            weight_decay=1e-2,
            clip_norm=5.0,
            monitor="wer",
        ),
    )
