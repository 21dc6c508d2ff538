"""Distances nearer to what people see, which need networks: LPIPS of pictures, FID of sets of them."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoremove.errors import UsageError, WeightsError
from autoremove.types import Image

Vectors = NDArray[np.float64]

Distance = Callable[[Image, Image], float]
"""Result and truth to how unlike they look."""

Features = Callable[[Image], Vectors]
"""A picture to one row of features."""

LEAST = 20
"""Pictures below which a distance between sets says nothing."""


@dataclass(frozen=True)
class Published:
    """Weights of others that a figure needs; the name of ``file`` ends in the start of its sha256."""

    figure: str
    file: str
    url: str

    def at_hand(self) -> Path | None:
        """The file in our weights folder or in torch's own cache; None where it is in neither."""
        return next((path for path in self._places() if path.is_file()), None)

    def checked(self) -> Path:
        """The file, its hash compared. Raises WeightsError where it is absent or another one."""
        from autoremove.models.checkpoints import sha256_of

        path = self.at_hand()
        if path is None:
            raise WeightsError(self.absent(), hint=self.way())
        wanted = re.findall(r"-([0-9a-f]{8,})\.", self.file)
        if not wanted or not sha256_of(path).startswith(wanted[0]):
            raise WeightsError(f"{path} is damaged: its sha256 is not that in its name.", hint=self.way())
        return path

    def absent(self) -> str:
        """What is missing, and where it was looked for."""
        places = " nor in ".join(str(path.parent) for path in self._places())
        return f"{self.figure} needs {self.file}, which is neither in {places}."

    def way(self) -> str:
        """What to do about it."""
        return f"Fetch {self.url} and put it into {self._places()[0].parent}."

    def _places(self) -> tuple[Path, Path]:
        import torch

        from autoremove.models import weights

        return weights.folder() / self.file, Path(torch.hub.get_dir()) / "checkpoints" / self.file


ALEXNET = Published(
    "LPIPS", "alexnet-owt-7be5be79.pth", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
)

INCEPTION = Published(
    "FID",
    "weights-inception-2015-12-05-6726825d.pth",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth",
)


@dataclass(frozen=True)
class Measures:
    """The distances to take. ``fid``: the key of the distance between sets, made of ``features``."""

    lpips: Distance | None = None
    features: Features | None = None
    fid: str = "fid"


NOTHING_MORE = Measures()


def measures(
    lpips_wanted: bool | None, fid_wanted: bool | None, features: str = "inception", device: str = "cpu"
) -> tuple[Measures, list[str]]:
    """What can be measured, and for each figure left out a line that says what is missing.

    True: must be measured (raises WeightsError or UsageError where it cannot); False: not; None: where its
    weights are at hand. ``features``: ``inception`` (the published FID), or ``embedded`` (our own detector's,
    key ``fid_embedded``: not comparable with a published FID). Nothing is ever downloaded.
    """
    distance, rows, left_out = None, None, []
    if lpips_wanted or (lpips_wanted is None and ALEXNET.at_hand()):
        distance = lpips(device)
    elif lpips_wanted is None:
        left_out.append(f"{ALEXNET.absent()} {ALEXNET.way()}")
    if features == "embedded" and fid_wanted is not False:
        rows = embedded(device)
    elif fid_wanted or (fid_wanted is None and INCEPTION.at_hand() and _has_torch_fidelity()):
        rows = inception(device)
    elif fid_wanted is None:
        left_out.append(f"{INCEPTION.absent()} {INCEPTION.way()} It also needs `pip install torch-fidelity`.")
    return Measures(distance, rows, "fid_embedded" if features == "embedded" else "fid"), left_out


def lpips(device: str = "cpu") -> Distance:
    """LPIPS v0.1 (Zhang et al. 2018) on AlexNet, 0 = alike; of pictures of one size, 32 pixels at least."""
    import torch

    from autoremove.models.checkpoints import load_state

    state, linear = load_state(ALEXNET.checked()), load_state(_lpips_linear())
    convs = [
        (state[f"features.{i}.weight"].to(device), state[f"features.{i}.bias"].to(device)) for i in _CONVS
    ]
    weights = [linear[f"lin{i}.model.1.weight"].to(device) for i in range(len(_CONVS))]
    shift = torch.tensor([-0.030, -0.088, -0.188], device=device)[:, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450], device=device)[:, None, None]

    @torch.inference_mode()
    def distance(result: Image, truth: Image) -> float:
        both = torch.from_numpy(np.stack([result, truth])).to(device).permute(0, 3, 1, 2).float()
        rows = _alexnet(((both / 127.5 - 1) - shift) / scale, convs)
        units = [row / (1e-8 + row.square().sum(1, keepdim=True)).sqrt() for row in rows]
        gaps = [(unit[:1] - unit[1:]).square() for unit in units]
        return float(sum((gap * weight).sum(1).mean() for gap, weight in zip(gaps, weights, strict=True)))

    return distance


