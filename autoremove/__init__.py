"""autoremove: find people (or cars, or animals) in photos, cut them out and fill the holes."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "inpaint", "remove"]


def __getattr__(name: str) -> Any:
    # Importing the package must stay instant: torch alone takes seconds.
    if name in ("remove", "inpaint"):
        from autoremove import api

        return getattr(api, name)
    raise AttributeError(f"module 'autoremove' has no attribute {name!r}")
