"""The names of classes (COCO's), in the groups a person thinks in; one table for selection and training."""

from __future__ import annotations

PEOPLE = ("person",)
VEHICLES = ("bicycle", "car", "motorcycle", "bus", "truck", "train", "boat")
ANIMALS = ("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe")
CARRIED = ("backpack", "umbrella", "handbag", "suitcase", "skateboard", "snowboard", "surfboard", "skis")
"""What goes with the person who carries or rides it; bicycles, motorcycles and horses do so when ridden."""

EMBEDDED = (*PEOPLE, *VEHICLES, *ANIMALS, *CARRIED)
"""The classes of the embedded detector, in the order of its outputs."""

GROUPS = {
    "all-people": PEOPLE,
    "all-vehicles": VEHICLES,
    "all-animals": ANIMALS,
}
"""Names that stand for several classes wherever classes are selected."""


def expanded(names: tuple[str, ...]) -> tuple[str, ...]:
    """The class names with groups replaced by their members, each once, in order."""
    rows = [member for name in names for member in GROUPS.get(name, (name,))]
    return tuple(dict.fromkeys(rows))
