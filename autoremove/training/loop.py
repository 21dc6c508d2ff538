"""The one training loop: step, log, validate, checkpoint, stop on time; every network is a task in it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from autoremove.errors import OutputError, UsageError
from autoremove.training.record import draw_curve, write_grid, write_run_record
from autoremove.types import Image

CHECKPOINT = "checkpoint.pt"


class Task(Protocol):
    """What the loop trains. All state that a resumed run needs is in ``state_dict``."""

    def step(self, progress: float) -> dict[str, float]:
        """One optimiser step at ``progress`` 0..1 of the run (for schedules); named losses."""

    def validate(self) -> dict[str, float]:
        """Figures on held-out pictures; must hold ``score``, higher is better."""

    def grid(self) -> Image:
        """A sheet of sample results, RGB."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def export(self, path: Path, metadata: dict[str, str]) -> None:
        """The weights as shipped: safetensors, half precision, averaged (EMA)."""


@dataclass(frozen=True)
class LoopConfig:
    """How long to train and how often to look up. Nothing here decides a single step.

    ``look_first``: also before the first step, so that a run from trained weights keeps the best of both.
    ``cpu_time``: the budget counts what this process computes and not what passes meanwhile, so that runs on
    a busy machine can be compared (on one thread; of a GPU it knows nothing).
    """

    steps: int = 100_000
    time_budget_minutes: float | None = None
    checkpoint_minutes: float = 4.0
    validate_minutes: float = 15.0
    log_every: int = 20
    look_first: bool = False
    cpu_time: bool = False

    def __post_init__(self) -> None:
        """Raises UsageError for a run that would never end."""
        if self.steps < 1:
            raise UsageError(f"A run of {self.steps} steps would never end.", hint="Set steps to 1 or more.")
        if self.time_budget_minutes is not None and not self.time_budget_minutes > 0:
            minutes = f"{self.time_budget_minutes:g} minutes"
            raise UsageError(f"A time budget of {minutes} is none.", hint="Give more than 0, or none.")


@dataclass
class Progress:
    """Where the run stands; kept in the checkpoint."""

    step: int = 0
    seconds: float = 0.0
    best: float = float("-inf")

    def share(self, config: LoopConfig) -> float:
        by_steps = self.step / config.steps
        budget = config.time_budget_minutes
        by_time = self.seconds / (budget * 60) if budget else 0.0
        return min(1.0, max(by_steps, by_time))


def train(
    task: Task, config: LoopConfig, run_dir: Path, settings: dict[str, Any], *, resume: bool
) -> Progress:
    """Train ``task`` until its steps or its time are used up; returns where it stopped.

    ``run_dir`` receives checkpoint.pt, best.safetensors, last.safetensors, log.jsonl, curve.png,
    samples/ and run.json. A run that was killed goes on from its last checkpoint with ``resume``. Raises
    OutputError where there is a checkpoint already and ``resume`` is not asked for.
    """
    from tqdm import tqdm

    check_begun(run_dir, resume)
    run_dir.mkdir(parents=True, exist_ok=True)
    progress = restore(task, run_dir) if resume else Progress()
    write_run_record(run_dir, {"loop": asdict(config), **settings})
    if config.look_first and not progress.step:
        _look_up(task, progress, run_dir)
    clocks = _Clocks(config)
    with (
        _stoppable() as stopped,
        tqdm(total=config.steps, initial=progress.step, unit="step", disable=not sys.stderr.isatty()) as bar,
    ):
        for figures in _steps(task, config, progress, stopped):
            bar.update()
            if progress.step % config.log_every == 0:
                _log(run_dir, progress, figures)
                bar.set_postfix({k: f"{v:.4g}" for k, v in list(figures.items())[:4]})
            if clocks.validate_due():
                _look_up(task, progress, run_dir)
            if clocks.checkpoint_due():
                save(task, progress, run_dir)
    save(task, progress, run_dir)  # before validation, which may take longer than who stops us will wait
    _look_up(task, progress, run_dir)
    save(task, progress, run_dir)
    return progress


