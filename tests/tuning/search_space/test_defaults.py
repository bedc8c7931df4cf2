"""The default space parses, can be trained, and holds the configuration that the sweep starts from."""

import dataclasses

import keras
import keras_tuner
import pytest

from pipelines import frontends
from pipelines.errors import UserError
from tfrec import architectures
from tfrec.architectures import ARCHITECTURES
from tfrec.config import experiments, flags
from tuning.search_space import defaults, grammar
from tuning.search_space.parameters import active_values, to_flags, to_hyperparameters

PAIRS = experiments.find("digit_pairs")()
DIGITS, SPOKEN, AN4 = experiments.find("digits")(), experiments.find("spoken_digits_tts")(), experiments.find("an4")()
MODULES = {module.__name__: name for name, (module, _) in ARCHITECTURES.items()}  # one name of each


def replaced(config, **parts):
    """A configuration with other fields: replaced(config, fit={"epochs": 3})."""
    changed = {part: dataclasses.replace(getattr(config, part), **fields) for part, fields in parts.items()}
    return dataclasses.replace(config, **changed)


def base(name):
    """A configuration with that architecture, on data that it takes."""
    model = architectures.default_config(name)
    kinds, output_kind = architectures.find(name).input_kinds, architectures.find(name).output_kind
    config = AN4 if output_kind == "sequence" else DIGITS if "image" in kinds else SPOKEN
    config = PAIRS if "pair" in kinds else config
    if "audio_visual" in kinds:
        words = ["--data.name", "paired", "--data.moving", "--task.name", "transcribe", "--fit.weight_decay", "0.01"]
        config = flags.to_config(flags.parse_fit(words)[1])
    config = dataclasses.replace(config, model=model)
    return replaced(config, frontend={"frequency_masks": 0, "time_masks": 0}) if kinds == ("waveform",) else config


def parameters(config, models=()):
    return grammar.parse(defaults.lines(config, models), config)


def searched(config, models=()):
    return {line.split("=")[0]: line.split("=", 1)[1] for line in defaults.lines(config, models)}


def draws(found, number=3):
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("accuracy", "max"),
        max_trials=number,
        hyperparameters=to_hyperparameters(found),
        seed=2,
    )
    return [active_values(found, oracle.populate_space(str(i))["values"]) for i in range(number)]


def value(text):
    """A choice as a tuple of its numbers, or as text."""
    try:
        return tuple(map(float, text.split()))
    except ValueError:
        return {"true": (1.0,), "false": (0.0,)}.get(text, text)


def own_value(config, parameter):
    section, field = parameter.name.split(".")
    own = getattr(getattr(config, section), field)
    return own if isinstance(own, str) else tuple(map(float, own)) if isinstance(own, tuple) else (float(own),)


def require_own_value(config, found):
    """The configuration's own values of active parameters are among those searched."""
    given = {one.name: str(getattr(getattr(config, one.name.split(".")[0]), one.name.split(".")[1])) for one in found}
    for one in found:
        if not one.is_active(given):
            continue
        own = own_value(config, one)
        if one.choices:
            assert own in map(value, one.choices), one
        else:
            assert one.low <= own[0] <= one.high, one
            assert one.step is None or (own[0] - one.low) % one.step == 0, one


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_every_experiment_has_a_space_that_can_be_trained(name):
    config = experiments.find(name)()
    found = parameters(config)
    require_own_value(config, found)
    for values in draws(found):
        assert 6 <= len(values) <= 13
        _, arguments = flags.parse_fit([name, *to_flags(values)])
        assert arguments.data == config.data
        for full, drawn in values.items():
            section, field = full.split(".")
            got = getattr(getattr(arguments, section), field)
            expected = value(drawn) if isinstance(drawn, str) else (drawn,)
            assert got == drawn or (got if isinstance(got, tuple) else (got,)) == pytest.approx(expected)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_has_a_space(name):
    config = base(name)
    found = parameters(config)
    assert 2 <= sum(one.name.startswith("model.") for one in found) <= 5
    require_own_value(config, found)


