"""The documentation site: its reference covers every field, its tutorial runs, and it builds."""

import re
import subprocess
import sys
from unittest import mock

import pytest

from nst_jax.config import Config, to_dict
from nst_jax.losses.style import STYLE_LOSSES
from nst_jax.vision.concepts.concept_settings import ConceptSettings
from nst_jax.vision.searching.search_settings import TopPatchesSettings
from scripts.docs_hooks import fields_table, on_page_markdown
from tests.command import ROOT, call, metrics, tiny


def rows(table):
    return {line.split("`")[1]: line for line in table.splitlines()[2:]}


@pytest.mark.parametrize("kind", [Config, TopPatchesSettings, ConceptSettings])
def test_every_field_is_listed_with_its_meaning(kind):
    found = rows(fields_table(kind))
    for name, line in found.items():
        cells = line.replace("\\|", "").split("|")
        assert len(cells) == 6, line
        documented = cells[4].strip() or kind is not Config
        assert documented, f"{name} has no comment in its dataclass"
    if kind is Config:
        for name, value in to_dict(Config()).items():
            names = (
                [f"{name}.{inner}" for inner in value] if name in ("network", "optimizer", "nnst") else [name]
            )
            assert set(names) <= set(found)
        assert {"styles.NAME.region", "network.padding", "optimizer.bands"} <= set(found)
    assert "`0.02`" in rows(fields_table(Config))["optimizer.learning_rate"]


def test_pages_ask_for_tables_by_a_line():
    text = on_page_markdown("a\n\n[[fields nst_jax.config.NetworkConfig]]\n\nb")
    assert text.startswith("a\n\n| field |")
    assert "`arch`" in text
    assert text.endswith("\n\nb")


def test_the_tutorial_adds_a_loss(tiny_weights, tmp_path):
    text = (ROOT / "docs" / "architecture.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    config = tmp_path / "cubes.py"
    config.write_text(code)
    with mock.patch.dict(STYLE_LOSSES):
        _, *flags = tiny(tiny_weights, tmp_path / "run", tile=64, size=96)
        done = call(f"--config={config}", *flags)
    assert done.returncode == 0, done.stderr
    first, *_, last = metrics(tmp_path / "run")
    assert 0 < last["style/conv1_1/cubes"] < first["style/conv1_1/cubes"]


def test_the_architecture_names_what_exists():
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`(?:nst_jax/)?([a-z_/]+\.py): (\w+)`", text)
    assert len(named) > 10
    for path, name in named:
        code = (ROOT / "nst_jax" / path).read_text()
        assert re.search(rf"^(def |class )?{name}\b", code, re.MULTILINE), (path, name)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("material")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "styles.NAME.region" in (tmp_path / "reference/index.html").read_text()
    assert "Render" in (tmp_path / "python/index.html").read_text()
    assert "Unreleased" in (tmp_path / "changelog/index.html").read_text()
    assert "github.com" in (tmp_path / "faq/index.html").read_text()
    assert "laplacian_weight" in (tmp_path / "search/search_index.json").read_text()
