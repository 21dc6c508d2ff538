"""Segment Anything: masks from boxes, built to fit whichever of its checkpoints is given."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autoremove.errors import WeightsError
from autoremove.models.checkpoints import load_state
from autoremove.types import NO_CUTOUT, Cutout, Image, Mask

_DECODER_HEADS = 8
"""Of the mask decoder; the one number that no tensor's shape tells. It is 8 in every published checkpoint."""

_PIXELS_AT_ONCE = 48_000_000
"""Mask pixels computed together: 48 MP in float32 are 190 MB."""


class SamSegmenter:
    """SAM with the embedding of the last picture kept. May be shared by threads: they take turns."""

    def __init__(self, network: nn.Module, device: str) -> None:
        from segment_anything import SamPredictor

        self._predictor: Any = SamPredictor(network.to(device).eval())
        self._embedded: tuple[bytes, NDArray[np.float16]] | None = None
        self._lock = threading.Lock()

    def embed(self, image: Image) -> NDArray[np.float16]:
        """What the image encoder says of a picture (H x W x 3 uint8 RGB): C x h x w.

        It takes nearly all of the time, and is the same for any boxes. In half precision wherever it goes, so
        that masks do not depend on whether it was kept on disk: 2 MB for the published networks.
        """
        key = hashlib.sha256(np.ascontiguousarray(image).data).digest() + repr(image.shape).encode()
        with self._lock, torch.inference_mode():
            if self._embedded is None or self._embedded[0] != key:
                self._predictor.set_image(image)
                self._embedded = key, self._predictor.features[0].half().cpu().numpy()
            return self._embedded[1]

    def masks(
        self, image: Image, xyxy: NDArray[np.float32], features: NDArray[np.float16] | None = None
    ) -> list[Cutout]:
        """One mask for each box, cut to its own extent: full-size planes would take 12 MB each in a photo.

        ``image``: H x W x 3 uint8 RGB. ``xyxy``: N x 4, pixels of the picture. ``features``: what
        :meth:`embed` gave for this picture, computed here if None.
        """
        if not len(xyxy):
            return []
        features = self.embed(image) if features is None else features
        size_hw = image.shape[0], image.shape[1]
        at_once = max(1, _PIXELS_AT_ONCE // (size_hw[0] * size_hw[1]))
        with self._lock, torch.inference_mode():
            self._look_at(features, size_hw)
            parts = [xyxy[start : start + at_once] for start in range(0, len(xyxy), at_once)]
            return [trimmed(mask) for part in parts for mask in self._predict(part, size_hw)]

    def _look_at(self, features: NDArray[np.float16], size_hw: tuple[int, int]) -> None:
        """Put the predictor into the state in which embedding the picture would leave it."""
        predictor, side = self._predictor, self._predictor.model.image_encoder.img_size
        predictor.features = torch.from_numpy(features.astype(np.float32))[None].to(predictor.device)
        predictor.original_size = size_hw
        predictor.input_size = predictor.transform.get_preprocess_shape(*size_hw, side)
        predictor.is_image_set = True

    def _predict(self, xyxy: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
        boxes = self._predictor.transform.apply_boxes(np.asarray(xyxy, np.float32), size_hw)
        masks, _, _ = self._predictor.predict_torch(
            point_coords=None,
            point_labels=None,
            boxes=torch.as_tensor(boxes, dtype=torch.float32, device=self._predictor.device),
            multimask_output=False,  # a box says enough to want one mask
        )
        found: NDArray[np.bool_] = masks[:, 0].cpu().numpy()
        return found


def trimmed(mask: Mask) -> Cutout:
    """A full-size mask as a cutout of its own extent."""
    ys, xs = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    if not len(ys):
        return NO_CUTOUT
    x1, y1, x2, y2 = int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1
    return (x1, y1, x2, y2), mask[y1:y2, x1:x2].copy()  # a view would keep the whole plane


def load_sam(path: str | Path, device: str = "cpu") -> SamSegmenter:
    """SAM ViT-B, L or H, or any other size of the same build, from its checkpoint (plain tensors only).

    Raises WeightsError when the file is missing, damaged, or of another network.
    """
    state = load_state(path)
    if not is_sam(state):
        raise WeightsError(
            f"{path} is no Segment Anything checkpoint.", hint="Known ones: sam-vit-b, -l, -h."
        )
    network = _build(state)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path} is a Segment Anything of another build: {error}") from error
    return SamSegmenter(network.requires_grad_(False), device)


def is_sam(state: object) -> bool:
    """Whether a loaded checkpoint has the keys of Segment Anything's ViT builds."""
    keys = (
        "image_encoder.patch_embed.proj.weight",
        "image_encoder.pos_embed",
        "mask_decoder.mask_tokens.weight",
    )
    return isinstance(state, Mapping) and all(key in state for key in keys)


def _build(state: Mapping[str, Tensor]) -> nn.Module:
    from segment_anything.modeling import Sam

    patch = state["image_encoder.patch_embed.proj.weight"].shape[-1]
    grid = state["image_encoder.pos_embed"].shape[1]
    embedding = state["image_encoder.neck.0.weight"].shape[0]
    # The means and deviations of ImageNet, of which SAM makes no part of the checkpoint.
    network: nn.Module = Sam(
        image_encoder=_image_encoder(state, grid, patch, embedding),
        prompt_encoder=_prompt_encoder(state, grid, patch, embedding),
        mask_decoder=_mask_decoder(state, embedding),
        pixel_mean=[123.675, 116.28, 103.53],
        pixel_std=[58.395, 57.12, 57.375],
    )
    return network


def _image_encoder(state: Mapping[str, Tensor], grid: int, patch: int, embedding: int) -> nn.Module:
    from segment_anything.modeling import ImageEncoderViT

    block = "image_encoder.blocks"
    depth = _count(state, block)
    width = state["image_encoder.patch_embed.proj.weight"].shape[0]
    # A block that looks at the whole picture has relative positions for all of it, the others for a window.
    reach = [(state[f"{block}.{i}.attn.rel_pos_h"].shape[0] + 1) // 2 for i in range(depth)]
    encoder: nn.Module = ImageEncoderViT(
        img_size=grid * patch,
        patch_size=patch,
        embed_dim=width,
        depth=depth,
        num_heads=width // state[f"{block}.0.attn.rel_pos_h"].shape[1],
        mlp_ratio=state[f"{block}.0.mlp.lin1.weight"].shape[0] / width,
        out_chans=embedding,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        global_attn_indexes=[i for i in range(depth) if reach[i] == grid],
        window_size=min(reach),
    )
    return encoder


def _prompt_encoder(state: Mapping[str, Tensor], grid: int, patch: int, embedding: int) -> nn.Module:
    from segment_anything.modeling import PromptEncoder

    encoder: nn.Module = PromptEncoder(
        embed_dim=embedding,
        image_embedding_size=(grid, grid),
        input_image_size=(grid * patch, grid * patch),
        mask_in_chans=state["prompt_encoder.mask_downscaling.3.weight"].shape[0],
    )
    return encoder


def _mask_decoder(state: Mapping[str, Tensor], embedding: int) -> nn.Module:
    from segment_anything.modeling import MaskDecoder, TwoWayTransformer

    layers = "mask_decoder.transformer.layers"
    decoder: nn.Module = MaskDecoder(
        num_multimask_outputs=state["mask_decoder.mask_tokens.weight"].shape[0] - 1,
        transformer=TwoWayTransformer(
            depth=_count(state, layers),
            embedding_dim=embedding,
            mlp_dim=state[f"{layers}.0.mlp.lin1.weight"].shape[0],
            num_heads=_DECODER_HEADS,
        ),
        transformer_dim=embedding,
        iou_head_depth=_count(state, "mask_decoder.iou_prediction_head.layers"),
        iou_head_hidden_dim=state["mask_decoder.iou_prediction_head.layers.0.weight"].shape[0],
    )
    return decoder


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """How many numbered modules lie under ``prefix``."""
    depth = prefix.count(".") + 1
    return len({key.split(".")[depth] for key in state if key.startswith(prefix + ".")})
