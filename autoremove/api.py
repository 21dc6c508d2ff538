"""In memory, without a store: what a notebook and a script call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoremove import images
from autoremove.errors import UsageError, WeightsError
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
    overrides = [f"{key}={json.dumps(value, default=_plain)}" for key, value in chosen.items()]
    return load_recipe(name, overrides, device=choose(device).torch_device)


def _plain(value: Any) -> Any:
    """A setting as JSON and YAML know it: numbers of numpy are numbers, anything else is told as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def inpaint(
    image: Any,
    mask: NDArray[Any] | PathLike[str] | str | Any,
    *,
    model: str = "deepfillv2",
    weights: str = "embedded",
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    sketch: NDArray[Any] | PathLike[str] | str | Any | None = None,
    edges: NDArray[Any] | PathLike[str] | str | Any | None = None,
) -> Any:
    """Fill the masked part of a picture.

    ``image`` as in :func:`remove`. ``mask``: an array, a PIL image or a path, of the picture's upright size,
    True or 1 = fill; of a grey mask what is above half of white is filled, of one with alpha what is opaque
    too. ``settings``: fields of the inpaint stage, ``{"context": 0.8}``. ``sketch``: lines of what is to be
    there, as :func:`read_sketch` takes them; what lies outside the mask counts for nothing. ``edges``: the
    same, or another picture, as :func:`read_edges` takes them. Returns the same kind as ``image``; raises
    UsageError for a mask or a sketch of another size, for a mask that is neither white nor black, or for both
    a sketch and edges, RecipeError for settings that do not exist, WeightsError for either with weights that
    were not trained with sketches.
    """
    if sketch is not None and edges is not None:
        raise UsageError("There are a sketch and edges.", hint="Give one: edges take drawings too.")
    rgb, back = images.from_any(image)
    size_hw = (rgb.shape[0], rgb.shape[1])
    holes, lines = read_mask(mask, size_hw), None if sketch is None else read_sketch(sketch, size_hw)
    lines = lines if edges is None else read_edges(edges, holes)
    patches = fill(rgb, holes, model=model, weights=weights, device=device, settings=settings, sketch=lines)
    return back(patches)


def fill(
    rgb: NDArray[np.uint8],
    holes: Mask,
    *,
    model: str = "deepfillv2",
    weights: str = "embedded",
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    sketch: Mask | None = None,
) -> list[Patch]:
    """The finished patches for the holes of an H x W x 3 RGB picture; ``sketch`` H x W: lines to follow."""
    from autoremove.models.device import choose

    own = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in (settings or {}).items()
    }
    chosen = {"model": model, "weights": weights, "max_share": 1.0, **own}
    where = choose(device).torch_device
    if sketch is not None:
        check_takes_sketch(chosen["model"], chosen["weights"])
    stages = [build_stage("inpaint", chosen, where), build_stage("composite", {}, where)]
    # A mask of one's own has no ring to fade in: all of it is object.
    given = ObjectMask(holes, holes.astype(np.uint16))
    drawn = {} if sketch is None else {"sketch": sketch}
    patches: list[Patch] = run_in_memory(rgb, stages, mask=given, **drawn)["patches"]
    return patches


def check_takes_sketch(model: str, weights: str) -> None:
    """Raises UsageError for a model that follows no lines, WeightsError for weights that know no sketches."""
    from autoremove.models import cache
    from autoremove.models.families import INPAINTERS

    able = [name for name, family in INPAINTERS.items() if family.lines]
    if model not in able:
        raise UsageError(f"The model {model} follows no sketch.", hint=f"Use the model {' or '.join(able)}.")
    if model == "deepfillv2" and cache.load("inpainter", weights).config.in_channels != 6:
        raise WeightsError(
            f"The weights {weights!r} have no sketch channel.",
            hint="Name weights that were trained with one; `autoremove train inpainter --data DIR "
            f"--set start={weights} --set sketch_share=0.35 -o RUN` makes such weights of them.",
        )


