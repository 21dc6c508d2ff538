"""MaskNet: a small box-prompted, class-agnostic segmenter that turns a box into a tight mask.

A U-Net (Ronneberger et al. 2015) on crops: the box, grown by a margin, is stretched to a square, so the
object always fills the same part of the input; a fourth channel marks the box itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autoremove.errors import WeightsError
from autoremove.models import checkpoints, edges
from autoremove.models.masknet_yolo import YoloMaskNet
from autoremove.types import Cutout

Window = tuple[float, float, float, float]
"""Left, top, right, bottom in picture pixels; may reach outside the picture."""

MARGIN = 0.2
"""Context on each side of the box, as a share of the box's side."""

SIDE = 96
"""Input and output side in pixels that the network is trained at, unless its file says otherwise."""


class _Block(nn.Module):
    """Two 3x3 convolutions with batch norm and SiLU, and a shortcut."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)
        same = channels_in == channels and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels_in, channels, 1, stride, bias=False)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.first_norm(self.first(x)))
        out: Tensor = self.act(self.second_norm(self.second(y)) + self.shortcut(x))
        return out


class MaskNet(nn.Module):
    """Box-prompted U-Net, all of it trained from nothing.

    ``widths``: channels at 1, 1/2, 1/4, 1/8, 1/16 and 1/32 of the input side; ``side``: that side.
    """

    architecture: ClassVar[str] = "masknet"

    def __init__(self, widths: tuple[int, ...] = (8, 24, 48, 96, 144, 160), side: int = SIDE) -> None:
        super().__init__()
        self.widths, self.side = tuple(widths), side
        self.stem = nn.Sequential(
            nn.Conv2d(4, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.SiLU()
        )
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(_Block(a, b, 2) for a, b in pairs)
        self.middle = _Block(widths[-1], widths[-1])
        self.up = nn.ModuleList(_Block(b + a, a) for a, b in reversed(pairs[1:]))
        self.last = nn.Sequential(
            nn.Conv2d(widths[1] + widths[0], 12, 3, 1, 1, bias=False),
            nn.BatchNorm2d(12),
            nn.SiLU(),
            nn.Conv2d(12, 1, 3, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, 1, S, S) for input (N, 4, S, S): RGB in 0..1 and the box map."""
        skips = [self.stem(x - 0.5)]
        for block in self.down:
            skips.append(block(skips[-1]))
        y = self.middle(skips.pop())
        for block in self.up:
            skip = skips.pop()
            y = block(torch.cat([_double(y), skip], 1))
        logits: Tensor = self.last(torch.cat([_double(y), skips.pop()], 1))
        return logits


AnyMaskNet = MaskNet | YoloMaskNet
"""A network that turns a crop with its box into a mask; both take and give the same."""


