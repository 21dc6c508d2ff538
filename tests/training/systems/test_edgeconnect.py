"""EdgeConnect in training: who learns in which phase, what is paid for, and that a run goes on and ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from torch import Tensor

from autoremove.errors import UsageError
from autoremove.models.edgeconnect import EdgeConnect, known_edges
from autoremove.models.network_files import load_network
from autoremove.training import inpainter
from autoremove.training.inpainter_config import InpainterConfig, Stage, read_settings
from autoremove.training.system import Sample
from autoremove.training.systems.edgeconnect import PHASES, EdgeConnectSystem, weighted_bce

CHEAP = {"perceptual": 0.0, "style": 0.0}
CONFIG = InpainterConfig(
    network="edgeconnect",
    build={"base": 4, "blocks": 1},
    losses=CHEAP,
    discriminator_base=4,
    stages=(Stage(1.0, 32, 2, "joint"),),
    precision="float32",
    silhouette_share=0.0,
)


def sample(size: int = 32) -> Sample:
    """Discs on plain grounds, each with a hole."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size]
    images, holes = [], torch.zeros(2, 1, size, size)
    for i in range(2):
        inside = np.hypot(rows - size / 2, columns - size / 2 + 2 * i) < size / 3
        colours = rng.uniform(-0.9, 0.9, (2, 3))
        images.append(np.where(inside[..., None], colours[0], colours[1]).transpose(2, 0, 1))
        holes[i, :, size // 4 : size // 2, size // 3 + i :] = 1
    return Sample(torch.from_numpy(np.stack(images)).float(), holes, torch.zeros_like(holes))


def system(**changed: object) -> EdgeConnectSystem:
    torch.manual_seed(0)
    return EdgeConnectSystem(replace(CONFIG, **changed))  # type: ignore[arg-type]


def gradients(own: EdgeConnectSystem, phase: str, adversarial: bool = True) -> dict[str, Tensor]:
    """The gradient of a step of the network, by parameter, where it has one."""
    learning = {id(p) for p in own.learning(phase)}
    for parameter in own.network.parameters():
        parameter.requires_grad_(id(parameter) in learning)
    own.begin(phase)
    terms = own.losses(sample(), own.forward(sample(), phase), phase, adversarial)
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    return {name: p.grad for name, p in own.network.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("adversarial", [False, True])
@pytest.mark.parametrize("phase", PHASES)
def test_each_phase_teaches_its_part(phase: str, adversarial: bool) -> None:
    own = system()
    found = gradients(own, phase, adversarial)
    taught = {"edges": {"edges"}, "joint": {"edges", "colours"}}.get(phase, {"colours"})
    assert {name.partition(".")[0] for name in found} == taught
    wanted = {name for name, _ in own.network.named_parameters() if name.partition(".")[0] in taught}
    assert set(found) == wanted
    # A bias before an instance norm has no effect, by design of the authors.
    assert all(g.isfinite().all() and g.any() for n, g in found.items() if not n.endswith("bias"))


def test_colours_reach_the_edge_generator_end_to_end() -> None:
    own = system()  # edge_bce is 0: nothing but the colours is paid for
    assert gradients(own, "joint")["edges.encoder.1.parametrizations.weight.original"].any()


@pytest.mark.parametrize(
    ("phase", "adversarial", "terms"),
    [
        ("edges", True, {"edge_gan", "edge_features"}),
        ("edges", False, {"edge_bce"}),
        ("colours", True, {"l1", "gan"}),
        ("both", False, {"l1"}),
        ("joint", True, {"l1", "gan"}),
    ],
)
def test_each_phase_pays_for_its_terms(phase: str, adversarial: bool, terms: set[str]) -> None:
    own = system()
    own.begin(phase)
    made = own.forward(sample(), phase)
    assert set(own.losses(sample(), made, phase, adversarial)) == terms
    judged = own.judge_losses(sample(), made.detached(), phase)
    assert set(judged) == {"edges" if phase == "edges" else "colours"}
    assert all(0.3 < float(loss.detach()) < 1.5 for loss in judged.values())  # about ln 2 at the start


def test_perceptual_and_style_losses_join() -> None:
    own = system(losses={})
    made = own.forward(sample(), "colours")
    terms = own.losses(sample(), made, "colours", False)
    assert set(terms) == {"l1", "perceptual", "style"}
    assert all(float(term.detach()) > 0 for term in terms.values())
    own.losses(sample(), made, "colours", False)["style"].backward()  # type: ignore[no-untyped-call]
    assert own.network.colours.decoder[7].weight.grad.any()


def test_colours_see_true_edges_then_guessed_ones_in_the_hole() -> None:
    own = system()
    seen: list[Tensor] = []
    own.network.colours.register_forward_hook(lambda *call: seen.append(call[1][0][:, 3:]))
    true, hole = known_edges(sample().image, None), sample().hole
    for phase in ("colours", "both"):
        made = own.forward(sample(), phase)
    assert torch.equal(seen[0], true)
    assert torch.equal(seen[1] * (1 - hole), true * (1 - hole))
    assert torch.equal(seen[1] * hole, made.parts["edges"] * hole)
    assert torch.equal(made.composite * (1 - hole), sample().image * (1 - hole))


def test_objects_are_not_learnt_from() -> None:
    own = system()
    whole = sample()
    marked = whole._replace(objects=torch.ones_like(whole.hole))
    made = own.forward(whole, "joint")
    assert all(float(v.detach()) == 0 for v in own.losses(marked, made, "joint", False).values())


def test_guessed_edges_count_more_in_holes() -> None:
    edges, weight = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    logits = torch.full_like(edges, -9.0)
    logits[..., 0, 0] = 3.0
    even = float(weighted_bce(logits, edges, weight))
    weight[..., 0, 0] = 5.0
    assert float(weighted_bce(logits, edges, weight)) == pytest.approx(even * 16 * 5 / 20, rel=0.01)
    assert float(weighted_bce(logits, edges, 0 * weight)) == 0


def test_it_learns_two_pictures() -> None:
    own = system(build={"base": 8, "blocks": 1})
    optimiser = torch.optim.Adam(own.network.parameters(), 3e-3)
    told: dict[str, list[float]] = {}
    for phase, steps in (("edges", 30), ("both", 30)):
        for _ in range(steps):
            optimiser.zero_grad()
            own.begin(phase)
            made = own.forward(sample(), phase)
            loss = sum(own.losses(sample(), made, phase, False).values())
            loss.backward()  # type: ignore[union-attr]
            optimiser.step()
            told.setdefault(phase, []).append(float(loss.detach()))  # type: ignore[union-attr]
    assert told["edges"][-1] < 0.5 * told["edges"][0]
    assert told["both"][-1] < 0.4 * told["both"][0]
    filled = own.network.eval().fill(sample().image, sample().hole)
    blank = torch.where(sample().hole > 0, 0, sample().image)
    assert float((filled - sample().image).abs().mean()) < 0.5 * float((blank - sample().image).abs().mean())


def test_unknown_phases_and_losses_are_refused() -> None:
    with pytest.raises(UsageError, match="no phase 'colour'"):
        system(stages=(Stage(1.0, 32, 2, "colour"),))
    with pytest.raises(UsageError, match="no loss hinge"):
        system(losses={"hinge": 1.0})


def test_shipped_settings_are_small_and_known() -> None:
    config = read_settings(None, [], "edgeconnect")
    assert config.network == "edgeconnect"
    assert list(dict.fromkeys(stage.phase for stage in config.stages)) == list(PHASES)
    own = EdgeConnectSystem(config)
    assert sum(p.numel() for p in own.network.parameters()) < 1_100_000


def test_a_run_is_left_taken_up_and_exported(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, image in enumerate(sample(48).image):
        pixels = ((image.permute(1, 2, 0) + 1) * 127.5).byte().numpy()
        PillowImage.fromarray(pixels).save(folder / f"{i}.png")
    phases = tuple(Stage((i + 1) / 4, 32, 1, phase) for i, phase in enumerate(PHASES))
    sizes = {"validation_size": 32, "validation_pictures": 1, "fill_size": 32}
    config = replace(CONFIG, data=(str(folder),), stages=phases, **sizes)  # type: ignore[arg-type]
    output = tmp_path / "runs" / "x"
    inpainter.run(config, output, resume=False, device="cpu", steps=4)
    first = load_network(output / "last.safetensors")
    assert isinstance(first, EdgeConnect) and first.config.base == 4
    inpainter.run(config, output, resume=True, device="cpu", steps=8)
    again = load_network(output / "last.safetensors")
    assert not torch.equal(again.colours.decoder[7].weight, first.colours.decoder[7].weight)
