"""Experiments that transcribe speech."""

import dataclasses

from pipelines import datasets, frontends
from tfrec import architectures
from tfrec.config.schema import AnyConfig, Config, FitConfig
from tfrec.tasks import transcription
from tfrec.text.normalization import TextConfig


def an4() -> AnyConfig:
    """A bidirectional LSTM with CTC on AN4: spelled words, numbers and dates; 130 test utterances with 773 words.

    Paper: CTC, Graves et al. 2006.
    Command: `python -m tfrec.fit an4 --data.path an4/ --data.train_on_validation --seed N`.
    Cost: 44 minutes on one of two CPU cores, commit 7860b62.
    Score, seeds 0, 1 and 2: greedy WER 6.60, 6.60, 6.86 % (mean 6.68), CER 3.24, 3.20, 3.27 %. With a beam and the
    language model that `python -m tfrec lm --order 3` builds from the training transcripts: WER 5.05, 5.30, 5.56 %
    (mean 5.30). The settings were chosen on 104 training utterances of held-out speakers; the final
    networks and the language model were trained on these utterances too. After 40 epochs, with narrower warps (0.9 to
    1.1) and masks (16 bins), the mean greedy WER was 7.98 %.
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
        model=architectures.speech.recurrent_ctc.Config(
            name="bilstm_ctc", bidirectional=True, units=160, subsampling=2
        ),
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


def multilingual_tts() -> AnyConfig:
    """English, Urdu, Punjabi and Sindhi in one network with one vocabulary, spoken by espeak-ng, without a download.

    The voices and phrases of the test split occur in no other split. Scores are reported for each language, and for
    phrases that mix languages.

    Command: `pip install ".[tts]" && python -m tfrec.fit multilingual_tts`.
    Cost: 13 minutes on one of two CPU cores, commit b4d7fc2.
    Score: CER 5.08 % on 300 clips (95 % interval 3.87 to 6.35); English 2.77, Punjabi 3.52, Urdu 7.38, Sindhi 8.92,
    mixed 4.13 %. The settings were chosen on the validation voices. After 22 epochs, with narrower warps of the vocal
    tract (0.9 to 1.1) and masks (16 bins), the CER was 7.58 %.
    """
    english = an4()
    return dataclasses.replace(
        english,
        data=datasets.multilingual_tts.Config(name="multilingual_tts"),
        task=transcription.Config(text=TextConfig(language="mul")),
        fit=dataclasses.replace(english.fit, epochs=32),
    )
