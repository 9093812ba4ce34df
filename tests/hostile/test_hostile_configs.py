"""Values that no field expects give a checked config or one line; so do config files that go wrong."""

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nst_jax.config import Config, fields, from_dict, to_dict
from nst_jax.errors import UserError
from nst_jax.experiments.mix_scales import MixSettings
from nst_jax.vision.concepts.concept_settings import ConceptSettings
from nst_jax.vision.maximizing.maximize_settings import MaximizeSettings
from nst_jax.vision.probing.correspondence import CorrespondenceSettings
from nst_jax.vision.probing.evolution import EvolutionSettings
from nst_jax.vision.probing.invariance import InvarianceSettings
from nst_jax.vision.probing.occlusion import OcclusionSettings
from nst_jax.vision.searching.search_settings import TopPatchesSettings
from scripts.distillation.settings import DistillSettings
from tests.command import call
from tests.hostile.contract import assert_promises, assert_refusal, cases, within
from tests.hostile.damage import ODD_VALUES, with_odd_value

KINDS = (
    *(Config, TopPatchesSettings, OcclusionSettings, InvarianceSettings, CorrespondenceSettings),
    *(EvolutionSettings, MaximizeSettings, ConceptSettings, DistillSettings, MixSettings),
)
STYLE = {"image": "a", "weight": 1.0, "strength": 1.0, "region": "", "mask": "", "scale": 1.0, "layers": []}
PLAIN = json.loads(json.dumps(to_dict(Config()))) | {"styles": {"a": STYLE, "b": STYLE}}
NAMES = st.sampled_from([*PLAIN, "stlye", "", "a.b", "\n"])
LEAVES = st.sampled_from(ODD_VALUES) | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def check(kind: type, values: dict) -> None:
    """Either settings that survive JSON, or a refusal."""
    try:
        with within(10):
            built = fields.from_config(kind, values)
    except UserError as error:
        assert_refusal(error)
        return
    if kind is Config:
        assert from_dict(json.loads(json.dumps(to_dict(built)))) == built


@pytest.mark.parametrize("seed", cases(60, 400))
def test_one_odd_value_in_a_whole_config(seed):
    changed = with_odd_value(PLAIN, random.Random(seed))
    if isinstance(changed, dict):
        check(Config, changed)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_of_all_settings_with_every_odd_value(kind):
    hints = kind.__dataclass_fields__
    for name in hints:
        for value in ODD_VALUES:
            check(kind, {name: value})


@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_values_for_several_fields(values):
    check(Config, values)


START = "from ml_collections import ConfigDict, config_dict\n"
PROGRAMS = {
    "exits": "import sys\nsys.exit(0)\n",
    "exits inside": "import sys\ndef get_config():\n  sys.exit(0)\n",
    "kills memory of the stack": "def get_config():\n  return get_config()\n",
    "placeholder": START + "def get_config():\n  return ConfigDict({'size': config_dict.placeholder(int)})\n",
    "required": START
    + "def get_config():\n  return ConfigDict({'size': config_dict.required_placeholder(int)})\n",
    "null bytes": "\0\0\0",
    "not UTF-8": b"x = '\xff\xfe'\n",
    "a long name": START + "def get_config():\n  return ConfigDict({'x' * 100_000: 1})\n",
    "escapes": START + "def get_config():\n  return ConfigDict({'a\\x1b[31m\\nb': 1})\n",
    "huge int": START + "def get_config():\n  return ConfigDict({'size': 10 ** 5000})\n",
    "surrogates": START + "def get_config():\n  return ConfigDict({'content': '\\udcff'})\n",
    "a generator": "def get_config():\n  yield 1\n",
    "an error of many lines": "def get_config():\n  raise ValueError('a\\n' * 1000)\n",
    "an exception without a text": "def get_config():\n  raise KeyError\n",
    "not a function": "get_config = 3\n",
    "system error": "def get_config():\n  raise SystemExit('bye')\n",
    "layers as list": START + "def get_config():\n  return ConfigDict({'style_layers': ['conv1_1']})\n",
    "1e20 steps": START + "def get_config():\n  return ConfigDict({'optimizer': {'steps': 10 ** 20}})\n",
    "no scales": START + "def get_config():\n  return ConfigDict({'scales': ()})\n",
    "numbers as names": START + "def get_config():\n  return {1: 2}\n",
    "unicode": START + "def get_config():\n  return ConfigDict({'größe': 1})\n",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_config_files_gone_wrong(tmp_path, name):
    text = PROGRAMS[name]
    (tmp_path / "config.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    with within(60):
        result = call(f"--config={tmp_path / 'config.py'}", f"--workdir={tmp_path / 'run'}")
    assert_promises(result, 2)
    assert not (tmp_path / "run").exists()


SWEEPS = {
    "exits": "import sys; sys.exit(0)",
    "interrupts nothing": "raise SystemExit(3)",
    "adds a number": "add(3, size=1.5)",
    "adds nonsense": "add('a', **{'': 1})",
    "adds into a leaf": "add('a', **{'size.x': 1})",
    "adds a list": "add('a', content=['x'])",
    "calls back wrongly": "add('a', 'b', 'c', nothing=None)",
    "long labels": "add('x' * 100_000, size='y')",
    "the same twice": "add('a', seed=1); add('b', seed=1)",
}


@pytest.mark.parametrize("name", SWEEPS)
def test_sweeps_gone_wrong(tmp_path, name):
    text = START + "def get_config():\n  return ConfigDict({'size': 32})\ndef sweep(add):\n  " + SWEEPS[name]
    (tmp_path / "config.py").write_text(text)
    with within(60):
        result = call(
            f"--config={tmp_path / 'config.py'}", f"--workdir={tmp_path / 'run'}", module="nst_jax.sweep"
        )
    assert_promises(result, 2)
    assert not (tmp_path / "run").exists()
