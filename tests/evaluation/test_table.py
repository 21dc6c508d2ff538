"""Tables and JSON, and the page of results that is made of them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from autoremove.evaluation.table import calibration_table, causes_table, markdown, number, rounded, write_json

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
    for name in (*results.SECTIONS, "goals", "goals-filling"):
        results.replaced(page, name, "text")


def test_goals_beside_what_was_reached(results):
    figures = {
        "detect": {"classes": {"person": {"recall_over_64": 0.98}}, "false_per_picture": 0.5},
        "shadows": {
            "shadows": {
                name: {"with": {"shadow_error": 0.03, "needless": 0.01}, "without": {"shadow_error": 0.1}}
                for name in ("found", "true box")
            }
        },
        "small": {"ways": {"one pass at 640": {"recall": 0.2}, "normal": {"recall": 0.45}}},
    }
    table = results.goals_table(results.FINDING, figures, results.short_commands())
    rows = {row[0]: row[1:] for row in table}
    recall = rows["person recall, over 64 px, confidence as shipped"]
    assert recall == [
        "at least 0.970",
        "0.980",
        "yes",
        "`autoremove evaluate detect --data DATA/instances/test`",
    ]
    assert rows["false finds per picture, at that confidence"][:3] == ["under 0.30", "0.50", "no"]
    assert rows["detection and masks of a 12 MP photo, two cores, s"][:3] == ["under 3.00", "-", "-"]
    assert rows["shadow left out over that without shadow handling"][1:3] == ["0.30", "yes"]
    assert rows["needless area elsewhere, of the picture"][1:3] == ["1.0%", "yes"]
    (small,) = [row for row in table if row[0].startswith("small persons")]
    assert small[2:] == [
        "+25.0",
        "yes",
        "`python benchmarks/small_people.py --data DATA --confidence 0.45`",
    ]
    assert rows["people found again after removal"][-1].endswith("--data DATA/instances/test --limit 60`")


def test_goals_keep_the_page_s_figures_of_what_was_not_measured(results):
    page = "| recall | at least 0.9 | 0.5 | no | `former command` |"
    table = [["figure", "goal", "reached", "met", "command"], ["recall", "at least 0.9", "-", "-", "`now`"]]
    assert results.with_former(table, page)[1] == ["recall", "at least 0.9", "0.5", "no", "`now`"]
    measured = [table[0], ["recall", "at least 0.9", "0.6", "no", "`now`"]]
    assert results.with_former(measured, page) == measured


def test_goals_of_filling(results):
    def rows(**models):
        return {name: {"all": {"hole_psnr": a, "ssim": b}} for name, (a, b) in models.items()}

    masks = {
        f"psnr_{name}_{which}_mask": 16.0 for name in ("telea", "patchmatch") for which in ("own", "true")
    }
    figures = {
        "inpaint": {
            "models": rows(deepfillv2=(18, 0.9), telea=(16, 0.91), ns=(17, 0.8), patchmatch=(15, 0.7))
        },
        "removal": {"psnr_object": 17.0, "psnr_untouched": 17.5, "psnr_model_true_mask": 18.0, **masks},
        "generator": {
            "sizes": {"full": {"512": {"times_faster": 4.5}, "1024": {"memory": {"fill": {"peak_gb": 3.0}}}}}
        },
        "fill-large": {"photo": {"median": 12.0}},
    }
    table = {row[0]: row[2:4] for row in results.goals_table(results.FILLING, figures, {})}
    assert table["hole PSNR over the better of Telea and Navier-Stokes, dB"] == ["+1.00", "no"]
    assert table["SSIM over the better of Telea and Navier-Stokes"] == ["-0.010", "no"]
    assert table["hole PSNR over PatchMatch, dB"] == ["+3.00", "yes"]
    own = "real pairs, the pipeline's masks: PSNR over the best baseline and untouched, dB"
    assert table[own] == ["-0.50", "no"]
    assert table["real pairs, true masks: PSNR over the best baseline, dB"] == ["+2.00", "yes"]
    assert table["forward pass at 512: times faster than the plain form"] == ["4.5", "yes"]
    assert table["the same at 1024: memory, GB"] == ["3.00", "no"]
    assert table["12 MP photo, three people, two cores: s"] == ["12.0", "yes"]
    assert table["100 MP panorama: memory, MB"] == ["-", "-"]


def test_the_curve_of_training_is_thinned(results):
    points = [{"n": i / 10, "figure": 14 + i / 100} for i in range(40)]
    some = {"figure": 15.0, "least": 14.9, "most": None}
    result = {
        "points": points,
        "figure": "val_psnr",
        "over": "time",
        "times": {"1": some, "2": some},
        "limit": some,
    }
    curve, forecast = results.SECTIONS["training"].tables(result)
    assert len(curve) == 13 and curve[1] == ["0.00", "14.00"] and curve[-1] == ["3.90", "14.39"]
    assert forecast[0][0] == "hours of training" and forecast[1] == ["as trained", "15.000", "14.900 to -"]


def test_the_best_and_the_worst_fills_are_drawn(results):
    command = results.command_of("inpaint", "DATA", "OUT", None, "auto")
    assert command[command.index("--sheet-ranked") + 1] == "OUT/inpaint-ranked.png"
    assert "--sheet-ranked" not in results.command_of("removal", "DATA", "OUT", None, "auto")


def test_every_command_on_the_page_can_be_parsed(results):
    from click.testing import CliRunner

    from autoremove.cli import cli

    for name, section in results.SECTIONS.items():
        command = results.command_of(name, "DATA", "OUT", None, "auto")
        if section.script:
            assert command[0].startswith("benchmarks/") and "--json" in command
            continue
        outcome = CliRunner().invoke(cli, command)
        assert outcome.exit_code == 2
        assert "DATA" in outcome.output and "No such option" not in outcome.output


def test_a_section_looks_at_no_more_pictures_than_it_needs(results):
    def limit(wanted):
        command = results.command_of("found-again", "DATA", "OUT", wanted, "auto")
        return int(command[command.index("--limit") + 1])

    assert limit(None) > limit(5) == 5
    assert "--limit" not in results.command_of("detect", "DATA", "OUT", None, "auto")


def test_every_table_is_made_of_what_its_evaluation_gives():
    causes = {
        "missed": {"all": 2, "under_32": 1, "by_source": {}},
        "objects": {"all": 4, "under_32": 1, "by_source": {}},
    }
    table = causes_table(causes, "objects")
    assert table[0][1:] == ["missed (2)", "objects (4)"]
    assert table[1] == ["under 32", "50%", "25%"]
    bands = {"calibration": [{"score_from": 0.3, "score_to": 0.35, "finds": 4, "right": 3}]}
    assert calibration_table(bands)[1] == ["0.30 to 0.35", "4", "75%"]
