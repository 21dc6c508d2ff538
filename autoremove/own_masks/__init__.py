"""Masks as files that a person can edit: where they lie, and how they are written and taken back."""

from __future__ import annotations
