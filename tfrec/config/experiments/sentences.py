"""Experiments that write down what was said."""

import dataclasses

from pipelines import datasets, frontends
from tfrec import architectures
from tfrec.config.schema import Config, FitConfig
from tfrec.tasks import transcription
from tfrec.text.normalization import TextConfig


def an4():
    """A bidirectional LSTM under CTC on AN4: spelled words, numbers and dates, 130 test utterances, 773 words.

    `python -m tfrec.fit an4 --data.path an4/ --data.train_on_validation --seed N`, 44 minutes on one of two CPU cores,
    commit 7860b62: greedy WER 6.60, 6.60, 6.86 % (seeds 0, 1, 2; mean 6.68), CER 3.24, 3.20, 3.27. With a beam and
    `tfrec.lm --order 3` of the training transcripts: WER 5.05, 5.30, 5.56 % (mean 5.30). The settings were chosen on
    104 training utterances of speakers kept apart; these final models, and the language model, saw them. After 40
    epochs, with narrower warps (0.9 to 1.1) and masks (16 bins), the three had 7.98 % greedy.
    """
    return Config(
        data=datasets.an4.Config(name="an4"),
        frontend=frontends.SpeechConfig(
            mels=80,
            normalize="mean_variance",
            speed=(0.85, 1.15),
            tract=(0.85, 1.15),
            frequency_masks=2,
            frequency_width=20,
            time_masks=2,
            time_width=30,
            time_fraction=0.1,
        ),
        model=architectures.speech.recurrent_ctc.Config(name="bilstm_ctc", bidirectional=True, units=160, subsampling=2),
        task=transcription.Config(),
        fit=FitConfig(
            epochs=65,
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
    `pip install ".[tts]" && python -m tfrec.fit multilingual_tts`, 13 minutes on one of two CPU cores, commit b4d7fc2:
    CER of 300 clips 5.08 % (3.87 to 6.35); English 2.77, Punjabi 3.52, Urdu 7.38, Sindhi 8.92, mixed 4.13. Chosen on
    the validation voices; with narrower vocal tracts (0.9 to 1.1) and masks (16 bins), after 22 epochs, the test's were
    at 7.58.
    """
    english = an4()
    return dataclasses.replace(
        english,
        data=datasets.multilingual_tts.Config(name="multilingual_tts"),
        task=transcription.Config(text=TextConfig(language="mul")),
        fit=dataclasses.replace(english.fit, epochs=32),
    )
