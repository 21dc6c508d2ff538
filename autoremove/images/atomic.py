"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from autoremove.errors import OutputError, PictureError

_HINTS = {
    errno.ENOSPC: "Free some space, or choose an output folder on another disk.",
    errno.EDQUOT: "Your quota is used up: free some space, or choose another output folder.",
    errno.EACCES: "Give yourself the right to write there, or choose another output folder.",
    errno.EPERM: "Give yourself the right to write there, or choose another output folder.",
    errno.EROFS: "The disk can only be read: choose another output folder.",
    errno.ENAMETOOLONG: "Choose an output folder with a shorter path.",
}
_OTHER_HINT = "Choose another output folder."


@contextmanager
def appearing(destination: Path) -> Iterator[BinaryIO]:
    """A stream to a hidden file beside ``destination``, which takes its name once all is on the disk.

    Folders that are missing are made. On any failure the hidden file is removed, and whatever stood at
    ``destination`` stays. Raises OutputError.
    """
    # The name is short and its own, so that it fits wherever the destination's name does.
    beside = destination.parent / f".{secrets.token_hex(8)}.part"
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(beside, destination)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, _OTHER_HINT)
        raise OutputError(
            f"{destination} cannot be written ({error.strerror or error}).", hint=hint
        ) from error


def copy(source: Path, destination: Path) -> None:
    """Copy a file byte for byte, with its times, so that it appears whole or not at all.

    Raises PictureError where ``source`` cannot be read, OutputError where ``destination`` cannot be written.
    """
    try:
        stream = source.open("rb")
    except OSError as error:
        raise PictureError(
            f"{source} cannot be opened ({error.strerror or error}).",
            hint="Check that it exists and may be read.",
        ) from error
    with stream, appearing(destination) as target:
        shutil.copyfileobj(stream, target, 1 << 20)
        target.flush()
        times = os.fstat(stream.fileno())
        os.utime(target.name, ns=(times.st_atime_ns, times.st_mtime_ns))
