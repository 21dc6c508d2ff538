"""Training of the detector: ultralytics' YOLO network and loss in our own loop."""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoremove.models.letterbox import as_planes
from autoremove.training.ahead import Ahead
from autoremove.training.augmentation import Canvas, augmented, degraded, recoloured
from autoremove.training.averaged import Averaged
from autoremove.training.box_split import read_split
from autoremove.training.boxes import BoxedPicture, letterboxed
from autoremove.training.loop import LoopConfig, train
from autoremove.training.muon import Muon, set_rates, split_for_muon
from autoremove.training.pasted import chances_of, paste, read_cutouts
from autoremove.training.precision import autocast, in_float32
from autoremove.training.record import data_digest, tile
from autoremove.training.yolo_network import build_network, decay_groups, partial_loss, take_over
from autoremove.types import Image


@dataclass(frozen=True)
class DetectorConfig:
    """Everything that decides a detector run. ``start``: safetensors to begin from, of the same network.

    ``validation``: a data set, or empty to hold out every ``hold_out``-th picture of ``data``. ``share`` 0..1
    of the others is learnt from, evenly spread, for curves over the number of pictures. ``cutouts``: a
    data set with masks whose objects are pasted into other pictures, ``paste`` of them a picture at most.
    ``backgrounds``: a folder of pictures without people; ``backgrounds_found`` and ``backgrounds_empty``:
    see `read_backgrounds`. ``beside``: what is found in the pictures of ``data`` without a label, see
    :mod:`autoremove.training.beside`. ``mosaic`` 0..1: the share of pictures made of four, up to
    ``mosaic_until`` of the run; ``focus``: see `augmented`.
    ``muon``: above 0, the kernels of hidden convolutions are trained by Muon at this multiple of the learning
    rate instead of AdamW. ``precision``: auto (bfloat16 where the hardware has it), float32 or bfloat16.
    ``workers``: processes that make the pictures, for a GPU; 0 = one thread.
    """

    data: tuple[str, ...] = ()
    validation: str = ""
    hold_out: int = 25
    share: float = 1.0
    cutouts: str = ""
    paste: int = 3
    backgrounds: str = ""
    backgrounds_found: str = ""
    backgrounds_empty: str = ""
    beside: str = ""
    labels: tuple[str, ...] = ("person",)
    architecture: str = "yolo11n"
    start: str = ""
    sizes: tuple[int, ...] = (320,)
    validation_size: int = 320
    batch: int = 16
    learning_rate: float = 6e-4
    final_rate: float = 0.02
    weight_decay: float = 0.01
    muon: float = 0.0
    warmup_steps: int = 60
    mosaic: float = 0.7
    mosaic_until: float = 0.85
    focus: float = 0.0
    ema: float = 0.998
    precision: str = "auto"
    workers: int = 0
    seed: int = 0


