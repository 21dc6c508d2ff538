"""The discriminator: its size, its output and its bounded slope."""

from __future__ import annotations

import pytest
import torch

from autoremove.models.sn_patchgan import SNPatchDiscriminator


def test_parameter_count() -> None:
    assert sum(p.numel() for p in SNPatchDiscriminator().parameters()) == 5_946_816


def test_guided_takes_a_fifth_channel() -> None:
    network = SNPatchDiscriminator(5, base=8)
    image, plane = torch.zeros(2, 3, 64, 64), torch.zeros(2, 1, 64, 64)
    assert network(image, plane, plane).shape == (2, 32)
    with pytest.raises(ValueError, match="4 channels given to a discriminator of 5"):
        network(image, plane)


@pytest.mark.parametrize(("size_hw", "scores"), [((256, 256), 16), ((64, 128), 2), ((100, 70), 4)])
def test_scores_one_row_per_sample(size_hw: tuple[int, int], scores: int) -> None:
    network = SNPatchDiscriminator(base=4)
    assert network(torch.zeros(3, 3, *size_hw), torch.zeros(3, 1, *size_hw)).shape == (3, 16 * scores)


def test_last_layer_is_activated() -> None:
    torch.manual_seed(0)
    network = SNPatchDiscriminator(base=4).eval()
    inputs = torch.randn(2, 3, 64, 64), torch.zeros(2, 1, 64, 64)
    last = []
    network.layers[-1].register_forward_hook(lambda _, __, out: last.append(out))
    scores = network(*inputs)
    assert (last[0] < 0).any()
    torch.testing.assert_close(scores, torch.where(last[0] < 0, last[0] * 0.2, last[0]).flatten(1))


def test_weights_are_spectrally_normed() -> None:
    torch.manual_seed(0)
    network = SNPatchDiscriminator(base=4)
    with torch.no_grad():
        network.layers[1].parametrizations.weight.original.mul_(50)
    for _ in range(60):
        network(torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 64, 64))
    largest = torch.linalg.matrix_norm(network.layers[1].weight.flatten(1), ord=2)
    assert largest.item() == pytest.approx(1, abs=0.02)


def test_gradient_reaches_the_picture() -> None:
    image = torch.randn(1, 3, 64, 64, requires_grad=True)
    SNPatchDiscriminator(base=4)(image, torch.zeros(1, 1, 64, 64)).mean().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0
