"""Seconds, memory and arithmetic of DeepFillv2 filling one hole, beside the plain form of public ports.

Method: one picture (bus.jpg of the ultralytics package, cut square and resized) with a hole in the shape of
a standing figure, about 20 % of the picture; the full width with random weights and the embedded weights;
one warm process on ``--threads`` threads. ``fill`` is ours, ``forward`` our whole graph as training runs it,
``plain`` the same weights in the plain form: every layer on the whole map, and an attention in which every
position asks and patches are kernels of convolutions, the score map fused by a convolution. The ways take
turns within each run, the warm-up is left out, and what is told is the median with its spread, and the
seconds of all cores together, which a busy machine moves less. Peak memory is the largest resident size of
a process of its own that fills once. Where the plain form would not fit the memory that is free, it is left
out and the output says so.

    python benchmarks/generator.py --runs 5 --json generator.json
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from machine import commit, in_words, machine
from speed import photo_of, spread
from torch import Tensor
from torch.nn import functional as F

SIZES = (256, 512, 1024)

PLAIN_BYTES = {256: 1 << 30, 512: 3 << 30, 1024: 22 << 30}
"""What the plain form needs at each size, roughly."""

PLAIN_ONCE = 1024
"""From this size on the plain form runs once, in the process that measures its memory."""


def network(kind: str) -> Any:
    """The full width with random weights, or what is embedded."""
    from autoremove.models.deepfillv2 import Generator, GeneratorConfig

    if kind == "embedded":
        from autoremove.models import cache

        return cache.load("inpainter", "embedded", "cpu")
    torch.manual_seed(0)
    return Generator(GeneratorConfig()).eval()


def figure(side: int) -> Tensor:
    """1 x 1 x side x side: head, trunk, arms and legs of somebody who stands before the middle."""
    y, x = torch.meshgrid(*[(torch.arange(side) + 0.5) / side] * 2, indexing="ij")

    def oval(cy: float, cx: float, ry: float, rx: float) -> Tensor:
        return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1

    trunk = oval(0.4, 0.5, 0.22, 0.155)
    arms = oval(0.41, 0.335, 0.19, 0.06) | oval(0.41, 0.665, 0.19, 0.06)
    legs = oval(0.71, 0.425, 0.24, 0.08) | oval(0.71, 0.575, 0.24, 0.08)
    return (oval(0.14, 0.5, 0.08, 0.065) | trunk | arms | legs)[None, None].float()


def picture(side: int) -> Tensor:
    """1 x 3 x side x side in -1..1."""
    import numpy as np
    from PIL import Image

    with Image.open(photo_of("bus.jpg")) as opened:
        photo = opened.convert("RGB")
        shorter = min(photo.size)
        square = photo.crop((0, 0, shorter, shorter)).resize((side, side), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].float() / 127.5 - 1


def plain_attention(features: Tensor, mask: Tensor, config: Any) -> Tensor:
    """One sample, own spelling only: scores by a convolution whose kernels are patches, fused by another."""
    height, width = mask.shape[-2:]
    count, channels = height * width, features.shape[1]
    raw = F.unfold(features, 4, stride=2, padding=1).transpose(1, 2).reshape(count, channels, 4, 4)
    small = F.interpolate(features, scale_factor=0.5, mode="nearest")
    kernels = F.unfold(small, 3, padding=1).transpose(1, 2).reshape(count, channels, 3, 3)
    lengths = kernels.square().sum((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-4)
    scores = F.conv2d(small, kernels / lengths, padding=1)
    if config.fuse:
        eye = torch.eye(3)[None, None]
        scores = F.conv2d(scores.view(1, 1, count, count), eye, padding=1)
        turned = scores.view(height, width, height, width).permute(1, 0, 3, 2).reshape(1, 1, count, count)
        scores = F.conv2d(turned, eye, padding=1).view(width, height, width, height).permute(1, 0, 3, 2)
    scores = scores.reshape(1, count, height, width)
    touched = F.unfold(mask, 3, padding=1).amax(1).view(1, count, 1, 1)
    known = 1 - touched
    weights = (scores * known * 10).softmax(1) * known
    return F.conv_transpose2d(weights, raw, stride=2, padding=1) / 4


def plain(net: Any, image: Tensor, mask: Tensor) -> Tensor:
    """The refined output of the whole network, layer by layer."""

    def through(part: str, planes: Tensor) -> Tensor:
        for layer in net.layers(part):
            planes = layer(planes)
        return planes

    known = image * (1 - mask)
    coarse = torch.tanh(through("coarse", net.coarse_input(known, mask, None)))
    second = net.refining_input(coarse * mask + known, mask)
    attended = plain_attention(through("attention", second), mask[..., ::8, ::8], net.config)
    both = [through("convolution", second), through("after_attention", attended)]
    return torch.tanh(through("merge", torch.cat(both, 1)))


def ways(net: Any) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Each takes picture and mask and gives something that fills the hole."""
    return {
        "fill": net.fill,
        "forward": lambda image, mask: net(image, mask)[1],
        "plain": lambda image, mask: plain(net, image, mask),
    }


