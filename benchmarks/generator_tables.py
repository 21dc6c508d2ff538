"""The figures of generator.py as tables for the page of results."""

from __future__ import annotations

from typing import Any


def tables(result: dict[str, Any]) -> list[list[list[str]]]:
    """For the page of results: a row for each network, size and way."""
    rows = [["network", "side", "way", "s", "spread", "CPU s", "peak GB", "GFLOP at 256"]]
    for kind, sizes in result["sizes"].items():
        for side, row in sizes.items():
            for way in ("fill", "forward", "plain"):
                memory = row["memory"].get(way)
                if way not in row and memory is None:
                    continue
                seen = row.get(way) or {"median": memory["seconds"], "cpu_seconds": memory["cpu_seconds"]}
                spread_of = f"{seen['least']:.2f} to {seen['most']:.2f}" if "least" in seen else "once, cold"
                peak = f"{memory['peak_gb']:.2f}" if memory else "-"
                flops = f"{result['gflops_256'][kind][way]:.1f}" if side == "256" else ""
                times = [f"{seen['median']:.2f}", spread_of, f"{seen['cpu_seconds']:.2f}"]
                rows.append([kind, side, way, *times, peak, flops])
    faster = [["network", "side", "fill over plain: times faster", "times less CPU"]]
    for kind, sizes in result["sizes"].items():
        for side, row in sizes.items():
            if "times_faster" in row:
                faster.append([kind, side, f"{row['times_faster']:.1f}", f"{row['times_less_cpu']:.1f}"])
    return [rows, faster]
