"""In memory, without a store: what a notebook, a script and the web page call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoremove import images
from autoremove.errors import UsageError
from autoremove.pipeline import run_in_memory
from autoremove.recipe import Recipe, build_stage, load_recipe
from autoremove.stages.known import check_labels
from autoremove.types import Mask, ObjectMask, Patch


def remove(
    image: Any,
    remove: Sequence[str] | None = None,
    *,
    keep: str | None = None,
    recipe: str = "people",
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
) -> Any:
    """Remove the objects of some classes from a picture.

    ``image``: a path, a PIL image, or an array (H x W, H x W x 3 RGB or H x W x 4 RGBA, uint8 or uint16).
    ``remove``: class names or groups as ``all-vehicles``; None = those of the recipe. ``keep``: who stays,
    ``"subject"`` (whom the photo is of), ``"largest"`` or ``"central"``. ``settings``:
    ``{"refine.grow": 0.08, "select.min_size": 40}``.
    Returns the same kind as was given (a PIL image for a path), of the same size; pixels outside the mask
    are the same. Raises PictureError for a picture that cannot be read, ReviewNeeded if what is to be removed
    covers too much of it, UsageError for a class that the detector does not know, RecipeError, DeviceError,
    WeightsError.
    """
    rgb, back = images.from_any(image)
    chain = chosen_recipe(recipe, remove, settings, device, keep)
    check_labels(chain.stages)
    values = run_in_memory(rgb, chain.stages)
    return back(values.get("patches", []))


def chosen_recipe(
    name: str,
    labels: Sequence[str] | None,
    settings: Mapping[str, Any] | None,
    device: str,
    keep: str | None = None,
) -> Recipe:
    """A recipe with the labels, settings and whom to keep of a call."""
    from autoremove.models.device import choose

    if isinstance(labels, str):
        raise UsageError(f"remove={labels!r}: give a list of class names.", hint=f'E.g. remove=["{labels}"].')
    if labels is not None and not len(labels):
        raise UsageError("remove=[] names nothing to remove.", hint="None takes the classes of the recipe.")
    chosen = dict(settings or {})
    if labels is not None:
        chosen["select.labels"] = list(labels)
    if keep is not None:
        chosen["select.keep"] = keep
    overrides = [f"{key}={json.dumps(value, default=str)}" for key, value in chosen.items()]
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

    ``image`` as in :func:`remove`. ``mask``: an array, a PIL image or a path, of the picture's upright size,
    True or 1 = fill; of a grey mask what is above half of white is filled. ``settings``: fields of the
    inpaint stage, ``{"context": 0.8}``. Returns the same kind as ``image``; raises UsageError for a mask of
    another size, RecipeError for settings that do not exist.
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

    chosen = {"model": model, "weights": weights, "max_share": 1.0, **(settings or {})}
    where = choose(device).torch_device
    stages = [build_stage("inpaint", chosen, where), build_stage("composite", {}, where)]
    # A mask of one's own has no ring to fade in: all of it is object.
    given = ObjectMask(holes, holes.astype(np.uint16))
    patches: list[Patch] = run_in_memory(rgb, stages, mask=given)["patches"]
    return patches


def read_mask(mask: Any, size_hw: tuple[int, int]) -> Mask:
    """A mask of any kind as H x W bool; raises UsageError if its size is not the picture's."""
    array = mask if isinstance(mask, np.ndarray) else images.from_any(mask)[0]
    if array.ndim == 3:
        array = array[..., : {2: 1, 4: 3}.get(array.shape[2])].max(-1)  # without alpha, which is no mask
    if array.shape != size_hw:
        size = " x ".join(str(side) for side in array.shape[::-1])
        raise UsageError(
            f"The mask is {size} pixels, the upright picture {size_hw[1]} x {size_hw[0]}.",
            hint="Draw the mask on the picture as a viewer shows it, at full size.",
        )
    # Half grey and up counts: a mask saved as JPEG has faint specks round its edges.
    return np.asarray(array if array.dtype == bool else array > _middle(array), bool)


def _middle(flat: NDArray[Any]) -> float:
    """Half of white: of 1 for masks of small numbers, of the type's or a picture's white for others."""
    if flat.size and flat.max() <= 1:
        return 0.5
    return 32767.5 if flat.dtype == np.uint16 else 127.5
