"""The light entry of a sweep."""

import subprocess
import sys

import pytest

from tuning import arguments, sweep
from tuning.oracles import construction


def test_an_unknown_experiment_is_reported_before_keras_is_imported():
    code = "import sys\nfrom tuning import sweep\ntry: sweep.main(['digit'])\nfinally: print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: Unknown experiment 'digit': did you mean 'digits' or 'digit_pairs'?\n"
    assert done.stdout == "False\n"


def test_the_words_of_the_command_line_go_to_the_command(monkeypatch):
    calls = []
    monkeypatch.setattr(sweep.startup, "run_command", lambda module, words: calls.append((module, words)))
    monkeypatch.setattr(sys, "argv", ["tfrec-sweep", "digits", "--trials", "3"])
    sweep.main()
    sweep.main(["--run", "mine", "--resume"])
    assert calls == [("tuning.command", ["digits", "--trials", "3"]), ("tuning.command", ["--run", "mine", "--resume"])]


def test_help(capsys):
    with pytest.raises(SystemExit) as stopped:
        arguments.parse(["--help"])
    assert stopped.value.code == 0
    assert "python -m tuning.sweep [EXPERIMENT | DATA]" in capsys.readouterr().out


def test_every_tuner_is_a_choice_of_the_flag():
    assert set(construction.TUNERS) == set(arguments.Arguments.__dataclass_fields__["tuner"].type.__args__)
