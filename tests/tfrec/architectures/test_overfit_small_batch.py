"""Every network that transcribes overfits sixteen utterances of AN4: no word error with greedy decoding."""

import dataclasses

import pytest

from pipelines import datasets, frontends
from tfrec import architectures, tasks
from tfrec.config import flags
from tfrec.recognizer import Recognizer
from tfrec.runs.run import Run
from tfrec.training import loop

UTTERANCES, EPOCHS, RATE = 16, 300, 2e-3
SLOWER = {"las": 400, "deepspeech2": 400}
LARGE = {"conformer_s", "conformer_m", "conformer_l"}  # whose parts others have
NAMES = [name for name in architectures.ARCHITECTURES if name not in LARGE]
NAMES = [name for name in NAMES if architectures.find(name).output_kind == "sequence"]
NAMES = [name for name in NAMES if "audio_visual" not in architectures.find(name).input_kinds]
LESS = {"conformer_ctc": {"depth": 4}}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_overfits_sixteen_utterances(name, data_dir, tmp_path, monkeypatch):
    words = ["an4", "--data.path", str(data_dir / "an4"), "--model.name", name]
    config = flags.to_config(flags.parse_fit(words)[1])
    corpus = datasets.load(config.data)
    split = corpus.splits["train"]
    fields = {key: getattr(split, key)[:UTTERANCES] for key in ("texts", "speakers", "sources", "seconds")}
    few = dataclasses.replace(split, examples=split.examples.take(UTTERANCES), size=UTTERANCES, **fields)
    corpus = dataclasses.replace(corpus, splits=dict.fromkeys(corpus.splits, few))
    settings = {"dropout": 0.0} if hasattr(config.model, "dropout") else {}
    config = dataclasses.replace(
        config,
        frontend=frontends.SpeechConfig(
            mels=config.frontend.mels, normalize=config.frontend.normalize, sample_rate_hz=16000, form="sequence"
        ),
        model=dataclasses.replace(config.model, **settings, **LESS.get(name, {})),
        fit=loop.FitConfig(
            epochs=SLOWER.get(name, EPOCHS),
            batch_size=UTTERANCES,
            learning_rate=RATE,
            schedule="constant",
            warmup_epochs=5,
            clip_norm=5.0,
            monitor="wer",
        ),
        task=dataclasses.replace(config.task, shown=0),
    )
    recognizer = Recognizer(config, tasks.labels(config.task, corpus))
    run = Run(tmp_path / "run")
    run.create()

    class Checkpoint(loop.TrainingCheckpoint):
        """Ends the training when no word is wrong."""

        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            self.model.stop_training |= logs["val_wer"] == 0

    monkeypatch.setattr(loop, "TrainingCheckpoint", Checkpoint)
    loop.train(recognizer, corpus, run, verbose=0)
    scores = recognizer.evaluate(few, UTTERANCES)
    assert scores["utterances"] == UTTERANCES
    assert scores["wer"] == 0, [row for row in scores["hypotheses"] if row["reference"] != row["hypothesis"]][:3]
