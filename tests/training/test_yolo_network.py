"""Where a label may be lacking, what is seen there is no mistake; where it cannot lack, it is."""

from __future__ import annotations

import torch

from autoremove.training.yolo_network import build_network, counted_at, partial_loss


def test_bits_are_looked_up_where_the_anchor_is() -> None:
    unknown = torch.zeros(1, 4, 4, dtype=torch.int64)
    unknown[0, 1, 2] = 0b101
    points = torch.tensor([[20.0, 12.0], [12.0, 20.0], [31.9, 31.9]])
    counted = counted_at(points, unknown, 3)
    assert counted.shape == (1, 3, 3)
    assert counted[0, 0].tolist() == [False, True, False]
    assert counted[0, 1:].all()


def loss_of(net: object, unknown: int, kind: int | None) -> torch.Tensor:
    boxes = torch.tensor([[0.5, 0.5, 0.5, 0.5]]) if kind is not None else torch.zeros(0, 4)
    batch = {
        "img": torch.full((1, 3, 64, 64), 0.5),
        "cls": torch.full((len(boxes), 1), float(kind or 0)),
        "bboxes": boxes,
        "batch_idx": torch.zeros(len(boxes)),
        "unknown": torch.full((1, 8, 8), unknown, dtype=torch.int64),
    }
    _, parts = net(batch)  # type: ignore[operator]
    return torch.stack([torch.as_tensor(value) for value in parts.values()])


def test_a_class_in_doubt_costs_nothing_unless_it_is_labelled() -> None:
    torch.manual_seed(0)
    net = build_network("yolo11n", 2).train()
    net.criterion = partial_loss(net)
    both, dog, none = (float(loss_of(net, bits, None)[1]) for bits in (0b00, 0b01, 0b11))
    assert none == 0
    assert 0 < dog < both
    labelled = loss_of(net, 0b11, 1)
    assert bool((labelled > 0).all())  # box, class and distribution of the labelled dog all count
    assert float(labelled[1]) < float(loss_of(net, 0, 1)[1])
