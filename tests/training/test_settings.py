"""The settings files that are shipped, each read as the configuration of its network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from autoremove.errors import UsageError
from autoremove.training import settings
from autoremove.training.boxmask_data import BoxMaskConfig
from autoremove.training.detector import DetectorConfig
from autoremove.training.inpainter_config import read_settings
from autoremove.training.rescorer_data import RescorerConfig
from autoremove.training.settings import read_config

KINDS = {"detector": DetectorConfig, "masknet": BoxMaskConfig, "rescorer": RescorerConfig}
SHIPPED = sorted((Path(settings.__file__).parent / "configs").glob("*.yaml"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_file_is_the_settings_of_its_network(file: Path) -> None:
    kind = KINDS.get(file.stem.partition("-")[0])
    config = read_config(kind, file.stem, None, []) if kind else read_settings(file)
    told = yaml.safe_load(file.read_text())
    told.pop("base", None)
    unlike = [name for name in told if name != "stages" and listed(getattr(config, name)) != told[name]]
    assert told and not unlike


def listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def test_a_file_says_what_differs_from_the_one_that_it_builds_on(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("base: masknet-gpu\nside: 64\n")
    config = read_config(BoxMaskConfig, "masknet", own, ["workers=0"])
    assert (config.side, config.workers) == (64, 0)
    assert (config.batch, config.overlap) == (48, 0.25), "from there, and from what that builds on"
    own.write_text("base: none-such\n")
    with pytest.raises(UsageError, match="none-such"):
        read_config(BoxMaskConfig, "masknet", own, [])


def test_a_gpu_is_fed_by_processes() -> None:
    for name, kind in KINDS.items():
        assert read_config(kind, f"{name}-gpu", None, []).workers > 0
    assert read_settings(Path("inpainter-gpu")).workers > 0
