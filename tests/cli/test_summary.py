"""The lines at the end of a run: who is to be looked at, and why."""

from __future__ import annotations

from pathlib import Path

from autoremove.cli import summary as lines
from autoremove.cli.progress import problem
from autoremove.journal import DONE, FAILED, REVIEW, UNCHANGED, Row

WRITTEN = Row(
    "/in/a.jpg",
    "a.jpg",
    REVIEW,
    "/out/a.jpg",
    reason="a person is still found at 3,4 (score 0.41); a visible seam round 3,4 (2.3)",
    objects=[{"label": "person", "score": 0.9, "xyxy": [1, 2, 3, 4]}],
)
LEFT_OUT = Row("/in/b.jpg", "b.jpg", REVIEW, reason="It covers 95% of the picture.")
FINE = Row("/in/c.jpg", "c.jpg", DONE, "/out/c.jpg", objects=WRITTEN.objects)


def test_reviews_are_listed_with_their_reasons() -> None:
    text = lines.summary([WRITTEN, FINE, LEFT_OUT], 3.0, Path("/out"), None)
    start = text.index("2 to review:")
    assert text[start + 1] == f"  review: a.jpg: {WRITTEN.reason}"
    assert text[start + 2] == "  review: b.jpg: It covers 95% of the picture. Nothing was written."
    assert "Removed: 2 person" in text  # what was written counts, though it is up for review
    assert any(line.split()[:2] == ["review", "2"] for line in text)
    assert not any("failed" in line for line in text)


def test_failures_come_first_and_each_list_ends() -> None:
    failed = [Row(f"/in/{i}.jpg", f"{i}.jpg", FAILED, reason="cut off") for i in range(lines.LISTED + 2)]
    text = lines.summary([WRITTEN, *failed], 3.0, Path("/out"), None)
    assert text.index(f"{len(failed)} failed:") < text.index("1 to review:")
    assert text[text.index("1 to review:") - 2] == "  ... and 2 more, see the journal or the report"


def test_a_recipe_that_fills_nothing_does_not_say_that_nothing_is_there() -> None:
    found = Row("/in/d.jpg", "d.jpg", UNCHANGED, "/out/d.jpg", objects=WRITTEN.objects)
    nothing = Row("/in/e.jpg", "e.jpg", UNCHANGED, "/out/e.jpg", artefacts={"patches": "/store/p"})

    def said(*rows: Row) -> str:
        (line,) = (t for t in lines.summary(rows, 1.0, Path("/out"), None) if t.startswith("  unchanged"))
        return line.partition(str(len(rows)))[2].strip()

    assert said(nothing) == "nothing to remove, copied as they are"
    assert said(found, nothing) == (
        "copied as they are: this recipe fills nothing (`autoremove mask` writes what it finds)"
    )


def test_no_problem_no_list() -> None:
    assert not any("review" in line for line in lines.summary([FINE], 1.0, Path("/out"), None))


def test_a_problem_is_one_line() -> None:
    assert problem(Row("/in/a.jpg", "a.jpg", FAILED, reason="/in/a.jpg is cut\noff")) == "a.jpg is cut\\noff"
