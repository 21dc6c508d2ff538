"""Rescorer: looks at each find of the detector once more, cut out and at one size, and judges it anew.

A classifier of its own behind the detector, as in Decoupled Classification Refinement (Cheng et al. 2018,
"Revisiting RCNN"), which also corrects the box (R-CNN, Girshick et al. 2014). However large a person is in a
picture, here all are of one size, and few training pictures suffice to learn that.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autoremove.errors import WeightsError
from autoremove.models import checkpoints, masknet
from autoremove.models.calibration import Weighing, weighings
from autoremove.models.letterbox import as_planes

MARGIN = 0.3
"""Context on each side of the box, as a share of the box's side."""

REACH = 0.5
"""Shares of the box's sides that an output of 1 moves them by."""

INWARD, OUTWARD = 0.25, 0.5
"""How far a side goes that the network would have further in, or further out, where what a box cuts off would
be left standing. On held-out pictures AP50 is 0.663 so, and AP50-95 0.371; 0.658 and 0.368 with 0.5 and 0.75,
0.665 and 0.366 where boxes are not moved.
"""

WIDTHS = (32, 64)
"""Channels that the head keeps of the backbone's maps at 1/16 and 1/32 of the input side."""

HIDDEN = 128


class Rescorer(nn.Module):
    """YOLO11n's backbone and two dense layers that see where in the crop something is.

    ``side``: of the square input in pixels, a multiple of 32. ``labels``: the classes that it judges.
    ``weighings``: how much its verdicts count, by class, and ``finder``: the sha256 of the detector for whose
    finds that was measured; empty before.
    """

    architecture: ClassVar[str] = "rescorer-yolo11n"

    def __init__(self, labels: tuple[str, ...] = ("person",), side: int = 128) -> None:
        super().__init__()
        from autoremove.models.yolo import backbone

        self.labels, self.side = tuple(labels), side
        self.weighings: dict[str, Weighing] = {}
        self.finder = ""
        self.encoder = nn.ModuleList(backbone("yolo11n"))
        self.finer, self.coarser = _narrowed(128, WIDTHS[0]), _narrowed(256, WIDTHS[1])
        seen = WIDTHS[0] * (side // 16) ** 2 + WIDTHS[1] * (side // 32) ** 2
        self.head = nn.Sequential(
            nn.Linear(seen, HIDDEN), nn.SiLU(), nn.Dropout(0.2), nn.Linear(HIDDEN, len(labels) + 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        """N x (labels + 4) for crops N x 3 x S x S in 0..1.

        A logit for each label: is it one, well boxed? Then how far left, top, right and bottom of the box are
        to move right and down, in units of REACH of its sides.
        """
        maps = []
        for number, layer in enumerate(self.encoder):
            x = layer(x)
            if number == 6:
                maps.append(self.finer(x).flatten(1))
        said: Tensor = self.head(torch.cat([*maps, self.coarser(x).flatten(1)], 1))
        return said

    def see_with(self, state: dict[str, Tensor]) -> None:
        """Take over the backbone of a YOLO11n detector's state dict; WeightsError if it is of another."""
        own = {f"model.{name}": name for name in self.encoder.state_dict()}
        taken = {own[name]: value.float() for name, value in state.items() if name in own}
        try:
            missing, _ = self.encoder.load_state_dict(taken, strict=False)
        except RuntimeError as error:
            raise WeightsError(f"These are no weights of a YOLO11n detector: {error}") from error
        if [name for name in missing if not name.endswith("num_batches_tracked")]:
            raise WeightsError("These are no weights of a YOLO11n detector.", hint="Check `finder`.")


def _narrowed(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels_in, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.SiLU())


def crop_window(xyxy: NDArray[np.floating], margin: float = MARGIN) -> masknet.Window:
    """MaskNet's window with the margin of this network."""
    return masknet.crop_window(xyxy, margin)


class Verdicts(NamedTuple):
    """``logit`` N x labels, ``xyxy`` N x 4: the boxes as the network would have them, unclipped."""

    logit: NDArray[np.float32]
    xyxy: NDArray[np.float32]


@torch.inference_mode()
def looked_at(
    net: Rescorer, image: NDArray[np.uint8], xyxy: NDArray[np.float32], *, batch: int = 32
) -> Verdicts:
    """What the network says of the boxes (N, 4) of one RGB picture: the mean of each crop and its mirror.

    Boxes must have an extent inside the picture.
    """
    device = next(net.parameters()).device
    said = []
    for start in range(0, len(xyxy), batch):
        crops = [masknet.cut(image, crop_window(box), net.side) for box in xyxy[start : start + batch]]
        planes = as_planes(torch.from_numpy(np.stack(crops)).to(device))
        turned = net(planes.flip(-1))
        left, top, right, bottom = turned[:, -4:].unbind(1)
        back = torch.cat([turned[:, :-4], torch.stack([-right, top, -left, bottom], 1)], 1)
        said.append(((net(planes) + back) / 2).float().cpu().numpy())
    table = np.concatenate(said) if said else np.zeros((0, len(net.labels) + 4), np.float32)
    sides = np.concatenate([xyxy[:, 2:] - xyxy[:, :2]] * 2, 1)
    moved = xyxy + REACH * table[:, -4:] * sides
    return Verdicts(table[:, :-4], np.asarray(moved, np.float32))


def between(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes (N, 4) that are taken where the detector has ``ours`` and the network ``theirs``; see OUTWARD."""
    move = theirs - ours
    outward = move * np.array([-1, -1, 1, 1], np.float32) > 0
    return np.asarray(ours + np.where(outward, OUTWARD, INWARD) * move, np.float32)


def save_rescorer(net: Rescorer, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write the weights as safetensors, kernels in half precision, its build in the header."""
    from safetensors.torch import save_file

    own = {"architecture": net.architecture, "labels": json.dumps(net.labels), "side": str(net.side)}
    save_file(checkpoints.in_half(net), str(path), metadata={**(metadata or {}), **own})
    path.chmod(0o644)  # safetensors writes for its owner alone; weights travel in a wheel


def load_rescorer(path: Path, device: str = "cpu") -> Rescorer:
    """Read weights written by :func:`save_rescorer`; raises WeightsError if they are another network's."""
    told = checkpoints.header(path)
    if told.get("architecture") != Rescorer.architecture:
        raise WeightsError(f"{path} holds no Rescorer weights.", hint="Run `autoremove weights list`.")

    def build() -> Rescorer:
        return Rescorer(tuple(json.loads(told["labels"])), int(told["side"]))

    net = checkpoints.filled(build, path, "the Rescorer")
    net.weighings, net.finder = weighings(told), told.get("finder", "")
    return net.to(device).to(memory_format=torch.channels_last).eval()
