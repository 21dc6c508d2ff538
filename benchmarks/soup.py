"""The mean of weights that were trained from one start, as one file (model soup, Wortsman et al. 2022).

Two trainings that go on from the same weights end in one basin, and their mean is often better than either:

    python benchmarks/soup.py A.safetensors B.safetensors [--shares 0.7 0.3] -o MEAN.safetensors
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoremove.errors import WeightsError
from autoremove.models.checkpoints import header


def mean_of(files: Sequence[Path], shares: Sequence[float], output: Path) -> None:
    """Write the weighted mean in the precision of the first, with those notes in its head that all share.

    Figures of one training are not those of the mean.
    ``shares`` are scaled to a sum of 1. Raises WeightsError where the files hold different networks.
    """
    from safetensors.torch import load_file, save_file

    states = [load_file(file) for file in files]
    shapes = [{name: value.shape for name, value in state.items()} for state in states]
    for file, own in zip(files, shapes, strict=True):
        if own != shapes[0]:
            raise WeightsError(f"{file} holds another network than {files[0]}.")
    parts = np.array(shares, np.float64) / sum(shares)
    mean = {}
    for name, first in states[0].items():
        rows = zip(parts.tolist(), states, strict=True)
        total = sum(part * state[name].double() for part, state in rows)
        mean[name] = total.to(first.dtype) if first.is_floating_point() else first
    output.parent.mkdir(parents=True, exist_ok=True)
    notes = [header(file).items() for file in files]
    save_file(mean, output, metadata=dict(set(notes[0]).intersection(*notes[1:])))
    output.chmod(0o644)  # safetensors writes for its owner alone; weights travel in a wheel


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="The mean of several weights of one network.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--shares", nargs="+", type=float, help="How much each counts (default: all alike).")
    parser.add_argument("--output", "-o", type=Path, required=True)
    options = parser.parse_args(arguments)
    shares = options.shares or [1.0] * len(options.files)
    if len(shares) != len(options.files) or min(shares) < 0 or not sum(shares):
        parser.error("--shares: one number of 0 or more for each file, not all 0.")
    try:
        mean_of(options.files, shares, options.output)
    except WeightsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
