"""A download for pooch that goes on where it was cut off."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests

TIMEOUT = (10, 60)
"""Seconds to wait for a connection, and for the next bytes of one."""

_CHUNK = 1 << 18


class Resumable:
    """Called by pooch with an address and a file to fill; bytes gather in ``part`` until all are there.

    An interruption, even kill -9, leaves ``part`` behind and the next call asks the server only for the
    rest. A connection that breaks is taken up again as long as each try brings new bytes. Raises
    ``requests.RequestException`` when the server cannot be reached or says no.
    """

    def __init__(self, part: Path, progress: bool = True) -> None:
        self.part = part
        self.progress = progress

    def __call__(self, url: str, output_file: str | os.PathLike[str], pooch: object) -> None:
        import requests

        while True:
            before = self._have()
            try:
                self._continue(url)
                break
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if self._have() <= before:
                    raise
        os.replace(self.part, output_file)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _continue(self, url: str) -> None:
        import requests

        have = self._have()
        # Without "identity" a server may compress, and the byte positions would mean nothing.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416 and have:
                if _total(answer) == have:
                    return
                self.part.unlink()  # longer than the file at the server: of another version
                return self._continue(url)
            answer.raise_for_status()
            resumed = answer.status_code == 206
            if resumed and _start(answer) != have:
                self.part.unlink()
                return self._continue(url)
            self._receive(answer, have if resumed else 0)

    def _receive(self, answer: requests.Response, start: int) -> None:
        import requests
        from tqdm import tqdm

        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else None
        # disable=None: no bar where standard error is not a terminal.
        bar = tqdm(
            total=total,
            initial=start,
            unit="B",
            unit_scale=True,
            desc=self.part.stem,
            disable=None if self.progress else True,
        )
        with bar, self.part.open("r+b" if start else "wb") as stream:
            stream.seek(start)
            for chunk in answer.iter_content(_CHUNK):
                stream.write(chunk)
                bar.update(len(chunk))
        if total is not None and self._have() < total:
            raise requests.ConnectionError(f"the connection ended after {self._have()} of {total} bytes")


def _start(answer: requests.Response) -> int | None:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _total(answer: requests.Response) -> int | None:
    found = re.search(r"/(\d+)$", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def why_not(error: requests.RequestException) -> str:
    """A failed request in a few words."""
    import requests

    if error.response is not None:
        return f"the server says {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        return "no connection, or it broke"
    return str(error)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time fetch into ``folder``; the lock goes with the process, however it ends."""
    with (folder / ".lock").open("w") as stream:
        try:
            import fcntl
        except ImportError:  # Windows: two fetches at once would spoil the part, and the hash would tell
            yield
            return
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
