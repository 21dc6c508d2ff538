"""Stage embed: pictures in, what Segment Anything's image encoder says of them out, kept for later runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from autoremove.stages.base import StageFields
from autoremove.types import Embedding, Image


@dataclass(frozen=True)
class Embed(StageFields):
    """Compute the picture's embedding before ``refine`` with ``method: sam`` (Kirillov et al. 2023).

    It takes nearly all of that method's time and knows nothing of boxes: with this stage in front of refine
    other boxes, thresholds or growth cost next to nothing in a later run. Without it refine computes the same
    itself, only for pictures with objects, and forgets it. ``weights``: those of refine.
    """

    weights: str = "sam-vit-b"

    name: ClassVar[str] = "embed"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("image",)
    gives: ClassVar[str] = "embedding"

    def weights_digest(self) -> str | None:
        from autoremove.models import weights

        return weights.digest(self.weights, "segmenter")

    def __call__(self, image: list[Image]) -> list[Embedding]:
        from autoremove.models import cache

        segmenter = cache.load("segmenter", self.weights, self.device)
        digest = self.weights_digest() or ""
        return [Embedding(segmenter.embed(pixels), digest) for pixels in image]
