"""Names of masks: what `mask` writes is what is found again, whatever the picture is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoremove.own_masks.names import is_objects_name, mask_files, mask_names, mask_of, objects_name


def test_a_stem_of_its_own_or_the_whole_name() -> None:
    pictures = [Path("a.jpg"), Path("sub/a.png"), Path("b.JPG"), Path("B.png"), Path("c.d.tif")]
    names = mask_names(pictures)
    assert [str(names[picture]) for picture in pictures] == [
        "a.png",
        "sub/a.png",
        "b.JPG.png",
        "B.png.png",
        "c.d.png",
    ]
    assert objects_name(Path("sub/a.jpg.png")) == Path("sub/a.jpg.objects.png")
    assert is_objects_name("A.Objects.PNG") and not is_objects_name("objects.png")


@pytest.mark.parametrize(
    ("file", "picture"),
    [
        ("a.jpg.png", "a.jpg"),
        ("a.png", "a.jpg"),
        ("A.PNG", "a.jpg"),
        ("sub/a_mask.tif", "sub/a.jpg"),
        ("sub/a.jpg_mask.png", "sub/a.jpg"),
        ("e\u0301.png", "\u00e9.jpg"),
    ],
)
def test_a_mask_is_found(tmp_path: Path, file: str, picture: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_bytes(b"")
    assert mask_of(Path(picture), mask_files(tmp_path)) == tmp_path / file
    assert mask_of(Path("other") / picture, mask_files(tmp_path)) is None


def test_the_whole_name_goes_before_the_stem(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg.png", "a_mask.png", ".a.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert mask_of(Path("a.jpg"), mask_files(tmp_path)) == tmp_path / "a.jpg.png"
    assert mask_of(Path("notes.jpg"), mask_files(tmp_path)) is None
    assert set(mask_files(tmp_path)) == {"a.png", "a.jpg.png", "a_mask.png"}
    assert mask_files(tmp_path, [tmp_path]) == {}
    assert mask_files(tmp_path / "none") == {}
