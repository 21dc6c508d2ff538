"""Training of MaskNet: crops round labelled objects, cross-entropy plus Dice."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoremove.errors import InputError
from autoremove.models import masknet
from autoremove.models.checkpoints import load_state
from autoremove.models.masknet_yolo import YoloMaskNet
from autoremove.training.ahead import Ahead
from autoremove.training.averaged import Averaged
from autoremove.training.boxmask_data import BoxMaskConfig, Crop, jittered, overlapped, read_crops
from autoremove.training.instances import IGNORE
from autoremove.training.loop import LoopConfig, train
from autoremove.training.muon import Muon, set_rates, split_for_muon
from autoremove.training.precision import autocast
from autoremove.training.record import data_digest, some_of, tile
from autoremove.types import Image

__all__ = ["BoxMaskConfig", "BoxMaskTask", "Crop", "jittered", "loss_of", "read_crops", "run"]


def loss_of(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy plus soft Dice (Milletari et al. 2016) over the pixels that are not ignored."""
    known = (truth != IGNORE).float()
    target = (truth == 1).float()
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    chance = logits.sigmoid() * known
    both = (chance * target).sum((1, 2))
    dice = 1 - (2 * both + 1) / (chance.sum((1, 2)) + (target * known).sum((1, 2)) + 1)
    return (entropy * known).sum() / known.sum() + dice.mean()


