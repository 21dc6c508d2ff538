"""Fill figures with models that are easy to judge."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.errors import InputError
from autoremove.evaluation.fills import by_bucket, figures_of, gain
from autoremove.evaluation.holes import holes_of
from autoremove.evaluation.inpaint import evaluate_inpaint, square
from autoremove.evaluation.perceptual import Measures
from autoremove.evaluation.table import inpaint_table
from tests.evaluation.folders import save, scenes

FIGURES = {"share", "hole_psnr", "hole_l1", "hole_l2", "hole_ssim", "psnr", "ssim", "l1", "l2"}
RATIOS = {"seam", "sharpness", "seam_within", "sharpness_within", "colour", "seconds"}


def black(image, hole):
    return np.where(hole[..., None], 0, image).astype(np.uint8)


def test_the_truth_beats_black(tmp_path):
    folder = scenes(tmp_path / "data")
    result = evaluate_inpaint(
        folder,
        holes_of("box", folder),
        {"perfect": lambda image, hole: image.copy(), "black": black},
        size=64,
        shares=[(0.1, 0.2), (0.2, 0.3)],
        sheet=tmp_path / "sheet.png",
        ranked=tmp_path / "ranked.png",
    )
    models = result["models"]
    assert set(models["black"]) == {"all", "10-20", "20-30"}
    assert set(models["black"]["all"]) >= FIGURES | RATIOS | {"fills"}
    assert models["perfect"]["all"]["hole_psnr"] == 100.0
    assert models["perfect"]["all"]["seam"] == result["truth"]["seam"]
    assert models["black"]["all"]["hole_psnr"] < 10
    assert models["black"]["all"]["seam"] > 3
    assert models["black"]["all"]["sharpness"] < 0.3
    assert (result["pictures"], result["fills"]) == (4, 4)
    assert gain(result, "perfect", ["black"]) > 90
    assert gain(result, "perfect", ["other"]) is None
    for name in ("sheet.png", "ranked.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert result["causes"]["fills"]["all"] == 4


def test_the_first_model_is_the_ranked_one(tmp_path):
    folder = scenes(tmp_path)
    models = {"black": black, "perfect": lambda image, hole: image.copy()}
    result = evaluate_inpaint(folder, holes_of("box", folder), models, size=64)
    assert result["causes"]["fills"]["wrong_colour"] == 4


def test_distances_stand_beside_the_other_figures(tmp_path):
    folder = scenes(tmp_path)
    measures = Measures(
        lpips=lambda result, truth: float((result != truth).mean()),
        features=lambda image: np.array([image.mean(), image.std()], np.float64),
        fid="fid_embedded",
    )
    models = {"perfect": lambda image, hole: image.copy(), "black": black}
    result = evaluate_inpaint(
        folder, holes_of("box", folder), models, size=48, repeats=5, shares=[(0.1, 0.2)], measures=measures
    )
    rows = {name: groups["all"] for name, groups in result["models"].items()}
    assert (rows["perfect"]["lpips"], rows["perfect"]["fid_embedded"]) == (0.0, pytest.approx(0.0, abs=1e-6))
    assert rows["black"]["lpips"] > 0.1 and rows["black"]["fid_embedded"] > 1
    header, *lines = inpaint_table(result)
    assert "LPIPS" in header and "own FID" in header and "FID" not in header
    assert [len(line) for line in lines] == [len(header)] * len(lines)


def test_holes_that_are_none_are_left_out(tmp_path):
    folder, masks = scenes(tmp_path / "data"), tmp_path / "masks"
    for number in range(4):
        save(np.full((72, 96), 255 * (number % 2), np.uint8), masks / f"scene_{number}.png")
    with pytest.raises(InputError, match="masks"):
        evaluate_inpaint(folder, holes_of(str(masks), folder), {"black": black}, size=48)
    half = np.zeros((72, 96), np.uint8)
    half[:36] = 255
    save(half, masks / "scene_0.png")
    result = evaluate_inpaint(folder, holes_of(str(masks), folder), {"black": black}, size=48)
    assert (result["fills"], result["skipped"]) == (1, 3)


def test_pictures_that_cannot_be_read_are_left_out_and_told(tmp_path, caplog):
    folder = scenes(tmp_path, 3)
    whole = (folder / "scene_2.jpg").read_bytes()
    (folder / "scene_1a.jpg").write_bytes(whole[: len(whole) // 2])
    result = evaluate_inpaint(folder, holes_of("box", folder), {"black": black}, size=48, repeats=2)
    assert (result["pictures"], result["fills"], result["skipped"]) == (3, 6, 2)
    (told,) = caplog.records
    assert told.getMessage().startswith(f"Left out: {folder / 'scene_1a.jpg'} is a damaged")
    for number, ending in enumerate(("png", "webp", "jpg")):
        (folder / f"scene_{number}.{ending}").unlink()
    with pytest.raises(InputError, match="can be read"):
        evaluate_inpaint(folder, holes_of("box", folder), {"black": black}, size=48)


def test_every_model_and_run_gets_the_same_holes(tmp_path):
    folder, seen = scenes(tmp_path), []

    def look(image, hole):
        seen.append(hole)
        return image

    for _ in range(2):
        evaluate_inpaint(
            folder, holes_of("brush", folder), {"a": look, "b": look}, size=48, repeats=2, limit=2
        )
    assert len(seen) == 2 * 2 * 2 * 2
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(np.stack(seen[:8]), np.stack(seen[8:]))
    assert (seen[0] != seen[2]).any()


def test_hole_and_full_errors():
    truth, hole = np.full((40, 40, 3), 100, np.uint8), np.zeros((40, 40), bool)
    hole[10:30, 10:30] = True
    result = truth.copy()
    result[hole] = 151
    row = figures_of(result, truth, hole)
    assert row["colour"] == row["hole_l1"] and row["hole_ssim"] < row["ssim"] < 1
    assert row["share"] == 0.25
    assert (row["hole_l1"], row["l1"]) == (pytest.approx(20.0), pytest.approx(5.0))
    assert row["psnr"] - row["hole_psnr"] == pytest.approx(10 * np.log10(4))


def test_buckets_means_and_medians():
    def row(share, psnr, seam):
        return {"share": share, "hole_psnr": psnr, "seam": seam, "sharpness": float("nan")}

    groups = by_bucket([row(0.1, 10.0, 1.0), row(0.19, 20.0, 1.1), row(0.3, 30.0, 5.0)])
    assert list(groups) == ["all", "10-20", "30-40"]
    assert groups["all"]["hole_psnr"] == 20.0
    assert groups["all"]["seam"] == 1.1
    assert groups["10-20"]["hole_psnr"] == 15.0
    assert groups["all"]["seam_within"] == pytest.approx(2 / 3)
    assert groups["all"]["sharpness"] is None


def test_the_middle_square_of_a_picture(tmp_path):
    rgb = np.zeros((40, 100, 3), np.uint8)
    rgb[:, 30:70] = 200
    save(rgb, tmp_path / "wide.png")
    assert (square(tmp_path / "wide.png", 40) == 200).all()
    assert square(tmp_path / "wide.png", 64).shape == (64, 64, 3)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no picture"):
        evaluate_inpaint(tmp_path, holes_of("box", tmp_path), {"black": black})
