"""The real command line with a detector that sees red blocks as persons and blue ones as cars, and no torch.

Run as a script by tests that need a process of their own; workers import it too and so get the same detector.
AUTOREMOVE_TEST_SECONDS makes each look at a picture take that long.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from autoremove.errors import UsageError
from autoremove.models import cache, device
from autoremove.types import Detections, Image


def red_and_blue(images: list[Image], *, labels: Any, **_how: Any) -> list[Detections]:
    time.sleep(float(os.environ.get("AUTOREMOVE_TEST_SECONDS", "0")))
    return [one(image, labels or ("person", "car")) for image in images]


def one(image: Image, labels: tuple[str, ...]) -> Detections:
    values = image.astype(int)
    rows = []
    for label, channel, other in (("person", 0, 2), ("car", 2, 0)):
        ys, xs = np.nonzero(
            (values[..., channel] > 170) & (values[..., other] < 110) & (values[..., 1] < 100)
        )
        if len(ys) > 40 and label in labels:
            rows.append(((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1), label))
    boxes = np.array([box for box, _ in rows], np.float32).reshape(-1, 4)
    return Detections(boxes, np.full(len(rows), 0.9, np.float32), tuple(label for _, label in rows))


def load(kind: str, name: str, device: str = "cpu", **_how: Any) -> Any:
    if kind != "detector":
        raise UsageError(f"the tests have no {kind} {name!r} on {device}")
    return SimpleNamespace(names=("person", "car"), detect=red_and_blue)


def install(set_attribute: Any = setattr) -> None:
    """Put the fakes in; ``set_attribute`` may be a monkeypatch's."""
    set_attribute(cache, "load", load)
    set_attribute(device, "choose", choose)
    set_attribute(device, "describe", lambda chosen: f"Device: {chosen.torch_device} ({chosen.why})")


def choose(request: str = "auto") -> device.Device:
    if request not in ("auto", "cpu"):
        raise device.DeviceError(f"There is no {request}.", hint="Take cpu.")
    return device.Device("cpu", "of the tests")


if __name__ in ("__main__", "__mp_main__"):
    install()

if __name__ == "__main__":
    from autoremove.cli import main

    main()
