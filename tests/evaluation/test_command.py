"""`autoremove evaluate`: each command end to end on a tiny folder, with tiny weights."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from autoremove.cli import cli
from autoremove.evaluation import shipped
from tests.evaluation.folders import PERSON, SMALL, instances, pairs, picture, save, scenes, yolo


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


def left_out(command, data, *options):
    """What an evaluation says of a data folder of which something cannot be read, and its figures."""
    out = data.parent / "out.json"
    arguments = ["evaluate", command, "--data", data, *options, "--json", out, "--device", "cpu"]
    outcome = CliRunner().invoke(cli, [str(word) for word in arguments])
    assert outcome.exit_code == 1, outcome.output
    result = json.loads(out.read_text())
    told = len(result["unread"])
    assert f"Left out, as told above: {told} file" in outcome.stderr
    return result


@pytest.mark.parametrize("damage", ["picture", "empty", "absent", "mask", "no mask", "colours"])
def test_the_rest_of_labelled_pictures_is_measured(tmp_path, detector, damage):
    rows = [{"name": name, "objects": [("person", PERSON)]} for name in "abc"]
    data = instances(tmp_path / "data", rows)
    bad = data / ("images" if damage in ("picture", "empty", "absent") else "masks") / "b.png"
    if damage == "colours":
        save(np.zeros((100, 120, 3), np.uint8), bad)
    elif damage in ("absent", "no mask"):
        bad.unlink()
    else:
        bad.write_bytes(b"" if damage == "empty" else bad.read_bytes()[:60])
    for command, options in (("detect", ["--weights", detector]), ("mask", ["--detector", detector])):
        methods = ["--methods", "box"] if command == "mask" else []
        result = left_out(command, data, *options, *methods)
        assert result["pictures"] == 2
        (told,) = result["unread"]
        assert ("no picture called b" if damage == "absent" else str(bad)) in told


def test_the_rest_of_yolo_labels_is_measured(tmp_path, detector):
    data = yolo(tmp_path / "data")
    for name in "bcd":
        save(picture(PERSON), data / "images" / f"{name}.png")
        (data / "labels" / f"{name}.txt").write_bytes((data / "labels" / "a.txt").read_bytes())
    (data / "labels" / "b.txt").write_text("no label\n")
    (data / "images" / "c.png").write_bytes(b"no picture")
    result = left_out("detect", data, "--weights", detector)
    assert result["pictures"] == 2
    assert [path in told for path, told in zip(("b.txt", "c.png"), result["unread"], strict=True)] == [
        True
    ] * 2


def test_the_rest_of_the_pictures_is_filled(tmp_path):
    data, masks = scenes(tmp_path / "data", 4), tmp_path / "masks"
    for number in range(4):
        hole = np.zeros((72, 96), np.uint8)
        hole[30:40, 40:50] = 255
        save(hole, masks / f"scene_{number}.png")
    (masks / "scene_0.png").write_bytes((masks / "scene_0.png").read_bytes()[:60])
    (masks / "scene_1.png").write_bytes(b"")
    (data / "empty.jpg").write_bytes(b"")
    save(np.zeros((72, 96), np.uint8), masks / "empty.png")
    options = ["--models", "telea", "--size", "48", "--holes", masks]
    result = left_out("inpaint", data, *options, "--sheet", tmp_path / "s.png")
    assert (result["pictures"], result["fills"], result["skipped"]) == (2, 2, 3)
    for path in (masks / "scene_0.png", masks / "scene_1.png", data / "empty.jpg"):
        assert [told for told in result["unread"] if told.startswith(str(path))], path


def test_a_mask_for_all_that_cannot_be_read_is_told(tmp_path):
    data, hole = scenes(tmp_path / "data", 4), tmp_path / "hole.png"
    hole.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    arguments = ["evaluate", "inpaint", "--data", str(data), "--models", "telea", "--holes", str(hole)]
    outcome = CliRunner().invoke(cli, [*arguments, "--device", "cpu"])
    assert outcome.exit_code == 4 and "measured" in outcome.stderr
    assert f"{hole} is a damaged" in outcome.stderr


def test_the_rest_of_the_pairs_is_measured(tmp_path, detector):
    data = pairs(tmp_path / "data")
    for part in ("with", "without", "object"):
        for name in ("black", "cut", "off"):
            (data / f"{name}_{part}.png").write_bytes((data / f"view_{part}.png").read_bytes())
    (data / "cut_object.png").write_bytes(b"")
    save(picture(size_hw=(50, 50)), data / "off_without.png")
    save(0 * picture(), data / "black_object.png")
    settings = [f"detect.weights={detector}", "refine.method=box", "inpaint.model=telea"]
    result = left_out("removal", data, *(text for setting in settings for text in ("--set", setting)))
    assert result["pictures"] == 1
    for told, words in zip(result["unread"], ("black_object.png is nowhere white", "is empty", "off differ")):
        assert words in told


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


def test_labels_that_the_detector_does_not_know_are_refused(tmp_path, detector):
    data = people(tmp_path / "data")
    cases = [
        (["detect", "--labels", "person,dgo"], "know no 'dgo'", "dog"),
        (["detect", "--set", "select.labels=[persn]"], "know no 'persn'", "person"),
        (["removal", "--set", "select.labels=[persn]"], "know no 'persn'", "person"),
    ]
    for arguments, words, hint in cases:
        name = ["--set", f"detect.weights={detector}"]
        outcome = CliRunner().invoke(cli, ["evaluate", *arguments, "--data", str(data), *name])
        assert (outcome.exit_code, words in outcome.stderr) == (2, True), outcome.output
        assert hint in outcome.stderr.split("hint:")[1]
    yolo(tmp_path / "empty")
    (tmp_path / "empty" / "labels" / "a.txt").write_text("")
    outcome = CliRunner().invoke(cli, ["evaluate", "detect", "--data", str(tmp_path / "empty"), *name])
    assert (outcome.exit_code, "labels no object" in outcome.stderr) == (4, True), outcome.output


def test_data_and_holes_are_not_written_over(tmp_path):
    data, hole = scenes(tmp_path / "data", 1), tmp_path / "hole.png"
    save(np.full((72, 96), 255, np.uint8), hole)
    (data / "instances.jsonl").write_text("{}")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    cases = [
        (("--sheet", data / "scene_0.png"), "lies in the data folder"),
        (("--sheet-ranked", data / "new.png"), "lies in the data folder"),
        (("--json", data / "instances.jsonl"), "lies in the data folder"),
        (("--holes", hole, "--sheet", hole), "is the input"),
        (("--weights", hole, "--json", hole), "is the input"),
    ]
    for options, words in cases:
        arguments = ["evaluate", "inpaint", "--data", data, "--models", "telea", *options]
        outcome = CliRunner().invoke(cli, list(map(str, arguments)))
        assert (outcome.exit_code, words in outcome.stderr) == (4, True), (options, outcome.output)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom autoremove.cli import cli\n"
        "for name in ('detect', 'mask', 'inpaint', 'removal'):\n"
        "    assert CliRunner().invoke(cli, ['evaluate', name, '--help']).exit_code == 0\n"
        "print([m for m in ('torch', 'numpy', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
