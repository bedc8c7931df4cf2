"""The notation of a space, and its errors."""

import pytest

from pipelines.errors import UserError
from tfrec.config import experiments
from tuning.search_space import grammar

DIGITS = experiments.find("digits")()


def parse(*lines):
    return grammar.parse(lines, DIGITS)


def last(*lines):
    """The parameter of the last line."""
    name = lines[-1].split("=")[0]
    (parameter,) = [parameter for parameter in parse(*lines) if parameter.name == name]
    return parameter


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("fit.learning_rate=1e-4..1e-2:log", {"low": 1e-4, "high": 1e-2, "log": True, "is_integer": False}),
        ("model.dropout=0..0.5", {"low": 0, "high": 0.5, "log": False, "is_integer": False}),
        ("model.dropout=.1...5", {"low": 0.1, "high": 0.5}),
        ("model.dropout=0..0.4:step=0.1", {"step": 0.1}),
        ("model.width=16..64:step=16", {"low": 16, "high": 64, "step": 16, "is_integer": True}),
        ("model.width=8..64:log:step=2", {"step": 2, "log": True, "is_integer": True}),
        ("model.width=8..64:step=2:log", {"step": 2, "log": True}),
        ("model.width=1e1..2e1", {"low": 10, "high": 20, "is_integer": True}),
        ("fit.clip_norm=0.5..5", {"is_integer": False}),  # a number or None
        ("fit.patience=1..5", {"is_integer": True}),  # likewise
        ("task.label_smoothing=0..0.2", {"high": 0.2}),
        ("fit.optimizer=sgd,adamw", {"choices": ("sgd", "adamw"), "low": None}),
        ("fit.optimizer= sgd , adamw ", {"choices": ("sgd", "adamw")}),
        ("fit.batch_size=16,32", {"choices": ("16", "32")}),
        ("frontend.scale=1 1,0.9  1.1", {"choices": ("1 1", "0.9 1.1")}),
        ("frontend.horizontal_flip=True,FALSE", {"choices": ("true", "false")}),
        ("model.time_pools=None,2", {"choices": ("None", "2")}),
        ("model.weights=../one.keras,../two.keras", {"choices": ("../one.keras", "../two.keras")}),
    ],
)
def test_values_of_every_form(line, expected):
    parameter = last(line)
    assert {field: getattr(parameter, field) for field in expected} == expected
    assert parameter.conditions == ()


def test_names_may_have_hyphens_and_defaults_come_from_the_configuration():
    (parameter,) = parse("--model.width = 16..64")
    assert (parameter.name, parameter.low, parameter.default) == ("model.width", 16, DIGITS.model.width)


def test_conditions():
    lines = ["model.name=cnn,mlp,vgg16", "model.depth=1..4 if model.name=cnn, mlp and fit.optimizer=sgd"]
    depth = last("fit.optimizer=sgd,adamw", *lines)
    assert depth.conditions == (("model.name", ("cnn", "mlp")), ("fit.optimizer", ("sgd",)))
    assert depth.is_active({"model.name": "mlp", "fit.optimizer": "sgd"})
    assert not depth.is_active({"model.name": "vgg16", "fit.optimizer": "sgd"})
    assert not depth.is_active({"model.name": "mlp"})


def test_parameters_of_some_architectures_are_active_for_those():
    assert last("model.name=cnn,mlp,vgg16", "model.depth=1..4").conditions == (("model.name", ("cnn", "mlp")),)
    assert last("model.name=cnn,mlp", "model.depth=1..4").conditions == ()
    depth = last("model.name=cnn,mlp,vgg16", "model.depth=1..4 if model.name=mlp")
    assert depth.conditions == (("model.name", ("mlp",)),)
    assert last("model.name=mlp,vgg16", "model.frames=8..32").default is None  # the cnn it starts from has none


def test_parents_come_first_in_any_order():
    lines = ["model.depth=1..4 if frontend.fill=edge,reflect", "frontend.fill=edge,reflect if model.name=cnn"]
    assert [parameter.name for parameter in parse(*lines, "model.name=cnn,mlp")] == [
        "model.name",
        "frontend.fill",
        "model.depth",
    ]


