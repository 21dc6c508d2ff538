"""Masks drawn in labelled boxes: believed where they fill the box, open where the network errs or wavers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autoremove.models import weights as known
from autoremove.training.instances import IGNORE, read_instances
from benchmarks import drawn_masks
from tests.cases import labelled


class Reddish(nn.Module):
    """Draws what is red, as people are in the tiny data sets."""

    side = 64

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(20.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * (x[:, :1] - x[:, 1:2] - 0.4)


@pytest.fixture(autouse=True)
def reddish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn_masks.masknet, "load_masknet", lambda path: Reddish())
    monkeypatch.setattr(known, "resolve", lambda name, kind: Path(name))


def test_people_get_the_masks_that_fill_their_boxes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = labelled.yolo(tmp_path / "boxes")
    drawn_masks.main(["--data", str(folder), "-o", str(tmp_path / "drawn")])
    assert "masks of 3 of 3 people" in capsys.readouterr().out
    pictures = {picture.name: picture for picture in read_instances(tmp_path / "drawn")}
    assert sorted(pictures) == ["picture0", "picture1", "picture3"]  # in picture2 there is a dog alone
    for name, (x1, y1, x2, y2) in (("picture0", (10, 12, 50, 84)), ("picture1", (60, 20, 100, 90))):
        picture = pictures[name]
        assert picture.objects == ((1, "person"),)
        assert not picture.fully_labelled
        true = np.zeros(labelled.SIZE_HW, bool)
        true[y1:y2, x1:x2] = True
        assert ((picture.ids == 1) & ~true).sum() <= 0.03 * true.sum()
        assert (((picture.ids == 1) | (picture.ids == IGNORE)) & true).sum() >= 0.99 * true.sum()
        assert (picture.ids == 0).sum() >= 0.9 * (~true).sum()
        assert np.array_equal(picture.image, labelled.drawn(labelled.PICTURES[int(name[-1])])[0])


def test_a_mask_that_does_not_reach_to_the_sides_of_its_box_is_not_believed(tmp_path: Path) -> None:
    folder = labelled.yolo(tmp_path / "boxes", labelled.PICTURES[:2])
    label = folder / "labels" / "picture0.txt"
    label.write_text("0 0.5 0.5 0.9375 0.9\n")  # x 4..124, y 5..91: the person fills a third of it
    drawn_masks.main(["--data", str(folder), "-o", str(tmp_path / "wrong")])
    (picture,) = read_instances(tmp_path / "wrong")
    assert picture.name == "picture1"


def test_what_was_not_believed_is_unknown_beside_those_who_were(tmp_path: Path) -> None:
    objects = ((("person", (4, 10, 24, 90)), ("person", (70, 10, 110, 90))),)
    folder = labelled.yolo(tmp_path / "boxes", objects)
    label = folder / "labels" / "picture0.txt"
    first, _ = label.read_text().splitlines()
    label.write_text(f"{first}\n0 0.6484 0.52 0.5156 0.9\n")  # x 50..116: the second fills 0.6 of it
    drawn_masks.main(["--data", str(folder), "-o", str(tmp_path / "drawn")])
    (picture,) = read_instances(tmp_path / "drawn")
    assert picture.objects == ((1, "person"),)
    assert (picture.ids[20:80, 75:105] == IGNORE).all()
    assert (picture.ids[20:80, 8:20] == 1).all()


def test_where_two_people_meet_nothing_is_said(tmp_path: Path) -> None:
    objects = ((("person", (20, 10, 70, 90)), ("person", (60, 10, 110, 90))),)
    folder = labelled.yolo(tmp_path / "boxes", objects)
    drawn_masks.main(["--data", str(folder), "-o", str(tmp_path / "drawn")])
    (picture,) = read_instances(tmp_path / "drawn")
    assert picture.objects == ((1, "person"), (2, "person"))
    assert (picture.ids[20:80, 62:68] == IGNORE).all()
    assert (picture.ids[20:80, 24:40] == 1).all()
    assert (picture.ids[20:80, 90:106] == 2).all()


def test_people_too_small_to_draw_are_unknown(tmp_path: Path) -> None:
    objects = ((("person", (20, 10, 70, 90)), ("person", (90, 40, 100, 80))),)
    folder = labelled.yolo(tmp_path / "boxes", objects)
    drawn_masks.main(["--data", str(folder), "-o", str(tmp_path / "drawn")])
    (picture,) = read_instances(tmp_path / "drawn")
    assert picture.objects == ((1, "person"),)
    assert (picture.ids[40:80, 90:100] == IGNORE).all()
    assert (picture.ids[45:75, 110:] == 0).all()
