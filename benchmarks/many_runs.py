"""The window on a folder of very many runs: ``python -m benchmarks.many_runs [--runs N]``.

Runs of five seeds in studies, a big one and small ones, and some in no study. Offscreen, with fake
workers. A stall is the longest time in which no event was handled, other programs' time left out.
Making the folder takes longer than looking at it: ``--folder DIR`` keeps it for the next time.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from ._stalls import Moment, Stall
from ._window import ROOT, close, opened, spin
from .app import PAINTED

STALL = 250  # milliseconds
EPOCHS = 20
SEEDS = 5
METHODS = ("at", "trades", "mart", "slr")
SMALL = 200  # runs of a small study
SELECTED = 500
ROWS = """
import os, pathlib, sys, time
from PySide6.QtCore import QTimer
from gui import app as app_module
from gui.presenters.context import Programs
app, nothing = app_module.application(), [sys.executable, "-c", "pass"]
settings = app_module.default_settings()
session = app_module.Session(app, settings, pathlib.Path(sys.argv[1]), Programs(nothing, nothing))
begun, painted = time.perf_counter(), []
def shown():
    painted.append(True)
    look()
def look():
    if painted and session.window.screens["runs"].tree.shown >= int(sys.argv[2]):
        print(time.perf_counter() - begun, flush=True)
        os._exit(0)
timer = QTimer(interval=1)
timer.timeout.connect(look)
session.window.painted.connect(shown)
timer.start()
session.window.show()
app.exec()
"""


def main() -> int:
    """Measure and print; exit code 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_runs", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="[10000]")
    parser.add_argument("--folder", type=pathlib.Path, help="where the runs lie or are made")
    options = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or pathlib.Path(temporary)).absolute()
        if not (folder / "runs").exists():
            make_runs(folder / "runs", options.runs)
        (folder / "settings.ini").unlink(missing_ok=True)
        print(f"{options.runs:,} runs {'':32} {'measured':>12} {'target':>12}")
        met = [painted(folder), rows(folder, 1, 0.5), rows(folder, min(options.runs, 500), 1)]
        met += Watched(folder, options.runs).look()
    return 0 if all(met) else 1


def _row(name: str, value: float, target: float, unit: str) -> bool:
    missed = "" if value < target else "missed"
    print(f"{name:46} {value:>9,.3g} {unit:2} {f'< {target:g} {unit}':>12} {missed}", flush=True)
    return value < target


# -- the folder -----------------------------------------------------------------------------------


