"""A coarse map gets the edges of its photo, just as the guided filter says, and none where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.models import edges

RNG = np.random.default_rng(7)


def slow(guide: np.ndarray, plane: np.ndarray, radius: tuple[int, int], epsilon: float) -> np.ndarray:
    """The guided filter and its say, window by window, as they are defined."""
    height, width = plane.shape

    def reflected(at: int, size: int) -> int:
        at %= 2 * size
        return at if at < size else 2 * size - 1 - at

    def window(y: int, x: int) -> tuple[list[int], list[int]]:
        pairs = [
            (reflected(y + dy, height), reflected(x + dx, width))
            for dy in range(-radius[1], radius[1] + 1)
            for dx in range(-radius[0], radius[0] + 1)
        ]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    factors, say = np.zeros((height, width, 4)), np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            colours, values = guide[window(y, x)], plane[window(y, x)]
            shared = ((colours - colours.mean(0)) * (values - values.mean())[:, None]).mean(0)
            covariance = np.cov(colours.T, bias=True) + epsilon * np.eye(3)
            slope = np.linalg.solve(covariance, shared)
            factors[y, x] = *slope, values.mean() - slope @ colours.mean(0)
            say[y, x] = np.clip(slope @ shared / (values.var() + 1e-6), 0, 1)
    out = np.zeros((height, width, 4))
    for y in range(height):
        for x in range(width):
            share = say[window(y, x)].mean()
            out[y, x] = share * factors[window(y, x)].mean(0)
            out[y, x, 3] += (1 - share) * plane[y, x]
    return out


@pytest.mark.parametrize("grey", [False, True])
def test_it_is_the_guided_filter(grey: bool) -> None:
    """Also on a grey photo, whose colours' covariance is all but singular."""
    guide = RNG.random((11, 14, 3))
    guide[:, :6] /= 4
    if grey:
        guide = np.repeat(guide[..., :1], 3, 2)
    plane = (guide[..., 0] > 0.3) * 0.6 + RNG.random((11, 14)) * 0.3
    got = edges.explained(guide, plane, (2, 1))
    expected = slow(guide, plane, (2, 1), edges.EPSILON)
    assert np.allclose(applied(got, guide), applied(expected, guide), atol=1e-4)


def applied(factors: np.ndarray, guide: np.ndarray) -> np.ndarray:
    return (factors[..., :3] * guide).sum(2) + factors[..., 3]


def scene(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A shape with thin arms, reddish on bluish with noise; and where it is."""
    y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    body = ((x - 0.5) / 0.2) ** 2 + ((y - 0.5) / 0.33) ** 2 < 1
    inside = body | ((abs(y - 0.4) < 0.05) & (abs(x - 0.5) < 0.33))
    colours = np.where(inside[..., None], (170, 90, 80), (80, 110, 150))
    noise = RNG.normal(0, 6, (height, width, 3))
    return np.clip(colours + noise, 0, 255).astype(np.uint8), inside


def coarse(inside: np.ndarray, side: int, blur: float) -> np.ndarray:
    """What an unsure network says of a shape: its blurred image at ``side`` x ``side``."""
    import cv2

    small = cv2.resize(inside.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), blur), np.float32)


def to_map(size_hw: tuple[int, int], side: int) -> np.ndarray:
    sy, sx = side / size_hw[0], side / size_hw[1]
    return np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5]])


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("size_hw", [(400, 300), (900, 500), (150, 620)])
def test_a_smear_becomes_the_edge_of_the_photo(size_hw: tuple[int, int]) -> None:
    photo, inside = scene(*size_hw)
    chance = coarse(inside, 96, 2.0)
    back = to_map(size_hw, 96)
    sharp = edges.sharpened(chance, back, photo)
    smooth = edges.resampled(chance, back, size_hw)
    assert (sharp.shape, sharp.dtype) == (size_hw, np.float32)
    assert iou(smooth > 0.35, inside) < 0.94
    for threshold in (0.35, 0.5):
        assert iou(sharp > threshold, inside) > 0.98
    assert sharp.min() >= 0
    assert sharp.max() <= 1


def test_without_edges_nothing_changes() -> None:
    _, inside = scene(400, 300)
    chance, back = coarse(inside, 96, 2.0), to_map((400, 300), 96)
    smooth = edges.resampled(chance, back, (400, 300))
    flat = edges.sharpened(chance, back, np.full((400, 300, 3), 90, np.uint8))
    assert np.abs(flat - smooth).max() < 0.02
    noise = edges.sharpened(chance, back, RNG.integers(0, 256, (400, 300, 3), np.uint8))
    assert iou(noise > 0.5, smooth > 0.5) > 0.98


def test_small_objects_are_only_resampled() -> None:
    photo, inside = scene(60, 80)
    chance, back = coarse(inside, 96, 2.0), to_map((60, 80), 96)
    assert np.array_equal(edges.sharpened(chance, back, photo), edges.resampled(chance, back, (60, 80)))


def test_a_part_of_the_window_is_as_in_the_whole() -> None:
    """An object that reaches out of the picture: the map speaks of more than is seen."""
    photo, inside = scene(500, 400)
    chance = coarse(inside, 96, 1.5)
    whole = to_map((500, 400), 96)
    shifted = whole.copy()
    shifted[:, 2] += whole[:, :2] @ (150, 120)
    part = edges.sharpened(chance, shifted, photo[120:, 150:])
    assert iou(part > 0.5, inside[120:, 150:]) > 0.98


@pytest.mark.parametrize("size_hw", [(1, 300), (300, 1), (1, 1), (2, 900)])
def test_slivers_do_no_harm(size_hw: tuple[int, int]) -> None:
    photo = RNG.integers(0, 256, (*size_hw, 3), np.uint8)
    chance = RNG.random((96, 96)).astype(np.float32)
    back = np.array([[0.3, 0, 0.0], [0, 0.3, 0.0]])
    sharp = edges.sharpened(chance, back, photo)
    assert sharp.shape == size_hw
    assert np.isfinite(sharp).all()


def test_strips_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    photo, inside = scene(300, 260)
    chance, back = coarse(inside, 96, 2.0), to_map((300, 260), 96)
    whole = edges.sharpened(chance, back, photo)
    assert np.array_equal(whole, edges.sharpened(chance, back, photo))
    monkeypatch.setattr(edges, "_STRIP", 7 * 260)
    assert np.abs(edges.sharpened(chance, back, photo) - whole).max() < 2e-3
