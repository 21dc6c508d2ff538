"""The journal: one row a picture, readable after a kill at any byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoremove import journal
from autoremove.journal import Row

ROWS = [
    Row("/in/a.jpg", "a.jpg", journal.DONE, "/out/a.jpg", objects=[{"label": "person"}], share=0.25),
    Row("/in/sub/ü\u2028b.png", "sub/ü\u2028b.png", journal.FAILED, reason='it said "no"\nand more'),
    Row("/in/\udcff.png", "\udcff.png", journal.UNCHANGED),
]
"""With a line separator, quotes, a line break, and a name that is not UTF-8."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    for row in ROWS:
        journal.append(tmp_path / journal.NAME, row)
    return tmp_path / journal.NAME


def test_rows_come_back_as_they_went(path: Path) -> None:
    assert list(journal.read(path).values()) == ROWS
    assert len(path.read_bytes().splitlines()) == len(ROWS)
    assert journal.read(path.parent / "none") == {}


def test_what_a_second_look_found_comes_back(tmp_path: Path) -> None:
    finding = {"kind": "again", "reason": "a person", "xyxy": [1, 2, 3, 4], "value": 0.4}
    fill = {"xyxy": [1, 2, 3, 4], "seam": None, "sharpness": 0.5}
    row = Row("/in/a.jpg", "a.jpg", journal.REVIEW, "/out/a.jpg", findings=[finding], fills=[fill])
    journal.append(tmp_path / "j", row)
    assert journal.read(tmp_path / "j") == {"a.jpg": row}


def test_a_journal_of_an_older_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "j").write_text('{"source": "/in/a.jpg", "relative": "a.jpg", "status": "done"}\n')
    row = journal.read(tmp_path / "j")["a.jpg"]
    assert (row.findings, row.fills) == ([], [])


@pytest.mark.parametrize(
    ("status", "output", "cleaned"),
    [
        ("done", "/out/a", True),
        ("review", "/out/a", True),
        ("review", None, False),
        ("unchanged", "/out/a", False),
    ],
)
def test_which_rows_have_a_cleaned_picture(status: str, output: str | None, cleaned: bool) -> None:
    assert Row("/in/a", "a", status, output).cleaned is cleaned


def test_the_last_row_of_a_picture_counts(path: Path) -> None:
    journal.append(path, Row("/in/a.jpg", "a.jpg", journal.REVIEW))
    rows = journal.read(path)
    assert len(rows) == len(ROWS)
    assert rows["a.jpg"].status == journal.REVIEW


def test_cut_at_any_byte_all_whole_rows_are_read_and_the_next_one_fits(path: Path) -> None:
    data = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == 10]
    new = Row("/in/z.jpg", "z.jpg", journal.DONE)
    for length in range(0, len(data) + 1, 7):
        path.write_bytes(data[:length])
        journal.mend(path)
        journal.append(path, new)
        rows = journal.read(path)
        # A row that lacks only its line end is whole.
        whole = [row for row, end in zip(ROWS, ends, strict=True) if end - 1 <= length]
        assert list(rows.values()) == [*whole, new]


def test_mending_leaves_a_whole_journal_alone(path: Path) -> None:
    before = path.read_bytes()
    journal.mend(path)
    journal.mend(path.parent / "none")
    assert path.read_bytes() == before
    assert not (path.parent / "none").exists()


@pytest.mark.parametrize(
    "line", [b"[1, 2]", b"7", b"null", b'{"source": "x"}', b'{"unknown": 1}', b"\xff\xfe", b""]
)
def test_lines_that_are_no_rows_are_passed_over(path: Path, line: bytes) -> None:
    path.write_bytes(line + b"\n" + path.read_bytes())
    assert list(journal.read(path).values()) == ROWS


def test_compacted_there_is_exactly_one_row_a_picture(path: Path) -> None:
    for _ in range(3):
        journal.append(path, ROWS[0])
    journal.compact(path, journal.read(path).values())
    assert len(path.read_text().splitlines()) == len(ROWS)
    assert set(journal.read(path)) == {row.relative for row in ROWS}
