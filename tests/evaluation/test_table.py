"""Tables and JSON, and the page of results that is made of them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from autoremove.evaluation.table import markdown, number, rounded, write_json

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def results():
    """The script benchmarks/results.py as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("results_script", BENCHMARKS / "results.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(BENCHMARKS))


def test_rounded_is_fit_for_json(tmp_path):
    value = {"a": [1.234567, float("nan"), 3], "b": {"c": None, "d": float("inf")}}
    assert rounded(value) == {"a": [1.2346, None, 3], "b": {"c": None, "d": None}}
    write_json(tmp_path / "new" / "out.json", value)
    assert json.loads((tmp_path / "new" / "out.json").read_text())["a"][1] is None


def test_markdown():
    assert markdown([["x", "y"], ["a", "1"]]) == "| x | y |\n| --- | ---: |\n| a | 1 |"


def test_numbers():
    assert [number(0.5, ".0%"), number(None), number(float("nan"))] == ["50%", "-", "-"]


def test_a_section_is_replaced_between_its_markers(results):
    page = "top\n<!-- a:begin -->\nold\n<!-- a:end -->\n<!-- b:begin -->\n<!-- b:end -->\n"
    new = results.replaced(page, "a", r"new \1 text")
    assert "old" not in new and r"new \1 text" in new and new.endswith("<!-- b:begin -->\n<!-- b:end -->\n")
    assert results.replaced(new, "a", r"new \1 text") == new
    with pytest.raises(ValueError, match="0 pairs"):
        results.replaced(page, "c", "")


def test_the_page_has_a_place_for_every_section(results):
    page = (BENCHMARKS / "RESULTS.md").read_text()
    for name in (*results.SECTIONS, "speed", "goals"):
        results.replaced(page, name, "text")


def test_goals_beside_what_was_reached(results):
    figures = {"detect": {"classes": {"person": {"recall_over_64": 0.98}}, "false_per_picture": 0.5}}
    rows = {row[0]: row[1:] for row in results.goals_table(figures)}
    assert rows["person recall, over 64 px, confidence as shipped"] == ["at least 0.970", "0.980", "yes"]
    assert rows["false finds per picture"] == ["under 0.30", "0.50", "no"]
    assert rows["start-up of --help, s"] == ["under 0.50", "-", "-"]


def test_every_command_on_the_page_can_be_parsed(results):
    from click.testing import CliRunner

    from autoremove.cli import cli

    for name in results.SECTIONS:
        command = results.command_of(name, "DATA", "OUT", None, "auto")
        outcome = CliRunner().invoke(cli, command)
        assert outcome.exit_code == 2
        assert "DATA" in outcome.output and "No such option" not in outcome.output
