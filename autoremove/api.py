"""In memory, without a store: what a notebook, a script and the web page call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoremove import images
from autoremove.errors import UsageError
from autoremove.pipeline import run_in_memory
from autoremove.recipe import Recipe, load_recipe
from autoremove.stages.inpaint import Inpaint
from autoremove.types import Mask, ObjectMask, Patch


def remove(
    image: Any,
    remove: Sequence[str] | None = None,
    *,
    recipe: str = "people",
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
) -> Any:
    """Remove the objects of some classes from a picture.

    ``image``: a path, a PIL image, or an array (H x W, H x W x 3 RGB or H x W x 4 RGBA, uint8 or uint16).
    ``remove``: class names; None = those of the recipe. ``settings``: ``{"refine.grow": 0.08}``.
    Returns the same kind as was given (a PIL image for a path), of the same size; pixels outside the mask
    are the same. Raises PictureError for a picture that cannot be read, ReviewNeeded if what is to be removed
    covers too much of it, RecipeError, DeviceError, WeightsError.
    """
    rgb, back = images.from_any(image)
    chain = chosen_recipe(recipe, remove, settings, device)
    values = run_in_memory(rgb, chain.stages)
    return back(values.get("patches", []))


def chosen_recipe(
    name: str, labels: Sequence[str] | None, settings: Mapping[str, Any] | None, device: str
) -> Recipe:
    """A recipe with the labels and settings of a call."""
    from autoremove.models.device import choose

    if isinstance(labels, str):
        raise UsageError(f"remove={labels!r}: give a list of class names.", hint=f'E.g. remove=["{labels}"].')
    overrides = [f"{key}={value}" for key, value in (settings or {}).items()]
    if labels is not None:
        overrides.append(f"detect.labels=[{', '.join(labels)}]")
    return load_recipe(name, overrides, device=choose(device).torch_device)


def inpaint(
    image: Any,
    mask: NDArray[Any] | PathLike[str] | str | Any,
    *,
    model: str = "deepfillv2",
    weights: str = "embedded",
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
) -> Any:
    """Fill the masked part of a picture.

    ``image`` as in :func:`remove`. ``mask``: an H x W array (bool, or 0 = keep and anything else = fill), a PIL
    image or a path; of the picture's upright size. Returns the same kind as ``image``.
    """
    rgb, back = images.from_any(image)
    holes = read_mask(mask, (rgb.shape[0], rgb.shape[1]))
    return back(fill(rgb, holes, model=model, weights=weights, device=device, settings=settings))


def fill(
    rgb: NDArray[np.uint8],
    holes: Mask,
    *,
    model: str = "deepfillv2",
    weights: str = "embedded",
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
) -> list[Patch]:
    """The finished patches for the holes of an H x W x 3 RGB picture."""
    from autoremove.models.device import choose
    from autoremove.stages.composite import Composite

    chosen = {"max_share": 1.0, **(settings or {})}
    stage = Inpaint(model=model, weights=weights, device=choose(device).torch_device, **chosen)
    # A mask of one's own has no ring to fade in: all of it is object.
    given = ObjectMask(holes, holes.astype(np.uint16))
    patches: list[Patch] = run_in_memory(rgb, [stage, Composite()], mask=given)["patches"]
    return patches


def read_mask(mask: Any, size_hw: tuple[int, int]) -> Mask:
    """A mask of any kind as H x W bool; raises UsageError if its size is not the picture's."""
    array = mask if isinstance(mask, np.ndarray) else images.from_any(mask)[0]
    flat = array.max(-1) if array.ndim == 3 else array
    if flat.shape != size_hw:
        raise UsageError(
            f"The mask is {flat.shape[1]} x {flat.shape[0]} pixels, the upright picture {size_hw[1]} x {size_hw[0]}.",
            hint="Draw the mask on the picture as a viewer shows it, at full size.",
        )
    # Half grey and up counts: a mask saved as JPEG has faint specks round its edges.
    return np.asarray(flat if flat.dtype == bool else flat > _middle(flat), bool)


def _middle(flat: NDArray[Any]) -> float:
    """0 for masks of small numbers (0/1), half of white for pictures."""
    return 0.0 if flat.size and flat.max() <= 1 else (32767.5 if flat.dtype == np.uint16 else 127.5)
