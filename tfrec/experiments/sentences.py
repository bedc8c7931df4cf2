"""Experiments that write down what was said."""

import dataclasses

from pipelines import datasets, frontends
from tfrec import architectures
from tfrec.config import Config
from tfrec.tasks import transcribe
from tfrec.text.normalise import TextConfig
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
        model=architectures.recurrent_ctc.Config(name="bilstm_ctc", bidirectional=True, units=160, subsampling=2),
        task=transcribe.Config(),
        fit=FitConfig(
            epochs=40,
            batch_size=32,
            batch_seconds=40.0,
            learning_rate=2e-3,
            warmup_epochs=4,
            weight_decay=1e-2,
            clip_norm=5.0,
            average=0.998,
        ),
    )


def multilingual_tts():
    """English, Urdu, Punjabi and Sindhi in one model with one vocabulary, spoken by espeak-ng; no download.

    The test has voices and phrases of its own; scores come by language, and for phrases that mix languages.
    """
    english = an4()
    return dataclasses.replace(
        english,
        data=datasets.multilingual_tts.Config(name="multilingual_tts"),
        task=transcribe.Config(text=TextConfig(language="mul")),
        fit=dataclasses.replace(english.fit, epochs=30),
    )
