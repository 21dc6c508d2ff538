"""How much memory a device has left, how much filling takes, and what says that it is full."""

from __future__ import annotations

import os
from pathlib import Path

UNKNOWN = 2 << 30
"""Bytes taken for free on systems that do not say."""

SHARE = 0.7
"""Of the free memory, so much is planned with: others take some in the meantime."""

PER_PIXEL, PER_PIXEL_WHOLE = 12, 28
"""Bytes of features for one pixel and one channel of the first layer, measured in float32 with some to spare:
where only the hole is computed, and where all of the crop is."""

PER_SCORE, MOST_SCORES = 24, 1 << 23
"""Bytes held for one attention score, and the scores that are worked on at once."""

PER_COPY = 24
"""Bytes for each pixel of a window and again of its hole while detail is copied at full size."""

FULL = ("not enough memory", "can't allocate memory", "out of memory", "failed to allocate")
"""What torch says of a full memory where it has no class of its own for it (CPU, MPS)."""


def free_bytes(device: str) -> int:
    """Bytes that can still be had on a device as torch spells it; a guess where the system does not say."""
    kind = device.partition(":")[0]
    if kind == "cuda":
        import torch

        # What torch holds in reserve is free too.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + int(kept)
    if kind == "mps":
        import torch

        limit = getattr(torch.mps, "recommended_max_memory", None)  # torch 2.5
        return max(0, int(limit()) - int(torch.mps.driver_allocated_memory())) if limit else UNKNOWN
    return free_in_system()


def free_in_system(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that a process can still take without paging, within its container's limit if it has one."""
    return min(_available(proc / "meminfo"), _within_limit(cgroup))


def _available(meminfo: Path) -> int:
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    names = getattr(os, "sysconf_names", {})
    if "SC_AVPHYS_PAGES" in names:  # not on macOS, nor is there sysconf at all on Windows
        return int(os.sysconf("SC_AVPHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE"))
    return UNKNOWN


def _within_limit(cgroup: Path) -> int:
    """What a control group (version 2) has left, its reclaimable file cache counted as free."""
    limit, used = cgroup / "memory.max", cgroup / "memory.current"
    if not limit.is_file() or not used.is_file() or not (most := limit.read_text().strip()).isdecimal():
        return 1 << 62
    cache, stat = 0, cgroup / "memory.stat"
    if stat.is_file():
        rows = (line.split() for line in stat.read_text().splitlines())
        cache = sum(int(value) for name, value in rows if name == "inactive_file")
    return max(0, int(most) - int(used.read_text()) + cache)


def generator_bytes(count: int, size_hw: tuple[int, int], cnum: int, *, whole: bool = False) -> int:
    """Bytes that a DeepFillv2 generator takes to fill ``count`` crops of a size, beside its weights.

    ``whole``: all of each crop is computed, not only what its hole needs.
    """
    pixels = size_hw[0] * size_hw[1]
    scores = min((pixels // 64) ** 2, MOST_SCORES)
    per_pixel = PER_PIXEL_WHOLE if whole else PER_PIXEL
    return count * pixels * cnum * per_pixel + scores * PER_SCORE


def most_at_once(wanted: int, size_hw: tuple[int, int], cnum: int, free: int, *, whole: bool = False) -> int:
    """How many crops of a size, up to ``wanted``, fit the free memory; 0 = not even one."""
    planned = SHARE * free
    fitting = (n for n in range(wanted, 0, -1) if generator_bytes(n, size_hw, cnum, whole=whole) <= planned)
    return next(fitting, 0)


def copying_bytes(window_pixels: int, hole_pixels: int) -> int:
    """Bytes that bringing detail into one window at full size takes."""
    return PER_COPY * (window_pixels + hole_pixels)


def is_full(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on whatever device."""
    if isinstance(error, MemoryError):
        return True
    # torch.cuda.OutOfMemoryError is a RuntimeError and says "out of memory" as well.
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or any(words in text for words in FULL)
    )


def release(device: str) -> None:
    """Hand back what torch keeps in reserve on a GPU."""
    import torch

    if device.startswith("cuda") and torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif device.startswith("mps"):
        torch.mps.empty_cache()
