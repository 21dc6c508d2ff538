"""The held-out pictures as data sets are just those that the trainings keep for validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autoremove.evaluation.labelled import read_boxed
from autoremove.training.boxmask import BoxMaskConfig, BoxMaskTask
from autoremove.training.detector import DetectorConfig, DetectorTask
from benchmarks.held_out import UNLABELLED, main
from tests.cases import labelled


def test_the_detectors(tmp_path: Path) -> None:
    folders = [labelled.yolo(tmp_path / "boxes"), labelled.instances(tmp_path / "masks")]
    words = [word for folder in folders for word in ("--data", str(folder))]
    main([*words, "--every", "3", "-o", str(tmp_path / "out")])
    config = DetectorConfig(tuple(map(str, folders)), hold_out=3, sizes=(640,), batch=1)
    expected = DetectorTask(config).held_out
    linked = [
        picture
        for folder in folders
        for picture in read_boxed(tmp_path / "out" / "-".join(folder.parts[-2:]))
    ]
    assert len(linked) == len(expected) > 1
    for ours, theirs in zip(linked, expected, strict=True):
        assert np.array_equal(ours.image, theirs.image)


def test_pictures_with_unlabelled_people_are_left_out(tmp_path: Path) -> None:
    folder = labelled.yolo(tmp_path / "boxes")
    words = ["--data", str(folder), "--every", "1", "-o", str(tmp_path / "out")]
    main(words)
    place = tmp_path / "out" / "-".join(folder.parts[-2:])
    names = [picture.name for picture in read_boxed(place)]
    (tmp_path / "names.txt").write_text(f"{names[1]}\nnone-of-them\n")
    other = [*words[:-1], str(tmp_path / "fewer"), "--without", str(tmp_path / "names.txt")]
    main(other)
    fewer = [picture.name for picture in read_boxed(tmp_path / "fewer" / place.name)]
    assert fewer == [names[0], *names[2:]]
    assert len(UNLABELLED.read_text().split()) == 19


def test_the_mask_networks(tmp_path: Path) -> None:
    folder = labelled.instances(tmp_path / "masks")
    for _ in range(2):  # a second time it replaces its links
        main(["--data", str(folder), "--every", "2", "--for", "masknet", "-o", str(tmp_path / "out")])
    place = tmp_path / "out" / "-".join(folder.parts[-2:])
    task = BoxMaskTask(BoxMaskConfig((str(folder),), hold_out=2, side=32, batch=2))
    everything = BoxMaskTask(BoxMaskConfig((str(place),), str(place), side=32, batch=2))
    assert [c.box.tolist() for c in everything.held_out] == [c.box.tolist() for c in task.held_out]
