"""Weights are found by name or path, and what is wrong with them is said in time."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from autoremove.errors import EXIT_WEIGHTS, WeightsError
from autoremove.models import weights
from autoremove.models.weights_table import KINDS, TABLE

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOREMOVE_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


def test_importing_the_table_loads_nothing_heavy() -> None:
    check = "import sys, autoremove.models.weights; print({'torch', 'pooch', 'requests'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_table_is_in_order() -> None:
    assert len({(entry.kind, entry.name) for entry in TABLE}) == len(TABLE)
    for entry in TABLE:
        assert entry.kind in KINDS
        assert entry.licence
        assert entry.embedded or entry.url or entry.page
        assert not entry.url or entry.sha256 or entry.sha256_prefix
        assert entry.sha256 is None or len(bytes.fromhex(entry.sha256)) == 32
    names = {entry.name for entry in TABLE}
    assert {f"yolo11{size}{end}" for size in "nsmlx" for end in ("", "-seg")} <= names
    assert {"sam-vit-b", "sam-vit-l", "sam-vit-h", "deepfillv2-places"} <= names


def test_an_existing_path_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "yolo11n").write_bytes(b"mine")
    monkeypatch.chdir(tmp_path)
    assert weights.resolve("yolo11n", "detector") == Path("yolo11n")


@pytest.mark.parametrize(
    ("name", "kind", "meant"),
    [
        ("yolo11n-sg", "segmenter", "yolo11n-seg"),
        ("embeded", "detector", "embedded"),
        ("sam-b", "segmenter", "sam-vit-b"),
    ],
)
def test_a_typo_is_answered_with_what_was_meant(name: str, kind: str, meant: str) -> None:
    with pytest.raises(WeightsError, match=f"Did you mean.*{meant}") as caught:
        weights.resolve(name, kind)
    assert caught.value.exit_code == EXIT_WEIGHTS


def test_a_missing_file_is_called_a_file() -> None:
    with pytest.raises(WeightsError, match="no such file"):
        weights.resolve("models/best.pt", "detector")


def test_a_name_of_another_kind_is_unknown() -> None:
    with pytest.raises(WeightsError):
        weights.find("sam-vit-b", "inpainter")
    assert weights.find("yolo11s-seg", "detector").kind == "segmenter"


def test_embedded_weights_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "EMBEDDED", tmp_path)
    with pytest.raises(WeightsError, match="not in this installation"):
        weights.resolve("embedded", "masknet")
    with pytest.raises(WeightsError, match="Say which kind"):
        weights.verify("embedded")
    (tmp_path / "masknet.safetensors").write_bytes(CONTENT)
    assert weights.resolve("embedded", "masknet") == tmp_path / "masknet.safetensors"
    assert weights.verify("embedded", "masknet").state == "unverified"
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  other\n{SHA256}  masknet.safetensors\n")
    assert weights.verify("embedded", "masknet").state == "ok"
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  masknet.safetensors\n")
    assert weights.verify("embedded", "masknet").state == "damaged"
    with pytest.raises(WeightsError, match="damaged"):
        weights.digest("embedded", "masknet")


def test_the_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOREMOVE_WEIGHTS", str(tmp_path / "here"))
    assert weights.folder() == tmp_path / "here"
    monkeypatch.delenv("AUTOREMOVE_WEIGHTS")
    assert weights.folder().parts[-2:] == ("autoremove", "weights")


def test_weights_for_the_hand_name_their_page(place: Path) -> None:
    with pytest.raises(WeightsError, match="nipponjo"):
        weights.resolve("deepfillv2-tf-places2", "inpainter")
    place.mkdir()
    (place / "states_tf_places2.pth").write_bytes(b"put here by hand")
    assert weights.resolve("deepfillv2-tf-places2", "inpainter") == place / "states_tf_places2.pth"


def test_the_listing_has_every_entry(place: Path) -> None:
    place.mkdir()
    (place / "yolo11n.pt").write_bytes(b"")
    states = {(row.weights.kind, row.weights.name): row.state for row in weights.listing()}
    assert len(states) == len(TABLE)
    assert states["detector", "yolo11n"] == "present"
    assert states["segmenter", "sam-vit-h"] == "missing"


def test_a_changed_file_has_another_digest(tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    path.write_bytes(CONTENT)
    assert weights.digest(path, "detector") == SHA256
    path.write_bytes(b"short")
    assert weights.digest(path, "detector") == hashlib.sha256(b"short").hexdigest()
