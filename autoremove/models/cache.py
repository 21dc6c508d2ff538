"""The networks of this process, each loaded once: stages stay small values and ask here."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

from autoremove.errors import WeightsError
from autoremove.models import network_files
from autoremove.models.families import NETWORKS
from autoremove.models.weights import resolve

_lock = threading.Lock()


def load(kind: str, name: str, device: str = "cpu", *, trust: bool = False) -> Any:
    """The network of a kind (``weights_table.KINDS``) with the weights of a name or path, on a torch device.

    detector: :class:`~autoremove.models.yolo.Detector`, with masks if its network gives them; segmenter:
    :class:`~autoremove.models.sam.SamSegmenter`; masknet: MaskNet; inpainter: the DeepFillv2
    Generator; a name in ``families.NETWORKS``: that network.
    A file that changed on disk is loaded anew. Raises WeightsError as ``weights.resolve`` and the loaders do.
    """
    path = resolve(name, kind)
    stat = path.stat()
    with _lock:  # lru_cache alone would let two threads load the same weights at once
        return _load(kind, path.resolve(), (stat.st_size, stat.st_mtime_ns), device, trust)


def clear() -> None:
    """Let go of every network."""
    _load.cache_clear()


@lru_cache(maxsize=6)
def _load(kind: str, path: Path, identity: tuple[int, int], device: str, trust: bool) -> Any:
    if kind == "masknet":
        from autoremove.models.masknet import load_masknet

        return load_masknet(path, device)
    if kind == "rescorer":
        from autoremove.models.rescorer import load_rescorer

        return load_rescorer(path, device)
    if kind == "inpainter":
        return _inpainter(path, device, trust)
    if kind in NETWORKS:
        return network_files.load(path, kind, trust=trust).to(device)
    if kind == "segmenter":
        return _segmenter(path, device)
    if kind == "detector":
        from autoremove.models.yolo import load_detector

        return load_detector(path, device, trust=trust)
    raise ValueError(f"no kind of network {kind!r}")


def _inpainter(path: Path, device: str, trust: bool) -> Any:
    from autoremove.models import checkpoints, deepfillv2

    ours = checkpoints.header(path).get("architecture") == deepfillv2.ARCHITECTURE
    if ours:
        net = deepfillv2.load_generator(path)
    else:
        net = deepfillv2.from_checkpoint(checkpoints.load_state(path, trust=trust, model="deepfillv2"))
    return net.to(device).eval()


def _segmenter(path: Path, device: str) -> Any:
    from autoremove.models.sam import load_sam

    if path.suffix == ".pt":  # of ultralytics: its networks find and mask in one
        hint = f"Give {path.stem} to the detector, whose masks are then used. Here goes sam-vit-b, -l or -h."
        raise WeightsError(f"{path.name} makes no masks for boxes that others found.", hint=hint)
    return load_sam(path, device)
