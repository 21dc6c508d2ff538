"""What setup.cfg ships is what is on the disk, and the embedded weights are small, safe and described."""

from __future__ import annotations

import configparser
import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import autoremove
from autoremove.models.families import NETWORKS
from autoremove.models.weights_table import TABLE
from autoremove.recipe import recipe_folder, recipe_names

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "autoremove"
WEIGHTS = PACKAGE / "weights"
MOST_BYTES, LARGEST_BYTES = 40_000_000, 10_000_000
DATA_ONLY = {"autoremove.weights", "autoremove.pipelines"}
"""Packages that hold no Python."""


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def folder_of(package: str) -> Path:
    return ROOT / "pipelines" if package == "autoremove.pipelines" else ROOT / package.replace(".", "/")


def test_the_packages_are_those_on_the_disk(setup: configparser.ConfigParser) -> None:
    on_disk = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("*.py")}
    assert set(lines(setup["options"]["packages"])) == on_disk | DATA_ONLY


def data_files() -> Iterator[Path]:
    for folder in (PACKAGE, ROOT / "pipelines"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in (".py", ".pyc") and not path.name.startswith("."):
                yield path


def test_every_data_file_is_shipped_and_every_pattern_finds_one(setup: configparser.ConfigParser) -> None:
    shipped: set[Path] = set()
    for package, patterns in setup["options.package_data"].items():
        for pattern in patterns.replace("\n", ",").split(","):
            if pattern.strip():
                found = set(folder_of(package).glob(pattern.strip()))
                assert found, f"{package}: {pattern.strip()} finds nothing"
                shipped |= found
    assert [path for path in data_files() if path not in shipped] == []


def test_the_entry_point_and_the_version_are_there(setup: configparser.ConfigParser) -> None:
    script = lines(setup["options.entry_points"]["console_scripts"])
    assert script == ["autoremove = autoremove.cli:main"]
    assert callable(import_module("autoremove.cli").main)
    assert setup["metadata"]["version"] == "attr: autoremove.__version__"
    assert autoremove.__version__.count(".") == 2


def test_recipes_are_found_beside_the_checkout() -> None:
    assert recipe_folder() == ROOT / "pipelines"
    assert "people" in recipe_names()


def test_a_built_tree_has_everything_and_finds_its_recipes(tmp_path: Path) -> None:
    """What goes into a wheel, built without a network, works where there is no checkout."""
    pytest.importorskip("setuptools")
    source, built = tmp_path / "source", tmp_path / "built"
    for name in ("autoremove", "pipelines"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    (source / "setup.py").write_text("from setuptools import setup; setup()")
    command = [sys.executable, "setup.py", "-q", "build_py", "-d", str(built)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    there = {path.relative_to(built) for path in built.rglob("*") if path.is_file()}
    wanted = {path.relative_to(ROOT) for path in [*PACKAGE.rglob("*.py"), *data_files()]}
    renamed = {Path("autoremove") / path if path.parts[0] == "pipelines" else path for path in wanted}
    assert renamed - there == set()
    code = "import autoremove.recipe as r; print(r.__file__, r.recipe_folder().parent, *r.recipe_names())"
    told = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(built)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert told == [str(built / "autoremove/recipe.py"), str(built / "autoremove"), *recipe_names()]


def test_the_weights_are_safetensors_and_nothing_else() -> None:
    kinds = {path.suffix for path in WEIGHTS.iterdir() if path.name != "SHA256SUMS"}
    assert kinds <= {".safetensors", ".md"}
    for path in WEIGHTS.glob("*.safetensors"):
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length))
        kinds = {row["dtype"] for name, row in header.items() if name != "__metadata__"}
        assert kinds <= {"F16", "BF16", "F32", "I64"}, f"{path.name}: {kinds}"
        assert header["__metadata__"]["architecture"], path.name


def test_no_pickled_weights_lie_about() -> None:
    everywhere = [*PACKAGE.rglob("*"), *(ROOT / "pipelines").rglob("*"), *(ROOT / "tests").rglob("*")]
    assert [path for path in everywhere if path.suffix in (".pt", ".pth", ".pkl", ".ckpt", ".bin")] == []


EMBEDDED = [Path(entry.file).stem for entry in TABLE if entry.embedded]


def test_every_network_is_embedded_and_all_are_small() -> None:
    sizes = {path.stem: path.stat().st_size for path in WEIGHTS.glob("*.safetensors")}
    assert set(sizes) == set(EMBEDDED) >= {"detector", "masknet", *NETWORKS}
    assert max(sizes.values()) < LARGEST_BYTES and sum(sizes.values()) < MOST_BYTES


@pytest.mark.parametrize("stem", EMBEDDED)
def test_each_network_has_a_card(stem: str) -> None:
    """What it was trained on, how good it is, and under which licence it may be used."""
    card = (WEIGHTS / f"{stem}.md").read_text().lower()
    for word in ("train", "data", "licen", "limit"):
        assert word in card, f"{stem}.md says nothing of {word!r}"


def test_the_weights_can_be_read_by_everyone() -> None:
    """safetensors' own writer gives files that only their owner may read; a wheel would carry that on."""
    closed = [path.name for path in WEIGHTS.iterdir() if path.is_file() and not path.stat().st_mode & 0o044]
    assert closed == []
