"""Labelled pictures are read with their ids, and a folder of another form is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove.errors import InputError
from autoremove.training.instances import LabelledPicture, find_picture, read_instances, read_pixels
from tests.cases import labelled


def test_pictures_come_with_their_objects(tmp_path: Path) -> None:
    pictures = list(read_instances(labelled.instances(tmp_path / "set")))
    assert len(pictures) == len(labelled.PICTURES)
    for picture, objects in zip(pictures, labelled.PICTURES, strict=True):
        image, ids = labelled.drawn(objects)
        assert np.array_equal(picture.image, image)
        assert np.array_equal(picture.ids, ids)
        assert [label for _, label in picture.objects] == [label for label, _ in objects]
        for (identity, _), (_, box) in zip(picture.objects, objects, strict=True):
            assert picture.box(identity).tolist() == list(box)
        assert picture.box(77) is None


@pytest.mark.parametrize(
    ("source", "fully"),
    [("COCO", True), ("DAVIS (object only)", False), ("Supervisely, person only", False), ("", True)],
)
def test_the_source_says_whether_bystanders_are_labelled(source: str, fully: bool) -> None:
    nothing = np.zeros((1, 1, 3), np.uint8)
    assert LabelledPicture("a", source, nothing, nothing[..., 0], ()).fully_labelled == fully


def test_a_folder_of_another_form_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"instances\.jsonl"):
        list(read_instances(tmp_path))
    folder = labelled.instances(tmp_path / "set")
    (folder / "images" / "picture1.png").unlink()
    with pytest.raises(InputError, match="picture1"):
        list(read_instances(folder))


def test_pictures_are_found_whatever_their_kind(tmp_path: Path) -> None:
    (tmp_path / "a.webp").touch()
    assert find_picture(tmp_path, "a").name == "a.webp"
    (tmp_path / "b.jpe").touch()
    assert find_picture(tmp_path, "b").name == "b.jpe"


@pytest.mark.parametrize(
    "name", ["img.1.jpg", "img.jpg", "p [1].JPG", "p*.png", "p [1].1.jpe", "p [1].png.jpe"]
)
def test_a_picture_is_found_by_its_whole_stem(tmp_path: Path, name: str) -> None:
    for other in ("img.0.jpg", "p 1.JPG", "pq.png", "p [1].0.jpe", "p [1].json", name):
        (tmp_path / other).touch()
    assert find_picture(tmp_path, Path(name).stem).name == name


def test_a_longer_stem_is_another_picture(tmp_path: Path) -> None:
    (tmp_path / "img.1.jpe").touch()
    with pytest.raises(InputError, match="no picture called img"):
        find_picture(tmp_path, "img")


@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
def test_a_picture_that_is_stored_turned_is_read_upright(tmp_path: Path, kind: str) -> None:
    """Orientation 6: the first stored row is the picture's right."""
    stored = np.zeros((2, 3, 3), np.uint8)
    stored[0, 2] = 255
    turned = PilImage.Exif()
    turned[0x0112] = 6
    PilImage.fromarray(stored).save(tmp_path / f"a.{kind}", exif=turned, lossless=True)
    seen = read_pixels(tmp_path / f"a.{kind}")
    assert seen.shape == (3, 2, 3)
    assert seen[..., 0].tolist() == [[0, 0], [0, 0], [0, 255]]


def test_a_broken_exif_block_turns_nothing(tmp_path: Path) -> None:
    PilImage.new("RGB", (3, 2)).save(tmp_path / "a.png", exif=b"Exif\0\0no block at all")
    assert read_pixels(tmp_path / "a.png").shape == (2, 3, 3)


def test_an_object_without_pixels_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = labelled.instances(tmp_path / "set")
    for number in (1, 3):
        ids = labelled.drawn(labelled.PICTURES[number])[1]
        PilImage.fromarray(np.where(ids == 1, 0, ids)).save(folder / "masks" / f"picture{number}.png")
    assert len(list(read_instances(folder))) == 4
    (told,) = caplog.records
    assert told.getMessage().startswith(f"{folder}: object 1 (person) of picture1 has no pixel")


def test_a_whole_data_set_is_read_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    list(read_instances(labelled.instances(tmp_path / "set")))
    assert not caplog.records


def test_a_mask_of_another_size_is_told(tmp_path: Path) -> None:
    folder = labelled.instances(tmp_path / "set")
    stored = np.rot90(labelled.drawn(labelled.PICTURES[0])[1])
    PilImage.fromarray(np.ascontiguousarray(stored)).save(folder / "masks" / "picture0.png")
    with pytest.raises(InputError, match=r"picture0\.png .* differ in size: 96 x 128 and 128 x 96 pixels"):
        list(read_instances(folder))


def test_a_line_that_is_no_row_is_told_with_its_number(tmp_path: Path) -> None:
    folder = labelled.instances(tmp_path / "set")
    table = folder / "instances.jsonl"
    whole = table.read_text()
    table.write_text(f"\ufeff\n{whole}\n")  # a byte order mark and empty lines are no rows
    assert len(list(read_instances(folder))) == 4
    for wrong in ('{"name": "x"', "[]", '{"name": "x", "instances": [{"id": "one", "label": "person"}]}'):
        table.write_text(whole + wrong)
        with pytest.raises(InputError, match=r"instances\.jsonl, line 5 is no row"):
            list(read_instances(folder))


def test_pictures_that_cannot_be_read_are_told_by_name(tmp_path: Path) -> None:
    folder, told = labelled.instances(tmp_path / "set"), []
    (picture,) = (folder / "images").glob("picture1.*")
    picture.write_bytes(picture.read_bytes()[:100])
    (folder / "masks" / "picture2.png").unlink()
    with pytest.raises(InputError, match=r"picture1\.\w+ cannot be read as a picture"):
        list(read_instances(folder))
    assert len(list(read_instances(folder, unread=told.append))) == 2
    assert [Path(str(error).split()[0]).stem for error in told] == ["picture1", "picture2"]
    assert len(list(read_instances(folder, [0, 3]))) == 2
