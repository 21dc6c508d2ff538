"""Training of the rescorer, which tells whether a find is what the detector says, and where it ends."""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoremove.errors import InputError
from autoremove.models import masknet, rescorer
from autoremove.models.boxes import apart
from autoremove.models.calibration import Weighing
from autoremove.models.checkpoints import load_state, sha256_of
from autoremove.models.letterbox import as_planes
from autoremove.models.rescorer import REACH, Rescorer
from autoremove.models.weights import resolve
from autoremove.stages.rescore import SAME
from autoremove.training.ahead import Ahead
from autoremove.training.averaged import Averaged
from autoremove.training.box_split import read_split
from autoremove.training.loop import LoopConfig, train
from autoremove.training.muon import set_rates
from autoremove.training.precision import autocast
from autoremove.training.record import data_digest, tile
from autoremove.training.rescorer_data import (
    SIZES,
    Boxes,
    RescorerConfig,
    chances_of,
    found_in,
    joined,
    kept_at,
    sample,
    to_learn_from,
    with_truth,
)
from autoremove.training.yolo_network import decay_groups
from autoremove.types import Image

__all__ = ["RescorerConfig", "RescorerTask", "losses", "overlaps", "run"]

DOUBTFUL, SURE = 0.35, 0.6
"""Overlap (IoU) with the labelled box up to which a find is wrong, and from which it is right."""

LEAN = 0.4
"""How far scores lean on the network, in logits, where figures are told during training."""