@pytest.mark.parametrize("name", MODULES.values())
def test_values_drawn_for_an_architecture_are_a_configuration(name):
    config = base(name)
    words = ["--model.name", name, "--data.name", config.data.name, "--task.name", config.task.name]
    for values in draws(parameters(config), 1):
        _, arguments = flags.parse_fit([*words, *to_flags(values)])
        drawn = {full: drawn for full, drawn in values.items() if not isinstance(drawn, str)}
        assert {full: getattr(getattr(arguments, full.split(".")[0]), full.split(".")[1]) for full in drawn} == drawn


@pytest.mark.parametrize(
    "name", [name for name, (_, model) in ARCHITECTURES.items() if hasattr(model, "heads") and hasattr(model, "width")]
)
def test_the_heads_divide_every_width(name):
    config = base(name)
    (width,) = [one for one in parameters(config) if one.name == "model.width"]
    steps = range(int(width.low), int(width.high) + 1, int(width.step))
    assert len(steps) == 3
    assert not any(units % (2 * config.model.heads) for units in steps)


@pytest.mark.parametrize(
    ("name", "fields", "minimum"),
    [
        ("cnn", {"depth": 4, "time_pools": 3}, 3),
        ("cnn", {"depth": 3}, 1),
        ("cnn", {"depth": 6}, 1),
        ("conformer_ctc", {"intermediate": 10}, 11),
        ("conformer_ctc", {}, 8),
    ],
)
def test_depth_is_at_least_what_other_fields_require(name, fields, minimum):
    config = replaced(base(name), model=fields)
    (depth,) = [one for one in parameters(config) if one.name == "model.depth"]
    assert depth.low == minimum
    assert depth.low <= config.model.depth <= depth.high


def test_a_depth_that_other_fields_fix_is_not_searched():
    assert "model.depth" not in searched(replaced(base("cnn"), model={"depth": 4, "time_pools": 4}))


def test_a_small_network_stays_small():
    small = replaced(DIGITS, model={"width": 6, "dropout": 0.05})
    assert searched(small)["model.width"] == "3..12:log"
    quarter = replaced(base("resnet18"), model={"width_multiplier": 0.25})
    assert searched(quarter)["model.width_multiplier"] == "0.125..0.375"


def test_pretrained_weights_fix_sizes_and_bins():
    fields = {"weights": "imagenet"}
    assert {name for name in searched(replaced(base("resnet50"), model=fields)) if name.startswith("model.")} == {
        "model.stochastic_depth"
    }
    spoken = set(searched(replaced(SPOKEN, model=fields)))
    assert not spoken & {"model.width", "model.depth", "frontend.features", "frontend.mels"}
    assert {"model.dropout", "frontend.time_masks"} <= spoken


def test_architectures_to_choose_from():
    models = ("cnn", "mlp", "resnet18")
    found = parameters(DIGITS, models)
    assert found[0].choices == models
    width = {one.conditions: (one.low, one.high) for one in found if one.name == "model.width"}
    assert width == {(("model.name", ("cnn",)),): (16, 64), (("model.name", ("mlp",)),): (128, 512)}
    (rotation,) = [one for one in found if one.name == "frontend.rotation_degrees"]
    assert rotation.conditions == ()
    drawn = draws(found, 12)
    assert {values["model.name"] for values in drawn} == set(models)
    for values in drawn[:6]:
        flags.parse_fit(["digits", *to_flags(values)])
    assert parameters(DIGITS, ("cnn", "cnn")) == parameters(DIGITS)


