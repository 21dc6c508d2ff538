"""Regions as a person gives them: numbers on the command line, or a file of polygons."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import click

from autoremove.errors import UsageError

Region = tuple[float, ...]

FORMS = "Write [[x, y], [x, y], [x, y]], a list of such lists, or the JSON of labelme or GeoJSON."


class Regions(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """``x,y,w,h``, a polygon ``x1,y1,x2,y2,x3,y3...``, or a file; each gives plain rows of numbers."""

    name = "X,Y,W,H|FILE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Region, ...]:
        if isinstance(value, tuple):
            return value
        text = str(value).strip()
        if re.fullmatch(r"[-+.\deE]+(\s*,\s*[-+.\deE]+)+", text):
            return (self._numbers(text, param, ctx),)
        return read_polygons(Path(text))

    def _numbers(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Region:
        try:
            numbers = tuple(float(part) for part in text.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) < 4 or len(numbers) % 2 or not all(map(math.isfinite, numbers)):
            self.fail(
                f"{text!r} is no region; write x,y,width,height, or the points of a polygon.", param, ctx
            )
        return numbers


def read_polygons(path: Path) -> tuple[Region, ...]:
    """The polygons of a JSON file: a list of [x, y] points, a list of such lists, labelme's or GeoJSON's.

    Raises UsageError, which names the file.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"--keep-region {path}: cannot be read ({error.strerror or error}).",
            hint="Give x,y,width,height or a JSON file of polygons.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--keep-region {path}: no valid JSON ({error}).", hint=FORMS) from error
    try:
        found = tuple(_polygons(body))
    except (KeyError, TypeError, ValueError) as error:
        why = str(error) if isinstance(error, ValueError) else "not a polygon of [x, y] points"
        raise UsageError(f"--keep-region {path}: {why}.", hint=FORMS) from error
    if not found:
        raise UsageError(f"--keep-region {path}: no polygon in it.", hint=FORMS)
    return found


def _polygons(body: Any) -> list[Region]:
    """All polygons in one of the known forms."""
    if isinstance(body, dict):
        return _of_object(body)
    if not isinstance(body, list):
        raise ValueError(f"{body!r} is no list of points")
    if body and _is_point(body[0]):
        return [_polygon(body)]
    return [polygon for row in body for polygon in _polygons(row)]


def _of_object(body: dict[str, Any]) -> list[Region]:
    """labelme: ``shapes`` with ``points``; GeoJSON: features, geometries, rings."""
    for key in ("shapes", "features", "geometries"):
        if key in body:
            return [polygon for row in body[key] for polygon in _polygons(row)]
    if "geometry" in body:
        return _polygons(body["geometry"])
    if "coordinates" in body:
        if body.get("type") not in ("Polygon", "MultiPolygon"):
            raise ValueError(f"a {body.get('type')} has no area")
        parts = body["coordinates"] if body["type"] == "MultiPolygon" else [body["coordinates"]]
        if any(len(part) != 1 for part in parts):
            raise ValueError("polygons with holes are not taken")
        return [_polygon(part[0]) for part in parts]
    points, shape = body["points"], body.get("shape_type") or "polygon"
    if shape == "rectangle" and len(points) == 2:
        (x1, y1), (x2, y2) = points
        return [_polygon([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])]
    if shape not in ("polygon", "rectangle"):
        raise ValueError(f"a {shape} is no polygon")
    return [_polygon(points)]


def _is_point(value: Any) -> bool:
    return isinstance(value, list) and len(value) >= 2 and not isinstance(value[0], (list, dict))


def _polygon(points: Any) -> Region:
    if not all(_is_point(point) for point in points):
        raise ValueError("a point is not [x, y]")
    pairs = [(float(point[0]), float(point[1])) for point in points]
    pairs = pairs[:-1] if len(pairs) > 1 and pairs[0] == pairs[-1] else pairs  # GeoJSON closes its rings
    if len(pairs) < 3 or not all(math.isfinite(number) for pair in pairs for number in pair):
        raise ValueError(f"a polygon needs three points or more, not {len(pairs)}")
    return tuple(number for pair in pairs for number in pair)
