"""`autoremove evaluate`: each command end to end on a tiny folder, with tiny weights."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from autoremove.cli import cli
from autoremove.evaluation import shipped
from tests.evaluation.folders import PERSON, SMALL, instances, pairs, scenes


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """An untrained detector of people and dogs."""
    import torch

    from autoremove.models.yolo import import_ultralytics, save_detector

    import_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "detector.safetensors"
    names = ["person", "dog"]
    model = DetectionModel("yolo11n.yaml", nc=len(names), verbose=False)
    save_detector(model.state_dict(), names, path, imgsz=64)
    return str(path)


def evaluate(*arguments):
    outcome = CliRunner().invoke(cli, ["evaluate", *map(str, arguments), "--device", "cpu"])
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def people(folder):
    return instances(folder, [{"name": "a", "objects": [("person", PERSON), ("dog", SMALL), ("cow", SMALL)]}])


def test_detect(tmp_path, detector):
    out = tmp_path / "out.json"
    said = evaluate("detect", "--data", people(tmp_path / "data"), "--weights", detector, "--json", out)
    result = json.loads(out.read_text())
    assert set(result["classes"]) == {"dog", "person"}  # the detector knows no cow
    keys = {"ap50", "ap50_95", "recall_over_64", "recall_32_64", "recall_under_32"}
    assert keys <= set(result["classes"]["person"])
    assert result["classes"]["person"]["confidence"] == shipped_confidence(), (
        "measured as the recipe ships it"
    )
    assert {"calibration", "causes", "false_per_picture"} <= set(result)
    assert result["removed"] == ["person"]
    assert "false_per_picture" in result and "person" in said


def shipped_confidence():
    return shipped.confidence_of(shipped.recipe_stages("people"))("person")


def test_mask(tmp_path, detector):
    out = tmp_path / "out.json"
    data = people(tmp_path / "data")
    evaluate("mask", "--data", data, "--methods", "box,grabcut", "--detector", detector, "--json", out)
    result = json.loads(out.read_text())
    assert {"iou_given_boxes", "iou_found", "uncovered", "area_ratio"} <= set(result)
    assert set(result["iou_given_boxes"]) == set(result["iou_found"]) == {"person", "all"}
    assert result["iou_given_boxes"]["person"] == 1.0  # the person is a box here
    assert set(result["methods"]) == {"box", "grabcut"}


def test_inpaint(tmp_path):
    out, sheet = tmp_path / "out.json", tmp_path / "sheet.png"
    data = scenes(tmp_path / "data", 3)
    options = ["--models", "telea,ns", "--size", "48", "--holes", "box", "--shares", "10-30"]
    said = evaluate("inpaint", "--data", data, *options, "--json", out, "--sheet", sheet)
    result = json.loads(out.read_text())
    assert set(result["models"]) == {"telea", "ns"}
    assert {"hole_psnr", "hole_l1", "ssim"} <= set(result["models"]["telea"]["all"])
    assert result["models"]["telea"]["all"]["hole_psnr"] > 15
    assert result["about"]["telea"] == {"parameters": None, "weights": None}
    assert "true picture" in said and sheet.exists() and "Left out: FID" in said


def test_inpaint_with_weights_of_a_file(tmp_path):
    from autoremove.models.deepfillv2 import Generator, GeneratorConfig, save_generator

    weights, out = tmp_path / "best+1.safetensors", tmp_path / "out.json"
    save_generator(Generator(GeneratorConfig(cnum=8)), weights)
    data, name = scenes(tmp_path / "data", 3), f"deepfillv2+none@{weights}"
    options = ["--size", "48", "--holes", "box", "--shares", "10-20", "--sheet-ranked", tmp_path / "r.png"]
    said = evaluate(
        "inpaint", "--data", data, "--models", name, *options, "--json", out, "--no-lpips", "--no-fid"
    )
    about = json.loads(out.read_text())["about"][name]
    assert about["weights"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert about["parameters"] == sum(p.numel() for p in Generator(GeneratorConfig(cnum=8)).parameters())
    assert about["weights"][:12] in said and "Left out" not in said
    assert (tmp_path / "r.png").exists()


def test_removal(tmp_path, detector):
    out = tmp_path / "out.json"
    settings = [f"detect.weights={detector}", "refine.method=box", "inpaint.model=telea"]
    options = [text for setting in settings for text in ("--set", setting)]
    evaluate("removal", "--data", pairs(tmp_path / "data"), *options, "--json", out)
    result = json.loads(out.read_text())
    assert {"psnr_object", "psnr_untouched", "found_again"} <= set(result)
    assert result["pictures"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["inpaint", "--models", "telia"], 2, "telia"),
        (["inpaint", "--shares", "30"], 2, "LOW-HIGH"),
        (["inpaint", "--seed", "-1"], 2, "'--seed'"),
        (["inpaint", "--models", "telea@mine"], 2, "telea has no weights"),
        (["inpaint", "--models", "telea", "--lpips"], 3, "download.pytorch.org"),
        (["detect", "--set", "detect.confidenc=1"], 2, "confidence"),
        (["removal", "--recipe", "masks-only"], 2, "no stage inpaint"),
    ],
)
def test_mistakes_end_with_advice(tmp_path, arguments, code, words, monkeypatch):
    monkeypatch.setenv("AUTOREMOVE_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    data = scenes(tmp_path, 1)
    outcome = CliRunner().invoke(cli, ["evaluate", *arguments, "--data", str(data)])
    assert outcome.exit_code == code
    assert words in outcome.output


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom autoremove.cli import cli\n"
        "for name in ('detect', 'mask', 'inpaint', 'removal'):\n"
        "    assert CliRunner().invoke(cli, ['evaluate', name, '--help']).exit_code == 0\n"
        "print([m for m in ('torch', 'numpy', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
