"""Mistakes in flags and configurations: one sentence, status 2, and no file changed."""

import pytest

from tfrec.commands import fit


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["minst"], "Unknown experiment 'minst': did you mean 'mnist'?"),
        (["runs/mine"], "data.path runs/mine is not a folder"),
        (["--fit.epoch", "3"], "Unknown flag '--fit.epoch': did you mean '--fit.epochs'"),
        (["--model.name", "lstmm"], "Unknown architecture 'lstmm': did you mean 'lstm'"),
        (["--data.name", "digit"], "Unknown dataset 'digit': did you mean 'digits'"),
        (["--frontend.name", "sound"], "Unknown frontend 'sound': known are 'image', 'speech'"),
        (["--task.name", "regress"], "digits, train split, has no numbers, which task.name regress needs"),
        (["--fit.epochs", "many"], "fit.epochs must be a whole number. Received: 'many'"),
        (["--fit.learning_rate", "fast"], "fit.learning_rate must be a number. Received: 'fast'"),
        (["--fit.epochs"], "--fit.epochs needs a value"),
        (["--fit.optimizer", "adma"], "'adma'"),
        (["--fit.batch_size", "0"], "fit.batch_size must be 1 or more. Received: 0"),
        (["--fit.learning_rate", "-1"], "fit.learning_rate must be above 0. Received: -1.0"),
        (["--fit.monitor", "accuracies"], "fit.monitor 'accuracies' is not measured by task.name 'classify'"),
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
        (["--fit.epochs", "3", "loose"], "Unexpected argument 'loose' after --fit.epochs"),
        (["--resume"], "--resume needs --run FOLDER"),
        (["--resume", "--run", "nowhere"], "nowhere"),
        (["--config", "nowhere.json"], "There is no file nowhere.json"),
    ],
    ids=str,
)
def test_flags(fails, words, sentence):
    assert sentence in fails(fit, *words)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "as JSON"),
        ("[1, 2]", "must hold a JSON object"),
        ('{"fit": {"epoch": 3}}', "Unknown key 'fit.epoch': did you mean 'fit.epochs'?"),
        ('{"fti": {"epochs": 3}}', "Unknown key 'fti.epochs': did you mean 'fit.epochs'?"),
        ('{"fit": {"epochs": "many"}}', "fit.epochs must be a whole number. Received: 'many'"),
        ('{"fit": {"epochs": null}}', "fit.epochs must be a whole number. Received: None"),
        ('{"fit": {"epochs": [1, 2]}}', "fit.epochs must be a whole number. Received: [1, 2]"),
        ('{"fit": {"jit_compile": "yes"}}', "fit.jit_compile must be true or false. Received: 'yes'"),
        ('{"fit": 5}', "fit must be a mapping of settings. Received: 5"),
        ('{"help": true}', "Unknown key 'help'"),
        ('{"resume": true}', "Unknown key 'resume'"),
        ('{"fit.epochs": 0}', "fit.epochs must be 1 or more. Received: 0"),
        ('{"model": {"name": "cnnn"}}', "Unknown architecture 'cnnn': did you mean 'cnn'"),
    ],
)
def test_config_files(fails, tmp_path, text, part):
    (tmp_path / "c.json").write_text(text)
    sentence = fails(fit, "--config", "c.json")
    assert part in sentence
    assert "c.json" in sentence


def test_a_config_file_and_an_experiment(fails, tmp_path):
    (tmp_path / "c.json").write_text("{}")
    assert "leave out the experiment 'mnist'" in fails(fit, "mnist", "--config", "c.json")
