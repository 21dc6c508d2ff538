"""From what was asked for to a recipe that will run: checked first, its device told, its weights found."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from autoremove.cli.lazy import say
from autoremove.cli.options import Request, absolute
from autoremove.errors import UsageError

if TYPE_CHECKING:
    from autoremove.recipe import Recipe
    from autoremove.store import Store


def checked_recipe(request: Request) -> Recipe:
    """The recipe with its overrides; a wrong name or value ends here, before torch is imported."""
    from autoremove.recipe import load_recipe

    return load_recipe(request.recipe, request.overrides)


def ready_recipe(request: Request) -> Recipe:
    """The recipe on its device, which is announced, with its weights at hand.

    Raises DeviceError, WeightsError, and UsageError for a label that the detector does not know.
    """
    from autoremove.recipe import load_recipe

    recipe = load_recipe(
        request.recipe, request.overrides, device=announced_device(request.device, request.quiet)
    )
    for stage in recipe.stages:
        stage.weights_digest()  # finds, fetches and verifies; the hash is remembered
    for stage in recipe.stages:
        if stage.name == "detect":
            _check_labels(stage)
    return recipe


def announced_device(request: str, quiet: bool) -> str:
    """The torch device for a request; which it is and why goes to standard error."""
    from autoremove.models import device

    chosen = device.choose(request)
    if not quiet:
        say(device.describe(chosen))
    return chosen.torch_device


def _check_labels(detect: Any) -> None:
    """Refuse a label the detector does not know once, instead of for every picture.

    Only when labels were chosen: loading the detector takes a second that a cached run can do without.
    """
    if detect.labels == type(detect)().labels or not detect.labels:
        return
    from autoremove.models import cache

    names = cache.load("detector", detect.weights, detect.device).names
    for label in detect.labels:
        if label not in names:
            near = difflib.get_close_matches(label, names, 3, 0.5) or list(names)[:10]
            raise UsageError(
                f"The weights {detect.weights!r} know no {label!r}.",
                hint=f"Nearest of their names: {', '.join(near)}. Other weights: `autoremove weights list`.",
            )


def chosen_store(request: Request) -> Store:
    """The store of --cache, or the default one."""
    from autoremove.store import Store, default_root

    return Store(absolute(request.cache or default_root()))


def described(recipe: Recipe) -> str:
    """One line on what a recipe does: its stages, and what it looks for."""
    labels = next((getattr(stage, "labels", ()) for stage in recipe.stages if stage.name == "detect"), ())
    looking = f"; looking for {', '.join(labels)}" if labels else ""
    return f"recipe {recipe.name}: {' > '.join(stage.name for stage in recipe.stages)}{looking}"
