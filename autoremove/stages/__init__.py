"""The stages by name: the one table that recipes, the command line and the runner look up."""

from __future__ import annotations

from importlib import import_module

from autoremove.stages.base import Stage

STAGES = {
    "detect": "Detect",
    "select": "Select",
    "embed": "Embed",
    "refine": "Refine",
    "shadow": "Shadow",
    "inpaint": "Inpaint",
    "composite": "Composite",
    "audit": "Audit",
}


def stage_class(name: str) -> type[Stage]:
    """The class of a stage; its file is imported only now. Raises KeyError for an unknown name."""
    attribute = STAGES[name]
    kind: type[Stage] = getattr(import_module(f"autoremove.stages.{name}"), attribute)
    return kind
