"""How a model is named on the command line of `evaluate inpaint`."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.evaluation import shipped
from autoremove.stages.base import Stage


@pytest.mark.parametrize(
    ("text", "model", "detail", "weights"),
    [
        ("deepfillv2", "deepfillv2", "patches", "embedded"),
        ("deepfillv2+none", "deepfillv2", "none", "embedded"),
        ("deepfillv2+none@mine", "deepfillv2", "none", "mine"),
        ("telea", "telea", "patches", "embedded"),
    ],
)
def test_a_model_may_name_its_detail_and_weights(
    text: str, model: str, detail: str, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Stage] = []

    def spy(image: np.ndarray, stages: list[Stage], mask: object) -> np.ndarray:
        used.extend(stages)
        return image

    monkeypatch.setattr(shipped, "filled", spy)
    fill = shipped.filler(shipped.recipe_stages("people"), text, blend=False)
    fill(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), bool))
    params = used[0].params()
    assert (params["model"], params["detail"], params["weights"]) == (model, detail, weights)
