"""The desktop app against its targets: ``python -m benchmarks.app [--soak SECONDS]``.

Offscreen, with a fake trainer that speaks the protocol (TensorFlow would measure something else).
Each part runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from ._window import ROOT, close, finished_run, lives, longest_gap, opened, settings, spin

Row = tuple[str, str, str, bool]


def main() -> int:
    """Measure and print; exit code 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.app", description=__doc__)
    parser.add_argument("--soak", type=float, default=10.0, help="seconds of messages [10]")
    parser.add_argument("--part", choices=sorted(PARTS), help="one part only")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    if options.inside:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[options.inside](pathlib.Path(folder), options.soak)
        return 0
    rows = [row for part in PARTS if options.part in (None, part) for row in _run(part, options)]
    print(f"{'measured':58} {'value':>16} {'target':>14}")
    for name, value, target, met in rows:
        print(f"{name:58} {value:>16} {target:>14} {'' if met else 'missed'}")
    return 0 if all(met for *_, met in rows) else 1


def _run(part: str, options: argparse.Namespace) -> list[Row]:
    command = [sys.executable, "-m", "benchmarks.app", "--inside", part]
    done = subprocess.run(
        [*command, "--soak", str(options.soak)], stdout=subprocess.PIPE, text=True, check=True
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines() if line.startswith("[")]


def _row(name: str, value: float, target: float, unit: str) -> None:
    text, wanted = f"{value:,.3g} {unit}", f"< {target:g} {unit}"
    print(json.dumps([name, text, wanted, value < target]), flush=True)


# -- window ---------------------------------------------------------------------------------------

PAINTED = """
import os, pathlib, sys
from gui import app as app_module
from gui.presenters.context import Programs
app = app_module.application()
settings = app_module.default_settings()
nothing = [sys.executable, "-c", "pass"]
session = app_module.Session(app, settings, pathlib.Path(sys.argv[1]), Programs(nothing, nothing))
window = session.window
def painted():
    print("painted", flush=True)
    os._exit(0)
window.painted.connect(painted)
window.show()
app.exec()
"""


def painted(folder: pathlib.Path, _: float) -> None:
    """From the start of the process to the first paint, median of five."""
    times = []
    for _attempt in range(5):
        begun = time.perf_counter()
        environ = os.environ | {"XDG_CONFIG_HOME": str(folder)}
        command = [sys.executable, "-c", PAINTED, str(folder)]
        subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=True)
        times.append(time.perf_counter() - begun)
    _row("window painted, from exec, median of 5", statistics.median(times), 0.8, "s")


# -- stalls ---------------------------------------------------------------------------------------


def flood(folder: pathlib.Path, _: float) -> None:
    """1,000 messages a second while the charts are on screen."""
    session = opened(folder, "--batches", "50", "--batch-seconds", "0.1", "--flood", "99")
    heard: list[object] = []
    session.context.trainer.event.connect(heard.append)
    session.window.show_screen("train")
    session.context.trainer.enqueue(settings(1000))
    spin(20, lambda: session.context.trainer.state == "running")
    spin(1.0)
    before = len(heard)
    gap = longest_gap(8)
    rate = (len(heard) - before) / 8
    _row(f"longest stall under {rate:,.0f} messages/s", gap, 100, "ms")
    close(session)


def overlay(folder: pathlib.Path, _: float) -> None:
    """20 runs of 200 epochs over each other, one of them live."""
    for number in range(20):
        finished_run(folder / "runs" / f"run{number}", 200)
    session = opened(folder, "--batches", "4", "--batch-seconds", "0.02")
    spin(10, lambda: len(session.context.store.records) >= 20)
    session.window.show_screen("train")
    path = session.context.trainer.enqueue(settings(1000))
    spin(20, lambda: session.context.trainer.state == "running")
    runs = [path, *sorted(session.context.store.records)[:19]]
    session.context.chart_runs.emit(runs)
    spin(1.5)
    _row("longest stall with 20 runs charted, one live", longest_gap(8), 100, "ms")
    close(session)


def compare(folder: pathlib.Path, _: float) -> None:
    """20 runs of 1,000 epochs: what a frame takes while the curves are dragged; then 500 runs."""
    from PySide6.QtCore import QCoreApplication

    from tests.gui._runs import make_run

    rng = random.Random(0)
    for name, count, epochs in (("few", 20, 1000), ("many", 500, 30)):
        for number in range(count):
            curve = tuple(0.2 + 0.3 * rng.random() for _ in range(epochs))
            epsilon = {"eps": f"{number + 1}/25500"}
            make_run(folder / "runs" / name / str(number), curve, attack=epsilon)
    session = opened(folder)
    spin(60, lambda: len(session.context.store.records) >= 520)
    session.window.show_screen("compare")
    screen = session.window.screens["compare"]
    found = screen.presenter.folders()
    screen.presenter.show_runs(found["few"])
    spin(0.5)
    frames, begun = 60, time.perf_counter()
    for number in range(frames):
        screen.curves.chart.setXRange(number, 500 + number, padding=0)
        QCoreApplication.processEvents()
    spent = 1000 * (time.perf_counter() - begun) / frames
    _row("Compare, 20 runs of 1,000 epochs: a frame while dragged", spent, 33, "ms")
    begun = time.perf_counter()
    screen.presenter.show_runs(found["many"])
    spin(0)
    _row("Compare, 500 runs: shown", time.perf_counter() - begun, 1, "s")
    close(session)


