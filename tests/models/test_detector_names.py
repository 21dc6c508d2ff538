"""The names that weights know are told without torch, and none are made up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autoremove.errors import WeightsError
from autoremove.labels import EMBEDDED
from autoremove.models.detector_names import COCO_NAMES, detector_names


def written(path: Path, notes: dict[str, str]) -> Path:
    head = json.dumps({"__metadata__": notes}).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head)
    return path


def test_a_safetensors_file_tells_its_names_in_their_order(tmp_path: Path) -> None:
    path = written(tmp_path / "a.safetensors", {"names": json.dumps(["zebra", "person"])})
    assert detector_names(str(path)) == ("zebra", "person")


def test_where_only_loading_tells_there_is_no_answer(tmp_path: Path) -> None:
    assert detector_names(str(written(tmp_path / "a.safetensors", {}))) is None
    (tmp_path / "own.pt").write_bytes(b"pickled")
    assert detector_names(str(tmp_path / "own.pt")) is None


def test_official_weights_know_coco_before_they_are_fetched() -> None:
    for name in ("yolo11n", "yolo11x-seg"):
        assert detector_names(name) == COCO_NAMES
    assert len(set(COCO_NAMES)) == 80
    assert set(EMBEDDED) <= set(COCO_NAMES)


def test_a_name_is_not_invented_and_a_damaged_head_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="yolo11q"):
        detector_names("yolo11q")
    for data in (b"", b"\x05", b"\x00" * 40, (9).to_bytes(8, "little") + b"[1, 2, 3]"):
        (tmp_path / "b.safetensors").write_bytes(data)
        with pytest.raises(WeightsError, match=r"b\.safetensors"):
            detector_names(str(tmp_path / "b.safetensors"))


def test_it_needs_no_torch() -> None:
    script = (
        "import sys; from autoremove.models.detector_names import detector_names;"
        "assert 'person' in detector_names('embedded');"
        "print([name for name in ('torch', 'numpy', 'safetensors', 'ultralytics') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
