"""`autoremove evaluate`: detection, masks, fills and whole removals, measured on labelled pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from autoremove.cli.lazy import say
from autoremove.cli.measuring import (
    chosen_device,
    chosen_stages,
    finish,
    recipe_options,
    shared_options,
)
from autoremove.cli.options import GivenPath
from autoremove.errors import InputError, UsageError

if TYPE_CHECKING:
    from autoremove.evaluation.perceptual import Measures
    from autoremove.stages.base import Stage
    from autoremove.stages.detect import Detect

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def command() -> None:
    """Measure detection, masks, fills and whole removals on labelled pictures.

    Each command prints a table, and writes every figure to --json.
    """


@command.command()
@shared_options("the twenty worst pictures (missed orange, false red, found blue and green)")
@recipe_options
@click.option("--weights", help="Detector by name or file. [default: the recipe's]")
@click.option(
    "--labels", help="Classes to judge, e.g. person,all-vehicles. [default: all that data and detector share]"
)
@click.option("--calibrate", is_flag=True, help="Also print what a score is worth: finds and right ones.")
def detect(weights: str | None, labels: str | None, calibrate: bool, **options: Any) -> None:
    """Average precision by class, recall by height, false finds.

    DATA is in the `instances` form (images/, masks/, instances.jsonl) or the YOLO form (images/, labels/).
    Recall is at the confidence that the recipe gives each class. False finds per picture are those that the
    recipe would remove; finds on pixels marked 255, and strays in pictures with unlabelled bystanders, count
    neither way.
    """
    from autoremove.evaluation import shipped
    from autoremove.evaluation.detect import evaluate_detect
    from autoremove.evaluation.table import calibration_table, causes_table, detect_table
    from autoremove.stages.detect import Detect

    stages = chosen_stages(options, {"detect.weights": weights})
    stage = shipped.stage_of(stages, Detect)
    classes = _judged(options["data"], stage, labels)
    result = evaluate_detect(
        options["data"],
        shipped.finder(stage),
        classes=classes,
        confidence=shipped.confidence_of(stages),
        removed=shipped.targets_of(stages, classes) or None,
        choose=shipped.chooser(stages),
        limit=options["limit"],
        sheet=options["sheet"],
    )
    tables = [detect_table(result), causes_table(result["causes"], "objects")]
    finish(result, [*tables, *([calibration_table(result)] if calibrate else [])], options)


def _judged(data: Path, stage: Detect, labels: str | None) -> list[str]:
    """The classes to judge: those asked for or those that the data labels; the detector must know them."""
    from autoremove.evaluation.labelled import known_labels
    from autoremove.evaluation.shipped import known_classes
    from autoremove.labels import expanded
    from autoremove.stages.known import check_labels

    asked = tuple(name.strip() for name in (labels or "").split(",") if name.strip())
    asking: Any = replace(stage, labels=asked)
    check_labels([asking])
    there = known_labels(data)
    if not there:
        raise InputError(f"{data} labels no object.", hint="There is nothing to find: check its labels.")
    classes = known_classes(stage, list(expanded(asked)) if asked else there)
    if not classes:
        named = ", ".join(there[:10])
        raise InputError(
            f"The detector knows no class that {data} labels ({named}).", hint="Check --weights."
        )
    return classes


@command.command()
@shared_options("the twenty worst masks of the first method")
@recipe_options
@click.option(
    "--methods",
    default="network,box,grabcut",
    show_default=True,
    help="Methods of the refine stage; METHOD@WEIGHTS too.",
)
@click.option("--weights", help="Weights of the recipe's own method. [default: the recipe's]")
@click.option("--detector", help="Detector by name or file for the found boxes. [default: the recipe's]")
def mask(methods: str, weights: str | None, detector: str | None, **options: Any) -> None:
    """Mask overlap given true and found boxes, what growth leaves uncovered.

    DATA is in the `instances` form. Pixels marked 255 count nowhere.
    """
    from autoremove.evaluation import shipped
    from autoremove.evaluation.labelled import known_labels
    from autoremove.evaluation.mask import evaluate_mask
    from autoremove.evaluation.table import causes_table, mask_table
    from autoremove.stages.detect import Detect
    from autoremove.stages.refine import Refine

    stages = chosen_stages(options, {"refine.weights": weights, "detect.weights": detector})
    stage, refine = shipped.stage_of(stages, Detect), shipped.stage_of(stages, Refine)
    classes = shipped.known_classes(stage, known_labels(options["data"]))
    result = evaluate_mask(
        options["data"],
        {name.strip(): shipped.refiner(refine, name.strip()) for name in methods.split(",")},
        shipped.finder_as_shipped(stages) if classes else None,
        classes=classes,
        limit=options["limit"],
        sheet=options["sheet"],
    )
    finish(result, [mask_table(result), causes_table(result["causes"], "objects")], options)


@command.command()
@shared_options("pictures side by side")
@recipe_options
@click.option(
    "--holes",
    default="silhouettes",
    show_default=True,
    help="silhouettes, brush, box, an .npz of shapes, a mask, or a folder of masks (by name or in turn).",
)
@click.option(
    "--models",
    default="deepfillv2,telea,ns",
    show_default=True,
    help="Models of the inpaint stage, as NAME[+DETAIL][@WEIGHTS]; the first is ranked.",
)
@click.option("--weights", help="Generator by name or file. [default: the recipe's]")
@click.option(
    "--size", default=256, show_default=True, type=click.IntRange(32, 4096), help="Side of the crops, pixels."
)
@click.option(
    "--shares", default="10-60", show_default=True, help="Hole area, per cent of the crop, in tens."
)
@click.option(
    "--repeats", default=1, show_default=True, type=click.IntRange(1), help="Holes for each picture."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Decides the holes.")
@click.option("--raw", is_flag=True, help="Judge the fill of the inpaint stage alone, before composite.")
@click.option(
    "--sheet-ranked",
    "ranked",
    type=GivenPath(dir_okay=False),
    help="PNG file: the best, the median and the worst ten fills of the first model.",
)
@click.option("--lpips/--no-lpips", default=None, help="[default: where AlexNet's weights are at hand]")
@click.option("--fid/--no-fid", default=None, help="[default: where Inception's weights are at hand]")
@click.option(
    "--fid-features",
    type=click.Choice(["inception", "embedded"]),
    default="inception",
    show_default=True,
    help="embedded: of our own detector; not comparable with a published FID.",
)
def inpaint(models: str, weights: str | None, holes: str, shares: str, raw: bool, **options: Any) -> None:
    """Fills against the truth: l1, l2, PSNR, SSIM, seam and sharpness.

    DATA is a folder of whole pictures of any format. The middle square of each gets holes that depend on
    --seed alone. Errors in per cent of the range. LPIPS and FID need weights of others, which are taken from
    the weights folder or torch's cache and never fetched from here; what is missing is told.
    """
    from autoremove.evaluation import shipped
    from autoremove.evaluation.holes import holes_of, parse_shares
    from autoremove.evaluation.inpaint import evaluate_inpaint
    from autoremove.evaluation.table import causes_table, inpaint_table, models_table

    names = [name.strip() for name in models.split(",") if name.strip()]
    if not names:
        raise UsageError("--models names no model.", hint="E.g. --models deepfillv2,telea,ns.")
    buckets, stages = parse_shares(shares), chosen_stages(options, {"inpaint.weights": weights})
    about = {name: shipped.about_inpainter(stages, name) for name in names}
    result = evaluate_inpaint(
        options["data"],
        holes_of(holes, options["data"]),
        {name: shipped.filler(stages, name, blend=not raw) for name in names},
        shares=buckets,
        measures=_measures(stages, options),
        **{key: options[key] for key in ("size", "repeats", "seed", "limit", "sheet", "ranked")},
    )
    result["about"] = about
    tables = [inpaint_table(result), models_table(result), causes_table(result["causes"], "fills")]
    finish(result, tables, options)


def _measures(stages: tuple[Stage, ...], options: dict[str, Any]) -> Measures:
    """LPIPS and FID as asked for; says which is left out and why."""
    from autoremove.evaluation.perceptual import measures
    from autoremove.evaluation.shipped import stage_of
    from autoremove.stages.inpaint import Inpaint

    device = stage_of(stages, Inpaint).device
    chosen, left_out = measures(options["lpips"], options["fid"], options["fid_features"], device)
    for line in left_out:
        say(f"Left out: {line}")
    return chosen


@command.command()
@shared_options("the twenty worst pictures: before, after, other fills and truth")
@recipe_options
def removal(**options: Any) -> None:
    """The whole pipeline against true empty views; objects found again.

    DATA holds NAME_with, NAME_without and NAME_object pictures (the same view with and without an object,
    and the object in white). On any other folder of pictures, or in the `instances` form, only what is found
    again is counted.
    """
    from autoremove.evaluation.removal import evaluate_removal
    from autoremove.evaluation.table import causes_table, removal_table

    stages = chosen_stages(options, {})
    result = evaluate_removal(options["data"], stages, limit=options["limit"], sheet=options["sheet"])
    finish(result, [removal_table(result), causes_table(result["causes"], "removed")], options)


@command.command()
@shared_options("twenty pictures: bicubic, enlarged, truth")
@click.option("--weights", default="embedded", show_default=True, help="Name or file of SRResNet's weights.")
def upscale(weights: str, **options: Any) -> None:
    """Enlarging four times against bicubic interpolation: PSNR and SSIM of luma, 4 pixels of border left out.

    DATA is any folder of pictures; each is shrunk four times and enlarged again.
    """
    from autoremove.evaluation.upscaling import evaluate_upscale, upscale_table

    device = chosen_device(options["device"])
    result = evaluate_upscale(
        options["data"], weights, device=device, limit=options["limit"], sheet=options["sheet"]
    )
    finish(result, [upscale_table(result)], options)