CNN_OR_MLP = "model.name=cnn,mlp"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["model.width"], "Cannot read the parameter 'model.width': write NAME=VALUES such as"),
        (["=1..3"], "Cannot read the parameter"),
        (["model.width="], "Cannot read the parameter"),
        (["model.widht=1..3"], "Unknown parameter 'model.widht': did you mean 'model.width'"),
        (["model=1..3"], "Unknown parameter 'model'"),
        (["model.units=1..3"], "Unknown parameter 'model.units'"),  # a cnn has none
        (["seed=1..3"], "seed cannot be searched: only flags of model, frontend, task and fit can be"),
        (["data.path=a,b"], "data.path cannot be searched"),
        (["task.name=classify,transcribe"], "task.name cannot be searched: trials of another task"),
        (["fit.budget_minutes=1..3"], "it is the cost limit of a trial"),
        (["model.width=3..1"], "The range in 'model.width=3..1' is empty: the first number must be below the second"),
        (["model.width=3..3"], "is empty"),
        (["fit.learning_rate=0..1:log"], "has no logarithm: it must begin above 0"),
        (["fit.learning_rate=-1..1:log"], "has no logarithm"),
        (["fit.learning_rate=1..1e999"], "'fit.learning_rate=1..1e999'"),
        (["fit.epochs=1.5..3"], "fit.epochs takes only integers, but 'fit.epochs=1.5..3' has other numbers"),
        (["fit.epochs=1..3:step=0.5"], "takes only integers"),
        (["model.width=1..8:stp=2"], "Do not know 'stp=2' in 'model.width=1..8:stp=2': a range may end with :log and"),
        (["model.width=1..4:step=9"], "The step in 'model.width=1..4:step=9' leaves nothing to choose"),
        (["model.width=1..4:step=0"], "must be above 0 and at most 3"),
        (["model.width=1..4:log:step=1"], "must be above 1 and at most 4"),
        (["model.width=1..b"], "Cannot read the range in 'model.width=1..b': write model.width=LOW..HIGH"),
        (["model.width=1...3"], "'model.width=1...3'"),
        (["fit.optimizer=1..3"], "fit.optimizer is not a number"),
        (["frontend.horizontal_flip=1..2"], "frontend.horizontal_flip is not a number"),
        (["frontend.horizontal_flip=yes,no"], "is a switch: write true,false"),
        (["frontend.horizontal_flip=true"], "leaves nothing to choose: give --frontend.horizontal_flip."),
        (["model.name=cnn"], "'model.name=cnn' leaves nothing to choose: give --model.name=cnn."),
        (["--model.name = cnn"], "leaves nothing to choose: give --model.name=cnn."),
        (["frontend.scale=1 2"], "leaves nothing to choose: give --frontend.scale 1 2."),
        (["model.name=cnn,cnnn"], "Unknown architecture 'cnnn': did you mean 'cnn'"),
        (["fit.batch_size=8,8"], "'fit.batch_size=8,8' must name each of its values once"),
        (["fit.batch_size=8,,16"], "must name each of its values once"),
        (["model.depth=1..2 if model.name"], "Cannot read the condition of 'model.depth=1..2 if model.name'"),
        (["model.depth=1..2 if model.name=cnn"], "which is not a parameter: set it too"),
        ([CNN_OR_MLP, "model.depth=1..2 if model.name=nn"], "Unknown model.name in the condition of model.depth 'nn'"),
        ([CNN_OR_MLP, "model.width=3..4 if model.depth=2", "model.depth=1..2"], "model.depth"),  # a range
        ([CNN_OR_MLP, "model.convolutions=1..2 if model.name=mlp"], "model.convolutions"),  # an mlp has none
        ([CNN_OR_MLP, "model.depth=1..2 if model.name=cnn and model.name=mlp"], "model.name"),
        (["fit.batch_size=8,16", "fit.batch_size=32,64"], "fit.batch_size is given twice: add conditions with `if`"),
        ([CNN_OR_MLP, "model.depth=1..2 if model.name=cnn", "model.depth=3..4"], "model.depth is given twice"),
        (
            ["fit.epochs=2,3 if fit.batch_size=8", "fit.batch_size=8,16 if fit.epochs=2"],
            "fit.epochs depends on itself through its conditions: drop one of them",
        ),
    ],
)
def test_errors_are_one_sentence(lines, sentence):
    with pytest.raises(UserError) as caught:
        parse(*lines)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "parents",
    [
        ["model.depth=1..2"],
        ["model.name=cnn,mlp", "model.depth=1,2 if model.name=cnn", "model.depth=2,3 if model.name=mlp"],
    ],
)
def test_a_parent_must_be_one_line_of_choices(parents):
    with pytest.raises(UserError, match="name all its values on one line, with commas"):
        parse(*parents, "model.width=3..4 if model.depth=2")


def test_files_have_one_parameter_per_line_and_comments(tmp_path):
    path = tmp_path / "space.txt"
    path.write_text("# sizes\n\nmodel.width=8..16  # small\n  fit.optimizer=sgd,adamw\n#fit.epochs=1..2\n")
    assert grammar.read(path) == ["model.width=8..16", "fit.optimizer=sgd,adamw"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "is empty: give it lines"), (b"# only this\n\n", "is empty"), (b"\xff\xfe\x00\x81", "not a text file")],
)
def test_files_without_parameters(content, sentence, tmp_path):
    (tmp_path / "space.txt").write_bytes(content)
    with pytest.raises(UserError, match=sentence) as caught:
        grammar.read(tmp_path / "space.txt")
    assert "space.txt" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        grammar.read(tmp_path / "nowhere.txt")
    with pytest.raises(UserError, match="directory"):
        grammar.read(tmp_path)
