"""Weights are fetched whole or not at all, from where an earlier try broke off."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from autoremove.errors import EXIT_WEIGHTS, WeightsError
from autoremove.models import checkpoints, weights
from autoremove.models.weights_table import Weights

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT at any address; the next ``cuts`` answers break off half way."""

    cuts = 0
    ranges_work = True
    content = CONTENT
    asked: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        start = int(wanted[6:].rstrip("-")) if wanted and self.server.ranges_work else 0
        content = self.server.content
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        end = len(content)
        if self.server.cuts:
            self.server.cuts -= 1
            end = (start + end) // 2
        self.wfile.write(content[start:end])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOREMOVE_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.fixture
def entry(server: Server, place: Path, monkeypatch: pytest.MonkeyPatch):
    """Put one entry into the table, served from 127.0.0.1."""

    def put(**changes: object) -> Weights:
        base = Weights("toy", "detector", "yolo", "toy.pt", f"http://127.0.0.1:{server.server_port}/toy.pt")
        made = replace(base, **changes)  # type: ignore[arg-type]
        monkeypatch.setattr(weights, "TABLE", (made,))
        monkeypatch.setattr(checkpoints, "TABLE", (made,))
        return made

    return put


def test_a_name_is_fetched_once(server: Server, entry, place: Path) -> None:
    entry(sha256=SHA256, size=len(CONTENT))
    path = weights.resolve("toy", "detector")
    assert path == place / "toy.pt"
    assert path.read_bytes() == CONTENT
    assert weights.fetch("toy", progress=False) == path
    assert server.asked == [None]
    assert weights.verify("toy").state == "ok"
    assert weights.digest("toy", "detector") == SHA256


def test_an_interrupted_fetch_goes_on_later(server: Server, entry, place: Path) -> None:
    entry(sha256=SHA256)
    place.mkdir()
    (place / "toy.pt.part").write_bytes(CONTENT[:1000])
    assert weights.fetch("toy", progress=False).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-"]
    assert not (place / "toy.pt.part").exists()


@pytest.mark.parametrize("beginning", [CONTENT, CONTENT + b"longer"])
def test_a_part_with_nothing_left_to_ask_for(server: Server, entry, place: Path, beginning: bytes) -> None:
    entry(sha256=SHA256)
    place.mkdir()
    (place / "toy.pt.part").write_bytes(beginning)
    assert weights.fetch("toy", progress=False).read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(server: Server, entry, place: Path) -> None:
    entry(sha256=SHA256)
    server.ranges_work = False
    place.mkdir()
    (place / "toy.pt.part").write_bytes(b"x" * 1000)
    assert weights.fetch("toy", progress=False).read_bytes() == CONTENT


@pytest.mark.parametrize("hashes", [{"sha256": "0" * 64}, {"sha256_prefix": "00000000"}])
def test_a_wrong_hash_is_removed_and_refused(
    server: Server, entry, place: Path, hashes: dict[str, str]
) -> None:
    entry(**hashes)
    with pytest.raises(WeightsError, match=r"is not toy.*removed") as caught:
        weights.fetch("toy", progress=False)
    assert caught.value.exit_code == EXIT_WEIGHTS
    assert [path.name for path in place.iterdir() if path.name != ".lock"] == []


def test_a_damaged_file_is_told_and_fetched_anew(server: Server, entry, place: Path) -> None:
    entry(sha256=SHA256, size=len(CONTENT))
    place.mkdir()
    (place / "toy.pt").write_bytes(CONTENT[:-1] + b"?")
    assert weights.verify("toy").state == "damaged"
    with pytest.raises(WeightsError, match=r"damaged.*weights fetch toy"):
        weights.digest("toy", "detector")
    assert weights.fetch("toy", progress=False).read_bytes() == CONTENT


def test_a_prefix_is_enough_and_what_came_is_noted(
    server: Server, entry, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry(sha256_prefix=SHA256[:8])
    weights.fetch("toy", progress=False)
    assert (place / "toy.pt.sha256").read_text() == f"{SHA256}  toy.pt\n"
    assert "no full hash is published" in caplog.text
    assert weights.verify("toy").state == "first use"


def test_the_first_use_is_held_to(server: Server, entry, place: Path) -> None:
    entry()
    weights.fetch("toy", progress=False)
    (place / "toy.pt").unlink()
    server.content = b"other" * 1000
    with pytest.raises(WeightsError, match="is not toy"):
        weights.fetch("toy", progress=False)


def test_offline_says_where_to_put_the_file_by_hand(server: Server, entry, place: Path) -> None:
    made = entry(sha256=SHA256)
    server.shutdown()
    server.server_close()
    with pytest.raises(WeightsError) as caught:
        weights.resolve("toy", "detector")
    assert caught.value.exit_code == EXIT_WEIGHTS
    assert str(made.url) in str(caught.value)
    assert str(place / "toy.pt") in str(caught.value)


def test_a_server_that_says_no_is_quoted(server: Server, entry, place: Path, monkeypatch) -> None:
    entry(sha256=SHA256)
    monkeypatch.setattr(Handler, "do_GET", lambda self: self.send_error(404))
    with pytest.raises(WeightsError, match="404 Not Found"):
        weights.fetch("toy", progress=False)


def test_a_folder_that_cannot_be_made_is_named(server: Server, entry, place: Path) -> None:
    entry(sha256=SHA256)
    place.write_bytes(b"a file in the way")
    with pytest.raises(WeightsError, match="AUTOREMOVE_WEIGHTS"):
        weights.fetch("toy", progress=False)


def test_a_broken_connection_is_taken_up_where_it_broke(server: Server, entry) -> None:
    entry(sha256=SHA256)
    server.cuts = 2
    assert weights.fetch("toy", progress=False).read_bytes() == CONTENT
    half = len(CONTENT) // 2
    assert server.asked == [None, f"bytes={half}-", f"bytes={half + half // 2}-"]


def test_without_download_a_name_is_only_looked_for(server: Server, entry) -> None:
    entry(sha256=SHA256)
    with pytest.raises(WeightsError, match="weights fetch toy"):
        weights.resolve("toy", "detector", download=False)
    assert server.asked == []
