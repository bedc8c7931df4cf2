"""Flags over experiments and files become one configuration."""

import dataclasses
import importlib
import json
import shutil
import subprocess

import pytest

from pipelines.errors import UserError
from tfrec.config import build, flags, parts
from tfrec.config.words import fields_of

COMMANDS = ("compare", "corruption_report", "evaluate", "export", "list", "noise_report", "predict")


def config(*words):
    return flags.to_config(flags.parse_fit(words)[1])


def help_of(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        flags.parse_fit(words)
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_without_words_it_is_the_experiment_digits():
    assert flags.parse_fit([])[0] is None
    assert config() == build("digits")


def test_arguments_of_the_command_are_no_part_of_the_configuration():
    experiment, arguments = flags.parse_fit(["mnist", "--run", "runs/mine", "--no_test", "--seed", "3"])
    assert (experiment, arguments.run, arguments.test, arguments.resume) == ("mnist", "runs/mine", False, False)
    assert flags.to_config(arguments) == build("mnist", {"seed": 3})
    assert arguments.to_dict() == build("mnist", {"seed": 3}).to_dict()


def test_flags_change_the_experiment_and_the_file(tmp_path):
    words = ["--fit.epochs", "3", "--model.width=7", "--fit.jit-compile", "--frontend.scale", "0.5", "2"]
    changed = config("mnist", *words)
    overrides = {"fit.epochs": 3, "model.width": 7, "fit.jit_compile": True, "frontend.scale": (0.5, 2)}
    assert changed == build("mnist", overrides)
    (tmp_path / "c.json").write_text(json.dumps(changed.to_dict()))
    again = config("--config", str(tmp_path / "c.json"), "--fit.epochs", "4", "--fit.no_jit_compile")
    assert again == build("mnist", {**overrides, "fit.epochs": 4, "fit.jit_compile": False})


def test_a_file_with_dotted_names(tmp_path):
    (tmp_path / "c.json").write_text('{"model.name": "mlp", "model": {"width": 5}, "fit.epochs": 2}')
    stored = build(None, {"model.name": "mlp", "model.width": 5, "fit.epochs": 2})
    assert config("--config", str(tmp_path / "c.json")) == stored


def test_another_name_replaces_a_part_of_the_file(tmp_path):
    stored = build("digits", {"model.width": 5, "fit.epochs": 2})
    (tmp_path / "c.json").write_text(json.dumps(stored.to_dict()))
    words = ["--config", str(tmp_path / "c.json"), "--model.name"]
    assert config(*words, "mlp") == build("digits", {"model.name": "mlp", "fit.epochs": 2})
    assert config(*words, "cnn") == stored


def test_another_architecture_brings_its_own_flags():
    assert config("digits", "--model.name", "mlp", "--model.width", "32").model.width == 32
    with pytest.raises(UserError, match=r"Unknown flag '--model\.convolutions'"):
        config("digits", "--model.name", "mlp", "--model.convolutions", "2")


def test_data_by_name_bring_their_own_frontend():
    images = config("--data.name", "mnist", "--model.name", "mlp")
    assert (images.frontend.name, images.model.name, images.data.name) == ("image", "mlp", "mnist")
    speech = config("--data.name", "spoken_digit", "--frontend.snr_db", "-5", "20")
    assert (speech.frontend.name, speech.model.name, speech.frontend.snr_db) == ("speech", "cnn", (-5.0, 20.0))


def test_the_modality_of_a_folder_decides_the_frontend(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.wav").write_bytes(b"")
    assert config("--data.name", "folder", "--data.path", str(tmp_path)).frontend.name == "speech"


def test_classes_with_difficult_names(tmp_path):
    expected = ("-5dB", "None", "true", "-1")
    changed = config("mnist", "--data.only_classes", *expected)
    assert changed.data.only_classes == expected
    assert config("mnist", "--data.only_classes=--quiet", "0dB").data.only_classes == ("--quiet", "0dB")
    (tmp_path / "c.json").write_text(json.dumps(changed.to_dict()))
    assert config("--config", str(tmp_path / "c.json")) == changed


def test_none_is_none_where_a_setting_can_be_none():
    changed = config("an4", "--data.path", "None", "--fit.clip_norm", "None", "--export.name=None")
    assert (changed.data.path, changed.fit.clip_norm, changed.export.name) == ("None", None, None)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["minst"], "Unknown experiment 'minst': did you mean 'mnist'"),
        (["--fit.epoch", "3"], "Unknown flag '--fit.epoch': did you mean '--fit.epochs'?"),
        (["--epochs", "3"], "Unknown flag '--epochs': did you mean '--fit.epochs'"),
        (["--fit.epochs", "many"], "fit.epochs must be a whole number. Received: 'many'"),
        (["--fit.epochs", "3.0"], "fit.epochs must be a whole number. Received: '3.0'"),
        (["--fit.epochs", "0"], "fit.epochs must be 1 or more. Received: 0"),
        (["--fit.epochs"], "--fit.epochs needs a value"),
        (["--fit.epochs", "--seed", "3"], "--fit.epochs needs a value"),
        (["--fit.optimizer", "adm"], "fit.optimizer must be one of 'sgd', 'adam', 'adamw', 'rmsprop'. Received: 'adm'"),
        (["--fit.jit_compile=yes"], "fit.jit_compile must be true or false. Received: 'yes'"),
        (["--fit.jit_compile", "yes"], "Unexpected argument 'yes' after --fit.jit_compile"),
        (["--frontend.scale", "1"], "frontend.scale must be a list of 2 values. Received: [1.0]"),
        (["--frontend.scale", "1", "2", "3"], "Unexpected argument '3' after --frontend.scale"),
        (["--frontend.scale", "1", "x"], "frontend.scale[1] must be a number. Received: 'x'"),
        (["--model.name", "cnnn"], "Unknown architecture 'cnnn': did you mean 'cnn'"),
        (["--model.name"], "--model.name needs a value"),
        (["--data.name", "mnits"], "Unknown dataset 'mnits': did you mean 'mnist'"),
        (["--data.name"], "--data.name needs a value"),
        (["--data.name", "folder"], "data.path is needed"),
        (["--task.label_smoothing", "1.5"], "task.label_smoothing must be at least 0 and below 1. Received: 1.5"),
        (["--resume"], "--resume needs --run FOLDER"),
        (["--resume", "--run", "nowhere"], "nowhere is not a run"),
        (["digits", "extra"], "Unexpected argument 'extra': flags look like"),
        (["digits", "--seed", "1", "--", "--extra"], "Unexpected argument '--extra': flags look like"),
        (["--config", "nowhere.json"], "There is no file nowhere.json"),
        (["--config"], "--config needs a value"),
        (["--fit.schedule", "step"], "fit.schedule step needs fit.step_epochs"),
    ],
    ids=" ".join,
)
def test_mistakes_are_one_sentence(words, sentence):
    with pytest.raises(UserError) as caught:
        flags.parse_fit(words)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_a_mistake_in_a_file_names_the_file(tmp_path):
    path = tmp_path / "c.json"
    path.write_text('{"fit": {"epoch": 3}}')
    with pytest.raises(UserError) as caught:
        config("--config", str(path), "--fit.epochs", "1")
    assert str(caught.value) == f"{path}: Unknown key 'fit.epoch': did you mean 'fit.epochs'?"


