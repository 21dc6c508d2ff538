"""The second look: clean fills pass, rests are told and masked, what stays on purpose is no rest."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.errors import RecipeError
from autoremove.stages.audit import Audit, laid
from autoremove.types import Detections, Image, ObjectMask, Patch, Verdict
from tests.cases.eyes import BLUE, RED, Eyes, opened

GREY = (128, 130, 126)
PERSON = (100, 60, 140, 160)
"""xyxy of the red thing in the picture."""


def picture(*things: tuple[tuple[int, int, int, int], tuple[int, int, int]]) -> Image:
    """200 x 300, grey with some texture."""
    image = np.random.default_rng(3).normal(128, 6, (200, 300, 3)).clip(0, 255).astype(np.uint8)
    for (x1, y1, x2, y2), colour in things:
        image[y1:y2, x1:x2] = colour
    return image


def found(*boxes: tuple[int, int, int, int], label: str = "person") -> Detections:
    columns = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(columns, np.full(len(boxes), 0.9, np.float32), (label,) * len(boxes))


def mask_of(*boxes: tuple[int, int, int, int]) -> ObjectMask:
    ids = np.zeros((200, 300), np.uint16)
    for number, (x1, y1, x2, y2) in enumerate(boxes, 1):
        ids[y1:y2, x1:x2] = number
    return ObjectMask(ids > 0, ids)


def textured(box: tuple[int, int, int, int]) -> Patch:
    """A fill that looks like the rest of the picture."""
    x1, y1, x2, y2 = box
    pixels = np.random.default_rng(4).normal(128, 6, (y2 - y1, x2 - x1, 3)).clip(0, 255).astype(np.uint8)
    return Patch(box, pixels, np.full(pixels.shape[:2], 255, np.uint8))


def judged(image: Image, removed: Detections, *holes: tuple[int, int, int, int], **fields: object) -> Verdict:
    """What is found again; the looks of these simple fills are not judged."""
    stage = Audit(**{"method": "box", "blur": 0.0, "seam": 0.0, **fields})  # type: ignore[arg-type]
    patches = [textured(hole) for hole in holes]
    return stage(image=[image], detections=[removed], mask=[mask_of(*holes)], patches=[patches])[0]


@pytest.fixture
def eyes(monkeypatch: pytest.MonkeyPatch) -> Eyes:
    return opened(monkeypatch)


def test_a_clean_removal_passes(eyes: Eyes) -> None:
    verdict = judged(picture((PERSON, RED)), found(PERSON), PERSON)
    assert verdict.findings == ()
    assert verdict.amended is None
    assert [fill.xyxy for fill in verdict.fills] == [PERSON]
    assert len(eyes.looks) == 4  # two sizes, mirrored; the picture as it was need not be looked at


def test_nothing_removed_is_not_looked_at(eyes: Eyes) -> None:
    assert judged(picture(), found()) == Verdict()
    assert eyes.looks == []


def test_legs_that_were_left_are_told_and_masked(eyes: Eyes) -> None:
    upper = (100, 60, 140, 120)
    verdict = judged(picture((PERSON, RED)), found(PERSON), upper)
    (finding,) = verdict.findings
    assert (finding.kind, finding.xyxy) == ("again", (100, 120, 140, 160))
    assert finding.reason == "a person is still found at 120,140 (score 0.80)"
    assert verdict.amended is not None
    assert verdict.amended.grown[60:160, 100:140].all()
    assert (verdict.amended.ids[60:160, 100:140] == 1).all()
    assert not verdict.amended.grown[:, :80].any() and not verdict.amended.grown[185:].any()


def test_legs_outside_the_box_that_was_found_are_a_rest_too(eyes: Eyes) -> None:
    upper = (100, 60, 140, 120)
    verdict = judged(picture((PERSON, RED)), found(upper), upper)
    assert [one.xyxy for one in verdict.findings] == [(100, 120, 140, 160)]


@pytest.mark.parametrize("other", [(150, 60, 190, 160), (100, 120, 140, 160), (120, 140, 180, 196)])
def test_who_stays_beside_or_in_front_is_no_rest(eyes: Eyes, other: tuple[int, int, int, int]) -> None:
    """Told from a rest by being there before: a car beside or across the hole, of a class that goes too."""
    person = (100, 40, 140, 118)
    image = picture((person, RED), (other, BLUE))
    removed = found(person, (10, 10, 30, 30))
    removed = Detections(removed.xyxy, removed.score, ("person", "car"))
    assert judged(image, removed, person).findings == ()


def test_a_kept_person_next_to_the_hole_is_no_rest(eyes: Eyes) -> None:
    image = picture((PERSON, RED), ((143, 60, 183, 160), RED))
    assert judged(image, found(PERSON), PERSON).findings == ()


def test_a_person_painted_into_the_hole_is_told(eyes: Eyes) -> None:
    image = picture((PERSON, BLUE))
    patch = textured(PERSON)
    patch.pixels[20:80, 10:30] = RED
    stage = Audit(method="box", seam=0)
    (verdict,) = stage([image], [found(PERSON)], [mask_of(PERSON)], [[patch]])
    assert [one.kind for one in verdict.findings] == ["again"]
    assert verdict.amended is not None and verdict.amended.grown.sum() > mask_of(PERSON).grown.sum()


def test_without_redo_a_rest_is_only_told(eyes: Eyes) -> None:
    verdict = judged(picture((PERSON, RED)), found(PERSON), (100, 60, 140, 120), redo=False)
    assert [one.kind for one in verdict.findings] == ["again"]
    assert verdict.amended is None


def test_labels_the_weights_do_not_know_are_not_looked_for(eyes: Eyes) -> None:
    upper = (100, 60, 140, 120)
    assert judged(picture((PERSON, RED)), found(PERSON, label="unicorn"), upper).findings == ()
    assert eyes.looks == []


def test_only_what_was_removed_is_looked_for(eyes: Eyes) -> None:
    image = picture((PERSON, RED), ((100, 150, 140, 165), BLUE))
    assert judged(image, found(PERSON), PERSON).findings == ()


def test_a_blurred_fill_and_a_seam_are_told(eyes: Eyes) -> None:
    image = np.random.default_rng(3).normal(128, 30, (200, 300, 3)).clip(0, 255).astype(np.uint8)
    flat = Patch(PERSON, np.full((100, 40, 3), 128, np.uint8), np.full((100, 40), 255, np.uint8))
    given = {"image": [image], "detections": [found(PERSON)], "mask": [mask_of(PERSON)]}
    (blurred,) = Audit()(**given, patches=[[flat]])
    assert [one.kind for one in blurred.findings] == ["blur"]
    assert blurred.findings[0].reason.startswith(
        "the fill at 120,110 is much blurrier than its surroundings (0.0"
    )
    assert blurred.amended is None
    bright = Patch(PERSON, picture()[60:160, 100:140] + np.uint8(80), flat.alpha)
    (stepped,) = Audit()(**{**given, "image": [picture()]}, patches=[[bright]])
    assert [one.kind for one in stepped.findings] == ["seam"]
    assert stepped.findings[0].reason.startswith("a visible seam round 120,110 (")
    (allowed,) = Audit(blur=0)(**given, patches=[[flat]])
    assert allowed.findings == () and allowed.fills == blurred.fills
    (allowed,) = Audit(seam=0)(**{**given, "image": [picture()]}, patches=[[bright]])
    assert allowed.findings == ()


def test_windows_are_looked_at_together_and_in_the_batches_asked_for(eyes: Eyes) -> None:
    people = [(10 + 100 * i, 20, 30 + 100 * i, 60) for i in range(3)]
    image = picture(*((box, RED) for box in people))
    judged(image, found(*people), *people, sizes=(64,), mirror=False)
    assert eyes.looks == [(2, 64)]  # one window shows two of them
    eyes.looks.clear()
    judged(image, found(*people), *people, sizes=(64,), mirror=False, crops=1)
    assert eyes.looks == [(1, 64), (1, 64)]


def test_patches_are_laid_on_as_the_writer_does() -> None:
    from autoremove.images import apply_patches

    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (30, 40, 3), np.uint8)
    alpha = rng.integers(0, 256, (10, 12), np.uint8)
    patch = Patch((5, 6, 17, 16), rng.integers(0, 256, (10, 12, 3), np.uint8), alpha)
    difference = laid(image, [patch]).astype(int) - apply_patches(image, [patch])
    assert np.abs(difference).max() <= 1


def test_what_decides_is_in_the_key() -> None:
    assert {"confidence", "redo", "blur", "seam", "grow", "method", "sizes"} <= set(Audit().params())
    assert "crops" not in Audit().params()
    assert Audit(method="network").weights_digest() != Audit(method="box").weights_digest()


@pytest.mark.parametrize("fields", [{"method": "sam"}, {"sizes": ()}, {"sizes": (8,)}, {"crops": 0}])
def test_fields_that_cannot_be(fields: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="audit"):
        Audit(**fields)  # type: ignore[arg-type]
