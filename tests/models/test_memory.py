"""What memory is free, what a fill will take, and which errors say that there was too little."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from autoremove.models import memory


def proc(folder: Path, available: int | None) -> Path:
    """A /proc whose system has so many kB available."""
    folder.mkdir(exist_ok=True)
    if available is not None:
        rows = ("MemTotal: 9999999 kB", "MemFree: 5 kB", f"MemAvailable:   {available} kB", "Cached: 7 kB")
        (folder / "meminfo").write_text("\n".join(rows))
    return folder


def group(folder: Path, most: str, current: int, cache: int | None = None) -> Path:
    """A control group with a limit, and what of it is used."""
    folder.mkdir()
    (folder / "memory.max").write_text(most + "\n")
    (folder / "memory.current").write_text(f"{current}\n")
    if cache is not None:
        (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cache}\nactive_file 9\n")
    return folder


def test_the_system_says_what_is_available(tmp_path: Path) -> None:
    assert memory.free_in_system(proc(tmp_path / "p", 1000), tmp_path / "none") == 1000 * 1024


@pytest.mark.parametrize(
    ("most", "current", "cache", "free"),
    [
        ("5000000", 2_000_000, None, 3_000_000),
        ("5000000", 2_000_000, 500_000, 3_500_000),
        ("5000000", 9_000_000, None, 0),
        ("max", 2_000_000, None, 9_000 * 1024),
    ],
)
def test_a_container_has_no_more_than_its_limit(
    tmp_path: Path, most: str, current: int, cache: int | None, free: int
) -> None:
    own = group(tmp_path / "g", most, current, cache)
    assert memory.free_in_system(proc(tmp_path / "p", 9_000), own) == free


def test_a_system_that_does_not_say_is_guessed_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.os, "sysconf_names", {}, raising=False)
    assert memory.free_in_system(proc(tmp_path / "p", None), tmp_path / "none") == memory.UNKNOWN
    assert memory.free_bytes("cpu") > 0


def test_more_and_larger_crops_take_more() -> None:
    one = memory.generator_bytes(1, (256, 256), 24)
    assert one < memory.generator_bytes(2, (256, 256), 24) < 2.01 * one
    assert memory.generator_bytes(1, (256, 256), 48) > one
    assert memory.generator_bytes(1, (512, 512), 24) > 3 * one
    assert memory.generator_bytes(1, (256, 256), 24, whole=True) > one
    assert memory.generator_bytes(1, (1024, 1024), 48, whole=True) < 2.5e9


@pytest.mark.parametrize("wanted", [1, 4, 7])
def test_as_many_crops_go_at_once_as_fit(wanted: int) -> None:
    def at_once(free: float) -> int:
        return memory.most_at_once(wanted, (256, 256), 24, int(free))

    assert at_once(1e12) == wanted
    assert at_once(1e6) == 0
    for count in range(1, wanted):
        assert at_once(memory.generator_bytes(count, (256, 256), 24) / memory.SHARE + 9) == count


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
    ],
)
def test_a_full_memory_is_told_from_its_error(error: BaseException) -> None:
    assert memory.is_full(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes do not match"), ValueError("out of memory"), OSError()]
)
def test_other_errors_are_no_full_memory(error: BaseException) -> None:
    assert not memory.is_full(error)


def test_torch_s_own_error_is_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert memory.is_full(caught.value)
    memory.release("cpu")
