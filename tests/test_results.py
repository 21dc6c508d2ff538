"""benchmarks/results.py: what was measured now stands in the page, and what was not stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoremove.evaluation.table import markdown
from benchmarks import results

PAGE = """# Results

<!-- goals:begin -->

| figure | goal | reached | met | command |
| --- | ---: | ---: | ---: | ---: |
| person recall, over 64 px, confidence as shipped | at least 0.970 | 0.400 | no | `a` |
| mask area over object area | under 1.60 | 1.64 | no | `b` |

<!-- goals:end -->

<!-- goals-filling:begin -->
<!-- goals-filling:end -->

<!-- time:begin -->
<!-- time:end -->
"""


def test_goals_that_were_not_measured_keep_their_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "RESULTS.md"
    page.write_text(PAGE)
    monkeypatch.setattr(results, "PAGE", page)
    speeds = {"normal": {"median": 2.5, "least": 2.0, "most": 3.0, "runs": [2.5], "cpu_seconds": 4.0}}
    speeds["normal"] |= {"objects": 3, "stages": {"detect": 2.5}}
    (tmp_path / "time.json").write_text(json.dumps({"speeds": speeds, "command": "python it"}))
    results.write_page(tmp_path)
    text = page.read_text()
    # The figures are those of before, the commands those of now.
    own = "`autoremove evaluate {} --data DATA/instances/test`"
    assert f"| mask area over object area | under 1.60 | 1.64 | no | {own.format('mask')} |" in text
    recall = "person recall, over 64 px, confidence as shipped | at least 0.970 | 0.400 | no"
    assert f"| {recall} | {own.format('detect')} |" in text
    assert "| detection and masks of a 12 MP photo, two cores, s | under 3.00 | 2.50 | yes |" in text
    assert "| needless area elsewhere, of the picture | under 2.0% | - | - |" in text
    assert "python it" in text
    results.write_page(tmp_path)
    assert page.read_text() == text


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="0 pairs of markers for goals"):
        results.replaced("# nothing", "goals", markdown([["a"], ["b"]]))
