"""How good enlarging four times is: whole pictures made small, enlarged again, beside bicubic interpolation.

The conventions of the field: PSNR and SSIM on the luma of ITU-R BT.601 (16 to 235), without a border of four
pixels; small pictures by antialiased bicubic interpolation (a = -0.5, as MATLAB's ``imresize`` and Pillow; at
the outermost pixels these weigh what is inside instead of mirroring it), rounded to 8 bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from autoremove.errors import InputError
from autoremove.evaluation.inpaint import pictures_below
from autoremove.evaluation.labelled import spread
from autoremove.evaluation.sheet import cell, write_sheet
from autoremove.evaluation.table import Table, number
from autoremove.evaluation.unread import Unread
from autoremove.models.srgan import SCALE
from autoremove.training.upscaling_figures import bicubic_pixels, compared, enlarger, pair_of
from autoremove.types import Image

Enlarge = Callable[[Image], Image]
"""H x W x 3 uint8 to 4H x 4W x 3."""

BICUBIC = "bicubic"
LEAST = 32
"""Shorter side below which a picture says nothing, in pixels."""

MOST_ROWS = 20
"""Pictures on a sheet, evenly spaced."""

DETAIL = 192
"""Side of the middle part that a sheet shows of each picture, in pixels."""


def evaluate_upscale(
    folder: Path,
    weights: str = "embedded",
    *,
    device: str = "cpu",
    limit: int | None = None,
    sheet: Path | None = None,
) -> dict[str, Any]:
    """Measure one set of weights of SRResNet on a folder of pictures; see :func:`evaluate_enlargers`.

    ``about`` holds the weights' name, their parameters and the network's configuration. Raises InputError
    where there is nothing to measure, WeightsError.
    """
    from dataclasses import asdict

    from autoremove.models import cache

    network = cache.load("srgan", weights, device)
    result = evaluate_enlargers(folder, {"srgan": enlarger(network)}, limit=limit, sheet=sheet)
    about = {
        "weights": weights,
        "parameters": sum(value.numel() for value in network.parameters()),
        "config": asdict(network.config),
    }
    return {**result, "about": about}


def evaluate_enlargers(
    folder: Path, models: Mapping[str, Enlarge], *, limit: int | None = None, sheet: Path | None = None
) -> dict[str, Any]:
    """Measure functions that enlarge pictures four times, and bicubic interpolation beside them.

    ``models``: for each row its mean ``psnr`` (dB) and ``ssim`` on luma, ``gain`` (dB over bicubic on the
    same pictures), ``better`` (share of the pictures with more than bicubic's PSNR) and ``seconds`` for a
    million pixels that come out. ``each``: PSNR of every picture. ``skipped``: pictures of less than 32
    pixels, and what is ``unread``: it cannot be. ``sheet``: a PNG of the middle of each picture: plain,
    bicubic, every model, truth.
    """
    paths = pictures_below(folder)
    chosen = list(spread(paths, len(paths), limit))
    shown = set(np.linspace(0, len(chosen) - 1, min(MOST_ROWS, len(chosen))).astype(int).tolist())
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in (BICUBIC, *models)}
    names, cells, unread = [], [], Unread()
    for position, path in enumerate(tqdm(chosen, "upscale", disable=None)):
        pair = _pair(path, unread)
        if pair is None:
            continue
        names.append(path.relative_to(folder).as_posix())
        made = _measured(*pair, models, rows)
        if sheet and position in shown:
            cells.append(_sheet_row(path.stem, *pair, made, rows))
    unread.refuse_nothing(len(names))
    if not names:
        raise InputError(f"{folder} has no picture of at least {LEAST} pixels.", hint="Name another folder.")
    if sheet:
        write_sheet(sheet, cells)
    each = {name: [own[row]["psnr"] for own in rows.values()] for row, name in enumerate(names)}
    summed = {name: _summed(own, rows[BICUBIC]) for name, own in rows.items()}
    about = {"pictures": len(names), "skipped": len(chosen) - len(names), "unread": unread.told}
    return {"models": summed, "each": each, **about, "scale": SCALE}


def upscale_table(result: Mapping[str, Any]) -> Table:
    """One row a model."""
    header = ["model", "PSNR (Y)", "SSIM (Y)", "over bicubic", "better on", "s/Mpixel"]
    rows = [
        [
            name,
            number(row["psnr"], ".2f"),
            number(row["ssim"], ".4f"),
            number(row["gain"], "+.2f"),
            number(row["better"], ".0%"),
            number(row["seconds"], ".2f"),
        ]
        for name, row in result["models"].items()
    ]
    return [header, *rows]


def _pair(path: Path, unread: Unread) -> tuple[Image, Image] | None:
    """The true picture and the small one; None where it cannot serve, which is counted as skipped."""
    from autoremove.images import read

    picture = unread.attempt(lambda: read(path))
    return None if picture is None or min(picture.size_hw) < LEAST else pair_of(picture.rgb)


def _measured(
    high: Image, low: Image, models: Mapping[str, Enlarge], rows: dict[str, list[dict[str, float]]]
) -> dict[str, Image]:
    """Every model's picture; its figures go into the rows."""
    made = {}
    for name, enlarge in {BICUBIC: bicubic_pixels, **models}.items():
        started = time.perf_counter()
        made[name] = enlarge(low)
        seconds = time.perf_counter() - started
        million = high.shape[0] * high.shape[1] / 1e6
        rows[name].append({**compared(made[name], high), "seconds": seconds / million})
    return made


def _summed(own: list[dict[str, float]], plain: list[dict[str, float]]) -> dict[str, float]:
    means = {name: float(np.mean([row[name] for row in own])) for name in own[0]}
    gains = np.array([a["psnr"] - b["psnr"] for a, b in zip(own, plain, strict=True)])
    return {**means, "gain": float(gains.mean()), "better": float((gains > 0).mean())}


def _sheet_row(
    name: str, high: Image, low: Image, made: dict[str, Image], rows: dict[str, list[dict[str, float]]]
) -> list[Image]:
    plain = np.repeat(np.repeat(low, SCALE, 0), SCALE, 1)
    cells = [cell(_middle(plain), name)]
    cells += [
        cell(_middle(picture), f"{model} {rows[model][-1]['psnr']:.2f} dB") for model, picture in made.items()
    ]
    return [*cells, cell(_middle(high), "truth")]


def _middle(picture: Image) -> Image:
    top, left = (max(0, (side - DETAIL) // 2) for side in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + DETAIL, left : left + DETAIL])
