"""What the command line makes of the names and values that people type."""

import pytest
from absl import flags

from nst_jax import cli
from nst_jax.config import Config, from_dict
from nst_jax.config.tables import extensible
from nst_jax.errors import UserError

OWN = """
from ml_collections import ConfigDict
def get_config():
    layers = {"conv1_1": 1}
    return ConfigDict({"size": 64, "tv_weight": 0, "network": {"arch": "slim"}, "style_layers": layers})
"""


def parsed(*arguments: str, config: str = "quick") -> Config:
    argv, values = ["run", f"--config={config}", *arguments], flags.FlagValues()
    cli.define_config(values, argv, extensible)
    cli.parse(values, argv, "usage")
    return from_dict(cli.config_value(values, "quick"))


@pytest.fixture
def own(tmp_path):
    """A config of few fields, as a user writes it."""
    (tmp_path / "own.py").write_text(OWN)
    return str(tmp_path / "own.py")


@pytest.mark.parametrize(
    "name", ["my-style", "2", "class", "None", "写真", "ﬁne", "a b", 'say "hi"', "O'Hara"]
)
def test_a_style_may_have_any_name(name):
    config = parsed(f"--config.styles.{name}.image=a.jpg", f"--config.styles.{name}.weight=2")
    assert config.styles[name].image == "a.jpg"
    assert config.styles[name].weight == 2


@pytest.mark.parametrize("value", ["1e5.jpg", "1e5", "2020", "None", "true", "(1,2)", "a,b.jpg", "C:\\a.jpg"])
def test_a_path_is_text_whatever_it_looks_like(value, own):
    assert parsed(f"--config.content={value}", config=own).content == value
    assert parsed(f"--config.styles.a.image={value}", config=own).styles["a"].image == value


def test_every_field_can_be_set_although_the_file_has_few(own):
    flags = ["optimizer.steps=(3,2)", "scales=(0.5,1.0)", "tv_weight=1e-3", "style_layers.conv1_1=0.5"]
    config = parsed(*(f"--config.{flag}" for flag in flags), config=own)
    assert (config.optimizer.steps, config.scales, config.tv_weight) == ((3, 2), (0.5, 1.0), 1e-3)
    assert config.style_layers == {"conv1_1": 0.5}
    assert parsed(config=own) == from_dict(
        {"size": 64, "network": {"arch": "slim"}, "style_layers": {"conv1_1": 1.0}}
    )


def test_the_last_tuple_counts():
    steps = "--config.optimizer.steps=3"
    assert parsed(steps, "--config.scales=(0.5,1.0)", "--config.scales=(1.0,)").scales == (1.0,)
    with pytest.raises(UserError, match=r"scales: \(\) must end with 1\.0"):
        parsed(steps, "--config.scales=(1.0,)", "--config.scales=()")


REFUSED = {
    "--config.steps=5": "steps: unknown 'steps'; did you mean 'optimizer.steps'",
    "--config.pool=max": "pool: unknown 'pool'; did you mean 'network.pool'",
    "--config.optimizer.seed=5": "optimizer.seed: unknown 'optimizer.seed'; did you mean 'seed'",
    "--config.optimiser.steps=5": "optimiser: unknown 'optimiser'; did you mean 'optimizer'",
    "--config.=3": "--config.: '' cannot be the name of a field",
    "--config.styles..image=a.jpg": "--config.styles..image: '' cannot be the name of a field",
    "--config.styles.items.image=a.jpg": "--config.styles.items.image: 'items' cannot be the name of a field",
    "--config.content-weight=3": "--config.content-weight: there is no field 'content-weight'",
    "--config.style_layers.conv5_1.x=3": "style_layers.conv5_1.x: style_layers.conv5_1 has no subfields",
    "--config.styles=a.jpg": "--config.styles: is not a single field; set its fields as --config.styles.NAME",
    "--flagfile=missing": "--flagfile: Unable to open flagfile: .* 'missing'",
    "--flagfile=.": "--flagfile: Unable to open flagfile: .* Is a directory",
    "--flagfile": "--flagfile with no argument",
}


@pytest.mark.parametrize("flag", REFUSED)
def test_refused_in_one_line(flag):
    with pytest.raises(UserError, match=REFUSED[flag]) as caught:
        parsed(flag)
    assert "\n" not in str(caught.value)


def test_a_flag_file_may_name_the_config(tmp_path):
    (tmp_path / "flags").write_text("--config.size=64\n--config=quick\n")
    argv, values = ["run", f"--flagfile={tmp_path / 'flags'}", "--config.seed=5"], flags.FlagValues()
    cli.define_config(values, argv, extensible)
    cli.parse(values, argv, "usage")
    config = from_dict(cli.config_value(values, "quick"))
    assert (config.size, config.seed, config.network.arch) == (64, 5, "slim")
    (tmp_path / "flags").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="--flagfile: 'utf-8' codec"):
        cli.define_config(flags.FlagValues(), argv, extensible)
