"""Artefacts come back as they went, and damaged ones are always told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoremove import codecs
from autoremove.errors import BrokenArtefact, PictureError
from autoremove.types import NO_CUTOUT, Detections, FillFigures, Finding, ObjectMask, Patch, Ref, Verdict
from tests.cases import photos


def some_detections(masks: bool = True) -> Detections:
    rng = np.random.default_rng(1)
    planes = (((1, 2, 4, 4), rng.random((2, 3)) > 0.5), NO_CUTOUT) if masks else None
    boxes = np.array([[1.25, 2, 3.5, 4], [0, 0, 9, 7]], np.float32)
    return Detections(boxes, np.array([0.75, 0.5], np.float32), ("person", "Hündin"), planes)


def some_mask() -> ObjectMask:
    ids = np.zeros((7, 13), np.uint16)
    ids[2:4, 3:9], ids[5, 5] = 1, 65535
    return ObjectMask(ids > 0, ids)


def some_patches() -> list[Patch]:
    rng = np.random.default_rng(2)
    return [
        Patch(
            (1, 2, 1 + w, 2 + h),
            rng.integers(0, 256, (h, w, 3), np.uint8),
            rng.integers(0, 256, (h, w), np.uint8),
        )
        for h, w in ((4, 5), (1, 1))
    ]


def some_verdict() -> Verdict:
    finding = Finding("again", "eine Hündin, still found", (1, 2, 3, 4), 0.41)
    fills = (FillFigures((1, 2, 3, 4), 1.25, None), FillFigures((0, 0, 9, 9), None, 0.5))
    return Verdict((finding,), fills, some_mask())


def same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if hasattr(one, "__dataclass_fields__"):
        return all(same(getattr(one, name), getattr(other, name)) for name in one.__dataclass_fields__)
    return one == other


VALUES = {
    "detections": [some_detections(), some_detections(masks=False), Detections.empty()],
    "mask": [some_mask(), ObjectMask(np.zeros((1, 1), bool), np.zeros((1, 1), np.uint16))],
    "patches": [some_patches(), []],
    "verdict": [some_verdict(), Verdict(fills=some_verdict().fills), Verdict()],
}


@pytest.mark.parametrize(("slot", "value"), [(slot, value) for slot, row in VALUES.items() for value in row])
def test_a_value_comes_back_as_it_went(tmp_path: Path, slot: str, value: object) -> None:
    path = tmp_path / "artefact"
    path.write_bytes(codecs.CODECS[slot].encode(value))
    assert same(codecs.load(slot, Ref(path), 1000), value)


def test_equal_values_are_equal_bytes() -> None:
    """The next stage's key is made of these bytes: they must not hold a time or an address."""
    for slot, row in VALUES.items():
        encode = codecs.CODECS[slot].encode
        assert [encode(value) for value in row] == [encode(value) for value in row]


def test_detections_can_be_read_by_people() -> None:
    body = json.loads(codecs.encode_detections(some_detections(masks=False)))
    assert body["objects"][0] == {"label": "person", "score": 0.75, "xyxy": [1.25, 2.0, 3.5, 4.0]}


def broken_bytes(slot: str) -> list[bytes]:
    """Cut off at each place, emptied, filled with zeros, and with single bytes changed."""
    whole = codecs.CODECS[slot].encode(VALUES[slot][0])
    cut = [whole[:length] for length in range(0, len(whole) - 1, max(1, len(whole) // 40))]
    return [*cut, bytes(len(whole)), b"null", b"[]", b"{}", b'{"objects": [{}]}', b"\xff\xfe"]


@pytest.mark.parametrize("slot", list(VALUES))
def test_what_cannot_be_decoded_is_told(tmp_path: Path, slot: str) -> None:
    for number, data in enumerate(broken_bytes(slot)):
        path = tmp_path / str(number)
        path.write_bytes(data)
        with pytest.raises(BrokenArtefact) as told:
            codecs.load(slot, Ref(path), 1000)
        assert told.value.path == path


@pytest.mark.parametrize("slot", ["mask", "patches", "verdict"])
def test_a_single_wrong_byte_is_told_or_does_no_harm(tmp_path: Path, slot: str) -> None:
    value = VALUES[slot][0]
    whole = codecs.CODECS[slot].encode(value)
    told = 0
    for place in range(0, len(whole), 3):
        path = tmp_path / "artefact"
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            assert same(codecs.load(slot, Ref(path), 1000), value)
        except BrokenArtefact:
            told += 1
    assert told > len(whole) // 10


def test_an_artefact_that_is_gone_counts_as_broken(tmp_path: Path) -> None:
    with pytest.raises(BrokenArtefact):
        codecs.load("mask", Ref(tmp_path / "pruned.npz"), 1000)


def test_pictures_are_read_only_and_anew_when_they_change(tmp_path: Path) -> None:
    path = photos.write(tmp_path / "a.png", photos.png())
    first = codecs.load("image", Ref(path), 10**6)
    assert codecs.load("image", Ref(path), 10**6) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 0
    photos.write(path, photos.png(person=False))
    import os

    os.utime(path, ns=(1, 1))
    assert not np.array_equal(codecs.load("image", Ref(path), 10**6), first)
    with pytest.raises(PictureError):
        codecs.load("image", Ref(path), 100)


def test_the_boxes_of_what_stays_are_kept() -> None:
    found = replace(some_detections(), staying=np.array([[1, 2.5, 30, 40]], np.float32))
    back = codecs.decode_detections(codecs.encode_detections(found))
    assert back.staying is not None and same(back.staying, found.staying)
    assert codecs.decode_detections(codecs.encode_detections(some_detections())).staying is None
