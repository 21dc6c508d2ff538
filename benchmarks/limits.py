"""What limits each embedded network: pictures, time or how finely it looks.

Each is measured on pictures that it learnt from and, in the same way, on pictures that it did not: where both
figures are low and near to each other, more passes or a larger network help and more pictures do not; where
the first is much higher, it is the other way round. And each is shown its held-out pictures at several sizes:
where a finer look than the one it was trained for is as good, resolution is worth training for.

    python benchmarks/limits.py --data DATA --json OUT/limits.json

The first trainings of the generator learnt from all scenes, so that its held-out pictures are not quite
unseen; scenes/test stands beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoremove.evaluation.table import Table, markdown, number

WEIGHTS = Path(__file__).resolve().parent.parent / "autoremove" / "weights"

Figures = dict[str, Any]


def of_detector(data: Path, weights: Path, sizes: Sequence[int]) -> Figures:
    """AP50 of persons, one look at each picture."""
    from autoremove.training.detector import DetectorConfig, DetectorTask
    from autoremove.training.settings import read_config

    config = read_config(DetectorConfig, "detector", None, [])
    folders = (str(data / "person_boxes"), str(data / "instances" / "train"))
    task = DetectorTask(replace(config, data=folders, start=str(weights)))
    unseen = task.held_out

    def at(size: int) -> float:
        task.config = replace(task.config, validation_size=size)
        return task.validate()["ap50"]

    held_out = {size: at(size) for size in sizes}
    task.held_out = task.pictures[:: len(task.pictures) // len(unseen)]
    return _told(at(config.validation_size), held_out, config.validation_size, len(unseen))


def of_masknet(data: Path, weights: Path, sizes: Sequence[int]) -> Figures:
    """Mean IoU of persons given true boxes, in the network's own frame."""
    from autoremove.models.checkpoints import header
    from autoremove.training.boxmask import BoxMaskConfig, BoxMaskTask
    from autoremove.training.settings import read_config

    config = read_config(BoxMaskConfig, "masknet-continue", None, [])
    own = int(header(weights)["side"])
    config = replace(config, data=(str(data / "instances" / "train"),), start=str(weights), side=own)

    def task_at(size: int) -> BoxMaskTask:
        return BoxMaskTask(replace(config, side=size))

    held_out = {}
    for size in sizes:
        held_out[size] = task_at(size).validate()["iou_person"]
    task = task_at(config.side)
    count = len(task.held_out)
    task.held_out = task.crops[:: len(task.crops) // count]
    return _told(task.validate()["iou_person"], held_out, config.side, count)


def of_generator(data: Path, weights: Path, sizes: Sequence[int]) -> Figures:
    """Mean hole PSNR in dB; a size is that of the crop as the network sees it."""
    from autoremove.models import cache
    from autoremove.training.held_out import HeldOut, at_size
    from autoremove.training.inpainter_config import read_settings
    from autoremove.training.inpainter_data import Pictures, hole_mixes

    settings = read_settings(Path("inpainter-continue"), [])
    silhouettes = str(data / "holes" / "silhouettes.npz")
    settings = replace(settings, data=(str(data / "scenes" / "train"),), silhouettes=silhouettes)
    pictures, holes = Pictures.of(settings), hole_mixes(settings)[1]
    fill = _filling(cache.load("inpainter", str(weights), "cpu"))
    own = settings.validation_size

    def figure(paths: Sequence[Path], size: int) -> float:
        held = HeldOut.of(paths, holes, count=len(pictures.held_out), size=own)
        return held.psnr(fill if size == own else at_size(fill, size))

    held_out = {size: figure(pictures.held_out, size) for size in sizes}
    learnt = figure([source.picture for source in pictures.plain], own)
    test = sorted(path for path in (data / "scenes" / "test").iterdir() if path.is_file())
    return {**_told(learnt, held_out, own, len(pictures.held_out)), "test": figure(test, own)}


def _filling(net: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
    import torch

    @torch.inference_mode()
    def fill(picture: Any, hole: Any) -> tuple[Any, Any]:
        image = torch.from_numpy(np.ascontiguousarray(picture))[None].permute(0, 3, 1, 2).float() / 127.5 - 1
        mask = torch.from_numpy(np.ascontiguousarray(hole))[None, None].float()
        pixels = ((net.raw(image, mask)[0] + 1) * 127.5).round().clamp(0, 255).byte()
        both = pixels.permute(1, 2, 0).numpy()
        return both, both

    return fill


def _told(learnt: float, held_out: dict[int, float], own: int, count: int) -> Figures:
    return {"learnt": learnt, "held_out": held_out[own], "own": own, "sizes": held_out, "pictures": count}


def tables(result: Figures) -> list[Table]:
    """One row a network: the gap; and one row a network and size."""
    gaps: Table = [["network", "figure", "pictures learnt from", "held out", "scenes/test", "each"]]
    looks: Table = [["network", "size in the network", "held out", "trained for"]]
    for name, row in result["networks"].items():
        shown = [number(row[key]) for key in ("learnt", "held_out")]
        gaps.append([name, row["figure"], *shown, number(row.get("test")), str(row["pictures"])])
        for size, value in row["sizes"].items():
            looks.append([name, str(size), number(value), "yes" if int(size) == row["own"] else ""])
    return [gaps, looks]


NETWORKS: dict[str, tuple[Callable[..., Figures], str, str, tuple[int, ...]]] = {
    "detector": (of_detector, "detector", "person AP50, one look", (256, 320, 384, 512, 640)),
    "masknet": (of_masknet, "masknet", "person IoU, true boxes", (128, 160, 192, 224, 288)),
    "deepfillv2": (of_generator, "deepfillv2", "hole PSNR, dB", (128, 192, 256)),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="What limits each network.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", help=f"Some of {', '.join(NETWORKS)}, with commas.")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="Folder of the three files.")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    rows = {}
    for name in options.only.split(",") if options.only else NETWORKS:
        measure, file, figure, sizes = NETWORKS[name]
        row = measure(options.data, options.weights / f"{file}.safetensors", sizes)
        rows[name] = {"figure": figure, **row}
    result = {"networks": rows}
    for table in tables(result):
        print(markdown(table), end="\n\n")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
