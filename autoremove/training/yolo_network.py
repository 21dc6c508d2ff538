"""The YOLO network as it is trained: ultralytics' model and loss, for pictures not labelled everywhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from autoremove.errors import WeightsError
from autoremove.training.augmentation import CELL


def build_network(architecture: str, classes: int) -> Any:
    """A new network of so many classes; :func:`partial_loss` is its loss."""
    from autoremove.models.yolo import import_ultralytics

    import_ultralytics()  # keeps it offline and its settings out of the home folder
    from ultralytics.nn.tasks import DetectionModel

    build: Any = DetectionModel
    net = build(f"{architecture}.yaml", nc=classes, verbose=False)
    net.args = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5)
    return net


def take_over(net: Any, start: Path, labels: Sequence[str], architecture: str) -> None:
    """Take over the weights of a file: those of classes that both know, and all that is not by class.

    Raises WeightsError for weights of another network.
    """
    from safetensors.torch import load_file

    from autoremove.models.checkpoints import header

    state = {name: value.float() for name, value in load_file(start).items()}
    before = json.loads(header(start).get("names", "[]"))
    own = net.state_dict()
    pairs = [(i, before.index(label)) for i, label in enumerate(labels) if label in before]
    fitting = {}
    for name, value in state.items():
        if name in own and own[name].shape == value.shape:
            fitting[name] = value
        elif name in own and own[name].shape[1:] == value.shape[1:] and len(value) == len(before):
            fitting[name] = own[name].clone()
            for new, old in pairs:
                fitting[name][new] = value[old]
    if len(fitting) < len(own) // 2:
        raise WeightsError(f"{start} holds no weights of {architecture}.", hint="Check `start`.")
    net.load_state_dict(fitting, strict=False)


def decay_groups(net: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay on convolution kernels only, not on norms and biases."""
    kernels = [p for p in net.parameters() if p.ndim > 1 and p.requires_grad]
    others = [p for p in net.parameters() if p.ndim <= 1 and p.requires_grad]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def partial_loss(net: Any) -> Any:
    """ultralytics' v8DetectionLoss, in which a class whose absence is not known is no mistake.

    The batch carries ``unknown``: N x S/8 x S/8 int64, bits of the classes in doubt by cell. Where a bit is
    set, the class term of anchors there counts only if a labelled object was assigned to them.
    """
    from ultralytics.utils import loss, tal

    base: Any = loss.v8DetectionLoss
    make_anchors: Any = tal.make_anchors

    class Partial(base):  # type: ignore[misc]
        def __init__(self, model: Any) -> None:
            super().__init__(model)
            self.counted: Tensor | None = None
            self.whole: Any = self.bce
            self.bce: Any = self.masked

        def masked(self, scores: Tensor, target: Tensor) -> Tensor:
            terms: Tensor = self.whole(scores, target)
            return terms if self.counted is None else terms * (self.counted | (target > 0))

        def loss(self, preds: dict[str, Any], batch: dict[str, Tensor]) -> Any:
            unknown = batch.get("unknown")
            self.counted = None
            if unknown is not None:
                points, strides = make_anchors(preds["feats"], self.stride, 0.5)
                self.counted = counted_at(points * strides, unknown.to(self.device), self.nc)
            return super().loss(preds, batch)

    return Partial(net)


def counted_at(points: Tensor, unknown: Tensor, classes: int) -> Tensor:
    """N x A x C bool, False where class c is in doubt at anchor a. ``points``: A x 2, x and y in pixels."""
    cells = (points / CELL).long()
    x, y = cells[:, 0].clamp(max=unknown.shape[2] - 1), cells[:, 1].clamp(max=unknown.shape[1] - 1)
    bits = unknown[:, y, x]
    one = torch.ones((), dtype=torch.int64, device=unknown.device)
    flags = one << torch.arange(classes, device=unknown.device)
    return (bits[..., None] & flags) == 0
