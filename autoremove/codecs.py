"""Each kind of artefact to bytes and back; the slot decides the kind."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from autoremove.errors import BrokenArtefact, PictureError
from autoremove.types import (
    Cutout,
    Detections,
    Embedding,
    FillFigures,
    Finding,
    Image,
    ObjectMask,
    Patch,
    Ref,
    Verdict,
)

FORMAT = 1
"""Part of every key: raised when the bytes of an artefact change their meaning."""


@dataclass(frozen=True)
class Codec:
    """How one kind of artefact is kept on disk."""

    extension: str
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def encode_detections(found: Detections) -> bytes:
    """JSON, for people too. Masks of the detector are windows with packed bits in hex."""
    rows = [
        {"label": label, "score": round(float(score), 5), "xyxy": [round(float(v), 2) for v in box]}
        for label, score, box in zip(found.label, found.score, found.xyxy, strict=True)
    ]
    body: dict[str, Any] = {"objects": rows}
    if found.owner is not None:
        body["owner"] = found.owner.tolist()
    if found.staying is not None:
        body["staying"] = [[round(float(v), 2) for v in box] for box in found.staying]
    if found.masks is not None:
        body["masks"] = [
            {"window": [int(v) for v in window], "packed": np.packbits(mask).tobytes().hex()}
            for window, mask in found.masks
        ]
    return json.dumps(body, indent=1).encode()


def decode_detections(data: bytes) -> Detections:
    """Back from :func:`encode_detections`; scores and boxes as they were rounded there."""
    body = json.loads(data)
    rows = body["objects"]
    return Detections(
        np.array([row["xyxy"] for row in rows], np.float32).reshape(-1, 4),
        np.array([row["score"] for row in rows], np.float32),
        tuple(row["label"] for row in rows),
        tuple(_cutout(row) for row in body["masks"]) if "masks" in body else None,
        np.array(body["owner"], np.int64) if "owner" in body else None,
        np.array(body["staying"], np.float32).reshape(-1, 4) if "staying" in body else None,
    )


def _cutout(row: dict[str, Any]) -> Cutout:
    x1, y1, x2, y2 = (int(v) for v in row["window"])
    bits = np.frombuffer(bytes.fromhex(row["packed"]), np.uint8)
    mask = np.unpackbits(bits, count=(y2 - y1) * (x2 - x1)).reshape(y2 - y1, x2 - x1)
    return (x1, y1, x2, y2), mask.astype(bool)


def encode_mask(mask: ObjectMask) -> bytes:
    """Packed bits and ids, deflated."""
    return _savez(**_packed(mask))


def _packed(mask: ObjectMask) -> dict[str, Any]:
    size = np.array(mask.grown.shape)
    return {"size": size, "grown": np.packbits(mask.grown), "ids": mask.ids}


def decode_mask(data: bytes) -> ObjectMask:
    """Back from :func:`encode_mask`."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return _unpacked(arrays)


def _unpacked(arrays: Any) -> ObjectMask:
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


def encode_embedding(embedding: Embedding) -> bytes:
    """The numbers as they are: deflating noise gains a tenth and takes as long as a mask."""
    buffer = io.BytesIO()
    np.savez(buffer, features=embedding.features, weights=np.array(embedding.weights))
    return buffer.getvalue()


def decode_embedding(data: bytes) -> Embedding:
    """Back from :func:`encode_embedding`."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return Embedding(arrays["features"], str(arrays["weights"]))


def encode_verdict(verdict: Verdict) -> bytes:
    """JSON as UTF-8 numbers, and the amended mask if there is one, deflated."""
    told: dict[str, Any] = {
        "findings": [asdict(row) for row in verdict.findings],
        "fills": [asdict(row) for row in verdict.fills],
        "amended": verdict.amended is not None,
    }
    text = np.frombuffer(json.dumps(told, allow_nan=False).encode(), np.uint8)
    return _savez(told=text, **({} if verdict.amended is None else _packed(verdict.amended)))


def decode_verdict(data: bytes) -> Verdict:
    """Back from :func:`encode_verdict`."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        told = json.loads(arrays["told"].tobytes())
        return Verdict(
            tuple(Finding(**_boxed(row)) for row in told["findings"]),
            tuple(FillFigures(**_boxed(row)) for row in told["fills"]),
            _unpacked(arrays) if told["amended"] else None,
        )


def _boxed(row: dict[str, Any]) -> dict[str, Any]:
    x1, y1, x2, y2 = (int(v) for v in row["xyxy"])
    return {**row, "xyxy": (x1, y1, x2, y2)}


def _savez(**arrays: Any) -> bytes:
    """An npz, deflated quickly: NumPy's own takes up to four times as long and gains little."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=False)
    return buffer.getvalue()


CODECS: dict[str, Codec] = {
    "detections": Codec("json", encode_detections, decode_detections),
    "mask": Codec("npz", encode_mask, decode_mask),
    "patches": Codec("npz", encode_patches, decode_patches),
    "verdict": Codec("npz", encode_verdict, decode_verdict),
    "embedding": Codec("npz", encode_embedding, decode_embedding),
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
    """The upright RGB picture. A few are kept, since several stages ask for the same one in a row.

    Raises PictureError, also where the file is no longer what the digest is of.
    """
    return _read_image(ref.path, ref.path.stat().st_mtime_ns, picture_digest(ref), max_pixels)


@lru_cache(maxsize=4)
def _read_image(path: Path, _changed: int, digest: str, max_pixels: int) -> Image:
    from autoremove import images

    rgb: Image = images.read(path, max_pixels=max_pixels).rgb
    check_unchanged(path, digest)
    rgb.flags.writeable = False
    return rgb


def check_unchanged(path: Path, digest: str) -> None:
    """What was found in a picture belongs to no other that has taken its place. Raises PictureError."""
    if picture_digest(Ref(path)) != digest:
        raise PictureError(f"{path} was changed while it was worked on.", hint="Run the same command again.")


def picture_digest(ref: Ref) -> str:
    """The sha256 of a picture's file. Raises PictureError where it cannot be read."""
    try:
        return ref.digest
    except OSError as error:
        raise PictureError(
            f"{ref.path} cannot be opened ({error.strerror or error}).",
            hint="Check that it exists and may be read.",
        ) from error
