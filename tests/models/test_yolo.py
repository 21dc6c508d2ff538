"""The detector maps boxes and masks back exactly, loads only what it may, and leaves no trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import nn

from autoremove.errors import UsageError, WeightsError
from autoremove.models import checkpoints, yolo
from autoremove.models.weights_table import Weights
from autoremove.types import Image

DATA = Path(os.environ.get("AUTOREMOVE_DATA", Path(__file__).parents[3] / "shared" / "data"))
WARM = DATA.parent / "weights" / "yolo11n_person_warm.safetensors"


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """So small a network is slower on many threads, most of all beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def random_network(architecture: str = "yolo11n", classes: int = 2) -> nn.Module:
    yolo.import_ultralytics()
    torch.manual_seed(0)
    return yolo._build(architecture, classes)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("yolo") / "random.safetensors"
    yolo.save_detector(random_network().state_dict(), ["person", "dog"], path, {"note": "random"}, imgsz=320)
    return path


@pytest.fixture(scope="module")
def detector(written: Path) -> yolo.Detector:
    return yolo.load_detector(written)


class Told(nn.Module):
    """A network that answers with what it was told, whatever it sees."""

    def __init__(self, rows: list[list[float]], prototypes: torch.Tensor | None = None) -> None:
        super().__init__()
        self.model = nn.ModuleList([nn.Identity()])
        self.output = torch.tensor(rows).T[None]
        self.prototypes = prototypes
        if prototypes is not None:
            self.model[-1].proto = True

    def forward(self, batch: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        output = self.output.expand(len(batch), -1, -1)
        if self.prototypes is None:
            return output
        return output, self.prototypes.expand(len(batch), -1, -1, -1)


def told(rows: list[list[float]], prototypes: torch.Tensor | None = None) -> yolo.Detector:
    return yolo.Detector(Told(rows, prototypes), ["person", "dog"], "cpu")


def test_boxes_come_back_in_pixels_of_the_picture_and_inside_it() -> None:
    # In a 640 x 224 input holding a picture of 1000 x 310 at x 13: scale 310 / 198 and 1000 / 640.
    found = told([[13 + 99, 320, 66, 64, 0.9, 0.1], [13, 0, 40, 40, 0.2, 0.8]]).detect([noise(1000, 310)])[0]
    assert found.label == ("person", "dog")
    assert found.score == pytest.approx([0.9, 0.8])
    assert found.xyxy[0] == pytest.approx([66 * 310 / 198, 450, 132 * 310 / 198, 550], abs=0.01)
    assert found.xyxy[1] == pytest.approx([0, 0, 20 * 310 / 198, 31.25], abs=0.01)
    assert found.masks is None


def test_of_overlapping_boxes_of_one_class_the_best_stays() -> None:
    rows = [
        [300, 300, 100, 100, 0.8, 0.0],
        [305, 300, 100, 100, 0.9, 0.0],
        [300, 300, 100, 100, 0.0, 0.7],
        [300, 400, 100, 100, 0.6, 0.0],
        [100, 100, 50, 50, 0.24, 0.0],
    ]
    found = told(rows).detect([noise(640, 640)])[0]
    assert found.score == pytest.approx([0.9, 0.7, 0.6])
    assert found.label == ("person", "dog", "person")
    assert len(told(rows).detect([noise(640, 640)], iou=0.95)[0]) == 4
    assert len(told(rows).detect([noise(640, 640)], confidence=0.1)[0]) == 4
    assert len(told(rows).detect([noise(640, 640)], max_det=1)[0]) == 1


def test_only_the_labels_wanted_are_given() -> None:
    rows = [[300, 300, 100, 100, 0.8, 0.1], [100, 100, 50, 50, 0.2, 0.7]]
    image = noise(640, 640)
    assert told(rows).detect([image], labels=["dog"])[0].label == ("dog",)
    assert told(rows).detect([image], labels=["person", "dog"])[0].label == ("person", "dog")
    assert told(rows).detect([image], labels=[])[0].label == ()


def test_an_unknown_label_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'persn'.*person"):
        told([[0.0] * 6]).detect([noise(64, 64)], labels=["persn"])
    with pytest.raises(UsageError, match=r"'tree'.*person, dog"):
        told([[0.0] * 6]).detect([noise(64, 64)], labels=["tree"])


def test_masks_lie_where_their_boxes_are() -> None:
    prototypes = -torch.ones(1, 1, 160, 56)
    prototypes[..., 60:100, 10:40] = 1  # in the input: x 40..160, y 240..400
    detector = told([[13 + 99, 320, 198, 64, 0.9, 0.1, 1.0]], prototypes)
    for mirror in (False, True):
        found = detector.detect([noise(1000, 310)], mirror=mirror)[0]
        assert found.masks is not None
        (((left, top, right, bottom), mask),) = found.masks
        assert (left, top, right, bottom) == (0, 450, 310, 550)  # cut by the box
        assert mask.all(0).any()
        ends = np.nonzero(mask.all(0))[0][[0, -1]] + [0, 1]
        expected = [(40 - 13) * 310 / 198, (160 - 13) * 310 / 198]
        assert ends == pytest.approx([310 - expected[1], 310 - expected[0]] if mirror else expected, abs=1.5)


def test_nothing_seen_still_has_the_right_shapes() -> None:
    found = told([[10, 10, 5, 5, 0.0, 0.0, 1.0]], torch.ones(1, 1, 160, 160)).detect([noise(50, 50)])[0]
    assert len(found) == 0
    assert found.xyxy.shape == (0, 4)
    assert found.masks == ()
    assert told([[0.0] * 6]).detect([]) == []


def test_a_written_detector_is_itself_again(written: Path, detector: yolo.Detector) -> None:
    assert detector.names == ("person", "dog")
    assert detector.imgsz == 320
    plain = written.with_name("plain")
    plain.touch()
    assert written.stat().st_mode == plain.stat().st_mode  # others may read it too
    assert not detector.segments
    with safe_open(written, "pt") as stream:
        assert stream.metadata()["note"] == "random"
        assert json.loads(stream.metadata()["names"]) == ["person", "dog"]
        kinds = {stream.get_tensor(key).ndim: stream.get_tensor(key).dtype for key in stream.keys()}  # noqa: SIM118
    assert kinds[4] == torch.float16
    assert kinds[1] == torch.float32
    assert {p.dtype for p in detector.network.parameters()} == {torch.float32}


def test_a_batch_of_mixed_sizes_gives_what_each_gives_alone(detector: yolo.Detector) -> None:
    images = [noise(120, 200, 1), noise(200, 120, 2), noise(240, 400, 3)]
    together = detector.detect(images, confidence=1e-5, max_det=5, imgsz=128)
    for image, found in zip(images, together, strict=True):
        alone = detector.detect([image], confidence=1e-5, max_det=5, imgsz=128)[0]
        assert len(found) == 5
        assert np.allclose(found.score, alone.score, atol=1e-5)
        assert (found.xyxy >= 0).all()
        assert (found.xyxy[:, [0, 2]] <= image.shape[1]).all()
        assert (found.xyxy[:, [1, 3]] <= image.shape[0]).all()


def test_threads_may_share_a_detector(detector: yolo.Detector) -> None:
    images = [noise(64 + 32 * (i % 3), 96, i) for i in range(6)]

    def boxes(image: Image) -> NDArray[np.float32]:
        return detector.detect([image], confidence=1e-5, imgsz=96)[0].xyxy

    alone = [boxes(image) for image in images]
    with ThreadPoolExecutor(3) as pool:
        shared = list(pool.map(boxes, images))
    assert all(np.array_equal(a, b) for a, b in zip(alone, shared, strict=True))


def test_a_segmenter_gives_masks(tmp_path: Path) -> None:
    path = tmp_path / "seg.safetensors"
    network = random_network("yolo11n-seg")
    yolo.save_detector(network.state_dict(), ["person", "dog"], path, architecture="yolo11n-seg")
    detector = yolo.load_detector(path)
    assert detector.segments
    found = detector.detect([noise(90, 130)], confidence=1e-5, imgsz=160, max_det=3)[0]
    assert found.masks is not None
    assert len(found.masks) == 3


def test_files_that_do_not_fit_are_refused(tmp_path: Path, written: Path) -> None:
    bare = tmp_path / "bare.safetensors"
    yolo.save_detector({"a": torch.ones(2, 2)}, [], bare, architecture="")
    with pytest.raises(WeightsError, match="architecture and class names"):
        yolo.load_detector(bare)
    with pytest.raises(WeightsError, match="does not fit yolo11n with 1"):
        yolo.load_detector(bare, architecture="yolo11n", names=["person"])
    with pytest.raises(WeightsError, match="no YOLO architecture"):
        yolo.load_detector(written, architecture="https://example.org/yolo11n", names=["person"])
    with pytest.raises(WeightsError, match="no weights file"):
        yolo.load_detector(tmp_path / "nowhere.pt")
    torch.save({"a": torch.ones(1)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="no ultralytics model"):
        yolo.load_detector(tmp_path / "other.pt")


def test_an_ultralytics_pickle_is_loaded_when_known_or_trusted(
    tmp_path: Path, detector: yolo.Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_network()
    model.names = {0: "person", 1: "dog"}  # type: ignore[assignment]
    path = tmp_path / "official.pt"
    torch.save({"model": model.half(), "ema": None, "train_args": {}}, path)
    with pytest.raises(WeightsError, match="trust"):
        yolo.load_detector(path)
    image = noise(120, 200)
    expected = detector.detect([image], confidence=1e-5, imgsz=128)[0]
    found = yolo.load_detector(path, trust=True).detect([image], confidence=1e-5, imgsz=128)[0]
    assert np.allclose(found.score, expected.score, atol=1e-4)
    known = Weights("official", "detector", "yolo", "official.pt", sha256=checkpoints.sha256_of(path))
    monkeypatch.setattr(checkpoints, "TABLE", (known,))
    assert yolo.load_detector(path).names == ("person", "dog")


def test_ultralytics_leaves_no_trace(tmp_path: Path, written: Path) -> None:
    """Neither the home folder nor the working folder nor the network is touched; settings are put back."""
    script = f"""
import os, socket, sys
def refuse(*a, **k): raise SystemExit("it looked something up online")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse
import cv2, numpy, torch
before = cv2.getNumThreads(), torch.get_num_threads(), str(numpy.array([0.123456789])), dict(os.environ)
from autoremove.models.yolo import load_detector
found = load_detector({str(written)!r}).detect([numpy.zeros((64, 96, 3), numpy.uint8)], imgsz=64)
after = cv2.getNumThreads(), torch.get_num_threads(), str(numpy.array([0.123456789]))
assert before[:3] == after, (before, after)
assert os.environ.get("OMP_NUM_THREADS") == before[3].get("OMP_NUM_THREADS")
print(os.environ["YOLO_CONFIG_DIR"])
"""
    home = tmp_path / "home"
    home.mkdir()
    unset = {"YOLO_CONFIG_DIR", "YOLO_OFFLINE", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "OMP_NUM_THREADS"}
    environment = {key: value for key, value in os.environ.items() if key not in unset}
    environment |= {"HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, map(str, sys.path)))}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=home, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    kept = home / ".cache" / "autoremove" / "openvino"  # the network as OpenVINO runs it, and nothing else
    assert {path for path in home.rglob("*") if path.is_file()} == set(kept.rglob("model.*"))
    assert len(done.stdout.splitlines()) == 1
    assert not Path(done.stdout.strip()).exists()  # the temporary settings are gone at the end
    assert done.stderr == ""


@pytest.mark.skipif(not WARM.is_file(), reason="the warm start is not here")
def test_a_trained_detector_finds_the_people_at_the_bus() -> None:
    detector = yolo.load_detector(WARM, architecture="yolo11n", names=["person"])
    from ultralytics.utils import ASSETS

    image = cv2.cvtColor(cv2.imread(str(ASSETS / "bus.jpg")), cv2.COLOR_BGR2RGB)
    found = detector.detect([image], labels=["person"], confidence=0.15, imgsz=320)[0]
    assert len(found) >= 2
    truth = np.array([[50, 400, 245, 905], [222, 406, 345, 860], [669, 390, 810, 880]])  # by eye
    corner = np.maximum(found.xyxy[:, None, :2], truth[:, :2])
    other = np.minimum(found.xyxy[:, None, 2:], truth[:, 2:])
    shared = np.clip(other - corner, 0, None).prod(2)
    both = (found.xyxy[:, 2:] - found.xyxy[:, :2]).prod(1)[:, None] + (truth[:, 2:] - truth[:, :2]).prod(1)
    assert ((shared / (both - shared)).max(0) > 0.5).sum() >= 2
