"""Ctrl-C, SIGTERM and kill -9 amid a run: nothing half-written stays, and the next run completes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autoremove import journal

Start = Callable[..., "subprocess.Popen[str]"]
COUNT = 8

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture
def many(photos: Path) -> Path:
    (photos / "cut.jpg").unlink()
    for number in range(COUNT - 4):
        picture = (photos / "b.jpg").read_bytes() + bytes([number])  # each its own content
        (photos / f"n{number}.jpg").write_bytes(picture)
    return photos


def wait_for(condition: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        if condition():
            return
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    raise AssertionError("nothing happened for a minute")


def finished(output: Path) -> int:
    return len(journal.read(output / journal.NAME))


def children_of(pid: int) -> list[int]:
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(line) for line in listing.stdout.split()]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def assert_gone(pids: list[int]) -> None:
    """They may take a moment to notice."""
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if alive(pid)] == []


def check_complete(start: Start, arguments: list[object], output: Path) -> None:
    again = start(*arguments)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert len((output / journal.NAME).read_text().splitlines()) == COUNT
    assert f"done       {COUNT - 1}" in out and "unchanged" in out
    assert not [path for path in output.rglob(".*") if path.is_file()]
    assert (output / "report.html").exists()


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, 1), (signal.SIGTERM, 2), (signal.SIGINT, 2)])
def test_told_to_end(
    number: int, workers: int, start: Start, many: Path, light: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "clean"
    arguments: list[object] = ["run", many, "-o", output, *light, "--workers", workers]
    running = start(*arguments, seconds=0.2)
    wait_for(lambda: finished(output) >= 2, running)
    workers_of_it = children_of(running.pid) if shutil.which("ps") else []
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "interrupted; what is finished is kept" in err
    assert "Traceback" not in err
    assert 2 <= finished(output) < COUNT
    assert_gone(workers_of_it)
    assert not [path for path in output.rglob(".*") if path.is_file()]
    assert "This run was interrupted" in (output / "report.html").read_text()
    check_complete(start, arguments, output)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed(workers: int, start: Start, many: Path, light: list[str], tmp_path: Path) -> None:
    output = tmp_path / "clean"
    arguments: list[object] = ["run", many, "-o", output, *light, "--workers", workers]
    running = start(*arguments, seconds=0.2)
    wait_for(lambda: finished(output) >= 2, running)
    workers_of_it = children_of(running.pid) if shutil.which("ps") else []
    running.kill()
    running.wait(60)  # not communicate: orphans would hold the pipes open
    try:
        assert_gone(workers_of_it)
    finally:
        for pid in filter(alive, workers_of_it):
            os.kill(pid, signal.SIGKILL)
    check_complete(start, arguments, output)


def test_a_pipe_that_closes_is_no_error(start: Start, many: Path, light: list[str], tmp_path: Path) -> None:
    running = start("recipes", "show", "people")
    assert running.stdout is not None
    running.stdout.close()
    running.wait(60)
    assert running.stderr is not None
    assert running.stderr.read() == ""
