"""YOLO detectors and segmenters through ultralytics, kept offline and out of the home folder."""

from __future__ import annotations

import atexit
import difflib
import json
import logging
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autoremove.errors import UsageError, WeightsError
from autoremove.models.boxes import apart
from autoremove.models.calibration import Line, calibration
from autoremove.models.checkpoints import header, load_state, sha256_of
from autoremove.models.letterbox import Fit, alike, as_planes, fit_to, letterbox, masks_in_boxes
from autoremove.models.precision import autocast
from autoremove.models.yolo_openvino import Runners
from autoremove.types import NO_CUTOUT, Detections, Image

MASKED = 0.1
"""Score below which a find gets no mask: hundreds of weak finds in a large photo would fill the memory."""

PIXELS_AT_ONCE = 2 * 640 * 640
"""Pixels that go through the network together on a processor, whose caches they fill; else eight times."""

_import_lock = threading.Lock()


class Detector:
    """A YOLO network with its class names; ``segments`` tells whether it gives masks too.

    May be shared by threads: they take turns. ``imgsz`` is the longer side it was trained at. ``lines``: what
    its scores are worth, by class, if it was calibrated. ``digest``: the sha256 of its file, if it has one.
    """

    def __init__(
        self,
        network: nn.Module,
        names: Sequence[str],
        device: str,
        imgsz: int = 640,
        lines: Mapping[str, Line] | None = None,
        digest: str = "",
    ) -> None:
        # oneDNN convolves channels-last pictures a fifth faster.
        self.network: nn.Module = network.to(device).to(memory_format=torch.channels_last).eval()
        self.names = tuple(names)
        self.device = device
        self.imgsz = imgsz
        self.lines = dict(lines or {})
        self.digest = digest
        self._head: Any = list(self.network.model)[-1]  # type: ignore[arg-type]
        # The head then gives the decoded boxes (and mask prototypes) alone, in every version of ultralytics.
        self._head.export = True
        self._lock = threading.Lock()
        self._runners = Runners(self.network, digest[:16], device)

    @property
    def segments(self) -> bool:
        return hasattr(self._head, "proto")

    def detect(
        self,
        images: Sequence[Image],
        *,
        labels: Sequence[str] | None = None,
        confidence: float = 0.25,
        iou: float = 0.6,
        imgsz: int | None = None,
        max_det: int = 300,
        mirror: bool = False,
        precision: str = "auto",
        runtime: str = "auto",
    ) -> list[Detections]:
        """What is seen in each picture, best first.

        ``images``: H x W x 3 uint8 RGB, of any sizes. ``labels``: the classes wanted, None for all.
        ``confidence``: least score, 0..1. ``iou``: of two boxes of one class that overlap by more the weaker
        goes, 0..1. ``imgsz``: pixels of the longer side in the network. ``max_det``: most objects a picture.
        ``mirror``: the network sees the pictures left-right mirrored; what it finds is given unmirrored.
        ``precision``, ``runtime``: of :data:`~autoremove.models.precision.PRECISIONS` and ``RUNTIMES``.
        Boxes are in pixels of the picture and inside it; a -seg detector gives masks too, of finds from a
        score of MASKED on. Pictures that have the same size in the network go through it a few at a time.
        Raises UsageError for a label that the network does not know.
        """
        classes = self._classes(labels)
        fits = [fit_to(image.shape[:2], imgsz or self.imgsz) for image in images]
        found: list[Detections] = [Detections.empty()] * len(images)
        for group in alike(fits, PIXELS_AT_ONCE * (1 if self.device == "cpu" else 8)):
            inputs = [letterbox(images[i], fits[i]) for i in group]
            seen = np.stack([x[:, ::-1] for x in inputs] if mirror else inputs)
            outputs, prototypes = self._forward(seen, precision, runtime)
            for row, i in enumerate(group):
                rows = self._rows(outputs[row], classes, confidence, iou)[:max_det]
                planes = None if prototypes is None else prototypes[row].cpu()
                if mirror:
                    rows[:, [0, 2]] = fits[i].input_hw[1] - rows[:, [2, 0]]
                    planes = None if planes is None else planes.flip(-1)
                found[i] = self._detections(rows, planes, fits[i], images[i].shape[:2])
        return found

    def _classes(self, labels: Sequence[str] | None) -> list[int]:
        for label in labels or ():
            if label not in self.names:
                near = difflib.get_close_matches(label, self.names, n=3, cutoff=0.5)
                known = near or self.names[:10]
                raise UsageError(
                    f"This detector knows no {label!r}.", hint=f"Nearest of its names: {', '.join(known)}."
                )
        return [i for i, name in enumerate(self.names) if labels is None or name in labels]

    @torch.inference_mode()
    def _forward(self, seen: NDArray[np.uint8], precision: str, runtime: str) -> tuple[Tensor, Tensor | None]:
        batch = as_planes(torch.from_numpy(seen).to(self.device))
        runner = self._runners.of(precision, runtime)
        if runner is not None:
            return runner(batch), None
        with self._lock, autocast(precision, self.device):  # the head keeps the anchors of the last shape
            output = self.network(batch)
        found, prototypes = output if isinstance(output, tuple) else (output, None)
        return found.float(), None if prototypes is None else prototypes.float()

    def _rows(self, output: Tensor, classes: list[int], confidence: float, iou: float) -> Tensor:
        """Boxes kept as rows of x1, y1, x2, y2, score, class, mask coefficients, best first."""
        if getattr(self._head, "end2end", False):
            rows = output[output[:, 4] > confidence]
        else:
            boxes, scores, rest = output.T.tensor_split([4, 4 + len(self.names)], 1)
            score, best = scores.max(1, keepdim=True)
            corners = torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)
            rows = torch.cat([corners, score, best.to(score.dtype), rest], 1)[score[:, 0] > confidence]
        rows = rows[torch.isin(rows[:, 5].long(), torch.tensor(classes, device=rows.device))].cpu()
        kind = rows[:, 5].long().numpy()
        return rows[torch.from_numpy(apart(rows[:, :4].numpy(), rows[:, 4].numpy(), kind, iou))]

    def _detections(
        self, rows: Tensor, prototypes: Tensor | None, fit: Fit, size_hw: tuple[int, ...]
    ) -> Detections:
        height, width = size_hw
        scale = np.array([width / fit.size_hw[1], height / fit.size_hw[0]] * 2, np.float32)
        xyxy = (rows[:, :4].numpy() - np.array([fit.left, fit.top] * 2, np.float32)) * scale
        xyxy = np.clip(xyxy, 0, np.array([width, height] * 2, np.float32)).astype(np.float32)
        masks = None
        if prototypes is not None:
            sure = int((rows[:, 4] >= MASKED).sum())  # the rows come best first
            logits = torch.einsum("nc,chw->nhw", rows[:sure, 6:].float(), prototypes.float()).numpy()
            cutouts = masks_in_boxes(logits, xyxy[:sure], fit, (height, width))
            masks = (*cutouts, *[NO_CUTOUT] * (len(rows) - sure))
        names = tuple(self.names[int(index)] for index in rows[:, 5])
        return Detections(xyxy, rows[:, 4].numpy().astype(np.float32), names, masks)