def free_bytes() -> int:
    """Memory that could be had without swapping; all there is where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 1 << 62
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


@torch.inference_mode()
def timed(kind: str, side: int, runs: int, with_plain: bool) -> dict[str, Any]:
    """Wall and processor seconds of each way, in turns, and how far the fills lie apart inside the hole."""
    net, image, mask = network(kind), picture(side), figure(side)
    chosen = {name: way for name, way in ways(net).items() if with_plain or name != "plain"}
    wall: dict[str, list[float]] = {name: [] for name in chosen}
    cpu: dict[str, list[float]] = {name: [] for name in chosen}
    filled: dict[str, Tensor] = {}
    for number in range(runs + 1):
        for name, way in chosen.items():
            started, spent = time.perf_counter(), time.process_time()
            filled[name] = way(image, mask)
            if number:
                wall[name].append(time.perf_counter() - started)
                cpu[name].append(time.process_time() - spent)
    rows: dict[str, Any] = {
        name: {**spread(wall[name]), "cpu_seconds": round(min(cpu[name]), 3)} for name in chosen
    }
    inside = (mask > 0).expand_as(image)
    for name in chosen.keys() - {"fill"}:
        rows[name]["difference_in_hole"] = float((filled[name] - filled["fill"])[inside].abs().max())
    return rows


@torch.inference_mode()
def alone(kind: str, side: int, way: str) -> dict[str, float]:
    """Once, cold: seconds and the peak of this process, and how much of it was there before."""
    net, image, mask = network(kind), picture(side), figure(side)
    before = peak_bytes()
    started, spent = time.perf_counter(), time.process_time()
    ways(net)[way](image, mask)
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_seconds": round(time.process_time() - spent, 2),
        "peak_gb": round(peak_bytes() / 1e9, 3),
        "peak_before_gb": round(before / 1e9, 3),
    }


def peak_bytes() -> int:
    """Largest resident size of this process so far.

    Linux tells ru_maxrss of a child as no less than what its parent had when it forked; VmHWM is its own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def in_own_process(kind: str, side: int, way: str, threads: int) -> dict[str, float]:
    """The answer of :func:`alone`."""
    command = [sys.executable, __file__, "--threads", str(threads), "--alone", kind, str(side), way]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


@torch.inference_mode()
def gflops(kind: str, side: int = 256) -> dict[str, float]:
    """Two for every multiplication with its addition, of each way."""
    from torch.utils.flop_counter import FlopCounterMode

    net, image, mask = network(kind), picture(side), figure(side)
    found = {}
    for name, way in ways(net).items():
        with FlopCounterMode(display=False) as counter:
            way(image, mask)
        found[name] = round(counter.get_total_flops() / 1e9, 2)
    return found


def measured(kind: str, side: int, options: argparse.Namespace) -> dict[str, Any]:
    """All of one network at one size."""
    fits = free_bytes() > PLAIN_BYTES.get(side, 1 << 62)
    row: dict[str, Any] = timed(kind, side, options.runs, fits and side < PLAIN_ONCE)
    row["memory"] = {}
    for way in ("fill", "forward", "plain"):
        if way != "plain" or fits:
            row["memory"][way] = in_own_process(kind, side, way, options.threads)
    if "plain" in row:
        row["times_faster"] = round(row["plain"]["median"] / row["fill"]["median"], 2)
        row["times_less_cpu"] = round(row["plain"]["cpu_seconds"] / row["fill"]["cpu_seconds"], 2)
    elif fits:
        cold = row["memory"]
        row["times_faster"] = round(cold["plain"]["seconds"] / cold["fill"]["seconds"], 2)
        row["times_less_cpu"] = round(cold["plain"]["cpu_seconds"] / cold["fill"]["cpu_seconds"], 2)
    else:
        row["plain_left_out"] = f"{free_bytes() / 1e9:.0f} GB free, {PLAIN_BYTES[side] / 1e9:.0f} GB needed"
    return row


def told(kind: str, side: int, row: dict[str, Any]) -> str:
    """A line of figures."""
    times = ", ".join(
        f"{way} {row[way]['median']:.2f} s ({row[way]['least']:.2f} to {row[way]['most']:.2f}), "
        f"CPU {row[way]['cpu_seconds']:.2f} s"
        for way in ("fill", "forward", "plain")
        if way in row
    )
    peaks = ", ".join(f"{way} {figures['peak_gb']:.2f} GB" for way, figures in row["memory"].items())
    last = f"{row['times_faster']} times faster" if "times_faster" in row else row["plain_left_out"]
    return f"{kind:9} {side:5}: {times}; peak {peaks}; {last}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Seconds, memory and arithmetic of DeepFillv2.")
    parser.add_argument("--runs", type=int, default=5, help="Runs after the warm-up (default 5).")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--networks", nargs="+", default=["full", "embedded"])
    parser.add_argument("--json", type=Path, help="File for the figures.")
    parser.add_argument("--alone", nargs=3, metavar=("NETWORK", "SIDE", "WAY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.alone:
        kind, side, way = options.alone
        print(json.dumps(alone(kind, int(side), way)))
        return
    facts = machine()
    result: dict[str, Any] = {
        "hole_share": round(float(figure(512).mean()), 3),
        "gflops_256": {},
        "sizes": {},
    }
    for kind in options.networks:
        result["gflops_256"][kind] = gflops(kind)
        print(f"{kind:9} GFLOP at 256 x 256: {result['gflops_256'][kind]}", flush=True)
        rows = result["sizes"][kind] = {}
        for side in options.sizes:
            rows[str(side)] = measured(kind, side, options)
            print(told(kind, side, rows[str(side)]), flush=True)
    command = f"python benchmarks/generator.py --runs {options.runs} --threads {options.threads}"
    whole = {**result, "command": command, "machine": facts, "commit": commit()}
    print(f"{in_words(facts)}, commit {whole['commit']}")
    if options.json:
        options.json.write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main()
