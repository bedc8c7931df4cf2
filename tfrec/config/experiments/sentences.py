"""Experiments that transcribe speech."""

import dataclasses

from pipelines import datasets, frontends
from tfrec import architectures
from tfrec.config.schema import AnyConfig, Config, FitConfig
from tfrec.tasks import best_rq, transcription
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


def an4_conformer() -> AnyConfig:
    """A small Conformer with CTC on AN4: the training that starts from `an4_best_rq`.

    Command: `python -m tfrec.fit an4_conformer --data.path an4/ --model.weights RUN`, with a run of `an4_best_rq`.
    Score: not measured at full length.
    """
    english = an4()
    model = architectures.speech.conformer_ctc.Config(name="conformer_ctc", width=96, depth=6, kernel=15)
    return dataclasses.replace(english, model=model, fit=dataclasses.replace(english.fit, learning_rate=1e-3))


def an4_best_rq() -> AnyConfig:
    """BEST-RQ with the encoder of `an4_conformer` on the clips of AN4, without their transcripts.

    Paper: Chiu et al. 2022, arXiv:2202.01855.
    Command: `python -m tfrec.fit an4_best_rq --data.path an4/`.
    Score: not measured at full length.
    """
    supervised = an4_conformer()
    return dataclasses.replace(
        supervised,
        frontend=dataclasses.replace(supervised.frontend, frequency_masks=0, time_masks=0),
        task=best_rq.Config(),
        fit=dataclasses.replace(supervised.fit, average=0.0),
    )


def an4_recordings() -> AnyConfig:
    """AN4 for recordings unlike the corpus: soft ones, with pauses around the words, by telephone, in noise.

    Training puts each utterance anywhere in a longer clip, at levels of its own, in synthetic noise and narrow bands;
    the features are relative to the loudest frames, and normalized over the frames that hold sound.

    Command: `python -m tfrec.fit an4_recordings --data.path an4/ --data.train_on_validation`, then
    `python -m tfrec noise_report runs/an4_recordings --recording`.
    Cost: 50 minutes on two busy CPU cores, commit b7f54d4.
    Score, seed 0: greedy WER 11.3 % (95 % interval 8.9 to 13.8); 30 dB softer 11.6, with 2 s of silence around 11.9,
    after 5 s of silence 12.4, in hiss 13.3, by telephone 13.8, with mains hum 19.7, in a small room 17.5, clipped by
    20 dB 35.6. `an4` is better on the corpus itself, 6.6 %.
    """
    english = an4()
    return dataclasses.replace(
        english,
        frontend=dataclasses.replace(
            english.frontend,
            normalize="level_variance",
            place_seconds=1.0,
            band_probability=0.2,
            synthetic_probability=0.25,
        ),
        fit=dataclasses.replace(english.fit, epochs=50),
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
