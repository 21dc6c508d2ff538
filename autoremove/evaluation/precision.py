"""Average precision as COCO defines it, by class and by group of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from autoremove.evaluation.judging import Judgement
from autoremove.evaluation.matching import Boxes


class AveragePrecision:
    """COCO's average precision by row of the table (torchmetrics over pycocotools)."""

    def __init__(self, names: Sequence[str]) -> None:
        from torchmetrics.detection import MeanAveragePrecision

        self.names = list(names)
        self._metric = MeanAveragePrecision(extended_summary=True, class_metrics=True, backend="pycocotools")
        # COCO keeps the best hundred; a crowd has more, and torchmetrics would warn at each picture.
        self._metric.warn_on_many_detections = False

    def add(self, rows: Mapping[str, Judgement]) -> None:
        """Take in one picture: for each name the finds that count, and the true boxes."""
        import torch

        def columns(boxes: Sequence[Boxes]) -> dict[str, torch.Tensor]:
            numbers = np.repeat(np.arange(len(boxes)), [len(part) for part in boxes])
            everything = np.concatenate([np.zeros((0, 4), np.float32), *boxes])
            return {"boxes": torch.from_numpy(everything), "labels": torch.from_numpy(numbers)}

        judged = [rows[name] for name in self.names]
        scores = np.concatenate([np.zeros(0, np.float32), *[row.found.score for row in judged]])
        finds = {**columns([row.found.xyxy for row in judged]), "scores": torch.from_numpy(scores)}
        self._metric.update([finds], [columns([row.truth for row in judged])])

    def figures(self) -> dict[str, dict[str, float | None]]:
        """``ap50`` and ``ap50_95`` of each name; None without a true object."""
        result = self._metric.compute()
        seen = np.atleast_1d(result["classes"].numpy()).tolist()
        # overlaps x recalls x classes x sizes x most finds; -1 where a class has no true object
        table = result["precision"].numpy()
        figures = {}
        for number, name in enumerate(self.names):
            values = table[:, :, seen.index(number), 0, -1] if number in seen else np.array([[-1.0]])
            known = bool((values > -1).all())
            figures[name] = {
                "ap50": float(values[0].mean()) if known else None,
                "ap50_95": float(values.mean()) if known else None,
            }
        return figures
