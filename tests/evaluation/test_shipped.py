"""A recipe's own confidence, labels and choice, as the evaluations use them."""

from __future__ import annotations

import numpy as np

from autoremove.evaluation import shipped
from autoremove.stages.detect import Detect
from autoremove.stages.select import Select
from tests.evaluation.test_judging import finds

IMAGE = np.zeros((100, 120, 3), np.uint8)
BOX, APART = (10, 10, 30, 60), (60, 10, 80, 60)


def test_a_class_may_have_a_threshold_of_its_own() -> None:
    chain = (Detect(confidence=0.1), Select(confidence=0.4, thresholds={"car": 0.3, "all-animals": 0.05}))
    limit = shipped.confidence_of(chain)
    assert (limit("person"), limit("car")) == (0.4, 0.3)
    assert limit("dog") == 0.1, "nothing below the detector's own floor is ever seen"


def test_targets_are_what_the_recipe_removes() -> None:
    classes = ["person", "car", "dog", "handbag"]
    chain = (Detect(labels=()), Select(labels=("person", "all-vehicles")))
    assert shipped.targets_of(chain, classes) == ["person", "car"]
    assert shipped.targets_of((Detect(labels=()), Select(labels=())), classes) == classes


def test_the_recipe_chooses_among_the_finds() -> None:
    found = finds(("person", BOX, 0.9), ("car", APART, 0.9), ("person", APART, 0.15))
    choose = shipped.chooser((Detect(labels=(), confidence=0.1), Select(labels=("person",), confidence=0.2)))
    assert choose(IMAGE, found).label == ("person",)
    everything = shipped.chooser((Detect(labels=(), confidence=0.1), Select(labels=(), confidence=0.2)))
    assert sorted(everything(IMAGE, found).label) == ["car", "person"]
    floor = shipped.chooser((Detect(labels=(), confidence=0.95), Select(labels=(), confidence=0.2)))
    assert len(floor(IMAGE, found)) == 0
