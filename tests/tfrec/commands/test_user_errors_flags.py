"""Mistakes in flags and configurations: one sentence, a status that is not 0, and nothing changed."""

import pytest

from tfrec.commands import fit


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["minst"], "Unknown experiment 'minst': did you mean 'mnist'?"),
        (["runs/mine"], "Unknown experiment 'runs/mine'"),
        (["--fit.epoch", "3"], "Unknown flag '--fit.epoch': did you mean '--fit.epochs'"),
        (["--model.name", "lstmm"], "Unknown architecture 'lstmm': did you mean 'lstm'"),
        (["--data.name", "digit"], "Unknown dataset 'digit': did you mean 'digits'"),
        (["--frontend.name", "sound"], "Unknown frontend 'sound': known are 'image', 'speech'"),
        (["--task.name", "regress"], "Unknown task 'regress': known are 'classify'"),
        (["--fit.epochs", "many"], "--fit.epochs must be a whole number. Received: 'many'"),
        (["--fit.learning_rate", "fast"], "--fit.learning_rate must be a number. Received: 'fast'"),
        (["--fit.epochs"], "Missing value for argument '--fit.epochs'"),
        (["--fit.optimizer", "adma"], "'adma'"),
        (["--fit.batch_size", "0"], "fit.batch_size must be 1 or more. Received: 0"),
        (["--fit.learning_rate", "-1"], "fit.learning_rate must be above 0. Received: -1.0"),
        (["--fit.learning_rate", "nan"], "fit.learning_rate must be above 0. Received: nan"),
        (["--data.test_fraction", "1.5"], "data.test_fraction must be above 0 and below 1. Received: 1.5"),
        (["--data.test_fraction", "0.001"], "data.test_fraction"),
        (["--task.class_weights", "heavy"], "'heavy'"),
        (["--frontend.height", "0"], "frontend.height must be 1 or more. Received: 0"),
        (["--frontend.scale", "2", "1"], "scale"),
        (["--frontend.scale", "0.5"], "scale"),
        (["--frontend.erase_probability", "2"], "probability must be"),
        (["--model.width", "0"], "width"),
        (["--model.depth", "-1"], "depth"),
        (["--model.dropout", "7"], "Received: rate=7.0"),
        (["--seed", "-5"], "seed must be 0 or more"),
        (["--frontend.name", "speech"], "frontend.name 'speech' does not go with digits"),
        (["--model.name", "lstm"], "model.name 'lstm' takes sequence features, but the data gives image features"),
        (["--fit.epochs", "3", "loose"], "Do not know what to do with 'loose'"),
        (["--resume"], "--resume needs --run FOLDER"),
        (["--resume", "--run", "nowhere"], "nowhere"),
        (["--config", "nowhere.json"], "There is no file nowhere.json"),
    ],
    ids=" ".join,
)
def test_flags(fails, words, said):
    assert said in fails(fit, *words)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "as JSON"),
        ("[1, 2]", "must hold a JSON object"),
        ('{"fit": {"epoch": 3}}', "Unknown flag '--fit.epoch': did you mean '--fit.epochs'"),
        ('{"fti": {"epochs": 3}}', "Unknown flag '--fti.epochs': did you mean '--fit.epochs'"),
        ('{"fit": {"epochs": "many"}}', "--fit.epochs"),
        ('{"fit": {"epochs": null}}', "--fit.epochs"),
        ('{"fit": {"epochs": [1, 2]}}', "'2' behind --fit.epochs"),
        ('{"fit": {"jit_compile": "yes"}}', "'yes' behind --fit.jit_compile"),
        ('{"fit": 5}', "Unknown flag '--fit'"),
        ('{"help": true}', "Unknown flag '--help'"),
        ('{"resume": true}', "Unknown flag '--resume'"),
    ],
)
def test_config_files(fails, tmp_path, text, said):
    (tmp_path / "c.json").write_text(text)
    sentence = fails(fit, "--config", "c.json")
    assert said in sentence
    assert "c.json" in sentence


def test_a_config_file_beside_an_experiment(fails, tmp_path):
    (tmp_path / "c.json").write_text("{}")
    assert "leave out the experiment 'mnist'" in fails(fit, "mnist", "--config", "c.json")
