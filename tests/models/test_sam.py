"""SAM is built to fit its checkpoint, and gives masks of the picture's size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

from autoremove.errors import WeightsError
from autoremove.models import sam
from autoremove.types import NO_CUTOUT, Cutout


def tiny_sam() -> Sam:
    """All the parts of ViT-B with its keys, in small: 64-pixel pictures, 2 blocks, one of them windowed."""
    torch.manual_seed(0)
    encoder = ImageEncoderViT(
        img_size=64,
        patch_size=8,
        embed_dim=24,
        depth=2,
        num_heads=3,
        mlp_ratio=2,
        out_chans=16,
        use_rel_pos=True,
        global_attn_indexes=[1],
        window_size=5,
    )
    prompts = PromptEncoder(
        embed_dim=16, image_embedding_size=(8, 8), input_image_size=(64, 64), mask_in_chans=8
    )
    decoder = MaskDecoder(
        num_multimask_outputs=3,
        transformer=TwoWayTransformer(depth=1, embedding_dim=16, mlp_dim=32, num_heads=8),
        transformer_dim=16,
        iou_head_depth=2,
        iou_head_hidden_dim=12,
    )
    return Sam(encoder, prompts, decoder)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sam") / "sam_tiny.pth"
    torch.save(tiny_sam().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def segmenter(checkpoint: Path) -> sam.SamSegmenter:
    return sam.load_sam(checkpoint)


IMAGE = np.random.default_rng(0).integers(0, 256, (48, 90, 3), np.uint8)
BOXES = np.array([[5, 5, 40, 40], [50, 10, 85, 30], [0, 0, 90, 48]], np.float32)


def planes(cutouts: list[Cutout]) -> np.ndarray:
    """Full-size masks of a picture like IMAGE."""
    full = np.zeros((len(cutouts), *IMAGE.shape[:2]), bool)
    for plane, ((x1, y1, x2, y2), mask) in zip(full, cutouts, strict=True):
        plane[y1:y2, x1:x2] = mask
    return full


def test_the_build_is_read_from_the_shapes(segmenter: sam.SamSegmenter) -> None:
    network = segmenter._predictor.model
    blocks = network.image_encoder.blocks
    assert network.image_encoder.img_size == 64
    assert [block.window_size for block in blocks] == [5, 0]
    assert [block.attn.num_heads for block in blocks] == [3, 3]
    assert network.mask_decoder.num_mask_tokens == 4


def test_it_computes_what_its_maker_computes(segmenter: sam.SamSegmenter) -> None:
    from segment_anything import SamPredictor

    predictor = SamPredictor(tiny_sam().eval())
    # The encoder's norms are made with the published epsilon, not with torch's.
    for module in predictor.model.image_encoder.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-6
    predictor.set_image(IMAGE)
    masks = planes(segmenter.masks(IMAGE, BOXES))
    assert len(masks) == 3
    for mask, box in zip(masks, BOXES, strict=True):
        expected, _, _ = predictor.predict(box=box, multimask_output=False)
        assert (mask & expected[0]).sum() / (mask | expected[0]).sum() > 0.99, "half precision shows"
    assert 0 < masks.mean() < 1


def test_the_published_sizes_are_recognised() -> None:
    """Keys and shapes of ViT-B, as tensors without memory."""
    from segment_anything import build_sam_vit_b

    with torch.device("meta"):
        state = build_sam_vit_b().state_dict()
        network = sam._build(state)
    assert {k: v.shape for k, v in network.state_dict().items()} == {k: v.shape for k, v in state.items()}
    windows = [block.window_size for block in network.image_encoder.blocks]
    assert [i for i, window in enumerate(windows) if window == 0] == [2, 5, 8, 11]
    assert set(windows) == {0, 14}
    assert network.image_encoder.blocks[0].attn.num_heads == 12


def test_a_picture_is_embedded_once(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = sam.load_sam(checkpoint)
    calls: list[object] = []
    encoder = segmenter._predictor.model.image_encoder
    encoder.register_forward_hook(lambda *_: calls.append(1))
    monkeypatch.setattr(sam, "_PIXELS_AT_ONCE", 1)  # each box on its own
    first = planes(segmenter.masks(IMAGE, BOXES))
    segmenter.masks(IMAGE.copy(), BOXES[:1])
    assert len(calls) == 1
    segmenter.masks(IMAGE[:, ::-1], BOXES)
    assert len(calls) == 2
    monkeypatch.setattr(sam, "_PIXELS_AT_ONCE", 10**9)
    assert (planes(segmenter.masks(IMAGE, BOXES)) == first).mean() > 0.999


def test_an_embedding_that_was_kept_gives_the_same_masks(checkpoint: Path) -> None:
    """Also in a process that has embedded another picture last, or none."""
    kept = sam.load_sam(checkpoint).embed(IMAGE)
    assert (kept.shape, kept.dtype) == ((16, 8, 8), np.float16)
    segmenter = sam.load_sam(checkpoint)
    encoder = segmenter._predictor.model.image_encoder
    calls: list[object] = []
    encoder.register_forward_hook(lambda *_: calls.append(1))
    again = planes(segmenter.masks(IMAGE, BOXES, kept))
    assert calls == []
    assert np.array_equal(again, planes(segmenter.masks(IMAGE, BOXES)))
    segmenter.masks(IMAGE[:, ::-1], BOXES)
    assert np.array_equal(again, planes(segmenter.masks(IMAGE, BOXES, kept)))


def test_masks_are_cut_to_their_extent() -> None:
    mask = np.zeros((9, 12), bool)
    mask[2:5, 3] = mask[4, 7] = True
    window, part = sam.trimmed(mask)
    assert window == (3, 2, 8, 5)
    assert np.array_equal(part, mask[2:5, 3:8])
    assert part.base is None, "a view would keep the full-size plane"
    assert sam.trimmed(mask & False) is NO_CUTOUT


def test_no_boxes_cost_nothing(segmenter: sam.SamSegmenter) -> None:
    assert segmenter.masks(IMAGE, np.zeros((0, 4), np.float32)) == []


def test_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"conv1.conv.weight": torch.ones(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="no Segment Anything"):
        sam.load_sam(tmp_path / "other.pth")
    state = tiny_sam().state_dict()
    state["image_encoder.extra"] = torch.ones(1)
    torch.save(state, tmp_path / "extended.pth")
    with pytest.raises(WeightsError, match="another build"):
        sam.load_sam(tmp_path / "extended.pth")
