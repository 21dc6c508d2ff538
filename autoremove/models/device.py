"""Which device a run computes on, and why."""

from __future__ import annotations

from dataclasses import dataclass

from autoremove.errors import DeviceError


@dataclass(frozen=True)
class Device:
    """``torch_device`` as torch spells it (``cpu``, ``cuda:0``, ``mps``); ``why`` it was taken."""

    torch_device: str
    why: str


def choose(request: str = "auto") -> Device:
    """The device for ``request``: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    ``auto`` takes CUDA before MPS before the CPU. Raises DeviceError when a device that was asked for by name
    is not there; the CPU is never taken in its place.
    """
    kind, _, number = request.partition(":")
    if kind == "auto" and not number:
        return _best()
    if kind == "cpu" and not number:
        return Device("cpu", f"asked for, {_threads()}")
    if kind == "cuda" and (not number or number.isdecimal()):
        return _cuda(int(number or 0))
    if kind == "mps" and not number:
        return _mps()
    raise DeviceError(f"There is no device {request!r}.", hint="Take auto, cpu, cuda, cuda:N or mps.")


def describe(device: Device) -> str:
    """One line for the start of a run: the device, its name where it has one, and why it was taken."""
    import torch

    if not device.torch_device.startswith("cuda"):
        return f"Device: {device.torch_device} ({device.why})"
    properties = torch.cuda.get_device_properties(device.torch_device)
    memory = properties.total_memory / 2**30
    return f"Device: {device.torch_device}, {properties.name}, {memory:.0f} GiB ({device.why})"


def _best() -> Device:
    import torch

    if torch.cuda.is_available():
        return Device(
            "cuda:0", f"the first of {torch.cuda.device_count()} CUDA devices torch {_torch()} sees"
        )
    if torch.backends.mps.is_available():
        return Device("mps", f"torch {_torch()} sees no CUDA device, but Apple's GPU")
    return Device("cpu", f"no CUDA device seen by torch {_torch()}, using {_threads()}")


def _cuda(number: int) -> Device:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if number < count:
        return Device(f"cuda:{number}", "asked for")
    if count:
        hint = f"Take cuda:0 to cuda:{count - 1}."
    elif torch.version.cuda is None:
        hint = "This torch is built without CUDA; install one with it, or take --device cpu."
    else:
        hint = f"Check the driver (torch wants CUDA {torch.version.cuda}), or take --device cpu."
    raise DeviceError(f"There is no cuda:{number}: torch {_torch()} sees {count} CUDA devices.", hint=hint)


def _mps() -> Device:
    import torch

    if torch.backends.mps.is_available():
        return Device("mps", "asked for")
    raise DeviceError(f"There is no mps: torch {_torch()} sees no Apple GPU.", hint="Take --device cpu.")


def _threads() -> str:
    import torch

    count = torch.get_num_threads()
    return f"{count} CPU thread{'s' if count != 1 else ''}"


def _torch() -> str:
    import torch

    return str(torch.__version__)
