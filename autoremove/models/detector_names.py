"""Which classes a detector's weights know, told without loading the network or torch."""

from __future__ import annotations

import json
from pathlib import Path

from autoremove.errors import WeightsError
from autoremove.models.weights import find, resolve

_COCO = (
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,"
    "parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,"
    "tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,"
    "tennis racket,bottle,wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,"
    "hot dog,pizza,donut,cake,chair,couch,potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,"
    "keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,"
    "hair drier,toothbrush"
)

COCO_NAMES = tuple(_COCO.split(","))
"""COCO's 80 classes in its order: what the official yolo11 weights know."""

_LONGEST_HEADER = 1 << 26


def detector_names(weights: str) -> tuple[str, ...] | None:
    """The class names that the weights of a name or path know, in the order of the network's outputs.

    None where only loading tells: a ``.pt`` file, or a safetensors file without names. Reads the head of a
    safetensors file and nothing else; official weights are answered from the table, fetched or not. Raises
    WeightsError for an unknown name, missing embedded weights or a damaged head.
    """
    path = Path(weights)
    if not path.is_file():
        if not find(weights, "detector").embedded:
            return COCO_NAMES
        path = resolve(weights, "detector", download=False)
    if path.suffix != ".safetensors":
        return None
    names = json.loads(_notes(path).get("names", "[]"))
    return tuple(str(name) for name in names) or None


def _notes(path: Path) -> dict[str, str]:
    """The notes in the head of a safetensors file (eight bytes of length, then JSON)."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        data = stream.read(min(length, _LONGEST_HEADER))
    try:
        return dict(json.loads(data).get("__metadata__", {}))
    except (ValueError, AttributeError) as error:  # cut off, or no safetensors file at all
        raise WeightsError(f"{path} is no whole safetensors file.", hint="Fetch it anew.") from error
