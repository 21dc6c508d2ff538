"""Holes: the same by seed, of the share asked for, from words and files."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.errors import InputError, UsageError
from autoremove.evaluation.holes import figure, holes_of, parse_shares
from tests.evaluation.folders import save


@pytest.mark.parametrize("kind", ["silhouettes", "brush", "box"])
def test_drawn_holes_have_their_share_and_follow_the_seed(tmp_path, kind):
    holes = holes_of(kind, tmp_path)
    first = holes.of("a", 96, (0.2, 0.3), (0, 1, 0))
    assert first.shape == (96, 96)
    assert 0.2 <= first.mean() < 0.3
    np.testing.assert_array_equal(first, holes_of(kind, tmp_path).of("b", 96, (0.2, 0.3), (0, 1, 0)))
    assert (first != holes.of("a", 96, (0.2, 0.3), (0, 2, 0))).any()


def test_silhouettes_lie_beside_the_data_or_above_it(tmp_path):
    data = tmp_path / "scenes" / "test"
    data.mkdir(parents=True)
    assert "drawn" in holes_of("silhouettes", data).origin
    (tmp_path / "holes").mkdir()
    square = np.zeros((1, 32, 32), bool)
    square[:, 8:24, 8:24] = True
    packed = np.packbits(square.reshape(1, -1), axis=1)
    np.savez(tmp_path / "holes" / "silhouettes.npz", packed=packed, shape=np.array([32, 32]))
    holes = holes_of("silhouettes", data)
    assert holes.origin == "silhouettes of objects"
    assert 0.1 <= holes.of("a", 64, (0.1, 0.2), (0,)).mean() < 0.2
    assert holes_of(str(tmp_path / "holes" / "silhouettes.npz"), tmp_path).origin == holes.origin


def test_masks_from_files(tmp_path):
    mask = np.zeros((40, 60), np.uint8)
    mask[:, 30:] = 255
    save(mask, tmp_path / "masks" / "a.png")
    one = holes_of(str(tmp_path / "masks" / "a.png"), tmp_path).of("any", 20, (0, 1), (0,))
    assert not one[:, :10].any() and one[:, 10:].all()  # the middle square, as the picture is cropped
    folder = holes_of(str(tmp_path / "masks"), tmp_path).dealt(["a"])
    np.testing.assert_array_equal(folder.of("a", 20, (0, 1), (0,)), one)
    with pytest.raises(InputError, match="no mask for b"):
        folder.dealt(["a", "b"])


def test_masks_that_bear_no_picture_s_name_go_round(tmp_path):
    for number, rows in enumerate((slice(0, 10), slice(30, 40))):
        mask = np.zeros((40, 40), np.uint8)
        mask[rows] = 255
        save(mask, tmp_path / "masks" / f"m{number}.png")
    (tmp_path / "masks" / "notes.txt").write_text("no mask")
    holes = holes_of(str(tmp_path / "masks"), tmp_path).dealt(["a", "b", "c"])
    tops = [holes.of(name, 20, (0, 1), (0,))[0, 0] for name in ("a", "b", "c")]
    assert tops == [True, False, True]
    assert "in turn" in holes.origin


def test_masks_are_told_apart_by_their_folders(tmp_path):
    for number, place in enumerate(("a/1.png", "b/1.png", "c/2.png", "b/1.bmp.png")):
        mask = np.zeros((20, 20), np.uint8)
        mask[number] = 255
        save(mask, tmp_path / "masks" / place)
    holes = holes_of(str(tmp_path / "masks"), tmp_path).dealt(["a/1", "b/1", "elsewhere/2"])
    rows = [holes.of(name, 20, (0, 1), (0,))[:, 0].argmax() for name in ("a/1", "b/1", "elsewhere/2")]
    assert rows == [0, 1, 2]
    with pytest.raises(InputError, match="no mask for d/1"):  # it might be either
        holes_of(str(tmp_path / "masks"), tmp_path).dealt(["a/1", "d/1"])


@pytest.mark.parametrize("scale", [1, 255])
def test_shapes_from_any_array_of_masks(tmp_path, scale):
    masks = np.zeros((2, 30, 20), np.uint8)
    masks[:, 5:25, 5:15] = scale
    np.savez(tmp_path / "shapes.npz", masks=masks)
    hole = holes_of(str(tmp_path / "shapes.npz"), tmp_path).of("a", 64, (0.1, 0.2), (0,))
    assert 0.1 <= hole.mean() < 0.2


def test_files_without_holes_are_refused(tmp_path):
    (tmp_path / "no.npz").write_bytes(b"nothing")
    np.savez(tmp_path / "other.npz", points=np.zeros(3))
    np.savez(tmp_path / "none.npz", masks=np.zeros((0, 8, 8), bool))
    (tmp_path / "empty").mkdir()
    for name in ("no.npz", "other.npz", "none.npz", "empty"):
        with pytest.raises(InputError, match=name):
            holes_of(str(tmp_path / name), tmp_path)


@pytest.mark.parametrize("kind", ["silhouettes", "brush", "box"])
def test_half_of_a_crop_can_be_filled_too(tmp_path, kind):
    assert 0.5 <= holes_of(kind, tmp_path).of("a", 64, (0.5, 0.6), (0, 1, 0)).mean() < 0.6


def test_an_unknown_word_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        holes_of("bruch", tmp_path)


def test_shares():
    assert parse_shares("10-30") == [(0.1, 0.2), (0.2, 0.3)]
    assert parse_shares("5-20") == [(0.05, 0.15), (0.15, 0.2)]
    for wrong in ("30-10", "10", "a-b", "10-120"):
        with pytest.raises(UsageError, match="LOW-HIGH"):
            parse_shares(wrong)


def test_a_drawn_figure_is_one_piece():
    import cv2

    hole = figure(128, np.random.default_rng(3))
    assert cv2.connectedComponents(hole.astype(np.uint8))[0] == 2