def check_begun(run_dir: Path, resume: bool) -> None:
    """Raise OutputError where a new run would replace the checkpoint and the best weights of another."""
    if not resume and (run_dir / CHECKPOINT).exists():
        raise OutputError(
            f"The folder {run_dir} holds a run already, with its {CHECKPOINT}.",
            hint="Add --resume to go on with it, or choose another --output.",
        )


def _steps(
    task: Task, config: LoopConfig, progress: Progress, stopped: list[int]
) -> Iterator[dict[str, float]]:
    """Run steps, yielding the mean of the losses since the last log line."""
    sums: dict[str, list[float]] = {}
    while progress.share(config) < 1.0 and not stopped:
        clock = time.process_time if config.cpu_time else time.perf_counter
        started = clock()
        for name, value in task.step(progress.share(config)).items():
            sums.setdefault(name, []).append(value)
        progress.step += 1
        progress.seconds += clock() - started
        yield {name: float(np.mean(values)) for name, values in sums.items()}
        if progress.step % config.log_every == 0:
            sums = {}


def _look_up(task: Task, progress: Progress, run_dir: Path) -> None:
    """Validate, draw, and keep the best weights so far."""
    figures = task.validate()
    _log(run_dir, progress, {f"val_{name}": value for name, value in figures.items()})
    write_grid(run_dir / "samples" / f"{progress.step:07d}.png", task.grid())
    draw_curve(run_dir / "log.jsonl", run_dir / "curve.png")
    metadata = {"step": str(progress.step), **{k: f"{v:.4f}" for k, v in figures.items()}}
    task.export(run_dir / "last.safetensors", metadata)
    if figures["score"] > progress.best:
        progress.best = figures["score"]
        task.export(run_dir / "best.safetensors", metadata)


def save(task: Task, progress: Progress, run_dir: Path) -> None:
    """Write the checkpoint beside, then rename: a kill never leaves half a file."""
    import torch

    beside = run_dir / f"{CHECKPOINT}.part"
    torch.save({"task": task.state_dict(), "progress": asdict(progress)}, beside)
    os.replace(beside, run_dir / CHECKPOINT)


def restore(task: Task, run_dir: Path) -> Progress:
    """Load the checkpoint if there is one; a fresh start otherwise."""
    import torch

    path = run_dir / CHECKPOINT
    if not path.exists():
        return Progress()
    state = torch.load(path, map_location="cpu", weights_only=True)
    task.load_state_dict(state["task"])
    return Progress(**state["progress"])


def _log(run_dir: Path, progress: Progress, figures: dict[str, float]) -> None:
    row = {
        "step": progress.step,
        "seconds": round(progress.seconds, 3),
        **{k: round(v, 6) for k, v in figures.items()},
    }
    with (run_dir / "log.jsonl").open("a") as stream:
        stream.write(json.dumps(row) + "\n")


class _Clocks:
    """Wall-clock alarms for checkpoints and validation."""

    def __init__(self, config: LoopConfig) -> None:
        self.config = config
        self.saved = self.looked = time.monotonic()

    def checkpoint_due(self) -> bool:
        due = time.monotonic() - self.saved > self.config.checkpoint_minutes * 60
        if due:
            self.saved = time.monotonic()
        return due

    def validate_due(self) -> bool:
        due = time.monotonic() - self.looked > self.config.validate_minutes * 60
        if due:
            self.looked = time.monotonic()
        return due


@contextmanager
def _stoppable() -> Iterator[list[int]]:
    """Turn Ctrl-C and SIGTERM into a clean stop after the current step."""
    stopped: list[int] = []

    def note(number: int, _frame: object) -> None:
        if stopped:
            raise KeyboardInterrupt
        stopped.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
