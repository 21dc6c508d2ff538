"""`autoremove train`: options that no run can be made of are refused before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from autoremove.cli import cli


@pytest.mark.parametrize("network", ["detector", "masknet", "rescorer", "inpainter", "srgan"])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--steps", "-5"),
        ("--steps", "0"),
        ("--time-budget", "-1"),
        ("--time-budget", "0"),
        ("--threads", "-1"),
    ],
)
def test_a_number_out_of_range_is_refused(tmp_path: Path, network: str, option: str, value: str) -> None:
    asked = ["train", network, "--data", str(tmp_path), "-o", str(tmp_path / "run"), option, value]
    outcome = CliRunner().invoke(cli, asked)
    assert outcome.exit_code == 2
    assert f"Invalid value for '{option}'" in outcome.output
    assert not (tmp_path / "run").exists()


def test_a_file_is_no_folder_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    asked = ["train", "detector", "--data", str(tmp_path), "-o", str(tmp_path / "run")]
    outcome = CliRunner().invoke(cli, asked)
    assert outcome.exit_code == 2
    assert "is a file" in outcome.output
    assert (tmp_path / "run").read_text() == "mine"