def test_help_lists_flags_with_their_meaning(capsys):
    text = help_of(capsys, "--help")
    for part in ("--fit.learning_rate", "passes over the training split", "--data.name", "--resume, --no_resume"):
        assert part in text
    assert "Literal" not in text


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (["--data.name", "folder", "--help"], "--data.verify"),
        (["--data.name", "folder", "--data.path", "nowhere", "-h"], "--data.verify"),
        (["--data.name", "folder", "--model.name", "vit_tiny", "--help"], "--model.stem"),
        (["spoken_digit", "--help", "--fit.epoch", "3", "loose"], "--frontend.snr_db"),
        (["minst", "--help"], "--frontend.rotation_degrees"),
        (["--model.name", "cnnn", "--fit.epochs", "many", "--help"], "--model.convolutions"),
        (["--config", "nowhere.json", "--help"], "--frontend.rotation_degrees"),
        (["--resume", "--help"], "--frontend.rotation_degrees"),
    ],
    ids=str,
)
def test_help_whatever_else_is_wrong(words, flag, capsys):
    assert flag in help_of(capsys, *words)


@pytest.mark.parametrize("name", ["digits", "spoken_digit", "multilingual_tts"])
def test_the_help_lists_every_flag_that_is_read(name, capsys):
    text = help_of(capsys, name, "--help")
    fields = fields_of(parts.with_classes(flags.FitArguments, build(name)))
    assert len(fields) > 60
    for field in fields:
        assert f"--{field.name}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_lists_every_flag_that_is_read(name, capsys):
    module = importlib.import_module(f"tfrec.commands.{name}")
    with pytest.raises(SystemExit) as stop:
        module.main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for field in fields_of(module.Arguments):
        assert field.positional or f"--{field.name}" in text