def load_detector(
    path: str | Path,
    device: str = "cpu",
    *,
    trust: bool = False,
    architecture: str | None = None,
    names: Sequence[str] | None = None,
) -> Detector:
    """A detector from our safetensors form or from a ``.pt`` of ultralytics.

    ``architecture`` (such as ``yolo11n`` or ``yolo11s-seg``) and ``names`` are needed only for a safetensors
    file that does not tell them. ``trust``: also load a ``.pt`` whose hash is in no table, though a pickle
    can run code. Raises WeightsError when the file is missing, damaged, untrusted or of another network.
    """
    path = Path(path)
    import_ultralytics()
    if path.suffix != ".safetensors":
        return _from_checkpoint(path, device, trust)
    state = load_state(path)
    told = header(path)
    architecture = architecture or told.get("architecture")
    names = names or json.loads(told.get("names", "[]"))
    if not architecture or not names:
        why = f"{path} does not say its architecture and class names."
        raise WeightsError(why, hint="Write it with save_detector.")
    network = _filled(architecture, len(names), state, path)
    size, lines = int(told.get("imgsz", 640)), calibration(told)
    return Detector(_fused(network), names, device, size, lines, sha256_of(path))


def _filled(architecture: str, classes: int, state: Mapping[str, Tensor], path: Path) -> Any:
    """A network with the state that the file at ``path`` held."""
    network = _build(architecture, classes)
    try:
        network.load_state_dict(state)  # copies half precision on disk into float32
    except RuntimeError as error:
        what = f"{architecture} with {classes} classes"
        raise WeightsError(f"{path} does not fit {what}: {error}") from error
    return network