def read_mask(mask: Any, size_hw: tuple[int, int]) -> Mask:
    """A mask of any kind as H x W bool: what is more than half white, and where it has alpha, opaque.

    Raises UsageError if its size is not the picture's, if it holds NaN, or if it is nowhere white and not all
    black either.
    """
    array, seen = _flat(mask if isinstance(mask, np.ndarray) else images.values_of(mask))
    if array.shape != size_hw:
        size = " x ".join(str(side) for side in array.shape[::-1])
        raise UsageError(
            f"The mask is {size} pixels, the upright picture {size_hw[1]} x {size_hw[0]}.",
            hint="Draw the mask on the picture as a viewer shows it, at full size.",
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise UsageError(
            "The mask holds values that are no numbers (NaN).", hint="Give `numpy.nan_to_num(mask) > 0.5`."
        )
    # Half grey and up counts: a mask saved as JPEG has faint specks round its edges.
    white = np.asarray((array > _middle(array)) & (seen > _middle(seen)), bool)
    if not white.any() and (faint := array[seen > 0]).any():
        raise UsageError(
            f"The mask is nowhere white, and not black either: its highest value is {faint.max():.4g}.",
            hint=_FLOAT_HINT if array.dtype.kind == "f" else _WHITE_HINT,
        )
    return white


_WHITE_HINT = "What is to be filled must be True, 1 or 255 (in 16 bits 65535), and all else 0."
_FLOAT_HINT = (
    "Of numbers from 0 to 1 (probabilities) what is over 0.5 is filled, of larger ones what is over 127.5; "
    "give `mask > 0.3`, or wherever the border is to be."
)


def _flat(mask: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The brightest channel, and alpha: two arrays of H x W, or what else is no mask as it is."""
    if mask.ndim != 3 or 0 in mask.shape:
        return mask, np.ones(mask.shape, bool)
    colours = mask[..., : {2: 1, 4: 3}.get(mask.shape[2])].max(-1)
    return colours, mask[..., -1] if mask.shape[2] in (2, 4) else np.ones(colours.shape, bool)


def read_sketch(sketch: Any, size_hw: tuple[int, int]) -> Mask:
    """A drawing (array, PIL image or path) as H x W bool, True on its lines.

    White on black, black on white, or strokes on transparent paper. Raises UsageError if its size is not the
    picture's, or if more than a third of it is line.
    """
    from autoremove.models.sketch import drawn_lines

    array = sketch if isinstance(sketch, np.ndarray) else _drawing(sketch)
    if array.shape[:2] != size_hw or array.ndim > 3:
        size = " x ".join(str(side) for side in array.shape[1::-1])
        raise UsageError(
            f"The sketch is {size} pixels, the upright picture {size_hw[1]} x {size_hw[0]}.",
            hint="Draw it in a layer over the picture, and save that layer alone at full size.",
        )
    lines = drawn_lines(array)
    if lines.mean() > 1 / 3:
        raise UsageError(
            f"{lines.mean():.0%} of the sketch is line.",
            hint="Draw thin lines on paper of one colour or none, not on the picture itself.",
        )
    return lines


def read_edges(edges: Any, holes: Mask) -> Mask:
    """Edges to put into ``holes`` (H x W), of a drawing or of another picture: H x W bool.

    ``edges``: array, PIL image or path. A drawing is taken as :func:`read_sketch` takes it, with its errors;
    of anything else the Canny edges are taken, scaled to cover the picture.
    """
    from autoremove.models.edgeconnect_lines import edges_of, is_drawing

    array = edges if isinstance(edges, np.ndarray) else _drawing(edges)
    if is_drawing(array):
        return read_sketch(array, (holes.shape[0], holes.shape[1]))
    return edges_of(images.from_any(array)[0], holes)


def _drawing(sketch: Any) -> NDArray[np.uint8]:
    """H x W x 4, upright."""
    from PIL import Image as PillowImage
    from PIL import ImageOps

    whole = sketch if isinstance(sketch, PillowImage.Image) else images.from_any(sketch)[1]([])
    return np.asarray(ImageOps.exif_transpose(whole).convert("RGBA"))


def _middle(flat: NDArray[Any]) -> float:
    """Half of white: of 1 for masks of small numbers, of the type's or a picture's white for others."""
    if flat.size and flat.max() <= 1:
        return 0.5
    return 32767.5 if flat.dtype == np.uint16 else 127.5
