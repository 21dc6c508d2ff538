"""Outputs appear whole or not at all, and nothing is left lying about."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from autoremove.errors import OutputError, PictureError
from autoremove.images import copy, write
from autoremove.images.atomic import appearing
from tests import builders


def test_copy_is_the_same_to_the_byte_and_second(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jpg", tmp_path / "new" / "out.jpg"
    source.write_bytes(builders.jpeg())
    os.utime(source, ns=(1_000_000_000, 1_234_567_890_000_000_000))
    copy(source, out)
    assert out.read_bytes() == source.read_bytes()
    assert out.stat().st_mtime_ns == source.stat().st_mtime_ns
    assert [path.name for path in out.parent.iterdir()] == ["out.jpg"]


def test_copy_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"gone\.jpg"):
        copy(tmp_path / "gone.jpg", tmp_path / "out.jpg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "hint"),
    [(errno.ENOSPC, "space"), (errno.EACCES, "right"), (errno.EROFS, "only be read"), (errno.EIO, "folder")],
)
def test_what_the_disk_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    source, out = tmp_path / "in.jpg", tmp_path / "out" / "out.jpg"
    source.write_bytes(builders.jpeg())

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    for action in (lambda: copy(source, out), lambda: write(source, out, [builders.removal()])):
        with pytest.raises(OutputError, match=r"out\.jpg") as caught:
            action()
        assert hint in (caught.value.hint or "")
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_the_old_file_and_no_other(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    out = tmp_path / "out.jpg"
    out.write_bytes(b"old")
    with pytest.raises(interruption), appearing(out) as stream:
        stream.write(b"half")
        raise interruption
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]


def test_names_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jpg", tmp_path / ("n" * 251 + ".jpg")
    source.write_bytes(builders.jpeg())
    copy(source, out)
    assert out.exists()


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    source = tmp_path / "in.jpg"
    source.write_bytes(builders.jpeg())
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(OutputError):
        copy(source, tmp_path / "out" / "in.jpg")


def test_a_source_that_fails_leaves_no_output(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jpg", tmp_path / "out" / "out.jpg"
    source.write_bytes(builders.jpeg()[:700])
    with pytest.raises(PictureError):
        write(source, out, [builders.removal()])
    assert not out.parent.exists()