class RescorerTask(Averaged):
    """The rescorer in the training loop: AdamW, EMA; cross-entropy of the verdict and GIoU of the box."""

    def __init__(self, config: RescorerConfig, finds: Path, device: str = "cpu") -> None:
        self.config, self.device = config, device
        torch.manual_seed(config.seed)
        self.pictures, self.held_out = read_split(config, config.picture_side)
        found, self.checked = kept_at(finds, self._found)
        self.boxes = to_learn_from(self.pictures, found, config)
        if not len(self.boxes):
            raise InputError("The detector finds nothing to learn from.", hint="Check --data and `finder`.")
        self.chances = chances_of(self.boxes)
        self.net = _network(config).to(device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net).eval()
        groups = decay_groups(self.net, config.weight_decay)
        self.optimisers = [torch.optim.AdamW(groups, config.learning_rate)]
        self.autocast = autocast(config.precision, torch.device(device))
        self.ahead = Ahead(self._batch, config.seed, config.workers)
        self.done = 0

    def _found(self) -> tuple[Boxes, Boxes]:
        rows = ((self.pictures, "pictures"), (self.held_out, "held out"))
        learnt, checked = (found_in(part, self.config, self.device, about) for part, about in rows)
        return learnt, checked

    def step(self, progress: float) -> dict[str, float]:
        config = self.config
        self.done += 1
        # Python's floats throughout: a checkpoint with one of numpy's is no plain data and cannot be resumed.
        cosine = 0.5 + 0.5 * math.cos(math.pi * progress) + 0.005
        set_rates(self.optimisers, config.learning_rate * min(1.0, self.done / 100) * cosine, 0.0)
        crops, told = self.ahead.next()
        self.net.train()
        with self.autocast():
            said = self.net(as_planes(torch.as_tensor(crops).to(self.device)))
        kinds, truth = (torch.as_tensor(column).to(self.device) for column in told)
        verdict, place = losses(said.float(), kinds, truth)
        self.net.zero_grad(set_to_none=True)
        (verdict + place).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimisers[0].step()
        # The start is ramped, or the noise of the first steps would stay in the average.
        self.follow(min(config.ema, self.done / (self.done + 20)))
        return {"verdict": float(verdict.detach()), "box": float(place.detach())}

    def _batch(
        self, _: float, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Crops N x S x S x 3; their classes, and the labelled boxes in sides of those shown (NaN: none)."""
        chosen = rng.choice(len(self.chances), self.config.batch, p=self.chances)
        shown = [
            sample(self.pictures[self.boxes.picture[row]], self.boxes, row, self.config, rng)
            for row in chosen.tolist()
        ]
        crops, truth = zip(*shown, strict=True)
        return np.stack(crops), (self.boxes.kind[chosen], np.stack(truth))

    def _judged(self) -> tuple[Boxes, Boxes]:
        """The finds in held-out pictures, as the detector has them and as they come out of the network."""
        after = []
        for number, picture in enumerate(self.held_out):
            own = self.checked[self.checked.picture == number]
            said = rescorer.looked_at(self.average, picture.image, own.xyxy)
            logit = said.logit[np.arange(len(own)), own.kind]
            score = Weighing(1 - LEAN, LEAN, 0.0)(own.score, logit)
            moved = rescorer.between(own.xyxy, said.xyxy)
            after.append(replace(own, xyxy=moved, score=score))
        return self.checked, joined(after)

    def validate(self) -> dict[str, float]:
        """AP50 of the first class on held-out pictures, of the detector's finds and of what came of them."""
        before, after = (self._ap50(boxes) for boxes in self._judged())
        return {"score": after, "ap50": after, "ap50_before": before}

    def _ap50(self, boxes: Boxes) -> float:
        from torchmetrics.detection import MeanAveragePrecision

        metric = MeanAveragePrecision(iou_thresholds=[0.5], backend="pycocotools")
        metric.warn_on_many_detections = False
        for number, picture in enumerate(self.held_out):
            own = each_once(boxes[(boxes.picture == number) & (boxes.kind == 0)])
            first = picture.xyxy[picture.kind == 0]
            if picture.unknown & 1:
                own, first = own[:0], first[:0]
            guess = {"boxes": own.xyxy, "scores": own.score, "labels": own.kind}
            right = {"boxes": first, "labels": np.zeros(len(first), np.int64)}
            metric.update(*([{k: torch.from_numpy(v) for k, v in row.items()}] for row in (guess, right)))
        return float(metric.compute()["map_50"])

    def grid(self) -> Image:
        """Finds in held-out pictures (white), what the network makes of them (red) and the truth (green)."""
        before, after = self._judged()
        rows = np.linspace(0, len(before) - 1, min(40, len(before))).astype(int).tolist()
        cells = [self._cell(before[[row]], after[[row]]) for row in rows]
        return tile([cells[start : start + 8] for start in range(0, len(cells), 8)])

    def _cell(self, before: Boxes, after: Boxes) -> Image:
        import cv2

        picture, side = self.held_out[int(before.picture[0])], self.config.side
        window = rescorer.crop_window(before.xyxy[0])
        crop = np.array(masknet.cut(picture.image, window, side))
        truth = with_truth(picture, before).truth
        scale = side / np.array([window[2] - window[0], window[3] - window[1]] * 2)
        for box, colour in ((before.xyxy, (255,) * 3), (truth, (0, 200, 0)), (after.xyxy, (230, 0, 0))):
            if not np.isnan(box[0, 0]):
                x1, y1, x2, y2 = np.rint((box[0] - np.array(window[:2] * 2)) * scale).astype(int).tolist()
                cv2.rectangle(crop, (x1, y1), (x2, y2), colour, 1)
        text = f"{before.score[0]:.2f} {after.score[0]:.2f}"
        cv2.putText(crop, text, (3, side - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 0), 1)
        return crop

    def export(self, path: Path, metadata: dict[str, str]) -> None:
        rescorer.save_rescorer(self.average, path, metadata)


def each_once(boxes: Boxes) -> Boxes:
    """The boxes of one picture and class, best first, without those that a better one nearly covers."""
    return boxes[apart(boxes.xyxy, boxes.score, boxes.kind, SAME)]


def losses(said: Tensor, kinds: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the verdict of each one's class, and one minus the GIoU (Rezatofighi et al. 2019) of
    the box where there is a labelled one.

    ``said``: N x (labels + 4), as the network gives it; ``kinds``: N; ``truth``: N x 4, in sides of the box
    that is shown, NaN where no labelled one is near.
    """
    shown = torch.tensor([0.0, 0.0, 1.0, 1.0], device=said.device).expand(len(truth), 4)
    there = ~torch.isnan(truth[:, 0])
    truth = torch.where(there[:, None], truth, shown)
    now = torch.where(there, overlaps(shown, truth)[0], torch.zeros_like(truth[:, 0]))
    target = ((now - DOUBTFUL) / (SURE - DOUBTFUL)).clamp(0, 1)
    logit = said[torch.arange(len(kinds), device=said.device), kinds]
    verdict = torch.nn.functional.binary_cross_entropy_with_logits(logit, target)
    near = now >= DOUBTFUL
    _, general = overlaps(shown + REACH * said[:, -4:], truth)
    return verdict, ((1 - general) * near).sum() / near.sum().clamp(min=1)


def overlaps(ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU of N pairs of boxes, N x 4 each."""

    def area(low: Tensor, high: Tensor) -> Tensor:
        return (high - low).clamp(min=0).prod(1)

    both = area(torch.maximum(ours[:, :2], theirs[:, :2]), torch.minimum(ours[:, 2:], theirs[:, 2:]))
    either = area(ours[:, :2], ours[:, 2:]) + area(theirs[:, :2], theirs[:, 2:]) - both
    round_ = area(torch.minimum(ours[:, :2], theirs[:, :2]), torch.maximum(ours[:, 2:], theirs[:, 2:]))
    share = both / either.clamp(min=1e-6)
    return share, share - (round_ - either) / round_.clamp(min=1e-6)


def _network(config: RescorerConfig) -> Rescorer:
    if config.start:
        return rescorer.load_rescorer(Path(config.start)).train()
    net = Rescorer(config.labels, config.side)
    net.see_with(load_state(resolve(config.finder, "detector")))
    return net


def finds_at(output: Path, finder: str, data_digest: str) -> Path:
    """Where a run keeps what this detector found in this data with the looks of now."""
    looks = "-".join(f"{size}{'m' if mirror else ''}" for size, mirror in SIZES)
    return output / f"finds-{finder[:8]}-{data_digest[:8]}-{looks}.npz"


def run(
    config: RescorerConfig,
    output: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    loop: LoopConfig | None = None,
) -> None:
    """Train the rescorer into ``output``; see :func:`autoremove.training.loop.train`."""
    finder = sha256_of(resolve(config.finder, "detector"))
    files = [path for folder in config.data for path in (Path(folder) / "images").iterdir()]
    digest = data_digest(files)
    task = RescorerTask(config, finds_at(output, finder, digest), device)
    settings: dict[str, Any] = {"config": asdict(config), "finder": finder, "data_digest": digest}
    settings["boxes"] = len(task.boxes)
    train(task, loop or LoopConfig(), output, settings, resume=resume)