def labels(folder: pathlib.Path, _: float) -> None:
    """50,000 samples and 50 recorded epochs."""
    import numpy as np

    from gui.models.label_history import FOLDER, IMAGES
    from tests.gui._runs import make_run

    run, rng, count = folder / "runs" / "one", np.random.default_rng(0), 50_000
    make_run(run)
    (run / FOLDER).mkdir(parents=True)
    rows = rng.dirichlet(np.ones(10), count).astype("float16")
    given = rng.integers(0, 10, count)
    facts = {"index": np.arange(count), "given": given, "true": given}
    for epoch in range(1, 51):
        path = run / FOLDER / f"{epoch:06}.npz"
        np.savez_compressed(path, rows=np.roll(rows, epoch, 0), **facts)
    images = rng.integers(0, 255, (count, 32, 32, 3)).astype("uint8")
    np.savez(run / IMAGES, images=images, class_names=np.array(list("abcdefghij")))
    session = opened(folder)
    spin(20, lambda: session.context.store.records)
    begun = time.perf_counter()
    session.window.show_screen("labels")
    spin(0)
    shown = session.window.screens["labels"].table.texts.rowCount() == count
    seconds = time.perf_counter() - begun
    _row("Labels, 50,000 samples of 50 epochs: open", seconds if shown else 99, 2, "s")
    close(session)


# -- death ----------------------------------------------------------------------------------------


def worker_killed(folder: pathlib.Path, _: float) -> None:
    """kill -9 of the trainer until the window says so."""
    session = opened(folder, "--batch-seconds", "0.05")
    trainer = session.context.trainer
    session.window.show_screen("train")
    trainer.enqueue(settings(1000))
    spin(20, lambda: trainer.state == "running")
    card = session.window.screens["train"].crash
    begun = time.perf_counter()
    os.kill(trainer.worker.pid, signal.SIGKILL)
    shown = spin(10, card.isVisible)
    _row("kill -9 of the trainer: red card", time.perf_counter() - begun if shown else 99, 1, "s")
    close(session)


WATCHED = """
import sys, pathlib
from benchmarks._window import opened, settings, spin
folder = pathlib.Path(sys.argv[1])
session = opened(folder, "--batch-seconds", "0.05")
trainer = session.context.trainer
trainer.enqueue(settings(1000))
spin(20, lambda: trainer.state == "running")
lab = session.context.lab.worker
spin(5, lambda: lab.running)
print(trainer.worker.pid, lab.pid, flush=True)
spin(60)
"""


def window_killed(folder: pathlib.Path, _: float) -> None:
    """kill -9 of the window: both workers leave by themselves, the run is saved."""
    from slr_keras.run_folder import RunFolder

    command = [sys.executable, "-c", WATCHED, str(folder)]
    window = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert window.stdout is not None
    pids = [int(pid) for pid in window.stdout.readline().split()]
    begun = time.perf_counter()
    window.kill()
    window.wait()
    while any(map(lives, pids)) and time.perf_counter() - begun < 30:
        time.sleep(0.01)
    seconds = time.perf_counter() - begun
    (config,) = (folder / "runs").glob("*/config.toml")
    saved = RunFolder.open(config.parent).status() == "stopped"
    _row("kill -9 of the window: no worker left, run saved", seconds if saved else 99, 5, "s")


# -- soak -----------------------------------------------------------------------------------------


def soak(folder: pathlib.Path, seconds: float) -> None:
    """Memory of the window under messages that do not end."""
    session = opened(folder, "--batches", "200", "--batch-seconds", "0.01", "--flood", "2")
    session.window.show_screen("train")
    session.context.trainer.enqueue(settings(1_000_000))
    spin(20, lambda: session.context.trainer.state == "running")
    spin(min(20.0, max(3.0, seconds / 5)))  # caches fill
    sizes = [_megabytes()]
    for _half in range(2):
        spin(seconds / 2)
        sizes.append(_megabytes())
    alive = session.context.trainer.state == "running"
    epochs = session.context.trainer.progress.finished
    print(f"{epochs} epochs; MB at each look: {sizes}", file=sys.stderr)
    for what in sizes[0]:
        before, middle, after = (size[what] if alive else math.nan for size in sizes)
        name = f"soak, {seconds:,.0f} s from {before:.0f} MB, {what}"
        _row(f"{name}: growth in the first half", middle - before, 10, "MB")
        _row(f"{name}: in the second half", after - middle, max(1, 3600 / seconds), "MB")
    close(session)


def _megabytes() -> dict[str, float]:
    """The memory of this process: all of it, and without the pages of files, which the system
    drops and reads again as it likes."""
    status = pathlib.Path("/proc/self/status").read_text()
    size = dict(line.split(":", 1) for line in status.splitlines())
    names = {"all": "VmRSS", "but files": "RssAnon"}
    return {what: int(size[name].split()[0]) / 1024 for what, name in names.items()}


PARTS: dict[str, Callable[[pathlib.Path, float], None]] = {
    "painted": painted,
    "flood": flood,
    "overlay": overlay,
    "worker_killed": worker_killed,
    "window_killed": window_killed,
    "compare": compare,
    "labels": labels,
    "soak": soak,
}

if __name__ == "__main__":
    sys.exit(main())
