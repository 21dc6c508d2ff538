"""Which pictures have a mask in a folder of masks, and which of its masks belong to no picture."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoremove.errors import InputError
from autoremove.own_masks.names import COCO, is_objects_name, is_there, mask_files, mask_of, objects_name


@dataclass(frozen=True)
class OwnMask:
    """What a person has given for one picture.

    ``mask``: the picture of what is to be filled; ``objects``: the ids beside it. ``recorded``: JSON of what
    the COCO file says of it: ``grown``, ``size_hw`` and ``objects``; "" = nothing. With neither a mask nor
    a record there is nothing to remove.
    """

    mask: Path | None = None
    objects: Path | None = None
    recorded: str = ""

    @property
    def only_outlines(self) -> bool:
        """Whether the objects are known by their outlines alone, so that they are still to be grown."""
        return self.mask is None and bool(self.recorded)


NOTHING = OwnMask()

_MASK_NAME_HINT = (
    "The mask of sub/photo.jpg is sub/photo.png or sub/photo.jpg.png, as `autoremove mask` writes it; "
    "name the same folder of pictures as there."
)


@dataclass(frozen=True)
class Found:
    """``masks``: of the pictures that have one. ``stray``: masks, as they are named, that no picture has."""

    masks: Mapping[Path, OwnMask]
    stray: Sequence[str] = field(default_factory=tuple)


def find(where: Path, relatives: Sequence[Path], exclude: Sequence[Path] = ()) -> Found:
    """The masks for pictures named by their places in the tree; ``where`` is a folder or a COCO file.

    A COCO file speaks by its outlines where there is no picture of a mask beside it. Raises InputError
    where there is no mask at all for these pictures, or one that two of them claim.
    """
    if not where.exists():
        raise InputError(f"There is no file or folder {where}.", hint="Check --masks.")
    files = mask_files(where, exclude) if where.is_dir() else {}
    records = _records(where / COCO if where.is_dir() else where)
    masks: dict[Path, OwnMask] = {}
    claims: dict[Path, Path] = {}
    for relative in relatives:
        path = mask_of(relative, files)
        if path is not None:
            objects = objects_name(path)
            masks[relative] = OwnMask(
                path,
                objects if is_there(objects) else None,
                _text(records.get(relative.as_posix()), outlines=False),
            )
            _claim(claims, relative, path, objects)
    if not masks:
        masks = {
            r: OwnMask(recorded=_text(records[r.as_posix()])) for r in relatives if r.as_posix() in records
        }
        stray = sorted(records.keys() - {relative.as_posix() for relative in masks})
    else:
        stray = [path.relative_to(where).as_posix() for path in _unclaimed(files, claims)]
    if not masks:
        only_coco = not files and (where.is_file() or (where / COCO).is_file())
        raise InputError(
            f"No mask in {where} belongs to any of the {len(relatives)} pictures.",
            hint=_file_name_hint(relatives, records) if only_coco else _MASK_NAME_HINT,
        )
    return Found(masks, stray)


def _file_name_hint(relatives: Sequence[Path], records: Mapping[str, Any]) -> str:
    there = f"here {min(records)}" if records else "of which there is none"
    return (
        f"In a COCO file `file_name`, {there}, must be the picture's place below the input, as "
        f"{min(relatives).as_posix()}."
    )


def of_pictures(relatives: Sequence[Path], files: Mapping[str, Path], kind: str = "mask") -> dict[Path, Path]:
    """The file of each picture that has one, out of :func:`mask_files`; ``kind``: what the files hold.

    Raises InputError where two pictures claim one file.
    """
    found: dict[Path, Path] = {}
    claims: dict[Path, Path] = {}
    for relative in relatives:
        path = mask_of(relative, files)
        if path is not None:
            found[relative] = path
            _claim(claims, relative, path, kind=kind)
    return found


def _claim(claims: dict[Path, Path], relative: Path, *paths: Path, kind: str = "mask") -> None:
    for path in paths:
        other = claims.setdefault(path, relative)
        if other != relative:
            raise InputError(
                f"The {kind} {path} may be of {other} or of {relative}.",
                hint=f"Name it {other.name}.png or {relative.name}.png.",
            )


def _unclaimed(files: Mapping[str, Path], claims: Mapping[Path, Path]) -> list[Path]:
    """The masks that belong to no picture; ids are no mask, and are left behind where one is deleted."""
    return [path for path in files.values() if path not in claims and not is_objects_name(path.name)]


def _text(record: dict[str, Any] | None, *, outlines: bool = True) -> str:
    """A record as a part of a key: the same content is the same text."""
    if record is None:
        return ""
    if not outlines:
        objects = [{k: v for k, v in row.items() if k != "segmentation"} for row in record["objects"]]
        record = {**record, "objects": objects}
    return json.dumps(record, sort_keys=True)


def _records(path: Path) -> dict[str, dict[str, Any]]:
    """What a COCO file says of each picture, by its name; nothing where there is no file."""
    if not path.is_file():
        return {}
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        names = {row["id"]: str(row["name"]) for row in body.get("categories", ())}
        by_picture: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for row in body.get("annotations", ()):
            by_picture[row["image_id"]].append(row)
        return {str(row["file_name"]): _record(row, by_picture[row["id"]], names) for row in body["images"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no COCO file ({type(error).__name__}: {error}).",
            hint="Repair it, or take it out of the folder.",
        ) from error


def _record(
    image: dict[str, Any], rows: Iterable[dict[str, Any]], names: Mapping[Any, str]
) -> dict[str, Any]:
    """One picture; an object that was added by hand among numbered ones has the number 0."""
    listed = [(row, row.get("attributes") or {}) for row in rows]
    numbered = any("object" in more for _, more in listed)
    objects = []
    for position, (row, more) in enumerate(listed, 1):
        x, y, width, height = (float(v) for v in row["bbox"])
        objects.append(
            {
                "number": int(more.get("object", 0 if numbered else position)),
                "owner": int(more.get("owner", 0)),
                "label": names.get(row.get("category_id"), "object"),
                "score": float(row.get("score", 1.0)),
                "xyxy": [x, y, x + width, y + height],
                "segmentation": row.get("segmentation") or [],
            }
        )
    return {
        "size_hw": [int(image["height"]), int(image["width"])],
        "grown": image.get("grown"),
        "objects": objects,
    }