def test_architectures_with_other_features_have_parameters_for_those():
    models = ("cnn", "resnet18", "wavenet")
    found = parameters(SPOKEN, models)
    active = {
        name: {one.name for one in found if ("model.name", (name,)) in one.conditions or not one.conditions}
        for name in models
    }
    assert "frontend.speed" in active["wavenet"]
    assert "frontend.mels" in active["resnet18"]
    assert "frontend.features" in active["cnn"]
    assert not {"frontend.mels", "frontend.hop_ms", "frontend.time_masks"} & active["wavenet"]
    for values in draws(found, 12):
        spectral = values["model.name"] != "wavenet"
        assert ("frontend.hop_ms" in values) == ("frontend.time_masks" in values) == spectral
        assert ("frontend.mels" in values) == (spectral and values.get("frontend.features") != "mfcc")
        assert ("frontend.coefficients" in values) == (values.get("frontend.features") == "mfcc")


def test_architectures_that_leave_no_choice():
    with pytest.raises(UserError, match=r"give --model\.name=mlp"):
        defaults.lines(DIGITS, ["mlp"])
    with pytest.raises(UserError, match="did you mean 'cnn'"):
        defaults.lines(DIGITS, ["cnn", "cnnn"])


def test_pictures():
    gray = searched(DIGITS)
    assert {"frontend.rotation_degrees", "frontend.scale", "frontend.shift_fraction"} <= set(gray)
    colors = {"frontend.brightness", "frontend.contrast"}
    assert not colors & set(gray)
    assert colors <= set(searched(experiments.find("cifar10")()))
    assert colors <= set(searched(replaced(DIGITS, frontend={"channels": 3})))
    assert not colors & set(searched(replaced(DIGITS, frontend={"channels": 1, "normalize": "imagenet"})))
    for config in (DIGITS, experiments.find("cifar10")(), SPOKEN):
        assert not {"frontend.horizontal_flip", "frontend.vertical_flip"} & set(searched(config))


def test_the_configurations_own_value_is_among_the_choices():
    assert searched(replaced(DIGITS, frontend={"scale": (0.7, 1.3)}))["frontend.scale"].endswith(",0.7 1.3")
    assert searched(replaced(DIGITS, frontend={"rotation_degrees": 30.0}))["frontend.rotation_degrees"] == "0..30"
    assert searched(replaced(AN4, frontend={"mels": 64, "frequency_width": 30}))["frontend.mels"] == "40,64,80"
    assert searched(replaced(AN4, frontend={"mels": 50}))["frontend.mels"] == "24,40,50,64,80"


def frontend_of(config, values):
    """The training frontend of some values, at 8 kHz."""
    chosen = flags.to_config(flags.parse_fit(["spoken_digits_tts", *to_flags(values)])[1])
    resolved = chosen.frontend.resolved(8000, None, architectures.find(chosen.model.name).input_kinds)
    return chosen.frontend, frontends.build(resolved, augment=True)


def test_every_boundary_configuration_of_speech_is_a_frontend():
    found = {}
    for one in parameters(SPOKEN):
        found.setdefault(one.name, one)
    assert found["frontend.hop_ms"].bounds == (5, 15)
    for features, bins in (("log_mel", "mels"), ("mfcc", "coefficients")):
        for size in found[f"frontend.{bins}"].bounds:
            for hop in found["frontend.hop_ms"].bounds:
                values = {"features": features, bins: size, "hop_ms": hop, "frequency_masks": 2, "time_masks": 2}
                config, frontend = frontend_of(SPOKEN, {f"frontend.{field}": own for field, own in values.items()})
                assert frontend.feature_shape[1] == int(size)
                assert config.frequency_width <= int(size)


@pytest.mark.parametrize(
    ("frontend", "line"),
    [
        ({"window_ms": 12.0}, "5..12"),
        ({"window_ms": 32.0, "hop_ms": 16.0}, "8..24"),
        ({"window_ms": 10.0}, "5..10"),
    ],
)
def test_no_hop_is_longer_than_the_window(frontend, line):
    assert searched(replaced(SPOKEN, frontend=frontend))["frontend.hop_ms"] == line