_CONVS = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}
"""AlexNet's convolutions in torchvision's numbering: stride and padding."""


def _alexnet(x: Any, convs: list[tuple[Any, Any]]) -> list[Any]:
    """The five layers after their ReLU."""
    from torch.nn.functional import conv2d, max_pool2d, relu

    rows: list[Any] = []
    for position, ((weight, bias), (stride, padding)) in enumerate(zip(convs, _CONVS.values(), strict=True)):
        x = max_pool2d(x, 3, 2) if position in (1, 2) else x
        x = relu(conv2d(x, weight, bias, stride, padding))
        rows.append(x)
    return rows


def _lpips_linear() -> Path:
    """How much each channel counts: a few kilobytes that come with torchmetrics."""
    found = importlib.util.find_spec("torchmetrics")
    package = Path(found.origin).parent if found and found.origin else Path()
    path = package / "functional" / "image" / "lpips_models" / "alex.pth"
    if not path.is_file():
        raise WeightsError(f"LPIPS needs {path}, which came with torchmetrics.", hint="Install torchmetrics.")
    return path


def _has_torch_fidelity() -> bool:
    return importlib.util.find_spec("torch_fidelity") is not None


def inception(device: str = "cpu") -> Features:
    """The 2048 features of the published FID (Heusel et al. 2017): Inception v3 as TensorFlow had it."""
    import torch

    from autoremove.models.checkpoints import load_state

    path = INCEPTION.checked()
    if not _has_torch_fidelity():
        raise UsageError("FID needs the package torch-fidelity.", hint="Run `pip install torch-fidelity`.")
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    load_state(path)  # refuses a file that would run code when torch-fidelity loads it
    net = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
    ).to(device)

    @torch.inference_mode()
    def features(image: Image) -> Vectors:
        planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].to(device)
        return np.asarray(net(planes)[0][0].double().cpu())

    return features


def embedded(device: str = "cpu", weights: str = "embedded") -> Features:
    """Means over the picture of what the detector's backbone sees at strides 8, 16 and 32.

    They tell a blurred or patched fill from a true picture, but a distance made of them is ours alone: it
    cannot be compared with a published FID.
    """
    import torch

    from autoremove.models import cache

    network = cache.load("detector", weights, device).network

    @torch.inference_mode()
    def features(image: Image) -> Vectors:
        height, width = (-side % 32 for side in image.shape[:2])
        padded = np.pad(image, ((0, height), (0, width), (0, 0)), "edge")
        x = torch.from_numpy(padded).to(device).permute(2, 0, 1)[None].float() / 255
        rows = []
        for layer in network.model:
            before, x = x, layer(x)
            if x.shape[-1] < before.shape[-1]:
                rows.append(before)
            if type(layer).__name__ == "SPPF":  # the end of the backbone
                break
        means = [row[0].mean((1, 2)) for row in (*rows[3:], x)]
        return np.asarray(torch.cat(means).double().cpu())

    return features


def frechet(first: Vectors, second: Vectors) -> float:
    """Frechet distance of the Gaussians through two sets of features (N x d and M x d rows); 0 = alike.

    NaN below LEAST rows. It falls with the number of pictures: compare only sets of one size.
    """
    if min(len(first), len(second)) < LEAST:
        return float("nan")
    apart = float(((first.mean(0) - second.mean(0)) ** 2).sum())
    spreads = [_root_spread(first), _root_spread(second)]
    # The trace of (S1 S2)^(1/2) is the sum of the singular values of R1 R2', where S = R'R: no root of a
    # singular matrix is taken, as it would be with fewer pictures than features.
    shared = float(np.linalg.svd(spreads[0] @ spreads[1].T, compute_uv=False).sum())
    return max(0.0, apart + sum(float((root**2).sum()) for root in spreads) - 2 * shared)


def _root_spread(rows: Vectors) -> Vectors:
    """R of at most d rows, with R'R the covariance."""
    centred = (rows - rows.mean(0)) / np.sqrt(len(rows) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r"), np.float64)
