"""Precision: bfloat16 only where it was asked for, or where the hardware computes it by itself."""

from __future__ import annotations

import pytest
import torch

from autoremove.models.precision import PRECISIONS, autocast, uses_bfloat16


@pytest.mark.parametrize("has", [True, False])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_which_precision_on_a_processor(precision: str, has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has, raising=False)
    lower = precision == "bfloat16" or (precision == "fast" and has)
    assert uses_bfloat16(precision, "cpu") == lower
    with autocast(precision, "cpu"):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert (product.dtype == torch.bfloat16) == lower


@pytest.mark.parametrize("has", [True, False])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_which_precision_on_a_gpu(precision: str, has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has)
    assert uses_bfloat16(precision, "cuda:0") == (precision == "bfloat16" or (precision != "float32" and has))
