"""The study of transcription: what it trains, its table and its plot."""

import csv
import logging

import pytest

from pipelines.errors import UserError
from tfrec import architectures
from tfrec.commands import evaluate, study
from tfrec.config import flags
from tfrec.runs.run import Run
from tfrec.studies import tables, transcription
from tfrec.studies.study import Step


def finished(folder, label, wer, **others):
    run = Run(folder / "runs" / label)
    run.path.mkdir(parents=True)
    test = {"wer": wer, "wer_interval": [wer - 0.02, wer + 0.03], "cer": wer / 2, "cer_interval": [wer / 4, wer]}
    run.write_json("metrics.json", {"test": test, "fit_seconds": 600, "parameters": 1_660_000, **others})
    return Step(label, label.rpartition("-")[0], ())


def test_networks_with_a_decoder_are_known():
    for name, row in transcription.MODELS.items():
        net = architectures.build_network(architectures.default_config(name), (None, 40), 5, "sequence", "sequence")
        assert row.decoder == ("decoder" in net.output)


def test_every_model_is_trained_with_every_seed_and_its_minutes(tmp_path):
    options = transcription.Options(seeds=(0, 7), minutes=2.5)
    steps = transcription.steps(options, ["--fit.clip_norm", "7"], tmp_path)
    assert len(steps) == len({step.label for step in steps}) == 2 * len(transcription.MODELS)
    for step in steps:
        _, arguments = flags.parse_fit(list(step.words))
        assert (arguments.model.name, arguments.task.name) == (step.row, "transcribe")
        assert arguments.fit.clip_norm == 7
        share = transcription.MODELS[step.row].share
        assert arguments.fit.budget_minutes == (None if step.row == "bilstm_ctc" else 2.5 * share)
        assert (arguments.fit.epochs == transcription.EPOCHS) == (step.row != "bilstm_ctc")
        assert step.label == f"{step.row}-{arguments.seed}"


def test_only_the_chosen_models(tmp_path):
    options = transcription.Options(models=("las", "gru_ctc"), seeds=(1,))
    assert [step.label for step in transcription.steps(options, [], tmp_path)] == ["las-1", "gru_ctc-1"]


def test_a_language_model_adds_a_measurement(tmp_path):
    (tmp_path / "lm.arpa").write_text("")
    options = transcription.Options(models=("las", "gru_ctc"), seeds=(1,), lm=str(tmp_path / "lm.arpa"))
    las, gru = transcription.steps(options, [], tmp_path)
    assert [file for file, _ in las.measures] == ["test_attention/hypotheses.txt", "test_beam_lm/hypotheses.txt"]
    assert gru.measures == las.measures[1:]
    for file, (command, *words) in las.measures:
        assert command == "evaluate"
        decode = flags.parse(evaluate.Arguments, ["run", *words], prog="x").decode
        assert file.startswith(f"test_{decode.resolved}{'_lm' if decode.lm else ''}/")


def test_table_and_plot(tmp_path):
    steps = [
        finished(tmp_path, "las-0", 0.2),
        finished(tmp_path, "gru_ctc-0", 0.1),
        finished(tmp_path, "las-1", 0.3, fit_seconds=1200),
        finished(tmp_path, "gru_ctc-1", 0.12),
    ]
    (table,) = transcription.tables(tmp_path, steps)
    low, high = tables.t_interval([0.2, 0.3])
    assert table.headings == ("model", "greedy: WER, %", "greedy: CER, %", "parameters", "minutes each")
    las, gru = table.lines
    assert las[:2] == ("las", f"25.00 ({100 * low:.2f} to {100 * high:.2f})")
    assert las[3:] == ("1.66 M", "15.0")
    assert (gru[0], gru[1][:5], gru[2][:4]) == ("gru_ctc", "11.00", "5.50")
    tables.write(tmp_path, [table])
    assert "| gru_ctc | 11.00 (" in (tmp_path / "study.md").read_text()
    records = list(csv.DictReader((tmp_path / "transcription.csv").open()))
    assert records[0]["greedy wer values"] == "0.2 0.3"
    assert float(records[1]["greedy cer"]) == pytest.approx(0.055)
    (one,) = transcription.tables(tmp_path, steps[:2])
    assert one.lines[0][1] == "20.00 (18.00 to 23.00)"  # a single seed has its run's own interval
    assert transcription.draw(tmp_path, steps) == tmp_path / "error_rates.png"
    assert (tmp_path / "error_rates.png").stat().st_size > 1000


def test_missing_scores_leave_a_gap(tmp_path, monkeypatch):
    monkeypatch.setattr(transcription, "CONDITIONS", {"greedy": "test", "beam": "test_beam"})
    beam = {"wer": 0.05, "wer_interval": [0.04, 0.06]}
    steps = [finished(tmp_path, "las-0", 0.2), finished(tmp_path, "gru_ctc-0", 0.1, test_beam=beam)]
    drawn = []
    monkeypatch.setattr(transcription.error_plots, "error_rates", lambda rows, path, measured: drawn.append(rows))
    (table,) = transcription.tables(tmp_path, steps)
    assert table.headings[1:4] == ("greedy: WER, %", "greedy: CER, %", "beam: WER, %")
    assert [line[3] for line in table.lines] == ["", "5.00 (4.00 to 6.00)"]
    transcription.draw(tmp_path, steps)
    assert [(row["model"], row["condition"]) for row in drawn[0]] == [
        ("las", "greedy"),
        ("gru_ctc", "greedy"),
        ("gru_ctc", "beam"),
    ]


def test_phonemes(tmp_path):
    step = finished(tmp_path, "las-0", 0.2)
    run = Run(tmp_path / "runs" / "las-0")
    run.write_json("metrics.json", {"test": {"per": 0.3, "per_interval": [0.2, 0.4]}, "fit_seconds": 60})
    (table,) = transcription.tables(tmp_path, [step])
    assert table.headings[1:] == ("greedy: PER, %", "parameters", "minutes each")
    assert table.lines == [("las", "30.00 (20.00 to 40.00)", "", "1.0")]
    assert transcription.draw(tmp_path, [step]).is_file()


@pytest.mark.slow
def test_the_whole_study(melodies, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.chdir(tmp_path)
    words = ["transcription", "--models", "gru_ctc", "bilstm_ctc", "--seeds", "0", "--minutes", "0.1"]
    words += ["--data.name", "manifest", "--data.path", str(melodies)]
    assert study.main(words) == 0
    folder = tmp_path / "runs" / "transcription"
    text = (folder / "study.md").read_text()
    assert "| gru_ctc |" in text
    assert "| bilstm_ctc |" in text
    (gru, _) = csv.DictReader((folder / "transcription.csv").open())
    metrics = Run(folder / "runs" / "gru_ctc-0").read_json("metrics.json")
    assert float(gru["greedy wer"]) == metrics["test"]["wer"]
    assert int(gru["parameters"]) == metrics["parameters"] > 100_000
    assert (folder / "error_rates.png").is_file()
    assert any(message.startswith("gru_ctc-0: WER") for message in caplog.messages)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", "lsmt_ctc"], "did you mean 'lstm_ctc'"),
        (["--models", "las", "las"], "each once"),
        (["--minutes", "0"], "above 0"),
        (["--lm", "nowhere.arpa"], "no language model nowhere"),
        (["--fit.budget_minutes", "3"], "leave it out"),
        (["--model.name", "las"], "leave it out"),
        (["--minuts", "3"], "unknown flag"),
    ],
)
def test_user_errors(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"(?i){message}"):
        study.main(["transcription", *words])
    assert not (tmp_path / "runs").exists()
