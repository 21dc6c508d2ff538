"""From what was asked for to a recipe that will run: checked first, its device told, its weights found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoremove.cli.lazy import say
from autoremove.cli.options import Request, absolute

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
    from autoremove.stages.known import check_labels

    recipe = load_recipe(
        request.recipe, request.overrides, device=announced_device(request.device, request.quiet)
    )
    for stage in recipe.stages:
        stage.weights_digest()  # finds, fetches and verifies; the hash is remembered
    check_labels(recipe.stages)
    return recipe


def announced_device(request: str, quiet: bool) -> str:
    """The torch device for a request; which it is and why goes to standard error."""
    from autoremove.models import device

    chosen = device.choose(request)
    if not quiet:
        say(device.describe(chosen))
    return chosen.torch_device


def chosen_store(request: Request) -> Store:
    """The store of --cache, or the default one."""
    from autoremove.store import Store, default_root

    return Store(absolute(request.cache or default_root()))


def described(recipe: Recipe) -> str:
    """One line on what a recipe does: its stages, what it looks for and whom it leaves."""
    labels: tuple[str, ...] = ()
    kept = ""
    for stage in recipe.stages:
        params = stage.params()
        if stage.name in ("detect", "select") and params.get("labels"):
            labels = params["labels"]
        kept = params.get("keep") or kept
    looking = f"; looking for {', '.join(labels)}" if labels else ""
    keeping = f", keeping the {kept}" if kept else ""
    return f"recipe {recipe.name}: {' > '.join(stage.name for stage in recipe.stages)}{looking}{keeping}"
