"""Find, read and write pictures: everything about files of pixels, and nothing about what is in them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoremove.images.atomic import copy
    from autoremove.images.listing import Source, list_pictures, plan_outputs
    from autoremove.images.memory import from_any, values_of
    from autoremove.images.preview import encode_preview
    from autoremove.images.reading import MAX_PIXELS, Picture, read
    from autoremove.images.samples import apply_patches
    from autoremove.images.writing import write

__all__ = [
    "MAX_PIXELS",
    "Picture",
    "Source",
    "apply_patches",
    "copy",
    "encode_preview",
    "from_any",
    "list_pictures",
    "plan_outputs",
    "read",
    "values_of",
    "write",
]

_ROOMS = {
    "MAX_PIXELS": "reading",
    "Picture": "reading",
    "Source": "listing",
    "apply_patches": "samples",
    "copy": "atomic",
    "encode_preview": "preview",
    "from_any": "memory",
    "list_pictures": "listing",
    "plan_outputs": "listing",
    "read": "reading",
    "values_of": "memory",
    "write": "writing",
}


def __getattr__(name: str) -> Any:
    """Load a room when it is first asked for: finding pictures needs neither Pillow nor OpenCV."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
