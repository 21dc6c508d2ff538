"""The benchmark of small people makes the same photos again, and counts what is found as it should."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image as PillowImage

from autoremove.types import Detections
from tests.cases import labelled

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import small_people

    monkeypatch.setattr(small_people, "SIZES", ((300, 420),))
    monkeypatch.setattr(small_people, "TILE", 150)
    return small_people


@pytest.fixture
def data(tmp_path: Path) -> Path:
    whole = (("person", (10, 4, 40, 92)),)
    at_the_border = (("person", (0, 4, 30, 92)), ("dog", (60, 4, 90, 92)))
    labelled.instances(tmp_path / "instances" / "test", (whole, at_the_border))
    scenes = tmp_path / "scenes" / "test"
    scenes.mkdir(parents=True)
    for number, name in enumerate(("urban_a", "places_b", "bsds_full_of_people")):
        grey = np.full((60, 80, 3), 40 + 50 * number, np.uint8)
        PillowImage.fromarray(grey).save(scenes / f"{name}.png")
    return tmp_path


def found(*rows: tuple[np.ndarray, float]) -> Detections:
    boxes = np.array([box for box, _ in rows], np.float32).reshape(-1, 4)
    return Detections(boxes, np.array([score for _, score in rows], np.float32), ("person",) * len(rows))


def test_only_whole_people_are_cut_out(bench: ModuleType, data: Path) -> None:
    (person,) = bench.people(data / "instances" / "test", least=80)
    assert person.mask.shape == (88, 30)
    assert bench.people(data / "instances" / "test", least=89) == []


def test_the_photos_follow_from_the_seed(
    bench: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "people", lambda folder: [bench.Person(*_red())])
    one, again, other = (list(bench.made(data, 2, 4, seed)) for seed in (3, 3, 4))
    for photo, same in zip(one, again, strict=True):
        assert np.array_equal(photo.image, same.image)
        assert np.array_equal(photo.xyxy, same.xyxy)
    assert not np.array_equal(one[0].xyxy, other[0].xyxy)
    assert not np.array_equal(one[0].xyxy, one[1].xyxy)
    assert one[0].image.max() < 231
    for x1, y1, x2, y2 in one[0].xyxy.astype(int):
        inside = one[0].image[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1]
        assert (inside == (230, 20, 20)).all()
        assert 24 <= y2 - y1 < 97
    grey = one[0].image[..., 1][one[0].image[..., 0] < 150]
    assert 20 < np.median(grey) < 110, "of the scenes only those of places and buildings are used"


def _red() -> tuple[np.ndarray, np.ndarray]:
    return np.full((96, 40, 3), (230, 20, 20), np.uint8), np.ones((96, 40), bool)


def test_finds_are_counted(bench: ModuleType) -> None:
    truth = np.array([[0, 0, 10, 30], [50, 0, 60, 40], [90, 0, 110, 90]], np.float32)
    stray = np.array([200, 0, 210, 30], np.float32)
    tally = bench.Tally(0.2)
    tally.add(truth, found((stray, 0.9), (truth[0], 0.1), (truth[2], 0.8), (truth[2], 0.7)), 2.0)
    tally.add(truth[:1], found((truth[0], 0.3)), 4.0)
    figures = tally.figures()
    assert figures["recall"] == 0.5
    assert figures["recall_24_32"] == 0.5
    assert figures["recall_32_48"] == 0
    assert figures["recall_48_64"] is None
    assert figures["recall_64_97"] == 1
    assert figures["false_per_photo"] == 1
    assert figures["recall_at_2_false"] == 0.75
    assert figures["seconds"] == 3
    lines = bench.table({"ways": {"normal": figures}}).splitlines()
    assert len(lines[0]) == len(lines[1])
    assert "-" in lines[1]
