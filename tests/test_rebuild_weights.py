"""The chain that makes the embedded weights: closed, resumable, and it ships what it made."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from autoremove.cli import main
from benchmarks import rebuild_weights
from benchmarks.rebuild_weights import FILES, ON_A_GPU, Plan, install, run


@pytest.fixture(params=[True, False], ids=["from nothing", "continued"])
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> Plan:
    return Plan(tmp_path / "data", tmp_path / "out", 100.0, request.param, "cpu", 1)


def produced(command: tuple[str, ...]) -> list[Path]:
    """What a step of the chain leaves behind."""
    words = list(command)
    place = Path(words[words.index("-o" if "-o" in words else "--output") + 1])
    if "train" in words:
        return [place / "last.safetensors"]
    if "mask" in words:
        return [place / "coco.json"]
    return [place] if place.suffix else [place / "data-person_boxes", place / "instances-train"]


def test_every_step_uses_only_what_steps_before_it_made(plan: Plan) -> None:
    made: set[Path] = set()
    for step in plan.steps():
        for word in step.command:
            path = Path(word.partition("=")[2] or word)
            if plan.output in path.parents and path not in made:
                assert path in {*produced(step.command), *(p.parent for p in produced(step.command))}
        made |= set(produced(step.command))
    assert plan.output / "shipped" / "detector.safetensors" in made


def test_on_a_gpu_what_goes_on_takes_its_settings(tmp_path: Path) -> None:
    for begin, ours in ((True, {"detector-gpu", "rescorer-gpu"}), (False, set(ON_A_GPU.values()))):
        steps = Plan(tmp_path / "data", tmp_path / "out", 100.0, begin, "cuda:0").steps()
        named = {s.command[s.command.index("--config") + 1] for s in steps if "--config" in s.command}
        assert {name for name in named if name.endswith("-gpu")} == ours


def test_the_trainings_share_the_minutes(plan: Plan) -> None:
    budgets = [
        float(step.command[step.command.index("--time-budget") + 1])
        for step in plan.steps()
        if "--time-budget" in step.command
    ]
    assert sum(budgets) == pytest.approx(plan.minutes)


def test_its_commands_are_understood(
    plan: Plan, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command of ours stops at the folder that is not there, not at an option or a setting."""
    for step in plan.steps():
        if "autoremove" in step.command:
            monkeypatch.setattr("sys.argv", list(step.command[step.command.index("autoremove") :]))
            with pytest.raises(SystemExit) as stopped:
                main()
            assert stopped.value.code in (3, 4), capsys.readouterr().err  # data or weights are not there


def test_what_is_done_is_not_done_twice(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def pretend(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        if len(ran) == 3:  # killed in the middle
            return subprocess.CompletedProcess(command, 137)
        for path in produced(tuple(command)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(path.name)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(rebuild_weights.subprocess, "run", pretend)
    with pytest.raises(SystemExit) as stopped:
        run(plan)
    assert stopped.value.code == 137
    assert not (plan.output / "shipped").exists()
    run(plan)
    names = [step.name for step in plan.steps()]
    assert len(ran) == len(names) + 1  # the third was tried twice
    assert all("--resume" in command for command in ran if "train" in command)
    assert sorted(path.name for path in (plan.output / "done").iterdir()) == sorted(names)
    assert len((plan.output / "shipped" / "SHA256SUMS").read_text().splitlines()) == len(FILES)


def test_installing_renews_three_sums_and_leaves_the_others(tmp_path: Path) -> None:
    package, shipped = tmp_path / "weights", tmp_path / "out" / "shipped"
    package.mkdir()
    shipped.mkdir(parents=True)
    (package / "SHA256SUMS").write_text("00  srgan.safetensors\n11  detector.safetensors\n")
    for name in FILES:
        (shipped / f"{name}.safetensors").write_bytes(name.encode())
    install(tmp_path / "out", package)
    lines = dict(reversed(line.split()) for line in (package / "SHA256SUMS").read_text().splitlines())
    assert lines.pop("srgan.safetensors") == "00"
    assert set(lines) == {f"{name}.safetensors" for name in FILES}
    assert all(len(digest) == 64 for digest in lines.values())
    assert (package / "masknet.safetensors").read_bytes() == b"masknet"
