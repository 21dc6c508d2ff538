"""Folders are listed whole, in order and once; outputs that would meet are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoremove.errors import InputError
from autoremove.images import Source, list_pictures, plan_outputs
from tests import builders


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    data = builders.jpeg()
    for name in ("b.jpg", "a.JPG", "sub/c.png", "sub/deep/no_ending", "sub/liar.txt"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for name in (
        "notes.txt",
        "film.mp4",
        ".DS_Store",
        "empty.jpg",
        "text.png",
        ".hidden.jpg",
        "@eaDir/t.jpg",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            data if name in (".hidden.jpg", "@eaDir/t.jpg") else b"" if "empty" in name else b"text"
        )
    return root


def names(sources: list[Source]) -> list[str]:
    return [source.relative.as_posix() for source in sources]


def test_folder(tree: Path) -> None:
    pictures, doubtful = list_pictures([tree])
    assert names(pictures) == ["a.JPG", "b.jpg", "sub/c.png", "sub/deep/no_ending", "sub/liar.txt"]
    assert names(doubtful) == ["empty.jpg", "text.png"]
    assert all(source.path == tree / source.relative for source in pictures)


def test_single_files_keep_their_name_and_are_never_dropped(tree: Path) -> None:
    pictures, doubtful = list_pictures([tree / "sub" / "c.png", tree / "notes.txt", tree / ".hidden.jpg"])
    assert names(pictures) == ["c.png", ".hidden.jpg"]
    assert names(doubtful) == ["notes.txt"]


def test_each_file_once(tree: Path) -> None:
    pictures, _ = list_pictures([tree, tree / "b.jpg", tree / "sub"])
    assert names(pictures).count("b.jpg") == 1
    assert len(pictures) == 5


def test_excluded_folders_and_files(tree: Path) -> None:
    pictures, doubtful = list_pictures([tree], exclude=[tree / "sub", tree / "a.JPG", tree / "nothing"])
    assert names(pictures + doubtful) == ["b.jpg", "empty.jpg", "text.png"]


def test_a_folder_beside_the_excluded_one_with_a_longer_name_stays(tree: Path) -> None:
    (tree / "sub2").mkdir()
    (tree / "sub2" / "d.jpg").write_bytes(builders.jpeg())
    pictures, _ = list_pictures([tree], exclude=[tree / "sub"])
    assert "sub2/d.jpg" in names(pictures)


@pytest.mark.parametrize("beside", ["report.html", "journal.jsonl"])
def test_previews_of_a_report_are_no_pictures(tree: Path, beside: str) -> None:
    for folder in (tree, tree / "sub"):
        (folder / "report_files").mkdir()
        (folder / "report_files" / "d.jpg").write_bytes(builders.jpeg())
    (tree / beside).write_text("")
    assert [name for name in names(list_pictures([tree])[0]) if "d.jpg" in name] == ["sub/report_files/d.jpg"]
    assert names(list_pictures([tree / "report_files"])[0]) == ["d.jpg"], "named outright it is wanted"


def test_links_in_a_circle(tree: Path) -> None:
    (tree / "sub" / "again").symlink_to(tree)
    (tree / "sub" / "self").symlink_to(tree / "sub")
    pictures, _ = list_pictures([tree])
    assert len(pictures) == 5


def test_a_link_to_a_folder_elsewhere_is_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "e.jpg").write_bytes(builders.jpeg())
    (tree / "link").symlink_to(tmp_path / "other")
    assert "link/e.jpg" in names(list_pictures([tree])[0])


def test_a_dead_link_is_doubtful(tree: Path) -> None:
    (tree / "dead.jpg").symlink_to(tree / "gone.jpg")
    assert "dead.jpg" in names(list_pictures([tree])[1])


def test_a_pipe_does_not_hang(tree: Path) -> None:
    os.mkfifo(tree / "pipe.jpg")
    pictures, doubtful = list_pictures([tree])
    assert "pipe.jpg" not in names(pictures + doubtful)


def test_absent_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        list_pictures([tmp_path / "nowhere"])


def test_the_plan_mirrors_the_tree(tree: Path, tmp_path: Path) -> None:
    pictures, doubtful = list_pictures([tree])
    plan = plan_outputs(pictures + doubtful, tmp_path / "clean")
    assert {path.relative_to(tmp_path / "clean") for path in plan.values()} == {
        source.relative for source in pictures + doubtful
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x/a.jpg", "y/a.jpg"),
        ("x/a.jpg", "y/A.JPG"),
        ("x/\u00e9.jpg", "y/e\u0301.jpg"),
        ("x/Stra\u00dfe.jpg", "y/strasse.jpg"),
    ],
)
def test_two_inputs_that_would_meet(tmp_path: Path, one: str, other: str) -> None:
    sources = [Source(tmp_path / name, Path(Path(name).name)) for name in (one, other)]
    with pytest.raises(InputError) as caught:
        plan_outputs(sources, tmp_path / "out")
    assert one in caught.value.message and other in caught.value.message
    assert caught.value.hint


def test_a_file_where_another_needs_a_folder(tmp_path: Path) -> None:
    sources = [Source(tmp_path / "x" / "a.jpg", Path("a.jpg")), Source(tmp_path / "y" / "b", Path("a.jpg/b"))]
    with pytest.raises(InputError, match=r"a\.jpg"):
        plan_outputs(sources, tmp_path / "out")


def test_in_place_is_refused(tree: Path) -> None:
    pictures, _ = list_pictures([tree])
    with pytest.raises(InputError, match="replace the input"):
        plan_outputs(pictures, tree)


def test_in_place_through_a_link_is_refused(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    pictures, _ = list_pictures([tree])
    with pytest.raises(InputError, match="replace the input"):
        plan_outputs(pictures, tmp_path / "link")


def test_output_inside_input_is_fine(tree: Path) -> None:
    output = tree / "clean"
    (output / "old").mkdir(parents=True)
    (output / "old" / "z.jpg").write_bytes(builders.jpeg())
    pictures, _ = list_pictures([tree], exclude=[output])
    assert len(plan_outputs(pictures, output)) == 5


def test_a_folder_in_the_outputs_place_is_refused(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "b.jpg").mkdir(parents=True)
    with pytest.raises(InputError, match="folder already"):
        plan_outputs(list_pictures([tree])[0], tmp_path / "out")
