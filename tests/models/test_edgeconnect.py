"""EdgeConnect: of the published size, fills holes alone, follows lines, learns."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from autoremove.models.edgeconnect import EdgeConnect, EdgeConnectConfig, build, known_edges
from autoremove.models.edgeconnect_judges import PatchJudge
from autoremove.models.network_files import load_network, save_network

SMALL = EdgeConnectConfig(base=4, blocks=1)


@pytest.fixture
def network() -> EdgeConnect:
    torch.manual_seed(0)
    return EdgeConnect(SMALL).eval()


def pair(size_hw: tuple[int, int] = (40, 48)) -> tuple[Tensor, Tensor]:
    """Two pictures of two smooth halves, with different holes."""
    torch.manual_seed(1)
    image = torch.rand(2, 3, 1, 1) * torch.ones(1, 1, *size_hw) - 1
    image[..., size_hw[1] // 2 :] += 1
    mask = torch.zeros(2, 1, *size_hw)
    mask[0, :, 2:6, 3:7] = 1
    mask[1, :, 1:5, 2:] = 1
    return image, mask


def test_parameters_are_as_published() -> None:
    network = EdgeConnect(EdgeConnectConfig(spectral=False))  # the norms have no parameters of their own
    parts = [network.edges, network.colours, PatchJudge(2), PatchJudge(3)]
    counts = [sum(p.numel() for p in part.parameters()) for part in parts]
    assert counts == [10_761_089, 10_774_595, 2_762_752, 2_763_776]


@pytest.mark.parametrize("size_hw", [(8, 8), (40, 48), (37, 51), (9, 30)])
def test_pixels_outside_the_hole_stay(network: EdgeConnect, size_hw: tuple[int, int]) -> None:
    image, mask = pair(size_hw)
    filled = network.fill(image, mask)
    assert filled.shape == image.shape
    assert torch.equal(torch.where(mask > 0, 0, filled), torch.where(mask > 0, 0, image))
    assert float(filled.abs().max()) <= 1
    assert (filled != image).any(1, keepdim=True)[mask > 0].float().mean() > 0.9
    assert torch.equal(torch.where(mask > 0, network.raw(image, mask), image), filled)


def test_what_lies_in_the_hole_has_no_say(network: EdgeConnect) -> None:
    image, mask = pair()
    other = torch.where(mask > 0, torch.rand_like(image), image)
    assert torch.equal(network.raw(image, mask), network.raw(other, mask))


def test_samples_of_a_batch_do_not_see_each_other(network: EdgeConnect) -> None:
    image, mask = pair()
    together = network.fill(image, mask)
    alone = torch.cat([network.fill(image[i : i + 1], mask[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_no_edge_arises_from_a_hole(network: EdgeConnect) -> None:
    image, mask = pair()
    edges = known_edges(torch.where(mask > 0, torch.ones_like(image), image), mask)
    assert edges.shape == mask.shape and edges.any()
    assert not (edges * mask).any()
    columns = edges.nonzero()[:, 3]
    assert int((columns - 23.5).abs().max()) <= 1  # where the halves meet, and nowhere else


def test_drawn_lines_take_the_place_of_guessed_edges(network: EdgeConnect) -> None:
    image, mask = pair()
    lines = torch.zeros_like(mask)
    lines[0, :, 4] = 1  # through the first picture's hole, and past it
    guessed, _ = network.drawn(image, mask)
    drawn, _ = network.drawn(image, mask, lines)
    assert torch.equal(drawn[0][mask[0] > 0], lines[0][mask[0] > 0])
    assert torch.equal(drawn[0][mask[0] == 0], guessed[0][mask[0] == 0])
    assert torch.equal(drawn[1], guessed[1])  # nothing was drawn there
    added, _ = network.drawn(image, mask, lines, add=True)
    assert torch.equal(added, torch.maximum(guessed, lines * mask))
    changed = (network.fill(image, mask, lines) != network.fill(image, mask)).flatten(1).any(1)
    assert changed.tolist() == [True, False]


def test_every_parameter_learns() -> None:
    network = EdgeConnect(SMALL)
    image, mask = pair()
    edges, painted = network(image, mask, known_edges(image, None))
    (edges.square().mean() + (painted * torch.randn_like(painted)).mean()).backward()
    # A bias before an instance norm has no effect, by design of the authors.
    without = [name for name, p in network.named_parameters() if p.grad is None]
    still = [n for n, p in network.named_parameters() if not p.grad.any() and not n.endswith("bias")]
    assert not without and not still


def test_judges_see_seventy_pixels() -> None:
    judge = PatchJudge(3, 4).eval()
    planes = torch.zeros(1, 3, 256, 256, requires_grad=True)
    scores, features = judge(planes)
    assert scores.shape == (1, 1, 30, 30) and len(features) == 5 and torch.equal(features[-1], scores)
    scores[0, 0, 15, 15].backward()
    rows = planes.grad.abs().sum((0, 1, 3)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 70


def test_folding_changes_nothing_but_the_names(network: EdgeConnect) -> None:
    image, mask = pair()
    folded = copy.deepcopy(network).folded()
    assert folded.config.spectral is False and network.config.spectral is True
    torch.testing.assert_close(folded.raw(image, mask), network.raw(image, mask))
    assert {k for k in folded.state_dict() if "parametrizations" in k} == set()
    build({"base": 4, "blocks": 1, "spectral": False}).load_state_dict(folded.state_dict())


def test_own_files_come_back(network: EdgeConnect, tmp_path: Path) -> None:
    image, mask = pair()
    save_network(network, tmp_path / "own.safetensors")
    again = load_network(tmp_path / "own.safetensors")
    assert again.config == SMALL
    torch.testing.assert_close(again.fill(image, mask), network.fill(image, mask), rtol=0, atol=0.02)


def test_memory_grows_with_size_and_width(network: EdgeConnect) -> None:
    wide = EdgeConnect(EdgeConnectConfig(base=8, blocks=1))
    sizes = network.peak_bytes((128, 128)), network.peak_bytes((256, 256)), wide.peak_bytes((256, 256))
    assert sizes[0] < sizes[1] < sizes[2]
