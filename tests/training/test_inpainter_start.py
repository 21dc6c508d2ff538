"""Beginning from trained weights: the fill stays as it was, also with a sketch channel; resuming goes on."""

from __future__ import annotations

import copy
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from autoremove.errors import UsageError, WeightsError
from autoremove.models import cache
from autoremove.models.deepfillv2 import Generator, GeneratorConfig, load_generator, save_generator
from autoremove.training import inpainter
from autoremove.training.holes import HoleMix
from autoremove.training.inpainter_config import InpainterConfig, Stage, read_settings
from autoremove.training.inpainter_start import starting_generator
from autoremove.training.systems import deepfillv2 as deepfillv2_system
from tests.cases.training import task_of


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    folder = tmp_path / "scenes"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        corners = rng.integers(0, 255, (2, 2, 3), dtype=np.uint8)
        ramp = np.array(PillowImage.fromarray(corners).resize((72, 72), PillowImage.Resampling.BILINEAR))
        ramp[20:50, 30:60] = 255 - ramp[20:50, 30:60]
        PillowImage.fromarray(ramp).save(folder / f"{i}.png")
    return folder


def trained(tmp_path: Path, **fields: object) -> Path:
    torch.manual_seed(1)
    path = tmp_path / f"trained{len(list(tmp_path.glob('trained*')))}.safetensors"
    save_generator(Generator(GeneratorConfig(**{"cnum": 8, **fields})), path)
    return path