@pytest.mark.parametrize(
    "config",
    [
        replaced(SPOKEN, frontend={"range_db": 50.0}),
        replaced(SPOKEN, frontend={"channel_db": 3.0}),
        replaced(SPOKEN, frontend={"tract": (0.9, 1.1)}),
        replaced(SPOKEN, frontend={"features": "pcen"}),
        replaced(SPOKEN, frontend={"form": "picture"}),
        replaced(SPOKEN, frontend={"mels": 12, "frequency_width": 12}),
        AN4,
    ],
)
def test_no_mfcc_where_they_do_not_fit(config):
    lines = searched(config)
    assert "frontend.features" not in lines
    assert "frontend.coefficients" not in lines
    assert " if " not in lines["frontend.mels"]


def test_mfcc_of_the_configuration_keep_their_filters():
    lines = searched(replaced(SPOKEN, frontend={"features": "mfcc", "mels": 26, "tract": (0.9, 1.1)}))
    assert lines["frontend.coefficients"] == "13,20"
    assert "frontend.mels" not in lines


def test_transcription_keeps_its_hop_and_its_batches():
    lines = searched(AN4)
    assert "frontend.hop_ms" not in lines
    assert "fit.batch_size" not in lines
    assert "frontend.speed" in lines
    assert searched(replaced(AN4, fit={"batch_seconds": None}))["fit.batch_size"] == "16,32,64"


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
def test_each_optimizer_has_its_learning_rates(optimizer):
    config = replaced(DIGITS, fit={"optimizer": optimizer, "learning_rate": 0.01, "weight_decay": 0.1})
    found = parameters(config)
    (rule,) = [one for one in found if one.name == "fit.optimizer"]
    assert optimizer in rule.choices
    assert len({"adam", "adamw"} & set(rule.choices)) == 1
    middles = {}
    for one in found:
        if one.name in ("fit.learning_rate", "fit.weight_decay"):
            ((_, (chosen,)),) = one.conditions
            assert one.log
            middles.setdefault(one.name, {})[chosen] = (one.low * one.high) ** 0.5
    rates, decays = middles["fit.learning_rate"], middles["fit.weight_decay"]
    assert set(rates) == set(decays) == set(rule.choices)
    assert (rates[optimizer], decays[optimizer]) == pytest.approx((0.01, 0.1), rel=0.01)
    (adam,) = {"adam", "adamw"} & set(rates)
    assert rates["rmsprop"] < rates[adam] < rates["sgd"]
    assert [rates[name] * decays[name] for name in rates] == pytest.approx([1e-3] * 3, rel=0.01)


def test_a_decay_is_searched_where_the_configuration_has_none():
    lines = defaults.lines(replaced(DIGITS, fit={"weight_decay": 0.0}))
    assert "fit.weight_decay=0.001..0.1:log if fit.optimizer=adamw" in lines


INPUTS = {"image": (32, 32, 3), "sequence": (None, 40), "waveform": (None, 1)}
INPUTS["pair"] = {"image": INPUTS["image"], "audio": INPUTS["sequence"]}
INPUTS["audio_visual"] = {"video": (None, *INPUTS["image"]), "audio": INPUTS["sequence"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_bound_of_an_architecture_builds(name):
    config = base(name)
    found = [one for one in parameters(config) if one.name.startswith("model.")]
    start = ["--model.name", name, "--data.name", config.data.name, "--task.name", config.task.name]
    kind, output_kind = architectures.find(name).input_kinds[0], architectures.find(name).output_kind
    for index in range(max(len(one.bounds) for one in found)):
        values = {one.name: one.bounds[min(index, len(one.bounds) - 1)] for one in found}
        model = flags.parse_fit([*start, *to_flags(values)])[1].model
        keras.backend.clear_session()
        net = architectures.build_network(model, INPUTS[kind], 10, kind, output_kind)
        assert net.count_params() > 0
