"""The loop: resumed it ends where it would have ended, stopped it keeps everything, and the best is kept."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from autoremove.errors import OutputError, UsageError
from autoremove.training import loop
from autoremove.training.loop import LoopConfig, Progress, restore, train
from autoremove.types import Image


class Line:
    """A task with momentum and a generator of its own: any state that is not kept shows in its weights."""

    def __init__(self, stop_at: int = 0, scores: tuple[float, ...] = ()) -> None:
        self.weight = torch.nn.Parameter(torch.zeros(3))
        self.optimiser = torch.optim.Adam([self.weight], 0.1)
        self.generator = torch.Generator().manual_seed(0)
        self.stop_at, self.scores = stop_at, list(scores)
        self.done = 0
        self.shares: list[float] = []

    def step(self, progress: float) -> dict[str, float]:
        self.shares.append(progress)
        self.done += 1
        if self.done == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        loss = ((self.weight - torch.randn(3, generator=self.generator)) ** 2).sum()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return {"loss": float(loss.detach()), "done": float(self.done)}

    def validate(self) -> dict[str, float]:
        return {"score": self.scores.pop(0) if self.scores else float(self.done), "other": 0.5}

    def grid(self) -> Image:
        return np.zeros((8, 8, 3), np.uint8)

    def state_dict(self) -> dict[str, Any]:
        return {
            "weight": self.weight.detach(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "done": self.done,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            self.weight.copy_(state["weight"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])
        self.done = state["done"]

    def export(self, path: Path, metadata: dict[str, str]) -> None:
        save_file({"weight": self.weight.detach().clone()}, path, metadata=metadata)


def config(**settings: Any) -> LoopConfig:
    return LoopConfig(**{"steps": 12, "log_every": 4, **settings})


def rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_a_run_leaves_everything_it_promises(tmp_path: Path) -> None:
    progress = train(Line(), config(), tmp_path, {"config": {"a": 1}}, resume=False)
    assert (progress.step, progress.best) == (12, 12.0)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {
        "checkpoint.pt",
        "best.safetensors",
        "last.safetensors",
        "log.jsonl",
        "curve.png",
        "run.json",
        "samples/0000012.png",
    }
    assert [row["step"] for row in rows(tmp_path)] == [4, 8, 12, 12]
    assert rows(tmp_path)[-1]["val_score"] == 12.0


def test_a_log_line_is_the_mean_since_the_one_before(tmp_path: Path) -> None:
    train(Line(), config(), tmp_path, {}, resume=False)
    assert [row["done"] for row in rows(tmp_path) if "done" in row] == [2.5, 6.5, 10.5]


@pytest.mark.parametrize("stop_at", [1, 5, 11])
def test_stopped_and_resumed_it_ends_with_the_same_weights(tmp_path: Path, stop_at: int) -> None:
    whole = Line()
    train(whole, config(), tmp_path / "whole", {}, resume=False)
    stopped = train(Line(stop_at), config(), tmp_path / "parts", {}, resume=False)
    assert stopped.step == stop_at
    again = Line()
    progress = train(again, config(), tmp_path / "parts", {}, resume=True)
    assert progress.step == 12
    assert torch.equal(again.weight, whole.weight)
    assert again.shares == whole.shares[stop_at:]
    assert len(json.loads((tmp_path / "parts" / "run.json").read_text())) == 2


def test_a_stop_is_taken_between_steps_and_the_handlers_are_put_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    train(Line(3), config(), tmp_path, {}, resume=False)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert restore(Line(), tmp_path).step == 3


def test_a_second_stop_does_not_wait(tmp_path: Path) -> None:
    class Stubborn(Line):
        def step(self, progress: float) -> dict[str, float]:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
            return super().step(progress)

    with pytest.raises(KeyboardInterrupt):
        train(Stubborn(), config(), tmp_path, {}, resume=False)


def test_stopped_the_checkpoint_is_written_before_the_validation(tmp_path: Path) -> None:
    """Who stops a run may not wait for its validation to end."""

    class Slow(Line):
        def validate(self) -> dict[str, float]:
            assert restore(Line(), tmp_path).step == 5
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(Slow(5), config(), tmp_path, {}, resume=False)
    assert restore(Line(), tmp_path).step == 5


def test_the_best_weights_are_kept_not_the_last(tmp_path: Path) -> None:
    task = Line(scores=(0.2, 0.9, 0.4, 0.3))
    train(task, config(steps=3, validate_minutes=0), tmp_path, {}, resume=False)
    # Validated after each step and once more at the end; 0.9 was after the second.
    assert restore(Line(), tmp_path).best == 0.9
    reference = Line()
    for _ in range(2):
        reference.step(0.0)
    best = load_file(tmp_path / "best.safetensors")["weight"]
    last = load_file(tmp_path / "last.safetensors")["weight"]
    assert torch.equal(last, task.weight.detach())
    assert torch.equal(best, reference.weight.detach())
    assert not torch.equal(best, last)


def test_the_best_of_before_is_remembered_when_resumed(tmp_path: Path) -> None:
    train(Line(scores=(5.0,)), config(steps=2), tmp_path, {}, resume=False)
    kept = (tmp_path / "best.safetensors").read_bytes()
    train(Line(scores=(4.0,)), config(steps=4), tmp_path, {}, resume=True)
    assert (tmp_path / "best.safetensors").read_bytes() == kept


def test_time_ends_a_run_too(tmp_path: Path) -> None:
    progress = train(Line(), config(steps=10**9, time_budget_minutes=1e-4), tmp_path, {}, resume=False)
    assert 0 < progress.step < 10**6
    assert progress.share(config(steps=10**9, time_budget_minutes=1e-4)) == 1.0
    # What is logged of so short a run still tells that its time was used up.
    assert rows(tmp_path)[-1]["seconds"] == pytest.approx(progress.seconds, abs=1e-3)


@pytest.mark.parametrize(
    "fields", [{"steps": 0}, {"steps": -5}, {"time_budget_minutes": 0.0}, {"time_budget_minutes": -1.0}]
)
def test_a_run_that_would_never_end_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"never end|is none"):
        LoopConfig(**fields)


@pytest.mark.parametrize(
    ("step", "seconds", "budget", "share"),
    [(0, 0, None, 0), (6, 0, None, 0.5), (6, 45, 1, 0.75), (99, 0, 1, 1), (0, 999, 1, 1)],
)
def test_the_share_of_a_run_is_by_steps_or_by_time(step, seconds, budget, share) -> None:
    assert Progress(step, seconds).share(config(time_budget_minutes=budget)) == share


def test_checkpoints_are_written_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    real = loop.save

    def save(task: Any, progress: Progress, run_dir: Path) -> None:
        saved.append(progress.step)
        real(task, progress, run_dir)

    monkeypatch.setattr(loop, "save", save)
    train(Line(), config(steps=3, checkpoint_minutes=0), tmp_path, {}, resume=False)
    assert saved == [1, 2, 3, 3, 3]


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(Line(), config(steps=2), tmp_path, {}, resume=False)

    def half(_: object, path: Path) -> None:
        Path(path).write_bytes(b"half a")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt):
        loop.save(Line(), Progress(9), tmp_path)
    monkeypatch.undo()
    assert restore(Line(), tmp_path).step == 2


def test_without_a_checkpoint_a_resumed_run_begins_anew(tmp_path: Path) -> None:
    assert restore(Line(), tmp_path) == Progress()
    assert train(Line(), config(steps=1), tmp_path, {}, resume=True).step == 1


def test_a_new_run_does_not_replace_another(tmp_path: Path) -> None:
    train(Line(scores=(5.0,)), config(steps=2), tmp_path, {}, resume=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(OutputError, match="holds a run already") as caught:
        train(Line(scores=(4.0,)), config(steps=1), tmp_path, {}, resume=False)
    assert caught.value.hint == "Add --resume to go on with it, or choose another --output."
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
