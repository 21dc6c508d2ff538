"""YOLO detection networks through OpenVINO, which gets more out of processors for pictures of one size.

Where it is missing, PyTorch does the same. The numbers are those of PyTorch up to rounding. Converting a
network takes seconds, so what came of it is kept in the user's cache folder.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autoremove.errors import UsageError
from autoremove.models import signal_stack
from autoremove.models.precision import uses_bfloat16

_log = logging.getLogger("autoremove")

BINS = 16
"""Bins of the distribution of each side's distance (Li et al. 2020, Generalized Focal Loss)."""

STRIDES = (8, 16, 32)
"""Pixels of the picture for one cell of each map of the head."""


def available() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def import_openvino() -> Any:
    """OpenVINO without its telemetry, which else reports each import and writes into the home folder.

    It does without where that package cannot be imported. One that was imported before stays as it is.
    """
    name = "openvino_telemetry"
    absent = name not in sys.modules
    if absent:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        import openvino
    finally:
        if absent:
            del sys.modules[name]
    return openvino


class Maps(nn.Module):
    """The three maps of a YOLO network's head before they are decoded: N x (4 * BINS + classes) x h x w."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        layers = list(self.network.model)
        kept: list[Any] = []
        for layer in layers[:-1]:
            x = layer(_inputs(layer, x, kept))
            kept.append(x if layer.i in self.network.save else None)
        head = layers[-1]
        maps = _inputs(head, x, kept)
        return tuple(
            torch.cat([box(seen), kind(seen)], 1)
            for box, kind, seen in zip(head.cv2, head.cv3, maps, strict=True)
        )


def _inputs(layer: Any, x: Any, kept: list[Any]) -> Any:
    """What a layer takes: the output before it, or those of the layers it names."""
    if isinstance(layer.f, int):
        return x if layer.f == -1 else kept[layer.f]
    return [x if number == -1 else kept[number] for number in layer.f]


def decoded(maps: list[Tensor]) -> Tensor:
    """Boxes and scores of the maps, N x (4 + classes) x anchors: centre, width, height in pixels, 0..1."""
    found = []
    for level, stride in zip(maps, STRIDES, strict=True):
        _, _, height, width = level.shape
        sides, kinds = level[:, : 4 * BINS].flatten(2), level[:, 4 * BINS :].flatten(2)
        chances = sides.reshape(len(sides), 4, BINS, -1).softmax(2)
        far = (chances * torch.arange(BINS, dtype=chances.dtype)[:, None]).sum(2)
        y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        centre = torch.stack([x.flatten(), y.flatten()])
        low, high = centre - far[:, :2], centre + far[:, 2:]
        found.append(torch.cat([(low + high) / 2 * stride, (high - low) * stride, kinds.sigmoid()], 1))
    return torch.cat(found, 2)


class Compiled:
    """A detection network as OpenVINO runs it. Threads take turns; any batch and size goes."""

    def __init__(self, model: Any, threads: int, bfloat16: bool) -> None:
        openvino = import_openvino()
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        # It gives this thread a signal stack of its own, and with several networks leaves behind one that is
        # gone (seen in 2026.4): the next Ctrl-C would end in a crash.
        with signal_stack.kept():
            self._request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
        self._lock = threading.Lock()

    def __call__(self, batch: Tensor) -> Tensor:
        """As the network itself: N x 3 x H x W in 0..1 gives N x (4 + classes) x anchors."""
        with self._lock:
            self._request.infer([np.ascontiguousarray(batch.numpy())])
            maps = [np.array(self._request.get_output_tensor(number).data) for number in range(len(STRIDES))]
        return decoded([torch.from_numpy(level) for level in maps])


class Runners:
    """The compiled forms of one detection network, each made when first asked for.

    ``key`` names its weights in the cache of converted networks; empty: it is never compiled.
    """

    def __init__(self, network: Any, key: str, device: str) -> None:
        self._network, self._key, self._device = network, key, device
        self._made: dict[bool, Compiled | None] = {}
        self._lock = threading.Lock()

    def of(self, precision: str, runtime: str) -> Compiled | None:
        """The network for a precision, or None where PyTorch is to run it.

        ``runtime``: ``auto`` takes OpenVINO if it can, ``openvino`` must (else UsageError), ``torch`` never.
        """
        if runtime == "torch":
            return None
        lack = self._lacks()
        if lack and runtime == "openvino":
            raise UsageError(f"detect.runtime: openvino is not possible: {lack}.", hint="Leave it at auto.")
        if lack:
            return None
        bfloat16 = uses_bfloat16(precision, self._device)
        with self._lock:
            if bfloat16 not in self._made:
                self._made[bfloat16] = self._compiled(bfloat16, runtime)
            return self._made[bfloat16]

    def _lacks(self) -> str:
        """Why OpenVINO cannot run the network; empty if it can."""
        if self._device != "cpu":
            return f"it is for processors, and the device is {self._device}"
        if not (self._key and fits(self._network)):
            return "it runs plain YOLO detectors only, no segmenters"
        return "" if available() else "it is not installed"

    def _compiled(self, bfloat16: bool, runtime: str) -> Compiled | None:
        try:
            return compiled(self._network, self._key, threads=torch.get_num_threads(), bfloat16=bfloat16)
        except Exception as error:  # a foreign library may raise anything, and PyTorch can do the same
            if runtime == "openvino":
                raise
            _log.warning("OpenVINO cannot run the detector, PyTorch does instead: %s", error)
            return None


def fits(network: Any) -> bool:
    """Whether a network ends in the head that :func:`decoded` knows."""
    head = list(network.model)[-1]
    strides = tuple(int(stride) for stride in getattr(head, "stride", ()))
    plain = type(head).__name__ == "Detect" and not getattr(head, "end2end", False)
    return plain and getattr(head, "reg_max", 0) == BINS and strides == STRIDES


def compiled(network: Any, key: str, *, threads: int, bfloat16: bool = False) -> Compiled:
    """A fused detection network, converted or from the cache; ``key`` names its weights there."""
    openvino = import_openvino()
    folder = cache_folder() / f"{key}-{openvino.__version__.partition('-')[0]}"
    if not (folder / "model.xml").is_file():
        model = _converted(network)
        try:
            _keep(model, folder)
        except OSError as error:
            _log.warning(
                "%s cannot be written (%s): the detector is converted at every start.", folder, error
            )
            return Compiled(model, threads, bfloat16)
    return Compiled(openvino.Core().read_model(folder / "model.xml"), threads, bfloat16)


def cache_folder() -> Path:
    """Where converted networks lie: ``openvino`` in the platform's cache folder."""
    import pooch

    return Path(pooch.os_cache("autoremove")) / "openvino"


def _converted(network: Any) -> Any:
    """The network as OpenVINO's own, for pictures of any size.

    Not by its convert_model, which reports each use to its makers.
    """
    import_openvino()
    from openvino import PartialShape
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing, which OpenVINO chose, not we
        example = (torch.zeros(2, 3, 128, 96),)
        # Copies of the weights: what it keeps must not hang on how long PyTorch keeps them.
        traced = TorchScriptPythonDecoder(Maps(network).eval(), example_input=example, shared_memory=False)
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(traced))
    model.reshape(PartialShape([-1, 3, -1, -1]))
    return model


def _keep(model: Any, folder: Path) -> None:
    """Write the network as OpenVINO reads it, whole or not at all."""
    openvino = import_openvino()
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        openvino.save_model(model, aside / "model.xml", compress_to_fp16=False)
        os.replace(aside, folder)
    except OSError:
        if not (folder / "model.xml").is_file():  # else another process was faster
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
