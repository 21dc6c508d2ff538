"""Which picture has which mask, and what is said of masks that no picture has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from autoremove.errors import InputError
from autoremove.own_masks.finding import OwnMask, find, of_pictures
from autoremove.own_masks.names import mask_files

PICTURES = [Path("a.jpg"), Path("sub/b.jpg"), Path("c.jpg")]


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def coco(*names: str, **more: Any) -> dict[str, Any]:
    images = [{"id": n, "file_name": name, "width": 4, "height": 3} for n, name in enumerate(names)]
    rows = [{"image_id": n, "category_id": 5, "bbox": [1, 1, 2, 1], **more} for n in range(len(names))]
    return {"images": images, "annotations": rows, "categories": [{"id": 5, "name": "dog"}]}


def test_masks_with_and_without_objects_and_strays(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a.objects.png", "sub/b.png", "d.png", "d.objects.png", "c.objects.png", "n.txt")
    found = find(tmp_path, PICTURES)
    assert dict(found.masks) == {
        PICTURES[0]: OwnMask(tmp_path / "a.png", tmp_path / "a.objects.png"),
        PICTURES[1]: OwnMask(tmp_path / "sub/b.png"),
    }
    assert found.stray == ["d.png"]  # of c.jpg the mask was deleted: it is done as usual


def test_what_the_coco_file_knows_goes_along_without_its_outlines(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    (tmp_path / "coco.json").write_text(json.dumps(coco("a.jpg", "c.jpg", segmentation=[[0, 0, 1, 0, 1, 1]])))
    found = find(tmp_path, PICTURES)
    assert list(found.masks) == [PICTURES[0]]  # beside pictures of masks the file alone asks for nothing
    (row,) = json.loads(found.masks[PICTURES[0]].recorded)["objects"]
    assert row == {"number": 1, "owner": 0, "label": "dog", "score": 1.0, "xyxy": [1, 1, 3, 2]}


@pytest.mark.parametrize("named", ["folder", "file"])
def test_a_coco_file_alone_speaks_by_its_outlines(tmp_path: Path, named: str) -> None:
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(coco("sub/b.jpg", "other.jpg", segmentation=[[0, 0, 1, 0, 1, 1]])))
    found = find(tmp_path if named == "folder" else path, PICTURES)
    assert list(found.masks) == [PICTURES[1]]
    assert found.masks[PICTURES[1]].only_outlines
    assert "segmentation" in found.masks[PICTURES[1]].recorded
    assert found.stray == ["other.jpg"]


def test_numbers_added_by_hand(tmp_path: Path) -> None:
    body = coco("a.jpg", "a.jpg")
    body["annotations"][0].update(image_id=1, attributes={"object": 2, "owner": 1})
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(body))
    rows = json.loads(find(path, PICTURES).masks[PICTURES[0]].recorded)["objects"]
    assert [(row["number"], row["owner"]) for row in rows] == [(2, 1), (0, 0)]


def test_two_pictures_for_one_mask(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    with pytest.raises(InputError, match=r"a\.jpg.*a\.tif") as error:
        find(tmp_path, [Path("a.jpg"), Path("a.tif")])
    assert "a.jpg.png" in str(error.value.hint)
    touch(tmp_path, "a.tif.png")
    assert len(find(tmp_path, [Path("a.jpg"), Path("a.tif")]).masks) == 2


def test_files_that_are_no_masks_are_paired_the_same_way(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "sub/b.jpg.png", "d.png")
    files = mask_files(tmp_path)
    assert of_pictures(PICTURES, files) == {
        PICTURES[0]: tmp_path / "a.png",
        PICTURES[1]: tmp_path / "sub/b.jpg.png",
    }
    with pytest.raises(InputError, match=r"The sketch .*a\.png may be of a\.jpg or of a\.tif"):
        of_pictures([Path("a.jpg"), Path("a.tif")], files, "sketch")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"images": [{"id": 1}]}',
        '{"images": [], "annotations": [{"image_id": 1}], "categories": 3}',
    ],
)
def test_a_broken_coco_file_is_named(tmp_path: Path, text: str) -> None:
    touch(tmp_path, "a.png")
    (tmp_path / "coco.json").write_text(text)
    with pytest.raises(InputError, match=r"coco\.json"):
        find(tmp_path, PICTURES)


def test_nothing_that_fits(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file or folder"):
        find(tmp_path / "none", PICTURES)
    touch(tmp_path, "photos/a.png")
    with pytest.raises(InputError, match="belongs to any of the 3"):
        find(tmp_path, PICTURES)
    assert find(tmp_path / "photos", PICTURES).masks


@pytest.mark.parametrize(
    ("names", "told"), [(("photos/a.jpg", "z.jpg"), "here photos/a.jpg,"), ((), "of which there is none,")]
)
def test_a_coco_file_of_other_pictures(tmp_path: Path, names: tuple[str, ...], told: str) -> None:
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(coco(*names)))
    for where in (path, tmp_path):
        with pytest.raises(InputError, match="belongs to any of the 3") as error:
            find(where, PICTURES)
        assert error.value.hint == (
            f"In a COCO file `file_name`, {told} must be the picture's place below the input, as a.jpg."
        )
