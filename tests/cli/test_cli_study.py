"""`autoremove study`: the page from folders, and the table from votes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image as PilImage

from autoremove.cli import cli
from tests import builders


def invoke(*args: object) -> Result:
    return CliRunner().invoke(cli, ["study", *map(str, args)], prog_name="autoremove")


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("truth", "ours"):
        (tmp_path / name).mkdir()
        for number in range(2):
            picture = PilImage.fromarray(builders.scene(person=name == "truth"))
            picture.save(tmp_path / name / f"{number}.png")
    PilImage.fromarray(builders.scene()).save(tmp_path / "truth" / "only.png")
    return tmp_path


def test_a_page_is_made_without_naming_the_command(folders: Path) -> None:
    page = folders / "study.html"
    done = invoke(folders / "ours", "--truth", folders / "truth", "-o", page, "--questions", 3, "--quiet")
    assert done.exit_code == 0, done.output
    assert page.is_file()
    assert "--truth: only.png" in done.stderr
    first = page.read_bytes()
    done = invoke(
        "--debug", "-o", page, "--truth", folders / "truth", f"x={folders / 'ours'}", "--questions", 3
    )
    assert done.exit_code == 0 and page.read_bytes() != first  # named otherwise
    assert "3 real, 3 opinion, 2 pair" in done.output


def test_tasks_are_checked_before_pictures_are_read(folders: Path) -> None:
    done = invoke(folders / "gone", "--tasks", "pair", "-o", folders / "s.html")
    assert done.exit_code == 2 and "--truth" in done.stderr
    done = invoke(folders / "gone", "-o", folders / "s.html")
    assert done.exit_code == 4 and "no folder" in done.stderr


def test_votes_are_scored(tmp_path: Path) -> None:
    vote = {"task": "real", "model": "ours", "picture": "a", "answer": "real"}
    content = {"format": "autoremove study votes", "version": 1, "study": "s", "rater": "ann", "seed": 1}
    votes, out = tmp_path / "votes.json", tmp_path / "score.json"
    votes.write_text(json.dumps({**content, "planned": 1, "votes": [vote]}))
    done = invoke("score", votes, "--json", out)
    assert done.exit_code == 0, done.output
    assert "100.0%" in done.output and "20.7% to 100.0%" in done.output and "ann" in done.output
    assert json.loads(out.read_text())["tasks"]["real"]["ours"]["votes"] == 1
    votes.write_text("{}")
    done = invoke("score", votes)
    assert done.exit_code == 4 and "no votes file" in done.stderr


def test_what_is_read_is_not_written_over(folders: Path) -> None:
    picture, votes = folders / "ours" / "0.png", folders / "votes.json"
    vote = {"task": "real", "model": "ours", "picture": "a", "answer": "real"}
    content = {"format": "autoremove study votes", "version": 1, "study": "s", "rater": "ann", "seed": 1}
    votes.write_text(json.dumps({**content, "planned": 1, "votes": [vote]}))
    before = picture.read_bytes(), votes.read_bytes()
    for arguments in [(folders / "ours", "-o", picture), ("score", votes, "--json", votes)]:
        done = invoke(*arguments)
        assert (done.exit_code, "is the input" in done.stderr) == (4, True)
    assert (picture.read_bytes(), votes.read_bytes()) == before


def test_damaged_pictures_are_told_and_the_exit_code_tells(folders: Path) -> None:
    (folders / "ours" / "0.png").write_bytes(b"")
    page = folders / "study.html"
    done = invoke(folders / "ours", "--truth", folders / "truth", "-o", page)
    assert done.exit_code == 1, done.output
    assert "Left out, damaged or of another shape: 1 file" in done.stderr and "0.png is empty" in done.stderr
    assert "Left out, not in all folders: 1 file" in done.stderr and page.is_file()
