"""Training of MaskNet: crops round labelled objects, jittered boxes, cross-entropy plus Dice."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
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
from autoremove.training.averaged import Averaged
from autoremove.training.instances import IGNORE, LabelledPicture, read_instances
from autoremove.training.loop import LoopConfig, train
from autoremove.training.record import data_digest, tile
from autoremove.types import Image

CACHE_MARGIN = 0.5
"""Context kept in memory round each box, so that a jittered box still has its surroundings."""


@dataclass(frozen=True)
class BoxMaskConfig:
    """Everything that decides a MaskNet run.

    ``validation``: a data set, or empty to hold out every ``hold_out``-th picture of ``data``.
    ``eyes``: safetensors of a YOLO11n detector whose backbone is the encoder; empty = a U-Net from nothing.
    ``eyes_rate``: share of the learning rate with which that backbone goes on learning.
    """

    data: tuple[str, ...] = ()
    validation: str = ""
    hold_out: int = 20
    eyes: str = ""
    eyes_rate: float = 0.4
    side: int = 96
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    jitter: float = 0.08
    ema: float = 0.995
    minimum_side: int = 14
    person_weight: float = 3.0
    partly_labelled_weight: float = 0.35
    seed: int = 0


@dataclass(frozen=True)
class Crop:
    """One object with its surroundings. ``truth`` 0 background, 1 object, 255 ignored."""

    pixels: Image
    truth: NDArray[np.uint8]
    box: NDArray[np.float32]
    person: bool
    weight: float


def read_crops(
    folder: Path, config: BoxMaskConfig, chosen: Callable[[int], bool] = lambda number: True
) -> list[Crop]:
    """Cut every object that is large enough out of the pictures of a data set whose number is ``chosen``."""
    return [
        crop
        for number, picture in enumerate(read_instances(folder))
        if chosen(number)
        for identity, label in picture.objects
        if (crop := _crop(picture, identity, label, config)) is not None
    ]


def _crop(picture: LabelledPicture, identity: int, label: str, config: BoxMaskConfig) -> Crop | None:
    box = picture.box(identity)
    if box is None or min(box[2] - box[0], box[3] - box[1]) < config.minimum_side:
        return None
    dx, dy = (box[2] - box[0]) * CACHE_MARGIN, (box[3] - box[1]) * CACHE_MARGIN
    window = (float(box[0] - dx), float(box[1] - dy), float(box[2] + dx), float(box[3] + dy))
    side = int(config.side * 1.5)
    truth = np.where(picture.ids == IGNORE, IGNORE, (picture.ids == identity).astype(np.uint8))
    inner = np.array([dx, dy, dx + box[2] - box[0], dy + box[3] - box[1]], np.float32)
    scale = side / np.array([window[2] - window[0], window[3] - window[1]] * 2, np.float32)
    matrix = masknet.to_window(window, (side, side))
    cut = cv2.warpAffine(truth.astype(np.uint8), matrix, (side, side), flags=cv2.INTER_NEAREST, borderValue=0)
    person = label == "person"
    weight = (config.person_weight if person else 1.0) * (
        1.0 if picture.fully_labelled else config.partly_labelled_weight
    )
    pixels = masknet.cut(picture.image, window, side)
    return Crop(pixels, np.asarray(cut, np.uint8), (inner * scale).astype(np.float32), person, weight)


def jittered(
    crop: Crop, config: BoxMaskConfig, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """One training sample: network input 4 x S x S and truth S x S."""
    sides = np.array([crop.box[2] - crop.box[0], crop.box[3] - crop.box[1]] * 2, np.float32)
    shift = config.jitter * sides * rng.standard_normal(4).clip(-2, 2)
    box = (crop.box + shift).astype(np.float32)
    window = masknet.crop_window(box)
    matrix = masknet.to_window(window, (config.side, config.side))
    size = (config.side, config.side)
    pixels = cv2.warpAffine(crop.pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    truth = cv2.warpAffine(crop.truth, matrix, size, flags=cv2.INTER_NEAREST)
    colour = _recolour(np.asarray(pixels), rng).astype(np.float32).transpose(2, 0, 1) / 255
    planes = np.concatenate([colour, masknet.box_map(box, window, config.side)[None]])
    if rng.random() < 0.5:
        planes, truth = planes[:, :, ::-1], truth[:, ::-1]
    return np.ascontiguousarray(planes), np.ascontiguousarray(truth)


def _recolour(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Random exposure, contrast and white balance; now and then a soft or noisy picture."""
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.92, 1.08, 3)
    shifted: NDArray[Any] = (pixels.astype(np.float32) - 114) * gain + 114 + rng.uniform(-25, 25)
    if rng.random() < 0.2:
        shifted = np.asarray(cv2.GaussianBlur(shifted, (0, 0), rng.uniform(0.4, 1.4)), np.float64)
    if rng.random() < 0.2:
        shifted = shifted + rng.standard_normal(shifted.shape).astype(np.float32) * rng.uniform(2, 12)
    return np.asarray(shifted.clip(0, 255), np.uint8)


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
        self.seed = config.seed
        self.rng = np.random.default_rng(config.seed)
        self.crops, self.held_out = _read(config)
        for rows, what in ((self.crops, "to learn from"), (self.held_out, "held out")):
            if not rows:
                raise InputError(f"There are no objects {what}.", hint="Check --data and --validation.")
        weights = np.array([crop.weight for crop in self.crops])
        self.chances = weights / weights.sum()
        # Faster on CPUs for the backbone; a net as thin as MaskNet's makes oneDNN's channels-last abort.
        self.layout = torch.channels_last if config.eyes else torch.contiguous_format
        self.net = _network(config).to(device).to(memory_format=self.layout)
        self.average = copy.deepcopy(self.net).eval()
        self.optimiser = torch.optim.AdamW(_groups(self.net, config), weight_decay=config.weight_decay)
        self.done = 0

    def step(self, progress: float) -> dict[str, float]:
        self.done += 1
        # Python's floats throughout: a checkpoint with one of numpy's is no plain data and cannot be resumed.
        cosine = 0.5 + 0.5 * math.cos(math.pi * progress) + 0.01
        rate = self.config.learning_rate * min(1.0, self.done / 100) * cosine
        for group in self.optimiser.param_groups:
            group["lr"] = float(rate * group["share"])
        planes, truth = self._batch()
        self.net.train()
        loss = loss_of(self.net(planes)[:, 0], truth)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        # The start is ramped, or the noise of the first steps would stay in the average.
        self.follow(min(self.config.ema, self.done / (self.done + 20)))
        return {"loss": float(loss.detach())}

    def _batch(self) -> tuple[Tensor, Tensor]:
        chosen = self.rng.choice(len(self.crops), self.config.batch, p=self.chances)
        pairs = [jittered(self.crops[i], self.config, self.rng) for i in chosen]
        planes, truth = (torch.from_numpy(np.stack(column)) for column in zip(*pairs, strict=True))
        return planes.to(self.device, memory_format=self.layout), truth.to(self.device)

    @torch.inference_mode()
    def _chances(self, crops: list[Crop]) -> NDArray[np.float32]:
        """Predicted probabilities in the frame of each crop's un-jittered window."""
        planes = np.stack([self._plain(crop)[0] for crop in crops])
        parts = [
            self.average(torch.from_numpy(part).to(self.device)).sigmoid().cpu()
            for part in np.array_split(planes, 8)
        ]
        return torch.cat(parts)[:, 0].numpy()

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
    if not config.eyes:
        return masknet.MaskNet(side=config.side)
    net = YoloMaskNet(config.side)
    net.see_with(load_state(Path(config.eyes)))
    return net


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
    files = [path for folder in config.data for path in (Path(folder) / "images").iterdir()]
    settings = {"config": asdict(config), "objects": len(task.crops), "data_digest": data_digest(files)}
    train(task, loop or LoopConfig(), output, settings, resume=resume)
