"""From folders of pictures to the four embedded files: every step of it, each resumable, none done twice.

    make weights DATA=data MINUTES=600              # from nothing
    make weights-continue DATA=data MINUTES=120     # from the weights in the package
    python benchmarks/rebuild_weights.py --data data -o runs/weights --minutes 600 --print

DATA holds person_boxes (YOLO form), instances/train (`instances` form), scenes/train (pictures without
people) and holes/silhouettes.npz (object outlines). MINUTES are shared out among the trainings. A run that
was stopped goes on with the same command; finished steps leave a file in OUT/done. The files that a package
would ship end in OUT/shipped, with their sums; --install puts them into the package.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoremove.models.checkpoints import sha256_of

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "autoremove" / "weights"
EMPTY = ROOT / "benchmarks" / "scenes_without_people.txt"
"""Of the scenes in which the first detector found somebody, those that were looked at and show nobody."""

FILES = ("detector", "rescorer", "masknet", "deepfillv2")

ON_A_GPU = {
    "detector-continue": "detector-gpu",
    "rescorer": "rescorer-gpu",
    "masknet-continue": "masknet-gpu",
    "inpainter-continue": "inpainter-gpu",
}
"""Settings that take the place of others with ``--device cuda``."""


@dataclass(frozen=True)
class Step:
    """One command of the chain, and whether it goes on where it was stopped if given ``--resume``."""

    name: str
    command: tuple[str, ...]
    resumes: bool = False


@dataclass(frozen=True)
class Plan:
    """Where everything is and how long it may take. ``begin``: from nothing, not from embedded weights."""

    data: Path
    output: Path
    minutes: float
    begin: bool
    device: str = "auto"
    threads: int = 0

    def steps(self) -> list[Step]:
        """The whole chain in order."""
        first = self.output / "detector-first"
        known = first / "last.safetensors" if self.begin else SHIPPED / "detector.safetensors"
        found = self.output / "backgrounds" / "coco.json"
        masks = self.data / "instances" / "train"
        boxes = ("--data", str(self.data / "person_boxes"), "--data", str(masks))
        cut = f"cutouts={masks}"
        begun = [self._train("detector", "detector-first", 0.3, *boxes, sets=(cut,))] if self.begin else []
        around = (f"backgrounds={self.data / 'scenes' / 'train'}", f"backgrounds_found={found}")
        beside = self.output / "beside.json"
        around += (f"backgrounds_empty={EMPTY}", f"beside={beside}")
        search = (sys.executable, "benchmarks/unlabelled.py", *boxes, "--weights", str(known))
        held_out = self.output / "held-out"
        return [
            *begun,
            Step("backgrounds", self._look_for_people(known, found.parent)),
            Step("unlabelled", (*search, "-o", str(beside))),
            self._train(
                "detector",
                "detector",
                0.2 if self.begin else 0.45,
                *boxes,
                config="detector-continue",
                sets=(f"start={known}", cut, *around),
            ),
            Step("held-out", (sys.executable, "benchmarks/held_out.py", *boxes, "-o", str(held_out))),
            Step("calibrate", self._calibrate(held_out)),
            self._rescorer(boxes, around),
            Step("calibrate-rescorer", self._calibrate_rescorer(held_out)),
            self._masknet(masks),
            self._inpainter(masks),
        ]

    def _train(
        self, task: str, run: str, share: float, *data: str, config: str = "", sets: Sequence[str]
    ) -> Step:
        settings = [part for text in sets for part in ("--set", text)]
        if self.device.startswith("cuda"):
            config = ON_A_GPU.get(config or task, config)
        named = ("--config", config) if config else ()
        budget = ("--time-budget", f"{share * self.minutes:.1f}")
        how = ("--device", self.device, "--threads", str(self.threads))
        folder = ("--output", str(self.output / run))
        return Step(
            run, (*_autoremove("train", task), *data, *named, *settings, *budget, *how, *folder), True
        )

    def _look_for_people(self, weights: Path, output: Path) -> tuple[str, ...]:
        """Scenes are to hold nobody: those in which a detector finds anybody, however unsure, stay out."""
        scenes = str(self.data / "scenes" / "train")
        how = ("--recipe", "masks-only", "--speed", "fast", "--confidence", "0.1")
        return (*_autoremove("mask"), scenes, "-o", str(output), *how, "--set", f"detect.weights={weights}")

    def _held_out(self, held_out: Path) -> list[str]:
        folders = (f"{self.data.name}-person_boxes", "instances-train")
        return [part for name in folders for part in ("--data", str(held_out / name))]

    def _calibrate(self, held_out: Path) -> tuple[str, ...]:
        data, place = self._held_out(held_out), str(self._shipped("detector"))
        weights = str(self.output / "detector" / "last.safetensors")
        return (sys.executable, "benchmarks/calibrate.py", *data, "--weights", weights, "-o", place)

    def _shipped(self, name: str) -> Path:
        return self.output / "shipped" / f"{name}.safetensors"

    def _rescorer(self, boxes: Sequence[str], around: Sequence[str]) -> Step:
        """It learns what this detector gets wrong, and its word is worth what it is beside that one's."""
        sets = [f"finder={self._shipped('detector')}", *around]
        if not self.begin:
            sets.append(f"start={SHIPPED / 'rescorer.safetensors'}")
        return self._train("rescorer", "rescorer", 0.1, *boxes, sets=sets)

    def _calibrate_rescorer(self, held_out: Path) -> tuple[str, ...]:
        data, place = self._held_out(held_out), str(self._shipped("rescorer"))
        ours = ("--weights", str(self._shipped("detector")))
        ours += ("--rescorer", str(self.output / "rescorer" / "last.safetensors"))
        return (sys.executable, "benchmarks/calibrate_rescorer.py", *data, *ours, "-o", place)

    def _masknet(self, masks: Path) -> Step:
        eyes = f"eyes={self.output / 'detector' / 'last.safetensors'}"
        start, config = (
            (eyes, "masknet")
            if self.begin
            else (f"start={SHIPPED / 'masknet.safetensors'}", "masknet-continue")
        )
        return self._train("masknet", "masknet", 0.15, "--data", str(masks), config=config, sets=(start,))

    def _inpainter(self, masks: Path) -> Step:
        sets = [f"silhouettes={self.data / 'holes' / 'silhouettes.npz'}", f"instances={masks}"]
        sets += [f"boxed={self.data / 'person_boxes'}"]
        sets += ["sketch_share=0.25"] if self.begin else ["start=embedded"]
        config = "inpainter" if self.begin else "inpainter-continue"
        scenes = str(self.data / "scenes" / "train")
        share = 0.25 if self.begin else 0.3
        return self._train("inpainter", "inpainter", share, "--data", scenes, config=config, sets=sets)


