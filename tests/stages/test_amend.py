"""The mask of a verdict, as the runner takes it."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.stages.amend import Amend
from autoremove.types import ObjectMask, Verdict


def test_the_amended_mask_is_given_on() -> None:
    mask = ObjectMask(np.ones((2, 3), bool), np.ones((2, 3), np.uint16))
    assert Amend()([Verdict(amended=mask), Verdict(amended=mask)]) == [mask, mask]


def test_a_verdict_without_a_mask_is_not_for_it() -> None:
    with pytest.raises(ValueError, match="without another mask"):
        Amend()([Verdict()])
