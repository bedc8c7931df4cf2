"""Parsing `--models` and flags into one configuration for each model."""

import pytest

from pipelines.errors import UserError
from tfrec.config import experiments
from tfrec.studies import candidates


def parse(models, *words, experiment=None):
    return candidates.parse(models.split(" "), experiment, words, 0.5)


def test_names_by_commas_and_spaces():
    for models in ("mlp,cnn", "mlp cnn", "mlp, cnn,"):
        assert [candidate.label for candidate in parse(models)] == ["mlp", "cnn"]


def test_settings_belong_to_the_model_before_them():
    mlp, cnn, second = parse(
        "mlp,cnn:width=8,fit.learning_rate=0.5,cnn:fit.jit_compile=true,frontend.horizontal_flip=false"
    )
    assert [candidate.label for candidate in (mlp, cnn, second)] == ["mlp", "cnn", "cnn-2"]
    assert (mlp.config.fit.learning_rate, cnn.config.fit.learning_rate) == (2e-3, 0.5)
    assert (cnn.config.model.width, second.config.model.width) == (8, 32)
    assert (cnn.config.fit.jit_compile, second.config.fit.jit_compile) == (False, True)
    assert cnn.settings == {"width": "8", "fit.learning_rate": "0.5"}


def test_flags_go_to_every_model():
    for candidate in parse("mlp,cnn", "--fit.batch_size", "7", "--model.width=9", "--fit.epochs", "3"):
        config = candidate.config
        assert (config.fit.batch_size, config.model.width, config.fit.epochs) == (7, 9, 3)


def test_only_the_time_budget_ends_a_training():
    for candidate in parse("mlp,cnn", experiment="mnist"):
        assert candidate.config.fit.budget_minutes == 0.5
        assert candidate.config.fit.epochs > 100_000
        assert candidate.config.fit.batch_size == experiments.find("mnist")().fit.batch_size
        assert not candidate.config.export.after_fit


@pytest.mark.parametrize(
    ("models", "words", "message"),
    [
        ("", [], "Name the models"),
        ("cnnn", [], "architecture 'cnnn': did you mean 'cnn'"),
        ("width=3,cnn", [], "begins with the setting 'width=3'"),
        ("mlp,cnn:widht=3", [], "cnn: Unknown flag '--model.widht': did you mean '--model.width'"),
        ("mlp,cnn:width=many", [], "cnn: "),
        ("cnn:data.name=mnist", [], "cnn: data.name must be the same for all"),
        ("cnn:name=mlp", [], "cnn: name cannot be set for one model"),
        ("cnn:fit.budget_minutes=3", [], "cnn: fit.budget_minutes cannot be set"),
        ("mlp,cnn", ["--model.convolutions", "1"], "mlp: Unknown flag '--model.convolutions'"),
        ("mlp,cnn", ["--fit.epoch", "1"], "Unknown flag '--fit.epoch'"),
    ],
)
def test_user_errors(models, words, message):
    with pytest.raises(UserError) as caught:
        parse(models, *words)
    assert message in str(caught.value)


def test_an_error_that_all_models_share_names_none_of_them():
    with pytest.raises(UserError, match=r"^Unknown flag '--fit\.epoch'"):
        parse("mlp,cnn", "--fit.epoch", "1")
    with pytest.raises(UserError, match=r"^cnn: Unknown flag '--fit\.epoch'"):
        parse("mlp,cnn:fit.epoch=1")