@pytest.fixture
def config(scenes: Path) -> InpainterConfig:
    return InpainterConfig(
        data=(str(scenes),),
        cnum=12,
        discriminator_base=4,
        stages=(Stage(1.0, 32, 2),),
        learning_rate=1e-3,
        precision="float32",
        threads=1,
        validation_pictures=1,
        validation_size=32,
    )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"in_channels": 4, "stage2_channels": 4, "input_form": "unit"},
        {"in_channels": 6, "merge_width": 24, "rgb_gate": True, "channel_order": "bgr"},
    ],
)
@torch.no_grad()
def test_a_new_sketch_channel_changes_no_fill(config: InpainterConfig, tmp_path: Path, fields: dict) -> None:
    path = trained(tmp_path, **fields)
    before = load_generator(path)
    after = starting_generator(replace(config, start=str(path), sketch_share=0.3))
    assert after.config == replace(before.config, in_channels=6)
    image, hole = torch.rand(1, 3, 32, 40) * 2 - 1, torch.zeros(1, 1, 32, 40)
    hole[..., 8:20, 10:30] = 1
    lines = (torch.rand(1, 1, 32, 40) > 0.5).float()
    old = before(image, hole, lines) if fields.get("in_channels") == 6 else before(image, hole)
    for a, b in zip(old, after(image, hole, lines), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_without_sketches_the_network_is_taken_as_it_is(config: InpainterConfig, tmp_path: Path) -> None:
    for channels in (4, 5, 6):
        path = trained(tmp_path, in_channels=channels)
        generator = starting_generator(replace(config, start=str(path)))
        assert (generator.config.cnum, generator.config.in_channels) == (8, channels)


def test_published_checkpoints_are_a_start_too(config: InpainterConfig, tmp_path: Path) -> None:
    own = Generator(GeneratorConfig(cnum=8)).state_dict()
    names = {k: k.replace(".", ".conv.conv." if "upsample" in k else ".conv.") for k in own}
    path = tmp_path / "states_tf_mine.pth"
    torch.save({"G": {names[key]: value for key, value in own.items()}}, path)
    generator = starting_generator(replace(config, start=str(path)))
    assert generator.config == replace(GeneratorConfig.tf(), cnum=8)
    assert torch.equal(generator.state_dict()["pmconv9.weight"], own["pmconv9.weight"])


def test_the_loaded_network_itself_is_not_trained(config: InpainterConfig, tmp_path: Path) -> None:
    path = str(trained(tmp_path))
    task = task_of(replace(config, start=path), tmp_path)
    kept = cache.load("inpainter", path).state_dict()["conv3.weight"].clone()
    task.step(0.5)
    assert torch.equal(cache.load("inpainter", path).state_dict()["conv3.weight"], kept)
    assert not torch.equal(task.generator.state_dict()["conv3.weight"], kept)


@pytest.mark.parametrize(("start", "words"), [("nowhere.pth", "nowhere.pth"), ("embeded", "embedded")])
def test_a_start_that_is_not_there_is_named(config: InpainterConfig, start: str, words: str) -> None:
    with pytest.raises(WeightsError, match=words) as told:
        starting_generator(replace(config, start=start))
    assert "start=" in told.value.message


def test_a_start_that_is_no_generator_is_refused(config: InpainterConfig, tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="not the weights of a known DeepFillv2"):
        starting_generator(replace(config, start=str(tmp_path / "other.pth")))


def test_trained_weights_are_not_evened_out(
    config: InpainterConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("evened out")

    monkeypatch.setattr(deepfillv2_system, "even_out", refuse)
    path = trained(tmp_path)
    task = task_of(replace(config, start=str(path)), tmp_path)
    state = load_generator(path).state_dict()
    for network in (task.generator, task.average):
        assert all(torch.equal(network.state_dict()[key], value) for key, value in state.items())
    with pytest.raises(AssertionError, match="evened out"):
        task_of(config, tmp_path)


def test_the_average_leaves_trained_weights_slowly(config: InpainterConfig, tmp_path: Path) -> None:
    task = task_of(replace(config, start=str(trained(tmp_path)), ema_decay=0.99), tmp_path)
    before = task.average.state_dict()["conv3.weight"].clone()
    task.step(0.5)
    moved = (task.average.state_dict()["conv3.weight"] - before).abs().max()
    own = (task.generator.state_dict()["conv3.weight"] - before).abs().max()
    assert 0 < moved < 0.02 * own


def test_lines_of_the_hole_reach_network_and_discriminator(config: InpainterConfig, tmp_path: Path) -> None:
    task = task_of(replace(config, sketch_share=1.0), tmp_path)
    assert task.generator.config.in_channels == 6 and task.system.judges["discriminator"].in_channels == 5
    seen: list[torch.Tensor] = []
    task.generator.conv1.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    task.system.judges["discriminator"].layers[0].register_forward_hook(
        lambda _, inputs, __: seen.append(inputs[0])
    )
    figures = task.step(0.9)
    assert {"gan", "d", "norm"} <= figures.keys()
    lines, hole = seen[0][:, 3], seen[0][:, 5]
    assert lines.any() and set(lines.unique().tolist()) == {0.0, 1.0} and not (lines * (1 - hole)).any()
    for judged in seen[1:]:
        assert torch.equal(judged[:2, 3], lines)
    assert "psnr_sketch" in task.validate()


def test_a_run_from_weights_is_measured_first_and_resumed_without_them(
    config: InpainterConfig, tmp_path: Path
) -> None:
    path, output = trained(tmp_path), tmp_path / "runs" / "street"
    config = replace(config, start=str(path), sketch_share=0.5)
    inpainter.run(config, output, resume=False, device="cpu", steps=1)
    assert (output / "samples" / "0000000.png").exists()
    path.unlink()
    cache.clear()
    inpainter.run(config, output, resume=True, device="cpu", steps=2)
    assert load_generator(output / "last.safetensors").config == GeneratorConfig(cnum=8, in_channels=6)
    record = (output / "run.json").read_text()
    assert record.count("start_digest") == 1 and record.count('"data_digest"') == 2


def test_checkpoints_of_before_go_on(config: InpainterConfig, tmp_path: Path) -> None:
    running = task_of(config, tmp_path)
    running.step(0.1)
    state = copy.deepcopy(running.state_dict())
    del state["network"], state["guards"]
    resumed = task_of(config, tmp_path)
    resumed.load_state_dict({**state, "skipped": 0})
    assert resumed.step(0.2) == running.step(0.2)


def test_a_checkpoint_of_another_network_says_what_to_do(config: InpainterConfig, tmp_path: Path) -> None:
    state = task_of(config, tmp_path).state_dict()
    with pytest.raises(UsageError, match="start=RUN"):
        task_of(replace(config, sketch_share=0.3), tmp_path).load_state_dict(state)
    with pytest.raises(UsageError, match="no sketch channel"):
        task_of(replace(config, sketch_share=0.3), tmp_path, asdict(GeneratorConfig(cnum=12)))


def test_a_start_brings_gentler_settings_of_its_own(tmp_path: Path) -> None:
    fresh, tuned = read_settings(None), read_settings(None, ["start=mine.safetensors"])
    assert (fresh.start, tuned.start) == (None, "mine.safetensors")
    assert tuned.learning_rate < 0.5 * fresh.learning_rate
    assert read_settings(Path("inpainter-finetune")).start == "embedded"
    assert read_settings(Path("inpainter"), ["start=x"]).learning_rate == fresh.learning_rate
    mine = tmp_path / "inpainter"
    mine.write_text("cnum: 12\n")
    assert read_settings(mine, ["start=x"]).cnum == 12


def test_the_recipe_of_the_paper_is_the_default() -> None:
    paper = read_settings(Path("inpainter-paper"))
    assert replace(paper, compile=False, workers=0) == InpainterConfig()
    assert (paper.cnum, paper.discriminator_base, paper.stages) == (48, 64, (Stage(1.0, 256, 16),))
    assert [paper.rate(share) for share in (0.0, 0.5, 1.0)] == [1e-4] * 3
    assert (paper.betas, paper.gan_weight, paper.gan_from, paper.hole_weight) == ((0.5, 0.999), 1.0, 0.0, 1.0)
    areas = [
        HoleMix(None, 0.6, paper.brush_share).draw(256, np.random.default_rng(s)).mean() for s in range(60)
    ]
    assert np.mean(areas) == pytest.approx(0.308, abs=0.04)  # strokes or-ed with a rectangle, always
