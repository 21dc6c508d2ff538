"""Each kind of artefact to bytes and back; the slot decides the kind."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from autoremove.errors import BrokenArtefact
from autoremove.types import Detections, Image, ObjectMask, Patch, Ref

FORMAT = 1
"""Part of every key: raised when the bytes of an artefact change their meaning."""


@dataclass(frozen=True)
class Codec:
    """How one kind of artefact is kept on disk."""

    extension: str
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def encode_detections(found: Detections) -> bytes:
    """JSON, for people too. Masks of the detector are packed bits in hex rows."""
    rows = [
        {"label": label, "score": round(float(score), 5), "xyxy": [round(float(v), 2) for v in box]}
        for label, score, box in zip(found.label, found.score, found.xyxy, strict=True)
    ]
    body: dict[str, Any] = {"objects": rows}
    if found.owner is not None:
        body["owner"] = found.owner.tolist()
    if found.masks is not None:
        body["masks"] = {
            "shape": list(found.masks.shape),
            "packed": np.packbits(found.masks).tobytes().hex(),
        }
    return json.dumps(body, indent=1).encode()


def decode_detections(data: bytes) -> Detections:
    """Back from :func:`encode_detections`; scores and boxes as they were rounded there."""
    body = json.loads(data)
    rows = body["objects"]
    masks = None
    if "masks" in body:
        shape = tuple(body["masks"]["shape"])
        bits = np.frombuffer(bytes.fromhex(body["masks"]["packed"]), np.uint8)
        masks = np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)
    return Detections(
        np.array([row["xyxy"] for row in rows], np.float32).reshape(-1, 4),
        np.array([row["score"] for row in rows], np.float32),
        tuple(row["label"] for row in rows),
        masks,
        np.array(body["owner"], np.int64) if "owner" in body else None,
    )


def encode_mask(mask: ObjectMask) -> bytes:
    """Packed bits and ids, deflated."""
    height, width = mask.grown.shape
    return _savez(size=np.array([height, width]), grown=np.packbits(mask.grown), ids=mask.ids)


def decode_mask(data: bytes) -> ObjectMask:
    """Back from :func:`encode_mask`."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        height, width = (int(v) for v in arrays["size"])
        bits = np.unpackbits(arrays["grown"], count=height * width)
        return ObjectMask(bits.reshape(height, width).astype(bool), arrays["ids"])


def encode_patches(patches: Sequence[Patch]) -> bytes:
    """Boxes, pixels and alpha of each patch, deflated."""
    arrays: dict[str, np.ndarray[Any, Any]] = {
        "boxes": np.array([p.xyxy for p in patches], np.int64).reshape(-1, 4)
    }
    for number, patch in enumerate(patches):
        arrays[f"pixels{number}"], arrays[f"alpha{number}"] = patch.pixels, patch.alpha
    return _savez(**arrays)


def decode_patches(data: bytes) -> list[Patch]:
    """Back from :func:`encode_patches`."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        boxes = [tuple(int(v) for v in row) for row in arrays["boxes"]]
        return [
            Patch((box[0], box[1], box[2], box[3]), arrays[f"pixels{number}"], arrays[f"alpha{number}"])
            for number, box in enumerate(boxes)
        ]


def _savez(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


CODECS: dict[str, Codec] = {
    "detections": Codec("json", encode_detections, decode_detections),
    "mask": Codec("npz", encode_mask, decode_mask),
    "patches": Codec("npz", encode_patches, decode_patches),
}


def load(slot: str, ref: Ref, max_pixels: int) -> Any:
    """The value of a slot; raises BrokenArtefact if a stored one cannot be decoded."""
    if slot == "image":
        return read_image(ref, max_pixels)
    decode = CODECS[slot].decode
    try:
        return decode(ref.path.read_bytes())
    except MemoryError:
        raise
    except Exception as error:  # damaged bytes make zipfile, zlib, json and numpy raise nearly anything
        raise BrokenArtefact(ref.path) from error


def read_image(ref: Ref, max_pixels: int) -> Image:
    """The upright RGB picture. A few are kept, since several stages ask for the same one in a row."""
    return _read_image(ref.path, ref.path.stat().st_mtime_ns, max_pixels)


@lru_cache(maxsize=4)
def _read_image(path: Path, _changed: int, max_pixels: int) -> Image:
    from autoremove import images

    rgb: Image = images.read(path, max_pixels=max_pixels).rgb
    rgb.flags.writeable = False
    return rgb
