"""Draw masks for pictures that have boxes only, so that a next mask network can learn from them.

The embedded one draws each person in the labelled box and in one a little wider, and what it says on
average is the mask; where it wavers, or two people meet, nothing is said (255). A person whose mask does not
reach to the sides of the labelled box is left out: there the network erred, and the label shows it.
Self-training from labels of another kind (Xie et al. 2020, "Self-training with Noisy Student"). With many
labelled masks it gave no better ones (the model card of masknet); it is meant for data that has few:

    python benchmarks/drawn_masks.py --data DATA/person_boxes -o drawn/
    autoremove train masknet --config masknet-continue --data DATA/instances/train --set drawn=drawn/ ...
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoremove.evaluation.labelled import Boxed, count_pictures, read_boxed
from autoremove.models import masknet
from autoremove.models.boxes import overlap
from autoremove.training.instances import IGNORE, find_picture
from autoremove.training.precision import autocast

SOURCE = "masks drawn by a network (person only)"
"""Bystanders have no mask, as in pictures of which only the main person's was drawn."""

WIDER = (0.0, 0.06)
"""How much each side of a box is moved outward, in shares of the box's side, for each time it is drawn."""

SURE, DOUBT = 0.75, 0.25
"""Mean probability from which a pixel is the object's, and below which it is not."""

REACHES = 0.7
"""Overlap (IoU) of the mask's extent with the labelled box from which the mask is believed."""

LEAST = 14
"""Pixels of the shorter side of a box: the trainings take no smaller one."""

MOST = 200
"""People of one picture: ids end at 254."""


def drawn(net: masknet.AnyMaskNet, picture: Boxed) -> tuple[NDArray[np.uint8], list[int]]:
    """H x W ids, 0 for no one and 255 for unknown, and the ids in use."""
    sides = (picture.xyxy[:, 2:] - picture.xyxy[:, :2]).min(1)
    boxes = picture.xyxy[sides >= LEAST][:MOST]
    chance = _chances(net, picture.image, boxes)
    believed = np.array([_reaches(plane > SURE, box) for plane, box in zip(chance, boxes, strict=True)], bool)
    ids = np.where((chance > DOUBT).any(0), IGNORE, 0).astype(np.uint8)
    for x1, y1, x2, y2 in np.rint(picture.xyxy[sides < LEAST]).astype(int).clip(0).tolist():
        ids[y1:y2, x1:x2] = IGNORE
    for number in np.flatnonzero(believed):
        others = np.delete(chance, number, 0)
        ids[(chance[number] > SURE) & ~(others > 0.5).any(0)] = number + 1
    there = set(np.unique(ids).tolist())
    return ids, [number + 1 for number in np.flatnonzero(believed).tolist() if number + 1 in there]


def _chances(
    net: masknet.AnyMaskNet, image: NDArray[np.uint8], boxes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """N x H x W: the mean of what is drawn in each box with its sides moved outward by each share."""
    size = np.concatenate([boxes[:, 2:] - boxes[:, :2]] * 2, 1)
    moved = [boxes + size * share * np.array([-1, -1, 1, 1], np.float32) for share in WIDER]
    planes = np.zeros((len(boxes), *image.shape[:2]), np.float32)
    if not len(boxes):
        return planes
    found = masknet.guesses(net, image, np.concatenate(moved).astype(np.float32))
    for number, guess in enumerate(found):
        (x1, y1, x2, y2), chance = masknet.at_full_size(guess, image)
        planes[number % len(boxes), y1:y2, x1:x2] += chance / len(WIDER)
    return planes


def _reaches(mask: NDArray[np.bool_], box: NDArray[np.float32]) -> bool:
    ys, xs = np.nonzero(mask)
    if not len(ys):
        return False
    extent = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
    return float(overlap(extent[0], box[None])[0]) >= REACHES


def write(net: masknet.AnyMaskNet, folder: Path, output: Path, limit: int | None) -> tuple[int, int]:
    """A data set in the `instances` form, its pictures links; the people with a mask, and all of them."""
    from tqdm import tqdm

    for part in ("images", "masks"):
        (output / part).mkdir(parents=True, exist_ok=True)
    rows, people = [], 0
    total = min(count_pictures(folder), limit or sys.maxsize)
    for picture in tqdm(read_boxed(folder, limit), folder.name, total, disable=None):
        ids, kept = drawn(net, picture)
        people += len(picture.xyxy)
        if not kept:
            continue
        shown = find_picture(folder / "images", picture.name).resolve()
        place = output / "images" / shown.name
        place.unlink(missing_ok=True)
        place.symlink_to(shown)
        PillowImage.fromarray(ids).save(output / "masks" / f"{picture.name}.png")
        objects = [{"id": number, "label": "person"} for number in kept]
        size = list(ids.shape)
        rows.append({"name": picture.name, "size_hw": size, "source": SOURCE, "instances": objects})
    (output / "instances.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return sum(len(row["instances"]) for row in rows), people  # type: ignore[misc, arg-type]


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the masks and say how many are believed."""
    from autoremove.models import weights

    parser = argparse.ArgumentParser(description="Draw masks for pictures with boxes.")
    parser.add_argument("--data", type=Path, required=True, help="Pictures with boxes of people.")
    parser.add_argument("--weights", default="embedded", help="Safetensors of a MaskNet.")
    parser.add_argument("--limit", type=int, help="At most so many pictures, evenly spread.")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    net = masknet.load_masknet(weights.resolve(options.weights, "masknet"))
    with autocast("auto", next(net.parameters()).device)():
        masks, people = write(net, options.data, options.output, options.limit)
    print(f"{options.output}: masks of {masks} of {people} people")


if __name__ == "__main__":
    main()