def _double(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")


def crop_window(xyxy: NDArray[np.floating], margin: float = MARGIN) -> Window:
    """The part of the picture the network looks at: the box with its margin, unclipped."""
    x1, y1, x2, y2 = (float(v) for v in xyxy)
    dx, dy = (x2 - x1) * margin, (y2 - y1) * margin
    return x1 - dx, y1 - dy, x2 + dx, y2 + dy


def to_window(window: Window, size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Affine map from picture pixels to a window of ``size_hw`` pixels (pixel centres at .5)."""
    x1, y1, x2, y2 = window
    sx, sy = size_hw[1] / (x2 - x1), size_hw[0] / (y2 - y1)
    return np.array([[sx, 0, (0.5 - x1) * sx - 0.5], [0, sy, (0.5 - y1) * sy - 0.5]])


def cut(image: NDArray[np.uint8], window: Window, side: int) -> NDArray[np.uint8]:
    """Resample a window of the picture to ``side`` x ``side``; outside the picture is grey."""
    x1, y1 = int(np.floor(max(window[0], 0))), int(np.floor(max(window[1], 0)))
    x2, y2 = int(np.ceil(min(window[2], image.shape[1]))), int(np.ceil(min(window[3], image.shape[0])))
    part = image[y1:y2, x1:x2]
    # Area averaging first: a bilinear warp of a person of 1,500 px to 128 would alias.
    shrink = min(1.0, 1.5 * side / max(1.0, min(window[2] - window[0], window[3] - window[1])))
    if shrink < 0.75 and part.size:
        size = (max(1, round(part.shape[1] * shrink)), max(1, round(part.shape[0] * shrink)))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    fx, fy = part.shape[1] / max(1, x2 - x1), part.shape[0] / max(1, y2 - y1)
    moved = ((window[0] - x1) * fx, (window[1] - y1) * fy, (window[2] - x1) * fx, (window[3] - y1) * fy)
    grey = (114.0,) * 3
    warped = cv2.warpAffine(part, to_window(moved, (side, side)), (side, side), borderValue=grey)
    return np.asarray(warped, np.uint8)


def box_map(xyxy: NDArray[np.float32], window: Window, side: int) -> NDArray[np.float32]:
    """side x side, 1 inside the box, 0 outside."""
    scale = np.array([side / (window[2] - window[0]), side / (window[3] - window[1])] * 2)
    x1, y1, x2, y2 = np.rint((xyxy - np.array([window[0], window[1]] * 2)) * scale).astype(int)
    plane = np.zeros((side, side), np.float32)
    plane[max(0, y1) : y2, max(0, x1) : x2] = 1
    return plane


def predict(
    net: AnyMaskNet,
    image: NDArray[np.uint8],
    xyxy: NDArray[np.float32],
    *,
    threshold: float = 0.5,
    batch: int = 32,
) -> list[Cutout]:
    """Masks of the objects in the boxes (N, 4) of one RGB picture, at its own resolution.

    Each is a window (x1, y1, x2, y2) in whole pixels and the mask inside it: full-size planes for every
    object would take 12 MB each in a phone photo. A box without extent, or outside, has an empty mask.
    """
    masks = []
    for guess in guesses(net, image, xyxy, batch=batch):
        window, chance = at_full_size(guess, image)
        masks.append((window, chance > threshold))
    return masks


class Guess(NamedTuple):
    """What a network says of one object: probabilities ``chance`` S x S, 0..1, over its ``window``."""

    window: Window
    chance: NDArray[np.float32]


@torch.inference_mode()
def guesses(
    net: AnyMaskNet, image: NDArray[np.uint8], xyxy: NDArray[np.float32], *, batch: int = 32
) -> list[Guess]:
    """Probabilities of the objects in the boxes (N, 4) of one RGB picture, as coarse as they are found.

    For a box without extent, or outside, they are empty (0 x 0): there is nothing to look at.
    """
    device = next(net.parameters()).device
    size_hw = (image.shape[0], image.shape[1])
    nothing = np.zeros((0, 0), np.float32)
    found = [Guess(crop_window(box), nothing) for box in xyxy]
    seen = [i for i, guess in enumerate(found) if _shows_something(guess.window, size_hw)]
    for start in range(0, len(seen), batch):
        rows = seen[start : start + batch]
        planes = [_input(image, xyxy[i], found[i].window, net.side) for i in rows]
        chances = _chances(net, torch.from_numpy(np.stack(planes)).to(device, memory_format=_layout(net)))
        for i, chance in zip(rows, chances, strict=True):
            found[i] = found[i]._replace(chance=chance)
    return found


def _layout(net: AnyMaskNet) -> torch.memory_format:
    """A quarter faster on CPUs; a net as thin as MaskNet's makes oneDNN's channels-last abort."""
    return torch.channels_last if isinstance(net, YoloMaskNet) else torch.contiguous_format


def _shows_something(window: Window, size_hw: tuple[int, int]) -> bool:
    """Whether a window has an extent and reaches into the picture; a box of no width has no mask."""
    x1, y1, x2, y2 = window
    return max(x1, 0) < min(x2, size_hw[1]) and max(y1, 0) < min(y2, size_hw[0])


def _chances(net: AnyMaskNet, planes: Tensor) -> NDArray[np.float32]:
    """Probabilities (N, S, S), the mean of each crop and its mirror image: half a point of IoU for free."""
    plain, mirrored = net(planes).sigmoid(), net(planes.flip(-1)).sigmoid().flip(-1)
    return np.asarray(((plain + mirrored) / 2).float().cpu().numpy()[:, 0], np.float32)


def _input(
    image: NDArray[np.uint8], box: NDArray[np.float32], window: Window, side: int
) -> NDArray[np.float32]:
    pixels = cut(image, window, side).astype(np.float32).transpose(2, 0, 1) / 255
    return np.concatenate([pixels, box_map(box, window, side)[None]])


def at_full_size(
    guess: Guess, image: NDArray[np.uint8], *, sharp: bool = True
) -> tuple[tuple[int, int, int, int], NDArray[np.float32]]:
    """A guess at the resolution of its picture: the part of its window that shows something, in whole pixels,
    and the probabilities there, with the edges of the picture (``sharp``) or as smooth as they were found.
    """
    window, size_hw = guess.window, image.shape[:2]
    if not guess.chance.size:
        return (0, 0, 0, 0), np.zeros((0, 0), np.float32)
    x1, y1 = max(0, int(np.floor(window[0]))), max(0, int(np.floor(window[1])))
    x2, y2 = min(size_hw[1], int(np.ceil(window[2]))), min(size_hw[0], int(np.ceil(window[3])))
    moved = (window[0] - x1, window[1] - y1, window[2] - x1, window[3] - y1)
    to_map = to_window(moved, (guess.chance.shape[0], guess.chance.shape[1]))
    if sharp:
        return (x1, y1, x2, y2), edges.sharpened(guess.chance, to_map, image[y1:y2, x1:x2])
    return (x1, y1, x2, y2), edges.resampled(guess.chance, to_map, (y2 - y1, x2 - x1))


def save_masknet(net: AnyMaskNet, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write the weights as safetensors, kernels in half precision, its build in the header.

    Vectors (norms, biases) stay in full precision: they weigh little, and a variance may not fit.
    """
    from safetensors.torch import save_file

    header = {
        "architecture": net.architecture,
        "widths": json.dumps(list(net.widths)),
        "side": str(net.side),
        **(metadata or {}),
    }
    save_file(checkpoints.in_half(net), str(path), metadata=header)
    path.chmod(0o644)  # safetensors writes for its owner alone; weights travel in a wheel


def load_masknet(path: Path, device: str = "cpu") -> AnyMaskNet:
    """Read weights written by :func:`save_masknet`; raises WeightsError if they are another network's."""
    metadata = checkpoints.header(path)
    kinds: dict[str, Callable[[int, tuple[int, ...]], AnyMaskNet]] = {
        "masknet": lambda side, widths: MaskNet(widths, side),
        YoloMaskNet.architecture: YoloMaskNet,
    }
    build = kinds.get(metadata.get("architecture", ""))
    if build is None:
        raise WeightsError(f"{path} holds no MaskNet weights.", hint="Run `autoremove weights list`.")
    make = build

    def built() -> AnyMaskNet:
        return make(int(metadata["side"]), tuple(json.loads(metadata["widths"])))

    net = checkpoints.filled(built, path, "MaskNet")
    return net.to(device).to(memory_format=_layout(net)).eval()
