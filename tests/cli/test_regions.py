"""Regions on the command line: numbers, and the polygon files that people have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from autoremove.cli.regions import Regions, read_polygons
from autoremove.errors import UsageError

TRIANGLE = (0.0, 0.0, 10.0, 0.0, 5.0, 8.0)
POINTS = [[0, 0], [10, 0], [5, 8]]
SQUARE = (1.0, 2.0, 3.0, 2.0, 3.0, 5.0, 1.0, 5.0)
RING = [[1, 2], [3, 2], [3, 5], [1, 5], [1, 2]]


def convert(text: str) -> tuple[tuple[float, ...], ...]:
    return Regions().convert(text, None, None)


def test_numbers() -> None:
    assert convert("10,20,30,40") == ((10.0, 20.0, 30.0, 40.0),)
    assert convert(" 0, 0.25 ,.5,1e0") == ((0.0, 0.25, 0.5, 1.0),)
    assert convert("0,0,10,0,5,8") == (TRIANGLE,)
    assert convert("-5,0,10,10") == ((-5.0, 0.0, 10.0, 10.0),)


@pytest.mark.parametrize("wrong", ["1,2,3", "1,2,3,4,5", "1,2", "1,2,3,-", "1,2,3,1e999"])
def test_numbers_that_are_no_region(wrong: str) -> None:
    with pytest.raises(click.BadParameter, match="no region"):
        convert(wrong)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (POINTS, [TRIANGLE]),
        ([POINTS, RING], [TRIANGLE, SQUARE]),
        ({"points": POINTS}, [TRIANGLE]),
        ([{"points": POINTS}, {"points": RING, "shape_type": "polygon"}], [TRIANGLE, SQUARE]),
        ({"version": "5", "shapes": [{"label": "us", "points": POINTS}]}, [TRIANGLE]),
        ({"shapes": [{"points": [[1, 2], [3, 5]], "shape_type": "rectangle"}]}, [SQUARE]),
        ({"type": "Polygon", "coordinates": [RING]}, [SQUARE]),
        ({"type": "MultiPolygon", "coordinates": [[RING], [POINTS]]}, [SQUARE, TRIANGLE]),
        (
            {
                "type": "FeatureCollection",
                "features": [{"geometry": {"type": "Polygon", "coordinates": [RING]}}],
            },
            [SQUARE],
        ),
        ([[0, 0, 7], [10, 0, 7], [5, 8, 7]], [TRIANGLE]),  # a height that says nothing
    ],
)
def test_files(body: Any, found: list[tuple[float, ...]], tmp_path: Path) -> None:
    path = tmp_path / "keep us.json"
    path.write_text(json.dumps(body))
    assert convert(str(path)) == tuple(found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no valid JSON"),
        ("[[0, 0], [1", "no valid JSON"),
        ("[" * 100_000, "no valid JSON"),
        ("[]", "no polygon"),
        ("7", "no list of points"),
        ("[[0, 0], [1, 1]]", "three points"),
        ("[[0, 0], [1, 1], 5]", "not"),
        ('[[0, 0], [1, 1], ["a", 2]]', "could not convert"),
        ("[[0, 0], [1, 1], [NaN, 2]]", "three points"),
        ('{"shapes": [{"points": [[0, 0], [1, 1]], "shape_type": "circle"}]}', "circle"),
        ('{"type": "Point", "coordinates": [1, 2]}', "Point"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 0], [1, 1]]]}', "holes"),
        ('{"shapes": []}', "no polygon"),
        ('{"polygons": []}', "not a polygon"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_name(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "us.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=why) as told:
        read_polygons(path)
    assert str(path) in told.value.message and told.value.hint


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        convert(str(tmp_path / "nowhere.json"))
    with pytest.raises(UsageError, match="left half"):
        convert("left half")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="bytes"):
        convert(str(tmp_path / "bytes.json"))