class DetectorTask(Averaged):
    """YOLO11 in the training loop: AdamW, EMA, mosaic switched off towards the end."""

    def __init__(self, config: DetectorConfig, device: str = "cpu") -> None:
        self.config, self.device = config, device
        torch.manual_seed(config.seed)
        side = int(max(config.sizes) * 1.2)
        self.pictures, self.held_out = read_split(config, side, config.share)
        weights = np.array([picture.weight for picture in self.pictures])
        self.chances = weights / weights.sum()
        self.cutouts = (
            read_cutouts(Path(config.cutouts), config.labels, max(config.sizes)) if config.cutouts else []
        )
        self.cutout_chances = chances_of(self.cutouts)
        # oneDNN convolves channels-last pictures a third faster.
        self.net = _network(config).to(device, memory_format=torch.channels_last)
        self.net.criterion = partial_loss(self.net)  # its constants lie where the network lies
        self.average = copy.deepcopy(self.net).eval()
        for parameter in self.average.parameters():
            parameter.requires_grad_(False)
        self.optimisers = _optimisers(self.net, config)
        self.autocast = autocast(config.precision, torch.device(device))
        self.ahead = Ahead(self._batch, config.seed, config.workers)
        self.done = 0

    def step(self, progress: float) -> dict[str, float]:
        config = self.config
        self.done += 1
        # Python's floats throughout: a checkpoint with one of numpy's is no plain data and cannot be resumed.
        cosine = config.final_rate + (1 - config.final_rate) * (0.5 + 0.5 * math.cos(math.pi * progress))
        rate = config.learning_rate * min(1.0, self.done / config.warmup_steps) * cosine
        set_rates(self.optimisers, rate, config.muon)
        self.net.train()
        batch = self._as_tensors(self.ahead.next(config.mosaic if progress < config.mosaic_until else 0.0))
        with self.autocast():
            seen = self.net(batch["img"])
        loss, parts = self.net.loss(batch, in_float32(seen))
        self.net.zero_grad(set_to_none=True)
        loss.sum().backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        for optimiser in self.optimisers:
            optimiser.step()
        # A run from trained weights keeps them in the average until it has something better.
        self.follow(config.ema * (1.0 if config.start else 1 - float(np.exp(-self.done / 200))))
        # ultralytics 8.4.180 made it a dict
        values = list(parts.values()) if isinstance(parts, dict) else list(parts)
        return dict(zip(("box", "class", "distribution"), (float(value) for value in values), strict=True))

    def _batch(self, mosaic: float, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
        """The form in which ultralytics' loss takes labels: normalised xywh with a batch index."""
        size = int(rng.choice(self.config.sizes))
        # Larger pictures in smaller batches: a step costs about the same.
        count = max(4, round(self.config.batch * (min(self.config.sizes) / size) ** 2))
        rows = [self._picture(size, mosaic, rng) for _ in range(count)]
        boxes = np.concatenate([row[1] for row in rows]) / size
        xywh = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)
        return {
            "img": np.stack([row[0].pixels for row in rows]),
            "cls": np.concatenate([row[2] for row in rows]).astype(np.float32)[:, None],
            "bboxes": xywh.astype(np.float32),
            "batch_idx": np.repeat(np.arange(count), [len(row[1]) for row in rows]).astype(np.float32),
            "unknown": np.stack([row[0].unknown for row in rows]),
        }

    def _as_tensors(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        columns = {name: torch.as_tensor(c).to(self.device, non_blocking=True) for name, c in batch.items()}
        return {"img": as_planes(columns.pop("img")), **columns}

    def _picture(
        self, size: int, mosaic: float, rng: np.random.Generator
    ) -> tuple[Canvas, NDArray[np.float32], NDArray[np.int64]]:
        """One augmented picture with its boxes and classes."""
        canvas, boxes, kinds = augmented(self.pictures, self.chances, size, mosaic, rng, self.config.focus)
        for _ in range(int(rng.integers(0, self.config.paste + 1)) if self.cutouts else 0):
            cutout = self.cutouts[int(rng.choice(len(self.cutouts), p=self.cutout_chances))]
            boxes, kinds = paste(canvas, boxes, kinds, cutout, rng)
        canvas.pixels[:] = degraded(recoloured(canvas.pixels, rng), rng)
        return canvas, boxes, kinds

    @torch.inference_mode()
    def _found(self, pictures: list[BoxedPicture], confidence: float) -> list[Tensor]:
        """N x 6 per picture: xyxy in letterboxed pixels, score, class."""
        from ultralytics.utils.nms import non_max_suppression

        found: list[Tensor] = []
        for start in range(0, len(pictures), 8):
            part = [letterboxed(p, self.config.validation_size)[0] for p in pictures[start : start + 8]]
            out = self.average(as_planes(torch.from_numpy(np.stack(part)).to(self.device)))
            raw = out[0] if isinstance(out, tuple) else out
            found += [
                f.cpu()
                for f in non_max_suppression(raw, confidence, 0.6, multi_label=False, max_time_img=9.0)
            ]
        return found

    def validate(self) -> dict[str, float]:
        """AP50 of the first class and of all on held-out pictures; recall and false finds of the first.

        The first class decides: it is what most people want gone, and has most of the labels.
        """
        from torchmetrics.detection import MeanAveragePrecision

        metric = MeanAveragePrecision(extended_summary=True, class_metrics=True, backend="pycocotools")
        metric.warn_on_many_detections = False
        found = self._found(self.held_out, 0.01)
        truths = [letterboxed(p, self.config.validation_size)[1] for p in self.held_out]
        for rows, truth, picture in zip(found, truths, self.held_out, strict=True):
            known = torch.from_numpy(picture.labels_all(rows[:, 5].long().numpy()))
            guess = {"boxes": rows[known, :4], "scores": rows[known, 4], "labels": rows[known, 5].long()}
            told = picture.labels_all(picture.kind)
            boxes, kinds = torch.from_numpy(truth[told]), torch.from_numpy(picture.kind[told])
            right = {"boxes": boxes, "labels": kinds}
            metric.update([guess], [right])
        values = metric.compute()
        precision = dict(zip(np.atleast_1d(values["classes"]).tolist(), self._ap50(values), strict=True))
        figures = {"score": precision.get(0, 0.0), "ap50": precision.get(0, 0.0)}
        figures["ap50_all"] = float(values["map_50"])
        first = [rows[rows[:, 5] == 0] for rows in found]
        mine = [truth[picture.kind == 0] for truth, picture in zip(truths, self.held_out, strict=True)]
        return {**figures, **recall_at(first, mine, 0.25)}

    @staticmethod
    def _ap50(values: dict[str, Any]) -> list[float]:
        """AP50 of each class; the metric itself gives that of all together only."""
        table = values["precision"].numpy()[0, :, :, 0, -1]  # recalls x classes
        return [float(column.mean()) for column in table.T]

    def grid(self) -> Image:
        """Held-out pictures with what is found at confidence 0.25 (red) and the truth (green)."""
        import cv2

        cells = []
        some = self.held_out[:12]
        for rows, picture in zip(self._found(some, 0.25), some, strict=True):
            image, truth = letterboxed(picture, self.config.validation_size)
            for boxes, colour in ((truth, (0, 200, 0)), (rows.numpy(), (230, 0, 0))):
                for x1, y1, x2, y2 in np.rint(boxes[:, :4]).astype(int).tolist():
                    cv2.rectangle(image, (x1, y1), (x2, y2), colour, 2)
            cells.append(image)
        return tile([cells[i : i + 4] for i in range(0, len(cells), 4)])

    def export(self, path: Path, metadata: dict[str, str]) -> None:
        from autoremove.models.yolo import save_detector

        config, state = self.config, self.average.state_dict()
        size, name = config.validation_size, config.architecture
        save_detector(state, config.labels, path, metadata, architecture=name, imgsz=size)


def recall_at(found: list[Tensor], truths: list[Any], confidence: float) -> dict[str, float]:
    """Recall at IoU 0.5 of objects at least 32 letterboxed pixels high, and false finds per picture."""
    from torchvision.ops import box_iou

    hit = large = false = 0
    for rows, truth in zip(found, truths, strict=True):
        boxes = rows[rows[:, 4] >= confidence][:, :4]
        overlap = box_iou(torch.from_numpy(truth), boxes)
        tall = torch.from_numpy(truth[:, 3] - truth[:, 1] >= 32)
        best = overlap.amax(1) if len(boxes) else torch.zeros(len(truth))
        hit, large = hit + int((best[tall] >= 0.5).sum()), large + int(tall.sum())
        false += int((overlap.amax(0) < 0.5).sum()) if len(truth) else len(boxes)
    return {"recall": hit / max(1, large), "false_per_picture": false / max(1, len(found))}


def _optimisers(net: torch.nn.Module, config: DetectorConfig) -> list[torch.optim.Optimizer]:
    """AdamW, and with ``muon`` Muon for the kernels that are matrices."""
    groups = decay_groups(net, config.weight_decay)
    if not config.muon:
        return [torch.optim.AdamW(groups, config.learning_rate)]
    kernels, rest = split_for_muon(groups[0]["params"])
    adam = [{**groups[0], "params": rest}, groups[1]]
    muon = Muon(kernels, config.learning_rate * config.muon, weight_decay=config.weight_decay)
    return [torch.optim.AdamW(adam, config.learning_rate), muon]


def _network(config: DetectorConfig) -> Any:
    net = build_network(config.architecture, len(config.labels))
    if config.start:
        take_over(net, Path(config.start), config.labels, config.architecture)
    return net


def run(
    config: DetectorConfig,
    output: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    loop: LoopConfig | None = None,
) -> None:
    """Train the detector into ``output``; see :func:`autoremove.training.loop.train`."""
    task = DetectorTask(config, device)
    files = [path for folder in config.data for path in (Path(folder) / "images").iterdir()]
    settings = {"config": asdict(config), "pictures": len(task.pictures), "data_digest": data_digest(files)}
    train(task, loop or LoopConfig(), output, settings, resume=resume)
