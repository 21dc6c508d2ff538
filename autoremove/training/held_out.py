"""Held-out pictures with fixed holes: the figures and sample sheets that say how an inpainter fares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from autoremove.training.crops import centre_crop
from autoremove.training.holes import HoleMix
from autoremove.training.record import tile
from autoremove.training.scenes import Source
from autoremove.training.similarity import similarity
from autoremove.types import Image, Mask

Fill = Callable[[Image, Mask], tuple[Image, Image]]
"""Picture and hole to (coarse picture, refined picture), neither composited."""


@dataclass(frozen=True)
class HeldOut:
    """Pictures and holes that stay the same for a whole run, and between runs of one seed."""

    pictures: list[Image]
    holes: list[Mask]

    @classmethod
    def of(cls, paths: Sequence[Path], holes: HoleMix, *, count: int, size: int, seed: int = 7) -> HeldOut:
        """``count`` of the pictures, spread evenly over their order, centre-cropped to ``size``."""
        chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int)]
        pictures = [centre_crop(Source(path).read(2 * size), size) for path in chosen]
        return cls(pictures, [holes.draw(size, np.random.default_rng((seed, i))) for i in range(len(chosen))])

    def figures(self, fill: Fill) -> dict[str, float]:
        """Mean hole PSNR (dB, also as ``score``), hole L1 (0..1) and SSIM of the composites.

        ``telea_psnr`` is the hole PSNR of OpenCV's Telea fill on the same holes.
        """
        composites = self._composites(fill)
        psnr = self._mean(hole_psnr, composites)
        return {
            "score": psnr,
            "psnr": psnr,
            "l1": self._mean(hole_l1, composites),
            "ssim": self._mean(lambda a, b, _: ssim(a, b), composites),
            "telea_psnr": self._telea,
        }

    def psnr(self, fill: Fill) -> float:
        """Mean hole PSNR of the composites, in dB."""
        return self._mean(hole_psnr, self._composites(fill))

    def _composites(self, fill: Fill) -> list[Image]:
        return [paste(p, fill(p, h)[1], h) for p, h in zip(self.pictures, self.holes, strict=True)]

    @cached_property
    def _telea(self) -> float:
        fills = [
            np.asarray(cv2.inpaint(p, h.astype(np.uint8), 5, cv2.INPAINT_TELEA), np.uint8)
            for p, h in zip(self.pictures, self.holes, strict=True)
        ]
        return self._mean(hole_psnr, fills)

    def _mean(self, figure: Callable[[Image, Image, Mask], float], results: list[Image]) -> float:
        rows = zip(results, self.pictures, self.holes, strict=True)
        return float(np.mean([figure(result, truth, hole) for result, truth, hole in rows]))

    def sheet(self, fill: Fill, guided: Fill | None = None, count: int = 8) -> Image:
        """One row a picture: with its hole, coarse, composite, truth; last the composite of ``guided``."""
        rows = []
        for picture, hole in list(zip(self.pictures, self.holes, strict=True))[:count]:
            coarse, refined = fill(picture, hole)
            blank = np.where(hole[..., None], np.uint8(255), picture)
            rows.append([blank, coarse, paste(picture, refined, hole), picture])
            if guided is not None:
                rows[-1].append(paste(picture, guided(picture, hole)[1], hole))
        return tile(rows)


def at_size(fill: Fill, size: int) -> Fill:
    """The same fill, computed on the picture scaled to ``size`` squared and enlarged again."""

    def scaled(picture: Image, hole: Mask) -> tuple[Image, Image]:
        height, width = hole.shape
        small = np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
        # Any hole pixel makes the small pixel one: it holds some of what is to be removed.
        share = cv2.resize(hole.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
        coarse, refined = (
            np.asarray(cv2.resize(x, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
            for x in fill(small, np.asarray(share) > 0)
        )
        return coarse, refined

    return scaled


def paste(picture: Image, fill: Image, hole: Mask) -> Image:
    """``fill`` in the hole, ``picture`` elsewhere."""
    return np.where(hole[..., None], fill, picture)


def hole_psnr(result: Image, truth: Image, hole: Mask) -> float:
    """Peak signal-to-noise ratio inside the hole, peak 255, in dB; at most 60."""
    error = float(np.mean((result[hole].astype(np.float64) - truth[hole]) ** 2))
    return float(min(60.0, 10 * np.log10(255**2 / max(error, 1e-12))))


def hole_l1(result: Image, truth: Image, hole: Mask) -> float:
    """Mean absolute error inside the hole, 0..1."""
    return float(np.abs(result[hole].astype(np.float64) - truth[hole]).mean() / 255)


def ssim(result: Image, truth: Image) -> float:
    """Structural similarity over the whole picture, Gaussian window 11, sigma 1.5, mean of RGB."""
    return float(similarity(result, truth).mean())