def save_detector(
    model_state: Mapping[str, Tensor],
    names: Sequence[str],
    path: str | Path,
    extra: Mapping[str, str] | None = None,
    *,
    architecture: str = "yolo11n",
    imgsz: int = 640,
) -> None:
    """Write a detector's state dict in our form: safetensors in half precision, its names in the header."""
    from safetensors.torch import save

    # Vectors stay in full precision: they weigh little, and a variance may not fit.
    state = {
        key: (value.half() if value.is_floating_point() and value.ndim > 1 else value).cpu().contiguous()
        for key, value in model_state.items()
    }
    told = {"architecture": architecture, "names": json.dumps(list(names)), "imgsz": str(imgsz)}
    new = Path(path).with_name(Path(path).name + ".new")
    # Not save_file, whose files only their owner may read: they go into a wheel.
    new.write_bytes(save(state, metadata={**(extra or {}), **told}))
    os.replace(new, path)


def import_ultralytics() -> None:
    """Import ultralytics with nothing looked up online, no file outside a temporary folder, no chatter.

    ``YOLO_CONFIG_DIR`` and ``YOLO_OFFLINE`` stand if set. What it changes for the process is put back.
    """
    with _import_lock:
        if "YOLO_CONFIG_DIR" not in os.environ:
            own = tempfile.mkdtemp(prefix="autoremove-ultralytics-")
            os.environ["YOLO_CONFIG_DIR"] = own
            atexit.register(_remove, own, os.getpid())
        os.environ.setdefault("YOLO_OFFLINE", "1")
        os.environ.setdefault("YOLO_AUTOINSTALL", "0")
        with _undisturbed(), np.printoptions():
            import ultralytics.nn.tasks  # noqa: F401
        logging.getLogger("ultralytics").setLevel(logging.WARNING)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a forked child, whose parent still needs it
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "YOLO_VERBOSE")}
    threads = cv2.getNumThreads()
    os.environ["YOLO_VERBOSE"] = "0"  # it greets on its first start, and says where it put its settings
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _build(architecture: str, classes: int) -> Any:
    from ultralytics.nn.tasks import DetectionModel, SegmentationModel

    # Only a plain name: ultralytics would also take an address or a path.
    if not re.fullmatch(r"yolo[a-z]?\d{1,2}[nsmlx](-seg)?", architecture):
        raise WeightsError(f"{architecture!r} is no YOLO architecture we know.", hint="One is yolo11n-seg.")
    model: Any = SegmentationModel if architecture.endswith("-seg") else DetectionModel
    try:
        return model(f"{architecture}.yaml", nc=classes, verbose=False)
    except FileNotFoundError as error:
        raise WeightsError(f"This version of ultralytics has no {architecture}.") from error


def rewrite(source: Path, target: Path, extra: Mapping[str, str], *, trust: bool = False) -> str:
    """Write the detector of a ``.pt`` of ultralytics in our form; gives its architecture.

    ``trust`` as in :func:`load_detector`. Raises WeightsError as it does, and where our form cannot hold it.
    """
    import_ultralytics()
    model, names = _unpickled(source, trust)
    told: Any = getattr(model, "yaml", None) or {}
    # Some name the family alone, as yolo11-seg.yaml, and its size beside it.
    stem = Path(str(told.get("yaml_file", ""))).stem
    architecture = re.sub(r"(?<=\d)(?=-|$)", str(told.get("scale", "")), stem)
    _filled(architecture, len(names), model.state_dict(), source)
    save_detector(model.state_dict(), names, target, extra, architecture=architecture)
    return architecture


def _from_checkpoint(path: Path, device: str, trust: bool) -> Detector:
    model, names = _unpickled(path, trust)
    return Detector(_fused(model), names, device, digest=sha256_of(path))


def _unpickled(path: Path, trust: bool) -> tuple[Any, list[str]]:
    """The network in a ``.pt`` of ultralytics, in full precision, and the names of its classes."""
    content = load_state(path, trust=trust, model="detector")
    model: Any = (content.get("ema") or content.get("model")) if isinstance(content, dict) else content
    if not isinstance(model, nn.Module) or not hasattr(model, "names"):
        raise WeightsError(f"{path} holds no ultralytics model.", hint="See `autoremove weights list`.")
    for module in model.modules():
        if isinstance(module, nn.Upsample) and not hasattr(module, "recompute_scale_factor"):
            module.recompute_scale_factor = None  # pickled by an older torch
    names: Any = model.names
    return model.float(), [str(names[i]) for i in range(len(names))]


def _fused(network: Any) -> nn.Module:
    fused: nn.Module = network.eval().fuse(verbose=False)
    for parameter in fused.parameters():
        parameter.requires_grad = False
    return fused


def backbone(architecture: str) -> list[nn.Module]:
    """The layers of a YOLO11 up to its attention block, untrained; the mask network sees with them."""
    import_ultralytics()
    return list(_build(architecture, 1).model)[:11]
