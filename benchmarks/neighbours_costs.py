"""What one system costs at one size: seconds, memory and arithmetic, in a process that does nothing else.

python benchmarks/neighbours_costs.py deepfillv2 embedded 256 --runs 5
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from generator import figure, peak_bytes, picture
from speed import spread

from autoremove.models.families import INPAINTERS

FULL = "random, full width"
"""Weights of a network that is only timed."""


@dataclass(frozen=True)
class System:
    """One row of the bench: ``label`` names it, ``weights`` is a file or ``embedded``."""

    label: str
    model: str
    weights: str = "embedded"

    @property
    def text(self) -> str:
        """As `evaluate inpaint --models` spells it."""
        weighted = f"@{self.weights}" if self.model in INPAINTERS else ""
        return f"{self.model}+none{weighted}"


def network_of(system: System) -> Any:
    """The network, or None where there is none."""
    from autoremove.models import cache

    family = INPAINTERS.get(system.model)
    if family is not None and system.weights == FULL:
        return built(system.model)
    return cache.load(family.kind, system.weights, "cpu") if family else None


def built(model: str) -> Any:
    """The network at the widths of its paper, with random weights."""
    module = INPAINTERS[model].load()
    build = getattr(module, "build", None)
    network = build({}) if build else module.Generator(module.GeneratorConfig())
    return network.eval()


def way_of(system: System, side: int) -> Any:
    """A function without arguments that fills one hole once."""
    image, mask = picture(side), figure(side)
    network = network_of(system)
    if network is not None:
        return lambda: network.fill(image, mask)
    from autoremove.evaluation import shipped

    fill = shipped.filler(shipped.recipe_stages("people"), system.text, blend=False)
    pixels = ((image[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()
    return lambda: fill(pixels, mask[0, 0].numpy() > 0)


def costs(system: System, side: int, runs: int) -> dict[str, Any]:
    """Seconds, peak memory and arithmetic of one system at one side, in this process."""
    network = network_of(system)
    before, fill = peak_bytes(), way_of(system, side)
    wall, spent = [], []
    for _ in range(runs + 1):
        started, begun = time.perf_counter(), time.process_time()
        fill()
        wall.append(time.perf_counter() - started)
        spent.append(time.process_time() - begun)
    return {
        **spread(wall[1:]),
        "cpu_seconds": round(min(spent[1:]), 3),
        "peak_mb": round(peak_bytes() / 1e6),
        "peak_before_mb": round(before / 1e6),
        "gflop": None if network is None else gflop(network, side),
    }


@torch.inference_mode()
def gflop(network: Any, side: int) -> float:
    """Two for every multiplication with its addition of the network's picture at a side."""
    from torch.utils.flop_counter import FlopCounterMode

    network.requires_grad_(False)  # the counter asks for the gradients of whatever may have some
    with FlopCounterMode(display=False) as counter:
        network.raw(picture(side), figure(side))
    return round(counter.get_total_flops() / 1e9, 3)


def in_own_process(system: System, side: int, runs: int, threads: int) -> dict[str, Any]:
    """The answer of :func:`costs` from a fresh process."""
    command = [sys.executable, __file__, system.model, system.weights, str(side)]
    command += ["--threads", str(threads), "--runs", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"left_out": (done.stderr.strip().splitlines() or ["it failed"])[-1]}
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def full_width(model: str) -> int | None:
    """Parameters of the network at the widths of its paper; nothing is computed."""
    if model not in INPAINTERS:
        return None
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in built(model).parameters())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="What one system costs at one size.")
    parser.add_argument("model")
    parser.add_argument("weights", help=f"A file, a name, embedded, or {FULL!r}.")
    parser.add_argument("side", type=int)
    parser.add_argument("--runs", type=int, default=5, help="Fills after the warm-up (default 5).")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    system = System(options.model, options.model, options.weights)
    print(json.dumps(costs(system, options.side, options.runs)))


if __name__ == "__main__":
    main()