class BoxMaskTask(Averaged):
    """MaskNet in the training loop."""

    def __init__(self, config: BoxMaskConfig, device: str = "cpu") -> None:
        self.config, self.device = config, device
        torch.manual_seed(config.seed)
        self.crops, self.held_out = _read(config)
        self.crops = some_of(self.crops, config.share)
        self.crops += read_crops(Path(config.drawn), config) if config.drawn else []
        for rows, what in ((self.crops, "to learn from"), (self.held_out, "held out")):
            if not rows:
                raise InputError(f"There are no objects {what}.", hint="Check --data and --validation.")
        weights = np.array([crop.weight for crop in self.crops])
        self.chances = weights / weights.sum()
        # Faster on CPUs for the backbone; a net as thin as MaskNet's makes oneDNN's channels-last abort.
        self.net = _network(config).to(device)
        on_eyes = isinstance(self.net, YoloMaskNet)
        self.layout = torch.channels_last if on_eyes else torch.contiguous_format
        self.net = self.net.to(memory_format=self.layout)
        self.average = copy.deepcopy(self.net).eval()
        self.optimisers = _optimisers(self.net, config)
        self.autocast = autocast(config.precision, torch.device(device))
        self.ahead = Ahead(self._batch, config.seed, config.workers)
        self.done = 0

    def step(self, progress: float) -> dict[str, float]:
        self.done += 1
        # Python's floats throughout: a checkpoint with one of numpy's is no plain data and cannot be resumed.
        cosine = 0.5 + 0.5 * math.cos(math.pi * progress) + 0.01
        rate = self.config.learning_rate * min(1.0, self.done / 100) * cosine
        set_rates(self.optimisers, rate, self.config.muon)
        planes, truth = (torch.as_tensor(column).to(self.device) for column in self.ahead.next())
        planes = planes.to(memory_format=self.layout)
        self.net.train()
        with self.autocast():
            logits = self.net(planes)[:, 0]
        loss = loss_of(logits.float(), truth)
        self.net.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        for optimiser in self.optimisers:
            optimiser.step()
        # The start is ramped, or the noise of the first steps would stay in the average.
        self.follow(min(self.config.ema, self.done / (self.done + 20)))
        return {"loss": float(loss.detach())}

    def _batch(self, _: float, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Planes N x 4 x S x S and truth N x S x S."""
        chosen = rng.choice(len(self.crops), self.config.batch, p=self.chances)
        planes, truth = zip(*(jittered(self._drawn(i, rng), self.config, rng) for i in chosen), strict=True)
        return np.stack(planes), np.stack(truth)

    def _drawn(self, number: int, rng: np.random.Generator) -> Crop:
        """One of the crops, now and then with another's object pasted into it."""
        if rng.random() >= self.config.overlap:
            return self.crops[number]
        other = self.crops[int(rng.choice(len(self.crops), p=self.chances))]
        return overlapped(self.crops[number], other, rng)

    @torch.inference_mode()
    def _chances(self, crops: list[Crop]) -> NDArray[np.float32]:
        """Predicted probabilities in the frame of each crop's un-jittered window."""
        planes = np.stack([self._plain(crop)[0] for crop in crops])
        parts = [
            self.average(torch.from_numpy(part).to(self.device)).sigmoid().cpu()
            for part in np.array_split(planes, 8)
        ]
        return torch.cat(parts)[:, 0].float().numpy()

    def _plain(self, crop: Crop) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        window = masknet.crop_window(crop.box)
        matrix = masknet.to_window(window, (self.config.side, self.config.side))
        size = (self.config.side, self.config.side)
        pixels = np.asarray(cv2.warpAffine(crop.pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE))
        truth = np.asarray(cv2.warpAffine(crop.truth, matrix, size, flags=cv2.INTER_NEAREST), np.uint8)
        colour = pixels.astype(np.float32).transpose(2, 0, 1) / 255
        return np.concatenate([colour, masknet.box_map(crop.box, window, self.config.side)[None]]), truth

    def validate(self) -> dict[str, float]:
        """Mean IoU given true boxes, in the network's own frame."""
        overlaps = []
        for crop, chance in zip(self.held_out, self._chances(self.held_out), strict=True):
            truth = self._plain(crop)[1]
            known, found, there = truth != IGNORE, chance > 0.5, truth == 1
            overlaps.append((found & there & known).sum() / max(1, ((found | there) & known).sum()))
        values = np.array(overlaps)
        person = np.array([crop.person for crop in self.held_out])
        figures = {"score": float(values.mean()), "iou_all": float(values.mean())}
        if person.any():
            figures["score"] = figures["iou_person"] = float(values[person].mean())
        return figures

    def grid(self) -> Image:
        """Pairs of a crop and its predicted outline."""
        crops = ([crop for crop in self.held_out if crop.person] or self.held_out)[:32]
        cells = []
        for crop, chance in zip(crops, self._chances(crops), strict=True):
            planes, truth = self._plain(crop)
            plain = (planes[:3].transpose(1, 2, 0) * 255).astype(np.uint8)
            shown = plain.copy()
            shown[chance > 0.5] = shown[chance > 0.5] // 2 + np.array([120, 0, 0], np.uint8)
            true = plain.copy()
            true[truth == 1] = true[truth == 1] // 2 + np.array([0, 110, 0], np.uint8)
            cells.append(np.concatenate([shown, true], 1))
        return tile([cells[i : i + 4] for i in range(0, len(cells), 4)])

    def export(self, path: Path, metadata: dict[str, str]) -> None:
        masknet.save_masknet(self.average, path, metadata)


def _read(config: BoxMaskConfig) -> tuple[list[Crop], list[Crop]]:
    """The objects to learn from, and those of the pictures held out."""

    def all_of(chosen: Callable[[int], bool]) -> list[Crop]:
        return [crop for folder in config.data for crop in read_crops(Path(folder), config, chosen)]

    if config.validation:
        return all_of(lambda number: True), read_crops(Path(config.validation), config)
    return all_of(lambda number: number % config.hold_out > 0), all_of(lambda n: n % config.hold_out == 0)


def _network(config: BoxMaskConfig) -> masknet.AnyMaskNet:
    if config.start:
        net = masknet.load_masknet(Path(config.start))
        net.side = config.side  # convolutions take any; the file says at which it is used
        return net
    if not config.eyes:
        return masknet.MaskNet(side=config.side)
    net = YoloMaskNet(config.side)
    net.see_with(load_state(Path(config.eyes)))
    return net


def _optimisers(net: masknet.AnyMaskNet, config: BoxMaskConfig) -> list[torch.optim.Optimizer]:
    """AdamW, and with ``muon`` Muon for the kernels that are matrices."""
    groups = _groups(net, config)
    found: list[torch.optim.Optimizer] = []
    if config.muon:
        split = [split_for_muon(group["params"]) for group in groups]
        kernels = [{**group, "params": fit} for group, (fit, _) in zip(groups, split, strict=True)]
        groups = [{**group, "params": rest} for group, (_, rest) in zip(groups, split, strict=True)]
        found.append(Muon(kernels, config.learning_rate * config.muon, weight_decay=config.weight_decay))
    return [torch.optim.AdamW(groups, weight_decay=config.weight_decay), *found]


def _groups(net: masknet.AnyMaskNet, config: BoxMaskConfig) -> list[dict[str, Any]]:
    """Parameters by the share of the learning rate that they get."""
    eyes = list(net.encoder.parameters()) if isinstance(net, YoloMaskNet) else []
    trained = {id(parameter) for parameter in eyes}
    rest = [parameter for parameter in net.parameters() if id(parameter) not in trained]
    groups = [(rest, 1.0), (eyes, config.eyes_rate)]
    return [
        {"params": rows, "lr": config.learning_rate * share, "share": share} for rows, share in groups if rows
    ]


def run(
    config: BoxMaskConfig,
    output: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    loop: LoopConfig | None = None,
) -> None:
    """Train MaskNet into ``output``; see :func:`autoremove.training.loop.train`."""
    task = BoxMaskTask(config, device)
    folders = [*config.data, *([config.drawn] if config.drawn else [])]
    files = [path for folder in folders for path in (Path(folder) / "images").iterdir()]
    settings = {"config": asdict(config), "objects": len(task.crops), "data_digest": data_digest(files)}
    train(task, loop or LoopConfig(), output, settings, resume=resume)