def make_runs(root: pathlib.Path, count: int) -> None:
    """Finished runs: half of them in one study, a tenth in none, the others in small studies."""
    from tests.gui._runs import make_run

    rng, patterns = random.Random(0), []
    for number in range(SEEDS * len(METHODS)):
        peak, fall = rng.randint(5, EPOCHS), rng.uniform(0, 0.3)
        rise = [0.1 + 0.35 * (1 - 0.8**epoch) for epoch in range(1, peak + 1)]
        falling = [rise[-1] - fall * epoch / EPOCHS for epoch in range(EPOCHS - peak)]
        path, method = root.with_name("patterns") / str(number), METHODS[number // SEEDS]
        run = make_run(path, (*rise, *falling), method={"name": method})
        patterns.append(run.path)
    for number, place in enumerate(_places(count)):
        _copy(patterns[number % len(patterns)], root / place, number)


def _places(count: int) -> Iterator[str]:
    for number in range(count):
        if number < count // 2:
            yield f"big/arm{number // SEEDS:04}-seed{number % SEEDS}"
        elif number < count - count // 10:
            yield f"study{number // SMALL:03}/arm{number // SEEDS:04}-seed{number % SEEDS}"
        else:
            yield f"run{number:05}"


def _copy(run: pathlib.Path, to: pathlib.Path, number: int) -> None:
    """The same run with another seed and another radius."""
    to.mkdir(parents=True)
    for name in ("events.jsonl", "summary.json"):
        shutil.copyfile(run / name, to / name)
    for name in ("best.keras", "final.keras"):
        (to / name).touch()
    text = (run / "config.toml").read_text()
    text = re.sub(r"^eps = .*$", f'eps = "{1 + number // SEEDS}/25500"', text, count=1, flags=re.M)
    text = re.sub(r"^seed = .*$", f"seed = {number % SEEDS}", text, count=1, flags=re.M)
    (to / "config.toml").write_text(text)


# -- the window -----------------------------------------------------------------------------------


def painted(folder: pathlib.Path) -> bool:
    """From the start of the process to the first paint."""
    times = []
    for _attempt in range(3):
        begun = time.perf_counter()
        _started(folder, PAINTED)
        times.append(time.perf_counter() - begun)
    return _row("window painted, from exec, median of 3", statistics.median(times), 0.8, "s")


def rows(folder: pathlib.Path, count: int, target: float) -> bool:
    """From the window on to so many runs in its table."""
    times = [float(_started(folder, ROWS, str(count))) for _attempt in range(3)]
    return _row(f"{count} runs in the table, median of 3", statistics.median(times), target, "s")


def _started(folder: pathlib.Path, script: str, *arguments: str) -> str:
    """What a window with its own process says."""
    environ = os.environ | {"XDG_CONFIG_HOME": str(folder)}
    command = [sys.executable, "-c", script, str(folder / "runs"), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


class Watched:
    """A window whose stalls are taken down while it is used."""

    def __init__(self, folder: pathlib.Path, count: int):
        """Open it."""
        from PySide6.QtCore import QTimer

        self.begun = time.monotonic()
        self.runs_dir, self.count = folder / "runs", count
        self.session: Any = opened(folder)
        self.window = self.session.window
        self.runs = self.window.screens["runs"]
        self.last, self.longest, self.stopped = Moment.now(), 0.0, 0.0
        signal.signal(signal.SIGCONT, self._go_on)
        self.timer = QTimer(interval=10)
        self.timer.timeout.connect(self._tick)
        self.timer.start()

    def _tick(self) -> None:
        now = Moment.now()
        self.longest = max(self.longest, Stall.between(self.last, now).own)
        self.last = now

    def _go_on(self, *_: object) -> None:
        """The process was stopped from outside, which is no stall."""
        now = Moment.now()
        self.stopped += now.clock - self.last.clock
        self.last = now

    @property
    def clock(self) -> float:
        """Seconds, those left out in which the process was stopped."""
        return time.monotonic() - self.stopped

    def stall(self, name: str, *steps: Callable[[], object], seconds: float = 1.0) -> bool:
        """Do these one after the other; the longest stall of all."""
        self.last, self.longest = Moment.now(), 0.0
        for step in steps:
            step()
            spin(seconds)
        self._tick()
        return _row(f"{name}: longest stall", 1000 * self.longest, STALL, "ms")

    def look(self) -> list[bool]:
        """All there is to measure."""
        met = [*self.reading(), *self.table(), *self.screens(), *self.disk()]
        close(self.session)
        return met

    def reading(self) -> Iterator[bool]:
        """The table is used while the runs are read."""
        runs, store = self.runs, self.session.context.store
        spin(60, lambda: len(store.records) >= min(self.count, 500))
        search = runs.filters.search
        yield self.stall("searching, sorting while runs are read", *self._sorting("best"),
                         lambda: search.setText("slr"), lambda: search.setText(""))  # fmt: skip
        wait = lambda: spin(600, lambda: not runs.presenter.loading)  # noqa: E731
        yield self.stall("runs are read", wait)
        yield _row("all runs in the table", self.clock - self.begun, 60, "s")

    def _sorting(self, *names: str) -> list[Callable[[], object]]:
        from PySide6.QtCore import Qt

        orders = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder
        sort = self.runs.table.sort_by
        return [lambda n=n, o=o: sort(n, o) for n in names for o in orders]  # type: ignore[misc]

    def table(self) -> Iterator[bool]:
        """What is done with the table."""
        table, filters = self.runs.table, self.runs.filters
        texts = ("s", "slr", "slr drop>5", "attack.eps=8/25500", "nowhere", "")
        yield self.stall("search", *(lambda t=t: filters.search.setText(t) for t in texts))  # type: ignore[misc]
        yield self.stall("sort", *self._sorting("name", "status", "epsilon", "drop", "started"))
        states = filters.states.setCurrentIndex
        yield self.stall("state", lambda: states(1), lambda: states(3), lambda: states(0))
        folders = filters.folders.setCurrentIndex
        yield self.stall("folder", lambda: folders(1), lambda: folders(0))
        differing = filters.differing.setChecked
        yield self.stall("differing settings", lambda: differing(True), lambda: differing(False))
        yield self.stall("fold, unfold all groups", table.unfold, table.fold, table.unfold)
        bar = table.verticalScrollBar()
        yield self.stall("scroll to the end", lambda: bar.setValue(bar.maximum()))
        yield self.stall("select all, copy paths", table.selectAll, self._action("copy_path"))
        yield self.stall(f"select {SELECTED}", lambda: table.select(self._some()))

    def _some(self) -> list[str]:
        return sorted(self.session.context.store.records)[:SELECTED]

    def _action(self, name: str) -> Callable[[], object]:
        table = self.runs.actions_table()
        return next(action.run for action in table if action.name == f"runs.{name}")

    def screens(self) -> Iterator[bool]:
        """The others, each for the first time with all the runs."""
        show = self.window.show_screen
        compare = self.window.screens["compare"]
        front = compare.tabs.setCurrentIndex
        yield self.stall(f"Compare {SELECTED}", self._action("compare"), seconds=5)
        tabs = [lambda n=n: front(n) for n in range(compare.tabs.count())]  # type: ignore[misc]
        yield self.stall("its tabs", *tabs)
        for name in ("evaluate", "labels", "export", "lab", "train", "runs"):
            yield self.stall(f"to {name.capitalize()}", lambda n=name: show(n), seconds=2)  # type: ignore[misc]

    def disk(self) -> Iterator[bool]:
        """The folder is looked at for changes."""
        show, store = self.window.show_screen, self.session.context.store
        yield self.stall("idle, looking for new runs", lambda: None, seconds=10)
        self.timer.stop()  # it takes more than what is measured
        begun, spent = self.clock, time.process_time()
        spin(20)
        share = (time.process_time() - spent) / (self.clock - begun)
        self.timer.start()
        yield _row("  processor, idle", 100 * share, 5, "%")
        yield from self._notes()
        for place in ("big/new-seed0", "new"):
            path = self.runs_dir / place
            pattern = next(iter(self.runs_dir.with_name("patterns").iterdir()))
            begun = self.clock
            _copy(pattern, path, 0)
            spin(60, lambda: store.get(path))  # noqa: B023
            yield _row(f"a new run, {place}, is seen", self.clock - begun, 10, "s")
            gone = self.runs_dir.with_name("gone")
            yield self.stall("it goes", lambda: path.rename(gone), seconds=5)  # noqa: B023
            shutil.rmtree(gone)
        for name in ("evaluate", "runs"):
            yield self.stall(f"to {name.capitalize()} again", lambda n=name: show(n))  # type: ignore[misc]

    def _notes(self) -> Iterator[bool]:
        """Another window writes notes of finished runs."""
        records = self.session.context.store.records
        key, selected = sorted(records)[self.count // 3], sorted(records)[0]
        self.runs.table.select([selected])
        for what, path, target in (("a run", key, 60), ("a selected run", selected, 2)):
            begun, file = self.clock, pathlib.Path(path, "app.json")
            file.write_text('{"notes": "of another window"}')
            spin(90, lambda: records[path].notes)  # noqa: B023
            yield _row(f"notes of {what} are seen", self.clock - begun, target, "s")
            file.unlink()


if __name__ == "__main__":
    sys.exit(main())
