"""Fields that the values of others leave without effect are said; the others are not."""

import pytest
from absl import flags

from nst_jax import Session, cli
from nst_jax.config import from_dict
from nst_jax.config.effects import idle_fields, warn_of_idle
from nst_jax.config.named import read_config, run_config, shipped_configs
from nst_jax.config.optimization import READ
from nst_jax.config.tables import extensible
from nst_jax.optimizers.methods import METHODS
from nst_jax.sweeps import plan
from tests.sweeps.cells import varied

STYLES = {"a": {"image": "a"}, "b": {"image": "b"}}
# Settings -> the fields that they leave without effect, and fields that keep theirs.
CASES = {
    "a start from the photo": ({"init": "content"}, {"noise", "seed"}, {"init", "size"}),
    "noise of 0": ({"noise": 0.0}, {"seed"}, {"noise"}),
    "noise": ({}, {"optimizer.learning_rate", "optimizer.b2", "guides"}, {"noise", "seed", "network.pool"}),
    "adam": (
        {"optimizer": {"name": "adam"}},
        {"optimizer.memory", "optimizer.least_memory", "optimizer.bands", "optimizer.warm_start"},
        {"optimizer.learning_rate", "optimizer.average"},
    ),
    "adam at two scales": (
        {"optimizer": {"name": "adam"}, "scales": (0.5, 1.0)},
        set(),
        {"optimizer.warm_start"},
    ),
    "gd": ({"optimizer": {"name": "gd"}}, {"optimizer.b2", "optimizer.bands"}, {"optimizer.learning_rate"}),
    "a method from elsewhere": ({"optimizer": {"name": "own"}}, set(), {"optimizer.memory", "optimizer.b2"}),
    "a texture": ({"content_weight": 0.0}, {"content_layers", "content_loss"}, {"content", "style"}),
    "no content layer": ({"content_layers": {"conv4_2": 0.0}}, {"content_weight"}, {"style_weight"}),
    "no style": (
        {"style_weight": 0.0},
        {"style", "style_scale", "style_layers", "style_losses"},
        {"content_weight"},
    ),
    "no style but as a start": ({"style_weight": 0.0, "init": "style"}, {"style_layers"}, {"style"}),
    "no style layer": ({"style_layers": {"conv1_1": 0.0}}, {"style_weight", "style"}, {"content_weight"}),
    "no style loss": ({"style_losses": {"gram": 0.0}}, {"style_weight", "style_layers"}, {"content_weight"}),
    "a loss that is off": (
        {
            "style_losses": {"gram": 1.0, "moments": 0.0},
            "loss_layers": {"gram": {"conv1_1": 1.0}, "moments": {"conv1_1": 1.0}},
        },
        {"loss_layers.moments"},
        {"loss_layers.gram"},
    ),
    "one style by name": ({"styles": {"a": STYLES["a"]}}, {"style", "styles.a.weight"}, {"styles.a.scale"}),
    "two styles": ({"styles": STYLES}, {"guides"}, {"styles.a.weight", "styles.b.weight"}),
    "two styles in two regions": (
        {"styles": {"a": {"image": "a", "region": "m"}, "b": {"image": "b", "region": "n"}}},
        {"styles.a.weight", "styles.b.weight"},
        {"guides"},
    ),
    "two styles at different layers": (
        {
            "styles": {
                "a": {"image": "a", "layers": ("conv1_1",)},
                "b": {"image": "b", "layers": ("conv2_1",)},
            }
        },
        {"styles.a.weight"},
        set(),
    ),
    "only the first convolution": (
        {"content_weight": 0.0, "style_layers": {"conv1_1": 1.0}},
        {"network.pool"},
        {"network.padding"},
    ),
    "nnst": (
        {"method": "nnst", "init": "content", "optimizer": {"name": "adam"}},
        {"noise", "optimizer.memory"},
        {"seed", "style", "style_scale", "nnst.alpha"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_has_no_effect(case):
    settings, idle, effective = CASES[case]
    found = set(idle_fields(from_dict(settings)))
    assert idle <= found
    assert not effective & found


def test_it_is_said_in_one_line_per_cause(caplog):
    config = from_dict({"init": "content", "seed": 3, "optimizer": {"name": "adam", "memory": 20}})
    warn_of_idle(config, ["seed", "noise", "size", "optimizer.memory"])
    assert caplog.messages == [
        "seed, noise: no effect with init=content",
        "optimizer.memory: no effect with optimizer.name=adam",
    ]


def test_a_weight_of_zero_claims_no_effect(caplog):
    config = from_dict({"content_weight": 0.0, "content_layers": {"conv4_2": 0.0, "conv3_2": 1.0}})
    warn_of_idle(config, ["content_layers.conv4_2"])
    assert not caplog.messages
    warn_of_idle(config, ["content_layers.conv3_2"])
    assert caplog.messages == ["content_layers.conv3_2: no effect with content_weight=0"]


def given(*arguments, config="quick"):
    argv, values = ["run", f"--config={config}", *arguments], flags.FlagValues()
    cli.define_config(values, argv, extensible)
    cli.parse(values, argv, "usage")
    checked = from_dict(cli.config_value(values, "quick"))
    return cli.given_fields(values, checked)


def test_fields_are_given_by_flags_and_by_files_of_the_user(tmp_path):
    assert given("--config.seed=0", "--config.styles.my-own.image=a") == ["seed", "styles.my-own.image"]
    own = "from nst_jax.configs import quick\ndef get_config():\n    return quick.get_config()\n"
    (tmp_path / "own.py").write_text(own)
    assert {"init", "network.arch", "optimizer.steps"} < {*given(config=str(tmp_path / "own.py"))}
    assert "optimizer.learning_rate" not in given(config=str(tmp_path / "own.py"))


def test_python_says_it_too(caplog):
    Session("quick", seed=3)
    assert caplog.messages == ["seed: no effect with init=content"]


def runs_of(base, *flags):
    return plan.plan_runs(base, varied(flags))


def test_a_sweep_says_what_it_varies_in_vain(caplog):
    plan.warn_of_repeats(runs_of(read_config("quick"), "content_weight=0.1,1", "seed=0,1,2"))
    assert caplog.messages == [
        "seed: no effect with init=content",
        "sweep: 6 runs, but only 2 different pictures: 0_content_weight=0.1_seed=0 and "
        "1_content_weight=0.1_seed=1 differ in seed alone, without effect",
    ]


def test_a_field_with_an_effect_on_some_runs_is_said_if_pictures_repeat(caplog):
    axes = ("optimizer.name=lbfgs,adam", "optimizer.learning_rate=0.01,0.02")
    plan.warn_of_repeats(runs_of({}, *axes))
    (message,) = caplog.messages
    assert message.startswith("sweep: 4 runs, but only 3 different pictures")
    caplog.clear()
    plan.warn_of_repeats(runs_of({}, "init=noise,content", "content_weight=0.1,1"))
    assert not caplog.messages


SWEEPS = [name for name in shipped_configs() if name.startswith("sweeps/")]


@pytest.mark.parametrize("name", SWEEPS)
def test_no_shipped_sweep_varies_in_vain(name, caplog):
    base, sweep = run_config(name)
    plan.warn_of_repeats(plan.plan_runs(base, plan.cells_of(sweep, name)))
    assert not caplog.messages


def test_the_methods_are_known_by_their_names():
    assert set(READ) == set(METHODS)
