"""How fast the lab answers a slider, measured from outside as the window sees it.

    python -m benchmarks.lab --model small_cnn
    python -m benchmarks.lab --model resnet18

The worker runs as a process and speaks JSON lines. One image, PGD-20, a new radius each time:
from sending the command to having the first picture, and the result with all its frames.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import _subjects, _timing
from slr_keras.protocol import commands, lab_events, wire

TARGETS = {  # seconds: first picture, result
    "small_cnn": (0.1, 0.1),
    "resnet18": (0.3, 1.5),
}
ATTACK = {"name": "pgd", "norm": "linf", "step_size": "2/255", "steps": 20}
KINDS = wire.kinds(lab_events.Event)


class Window:
    """The lab as a process, and the window's end of its pipes."""

    def __init__(self) -> None:
        """Start it."""
        self.child = subprocess.Popen(
            [sys.executable, "-m", "slr_keras.lab"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.getcwd()},
        )
        self.number = 0

    def send(self, command: commands.Command) -> int:
        """Send a command; returns its number."""
        assert self.child.stdin is not None
        self.number += 1
        values = {**vars(command), "id": self.number}
        self.child.stdin.write((wire.encode(type(command)(**values)) + "\n").encode())
        self.child.stdin.flush()
        return self.number

    def receive(self) -> Any:
        """The next event."""
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit("the lab left")
        event = wire.decode(line, "event", KINDS)
        if isinstance(event, lab_events.Refused):
            raise SystemExit(f"the lab refused: {event.message}")
        return event

    def until(self, kind: type[Any], **fields: Any) -> Any:
        """The next event of a kind with these values."""
        while True:
            event = self.receive()
            if isinstance(event, kind) and all(getattr(event, k) == v for k, v in fields.items()):
                return event

    def attack(self, eps: float) -> tuple[float, float]:
        """Seconds until the first picture, and until the result, both unpacked."""
        begun, first = time.perf_counter(), None
        number = self.send(commands.RunAttack(attack=ATTACK | {"eps": eps}))
        while True:
            event = self.receive()
            if getattr(event, "id", None) != number:
                continue
            if isinstance(event, lab_events.AttackProgress):
                lab_events.unpack(event.image or {})
                first = first or time.perf_counter() - begun
            elif isinstance(event, lab_events.AttackDone):
                lab_events.unpack(event.adversarial)
                lab_events.unpack(event.frames or {})
                whole = time.perf_counter() - begun
                return first or whole, whole

    def drag(self, radii: list[float], pause: float) -> float:
        """A slider that moves on without waiting: seconds from its last value to the result."""
        number = 0
        for eps in radii:
            time.sleep(pause)
            number = self.send(commands.RunAttack(attack=ATTACK | {"eps": eps}))
        begun = time.perf_counter()
        self.until(lab_events.AttackDone, id=number)
        return time.perf_counter() - begun

    def processor_seconds(self) -> float:
        """What the lab has computed so far, on all cores together."""
        spent = psutil.Process(self.child.pid).cpu_times()
        return float(spent.user + spent.system)

    def close(self) -> None:
        """End of stdin: the lab leaves."""
        assert self.child.stdin is not None
        self.child.stdin.close()
        try:
            self.child.wait(20)
        finally:
            self.child.kill()


def prepare(model: str, folder: Path) -> tuple[Path, Path]:
    """A model file with the library's default width, and an image file of its size."""
    from PIL import Image

    file, picture = folder / f"{model}.keras", folder / "image.png"
    _subjects.network(model).save(file)
    shape = _subjects.SHAPES[model]
    pixels = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    Image.fromarray(pixels[..., 0] if shape[-1] == 1 else pixels).save(picture)
    return file, picture


def measure(model: str, rounds: int) -> dict[str, Any]:
    """All figures of one model, in seconds."""
    with tempfile.TemporaryDirectory() as name:
        file, picture = prepare(model, Path(name))
        begun = time.perf_counter()
        with contextlib.closing(Window()) as window:
            window.until(lab_events.LabState, state="ready")
            ready = time.perf_counter()
            window.send(commands.Load(source=str(file)))
            window.until(lab_events.LabState, state="ready")
            loaded = time.perf_counter()
            window.send(commands.PickImage(origin="file", path=str(picture)))
            window.until(lab_events.ImagePicked)
            radii = [float(eps) for eps in np.linspace(1, 32, rounds) / 255]
            coldest = window.attack(radii[0])[1]
            spent = window.processor_seconds()
            times = [window.attack(eps) for eps in radii]
            spent = window.processor_seconds() - spent
            last = window.drag(radii, 1 / 60)
    return {
        "start": ready - begun,
        "load": loaded - ready,
        "attack before any other": coldest,
        "first picture": statistics.median(first for first, _ in times),
        "result": statistics.median(whole for _, whole in times),
        "slowest result": max(whole for _, whole in times),
        "result after a drag": last,
        "processor time": spent / rounds,
    }


def main(arguments: list[str] | None = None) -> int:
    """Print the figures against the targets; 0 if they are met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", choices=sorted(TARGETS), default="small_cnn")
    parser.add_argument("--rounds", type=int, default=50, help="slider values (default 50)")
    parser.add_argument("--json", metavar="FILE", help="write the figures here too")
    options = parser.parse_args(arguments)
    _timing.warn_if_busy()
    figures = measure(options.model, options.rounds)
    first, result = TARGETS[options.model]
    targets = {"first picture": first, "result": result}
    print(f"{options.model}, PGD-20 on one image, {options.rounds} slider values, medians in ms")
    for name, seconds in figures.items():
        target = targets.get(name)
        verdict = f"  <= {1e3 * target:g}  {'yes' if seconds <= target else 'NO'}" if target else ""
        print(f"{name:24}{1e3 * seconds:9.1f}{verdict}")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if all(figures[name] <= target for name, target in targets.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