@dataclasses.dataclass(frozen=True)
class Options:
    """Arguments of a command that passes others to the training."""

    workers: int = 1
    names: tuple[str, ...] = ()


def test_split_flags():
    words = ["--workers", "2", "--fit.epochs", "3", "--names=a", "-b", "--seed", "-1", "--config", "c.json"]
    own, others = flags.split_flags(words, Options)
    assert own == ["--workers", "2", "--names=a", "-b"]
    assert others == ["--fit.epochs", "3", "--seed", "-1", "--config", "c.json"]
    assert flags.parse(Options, own, prog="x") == Options(2, ("a", "-b"))
    assert flags.split_flags(["--fit.epochs", "3", "--zzz", "-h"], Options) == (["--help"], [])


def test_split_flags_refuses_a_flag_that_belongs_to_neither():
    with pytest.raises(UserError, match="Unknown flag '--worker': did you mean '--workers'"):
        flags.split_flags(["--worker", "2"], Options)


def test_help_with_a_file_lists_the_flags_of_its_parts(tmp_path, capsys):
    (tmp_path / "c.json").write_text(json.dumps(build("an4").to_dict()))
    text = help_of(capsys, "--config", str(tmp_path / "c.json"), "--help")
    assert "--model.subsampling" in text
    assert "--task.text.language" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tyro-print-completion"], "--tyro_print_completion takes bash, zsh, fish. Received: nothing"),
        (["--tyro-print-completion", "cmd"], "--tyro_print_completion takes bash, zsh, fish. Received: cmd"),
        (["--tyro-write-completion", "zsh"], "--tyro_write_completion takes bash, zsh, fish and a path. Received: zsh"),
    ],
    ids=str,
)
def test_completion_of_no_known_shell(words, sentence):
    with pytest.raises(UserError) as caught:
        flags.parse_fit(words)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_in_a_file(shell, tmp_path):
    with pytest.raises(SystemExit) as stop:
        flags.parse_fit(["--tyro-write-completion", shell, str(tmp_path / "script")])
    assert not stop.value.code
    assert "--fit.learning_rate" in (tmp_path / "script").read_text()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_shell_completion(tmp_path, capsys):
    with pytest.raises(SystemExit):
        flags.parse_fit(["--tyro-print-completion", "bash"])
    (tmp_path / "completion").write_text(capsys.readouterr().out)
    complete = """
        source completion
        COMP_WORDS=(tfrec fit mnist --fit.optimizer ad); COMP_CWORD=4; _tyro_tfrec; echo "${COMPREPLY[@]}"
        COMP_WORDS=(tfrec fit --fit.learn); COMP_CWORD=2; _tyro_tfrec; echo "${COMPREPLY[@]}"
    """
    result = subprocess.run(["bash", "-c", complete], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert result.stdout == "adam adamw\n--fit.learning_rate\n"
