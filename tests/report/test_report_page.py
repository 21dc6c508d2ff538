"""The page is a pure function of rows: complete, escaped, and without any address outside its folder."""

from __future__ import annotations

import json
import re
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from autoremove.journal import Row
from autoremove.report.figures import figures
from autoremove.report.page import Page, address, embedded, reason_of, render, seconds_as_text

NASTY = "</script><img src=x onerror=alert(1)>\"'&\u2028\udcff.jpg"


def row(relative: str = "a.jpg", status: str = "done", **fields: Any) -> Row:
    base: dict[str, Any] = {
        "output": f"/out/{relative}" if status in ("done", "unchanged") else None,
        "objects": [{"label": "person", "score": 0.91, "xyxy": [1.0, 2.0, 30.0, 40.0]}]
        if status == "done"
        else [],
        "steps": [
            {"stage": "detect", "cached": True, "seconds": 0.0},
            {"stage": "inpaint", "cached": False, "seconds": 1.5},
        ],
        "size_hw": [80, 112],
        "share": 0.12,
        "seconds": 1.7,
    }
    return Row(f"/in/{relative}", relative, status, **{**base, **fields})


def page_of(*rows: Row, recipe: str = "about: test\n", note: str = "") -> str:
    previews = {"before": "report_files/1-before.jpg", "after": "report_files/1-after.jpg"}
    moment = datetime(2026, 1, 2, 3, 4)
    return render(Page([(r, previews) for r in rows], "clean", recipe, "9.9", moment, note))


def data_of(html: str) -> list[dict[str, Any]]:
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


class Elements(HTMLParser):
    """Tags with their attributes, and all text outside script and style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style") and data.strip():
            self.text.append(data.strip())


def test_what_is_on_it() -> None:
    html = page_of(
        row(), row("b.jpg", "failed", reason="/in/b.jpg is empty. Copy it again."), note="Interrupted."
    )
    text = Elements(html).text
    for words in ("clean", "autoremove 9.9, 2026-01-02 03:04", "1 person", "Interrupted.", "about: test"):
        assert words in text, words
    assert "This file is empty. Copy it again." in text
    assert "This page shows who was removed." in text
    card = data_of(html)[0]
    assert card["objects"] == [["person", 0.91, 1.0, 2.0, 30.0, 40.0]]
    assert card["steps"] == [["detect", True, 0.0], ["inpaint", False, 1.5]]
    assert card["previews"]["after"] == "report_files/1-after.jpg"


def test_what_a_second_look_says_is_on_it() -> None:
    bag = {"label": "handbag", "score": 0.4, "xyxy": [5, 6, 7, 8], "with": "person"}
    finding = {"kind": "again", "reason": "a person is still found", "xyxy": [1, 2, 30, 40], "value": 0.41}
    fills = [{"xyxy": [1, 2, 30, 40], "seam": 1.2, "sharpness": None}]
    steps = [{"stage": "amend", "cached": False, "seconds": 0.1}]
    review = {"output": "/out/a.jpg", "reason": finding["reason"], "findings": [finding], "fills": fills}
    html = page_of(row(status="review", objects=[*row().objects, bag], steps=steps, **review))
    (card,) = data_of(html)
    assert card["objects"][1] == ["handbag", 0.4, 5, 6, 7, 8, "person"]
    assert card["findings"] == [["again", 1, 2, 30, 40, "a person is still found"]]
    assert card["fills"] == [[1.2, None, 1, 2, 30, 40]]
    assert card["again"] and card["changed"] and card["link"] == "a.jpg"
    assert "a person is still found" in Elements(html).text  # among what to look at first
    assert not {"findings", "fills", "again"} & set(data_of(page_of(row()))[0])


def test_failures_come_before_reviews() -> None:
    html = page_of(row("r.jpg", "review", reason="large"), row("f.jpg", "failed", reason="cut"), row())
    text = Elements(html).text
    assert text.index("f.jpg") < text.index("r.jpg")
    assert "Look at these first" in text
    assert "Look at these first" not in Elements(page_of(row())).text


def test_names_are_never_markup() -> None:
    html = page_of(
        row(NASTY, reason=NASTY), row("f" + NASTY, "failed", reason=NASTY), recipe=NASTY, note=NASTY
    )
    tags = [tag for tag, _ in Elements(html).tags]
    assert "img" not in tags and tags.count("script") == 2
    assert data_of(html)[0]["name"] == NASTY


def test_embedded_json_cannot_leave_its_element() -> None:
    text = embedded({"a": "</script><!-- & \u2028\udcff"})
    assert not set("<>&\u2028").intersection(text) and text.isascii()
    assert json.loads(text) == {"a": "</script><!-- & \u2028\udcff"}


def test_nothing_comes_from_elsewhere() -> None:
    html = page_of(row())
    for _, attributes in Elements(html).tags:
        for name in ("src", "href", "action", "data"):
            assert name not in attributes
    assert not re.search(r"(?:https?:)?//[a-z]", html.replace("// ", ""))
    assert "default-src 'none'" in html
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|innerHTML|eval\(", html)


def test_addresses_of_odd_names() -> None:
    assert address("sub/a b#?%.jpg") == "sub/a%20b%23%3F%25.jpg"
    assert address("x\udcff.jpg") == "x%FF.jpg"
    assert data_of(page_of(row("f.jpg", "failed")))[0].get("link") is None


def test_the_slider_can_be_used_from_the_keyboard() -> None:
    html = page_of(row())
    assert 'type: "range"' in html and "aria-label" in html and "focus-visible" in html
    assert "prefers-color-scheme: dark" in html and 'name="viewport"' in html


def test_figures() -> None:
    rows = [row(), row("b.jpg"), row("c.jpg", "unchanged", steps=[]), row("d.jpg", "review", reason="?")]
    numbers = figures(rows)
    assert numbers.counts == {"done": 2, "unchanged": 1, "review": 1, "failed": 0}
    assert numbers.removed == {"person": 2}
    written = row("e.jpg", "review", output="/out/e.jpg", objects=rows[0].objects)
    assert figures([*rows, written]).removed == {"person": 3}
    assert [(s.name, s.seconds, s.computed, s.cached) for s in numbers.stages] == [
        ("detect", 0.0, 0, 3),
        ("inpaint", 4.5, 3, 0),
    ]
    assert numbers.seconds == pytest.approx(6.8)
    assert figures([]).stages == ()
    assert "nothing" in Elements(page_of()).text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.004, "4 ms"), (0.31, "0.31 s"), (12, "12.0 s"), (200, "3 min 20 s"), (3700, "1 h 01 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert seconds_as_text(seconds) == text


def test_reasons_without_paths() -> None:
    assert reason_of(row(reason="detect: /in/a.jpg: bad")) == "detect: This file: bad"
    assert reason_of(row()) == ""
