"""What boxes share, and which of many are one."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms, box_iou

from autoremove.models.boxes import apart, areas, common, overlap


def some(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 80, (count, 2))
    xyxy = np.concatenate([low, low + rng.uniform(5, 60, (count, 2))], 1).astype(np.float32)
    return xyxy, rng.random(count).astype(np.float32), rng.integers(0, 3, count)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_kept_is_what_torchvision_keeps(seed: int) -> None:
    xyxy, score, kind = some(150, seed)
    for iou in (0.0, 0.3, 0.6, 1.0):
        columns = (torch.from_numpy(column) for column in (xyxy, score, kind))
        assert apart(xyxy, score, kind, iou).tolist() == batched_nms(*columns, iou).tolist()


def test_nothing_and_one_and_the_same_twice() -> None:
    xyxy, score, kind = some(1, 0)
    assert apart(xyxy[:0], score[:0], kind[:0], 0.5).shape == (0,)
    assert apart(xyxy, score, kind, 0.5).tolist() == [0]
    assert apart(xyxy[[0, 0]], score[[0, 0]], kind[[0, 0]], 0.5).tolist() == [0]  # the first, of equals
    assert apart(xyxy[[0, 0]], score[[0, 0]], np.array([0, 1]), 0.5).tolist() == [0, 1]


def test_overlap_is_torchvisions() -> None:
    xyxy, _, _ = some(40, 9)
    other = torch.from_numpy(xyxy)
    assert overlap(xyxy[0], xyxy) == pytest.approx(box_iou(other[:1], other)[0].numpy(), abs=1e-6)
    assert common(xyxy[0], xyxy[:1]) == pytest.approx(areas(xyxy[:1]))


def test_looking_for_people_does_without_torchvision() -> None:
    """Importing it takes a second, for it brings PyTorch's compiler; with it, every start would."""
    script = (
        "import sys, numpy, autoremove\n"
        "from autoremove.stages.detect import Detect\n"
        "Detect(speed='fast')([numpy.zeros((64, 64, 3), numpy.uint8)])\n"
        "sys.exit(any(name.partition('.')[0] == 'torchvision' for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
