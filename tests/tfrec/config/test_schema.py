"""The dataclasses of a configuration."""

import dataclasses
import inspect
import re
import subprocess
import sys

import pytest

from tfrec.config.schema import Config, ExportConfig, FitConfig


def test_the_schema_imports_neither_keras_nor_tensorflow():
    code = "import sys; from tfrec.config import schema, experiments; print({'keras', 'tensorflow'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("kind", [FitConfig, ExportConfig])
def test_every_setting_has_a_help_text_on_its_line(kind):
    source = inspect.getsource(kind)
    for field in dataclasses.fields(kind):
        assert re.search(rf"^    {field.name}: [^\n#]+ = [^\n(#]*(\(\))?  # \w", source, re.MULTILINE), field.name


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"epochs": 0}, "fit.epochs must be 1 or more. Received: 0"),
        ({"batch_size": 0}, "fit.batch_size must be 1 or more"),
        ({"plateau_patience": 0}, "fit.plateau_patience must be 1 or more"),
        ({"checkpoints": 0}, "fit.checkpoints must be 1 or more"),
        ({"patience": 0}, "fit.patience must be 1 or more"),
        ({"unfreeze_epochs": 0}, "fit.unfreeze_epochs must be 1 or more"),
        ({"learning_rate": 0.0}, "fit.learning_rate must be above 0"),
        ({"clip_norm": 0.0}, "fit.clip_norm must be above 0"),
        ({"batch_seconds": 0.0}, "fit.batch_seconds must be above 0"),
        ({"budget_minutes": -1.0}, "fit.budget_minutes must be above 0"),
        ({"backbone_rate": 0.0}, "fit.backbone_rate must be above 0"),
        ({"bias_rate": 0.0}, "fit.bias_rate must be above 0"),
        ({"weight_decay": -0.1}, "fit.weight_decay must be 0 or more"),
        ({"warmup_epochs": -0.1}, "fit.warmup_epochs must be 0 or more"),
        ({"momentum": 1.0}, "fit.momentum must be at least 0 and below 1"),
        ({"average": 1.0}, "fit.average must be at least 0 and below 1"),
        ({"head_epochs": 10}, "fit.head_epochs must be 0 or more and below fit.epochs"),
        ({"schedule": "step"}, "fit.schedule step needs fit.step_epochs"),
    ],
    ids=str,
)
def test_values_out_of_range(settings, rule):
    with pytest.raises(ValueError, match=re.escape(rule)):
        FitConfig(**settings)


def test_other_values_out_of_range():
    with pytest.raises(ValueError, match=r"export\.beam_width must be from 1 to 1,000\. Received: 0"):
        ExportConfig(beam_width=0)
    with pytest.raises(ValueError, match="seed must be 0 or more"):
        Config(None, None, None, None, seed=2**31)