def _autoremove(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "autoremove", *words)


def run(plan: Plan) -> None:
    """Do what is not done yet; stops with the exit code of a step that fails."""
    done = plan.output / "done"
    done.mkdir(parents=True, exist_ok=True)
    for step in plan.steps():
        if (done / step.name).exists():
            print(f"{step.name}: done before", flush=True)
            continue
        command = [*step.command, *(("--resume",) if step.resumes else ())]
        print(f"{step.name}: {shlex.join(command)}", flush=True)
        code = subprocess.run(command, cwd=ROOT).returncode
        if code:
            sys.exit(code)
        (done / step.name).write_text(shlex.join(command) + "\n")
    ship(plan.output)


def ship(output: Path) -> None:
    """Gather the files as the package would hold them, with their sums; the calibrated ones are there."""
    place = output / "shipped"
    place.mkdir(parents=True, exist_ok=True)
    for run_name, name in (("masknet", "masknet"), ("inpainter", "deepfillv2")):
        shutil.copyfile(output / run_name / "last.safetensors", place / f"{name}.safetensors")
    sums = [f"{sha256_of(place / f'{name}.safetensors')}  {name}.safetensors" for name in FILES]
    (place / "SHA256SUMS").write_text("\n".join(sums) + "\n")
    print(f"Weights: {place}", flush=True)


def install(output: Path, package: Path = SHIPPED) -> None:
    """Put the shipped files into the package and renew their lines in its list of sums."""
    table = package / "SHA256SUMS"
    lines = dict(reversed(line.split()) for line in table.read_text().splitlines())  # type: ignore[misc]
    for name in FILES:
        shutil.copyfile(output / "shipped" / f"{name}.safetensors", package / f"{name}.safetensors")
        lines[f"{name}.safetensors"] = sha256_of(package / f"{name}.safetensors")
    table.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(lines.items())))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, print the chain or run it."""
    parser = argparse.ArgumentParser(description="Rebuild or continue the embedded weights.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", "-o", type=Path, default=Path("runs/weights"))
    parser.add_argument("--minutes", type=float, default=600, help="For all trainings together.")
    parser.add_argument("--continue", action="store_true", dest="go_on", help="From the embedded weights.")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--install", action="store_true", help="Put the results into the package.")
    parser.add_argument("--print", action="store_true", help="Only say what would be done.")
    options = parser.parse_args(arguments)
    data, output = options.data.resolve(), options.output.resolve()
    plan = Plan(data, output, options.minutes, not options.go_on, options.device, options.threads)
    if options.print:
        print("\n".join(f"{step.name}: {shlex.join(step.command)}" for step in plan.steps()))
        return
    run(plan)
    if options.install:
        install(output)


if __name__ == "__main__":
    main()
