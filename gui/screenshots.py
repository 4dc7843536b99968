"""Pictures of every screen with real runs: ``python -m gui.screenshots --runs DIR --out docs/app``.

Offscreen, light and dark, at 1x and 2x, ``--size 1024x700`` as on a small screen. The attack lab
really attacks: the best model of the longest run is loaded, and the first image of the test set
that the attack turns is shown.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .app import Session
    from .models.lab_parts import Slot
    from .models.run_record import RunRecord
    from .presenters.lab import LabPresenter

SIZE = "1400x880"
IMAGES = 20  # that are tried for one which the attack turns
PATIENCE = 180.0  # seconds that the lab may take to load a model and attack


def main(argv: Sequence[str] | None = None) -> int:
    """Draw; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m gui.screenshots", description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("docs/app"))
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs"))
    parser.add_argument("--scale", type=int, choices=(1, 2), help="one of the two only")
    parser.add_argument("--size", type=_size, default=SIZE, help=f"of the window [{SIZE}]")
    options = parser.parse_args(argv)
    if options.scale is None:
        return max(_process(options, scale) for scale in (1, 2))
    os.environ |= {"QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": str(options.scale)}
    options.out.mkdir(parents=True, exist_ok=True)
    return draw(options.runs, options.out, options.scale, options.size)


def _size(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


def _process(options: argparse.Namespace, scale: int) -> int:
    """A scale holds for a whole process."""
    command = [sys.executable, "-m", "gui.screenshots", "--out", str(options.out)]
    size = "{}x{}".format(*options.size)
    flags = ["--runs", str(options.runs), "--scale", str(scale), "--size", size]
    return subprocess.call([*command, *flags])


def draw(runs: pathlib.Path, out: pathlib.Path, scale: int, size: tuple[int, int]) -> int:
    """All screens of a window of this size on ``runs``."""
    from PySide6.QtCore import QSettings

    from . import app as app_module
    from . import theme

    app = app_module.application()
    with tempfile.TemporaryDirectory(prefix="slr_keras-", dir=pathlib.Path.home()) as folder:
        settings = QSettings(f"{folder}/settings.ini", QSettings.Format.IniFormat)
        session = app_module.Session(app, settings, runs)
        window = session.window
        window.resize(*size)
        window.show()
        window.complete()
        ready = _prepare(session)
        for choice in ("light", "dark"):
            theme.choose(choice, settings)
            for name in window.screens:
                window.show_screen(name)
                _wait(lambda: False, 0.6)
                suffix = "" if scale == 1 else f"@{scale}x"
                window.messages.dismiss()
                window.grab().save(str(out / f"{name}-{choice}{suffix}.png"))
        window.leave()
        session.end()
    return 0 if ready else 1


def _prepare(session: Session) -> bool:
    """Runs in the table and the charts, an attack on the bench."""
    context = session.context
    _wait(lambda: context.store.records, 20)
    _wait(lambda: False, 1.0)
    chosen = _interesting(list(context.store.records.values()))
    if not chosen:
        print(f"no finished run in {context.runs_dir}", file=sys.stderr)
        return False
    runs = session.window.screens["runs"]
    runs.table.select([runs.tree.rows[0].key])
    context.compare_runs.emit([record.key for record in _evaluated(context.store.records.values())])
    session.window.screens["compare"].tabs.setCurrentIndex(1)
    context.evaluate_model.emit(str(chosen[0].path), "best")
    context.chart_runs.emit([str(record.path) for record in chosen])
    context.attack_model.emit(str(chosen[0].path), "best")
    return _attack(context.lab)


def _attack(lab: LabPresenter) -> bool:
    slot = lab.bench.slots["a"]
    for index in range(IMAGES):
        if not _wait(lambda: slot.result is not None and not lab.busy, PATIENCE):
            print(f"no attack: {lab.state_text} {slot.problem}", file=sys.stderr)
            return False
        shown = slot.result
        if shown is None or shown.done.verdict == "fooled":
            break
        lab.pick("index", index + 1)
        _wait(partial(_another_than, slot, shown), 20)
    lab.sweep()
    return _wait(lambda: slot.sweep is not None and slot.sweep.complete, PATIENCE)


def _another_than(slot: Slot, shown: object) -> bool:
    return slot.result is not shown


def _evaluated(records: Iterable[RunRecord]) -> list[RunRecord]:
    """The runs that were evaluated, AT first, which the others are compared with."""
    found = [record for record in records if (record.path / "evaluation.json").exists()]
    return sorted(found, key=lambda record: record.name)


def _interesting(records: list[RunRecord]) -> list[RunRecord]:
    """One finished run of each method and label scheme on the data of the longest, the longest."""
    longest: dict[tuple[str, str], RunRecord] = {}
    data = ""
    for record in sorted(records, key=lambda r: (-len(r.epochs), str(r.path))):
        config = record.config
        if config is not None and record.epochs and (record.path / "best.keras").exists():
            data = data or config.data.name
            if config.data.name == data:
                longest.setdefault((config.method.name, config.labels.name), record)
    return [longest[name] for name in sorted(longest, reverse=True)]


def _wait(done: Callable[[], object], seconds: float) -> bool:
    from PySide6.QtCore import QCoreApplication

    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        QCoreApplication.processEvents()
        time.sleep(0.01)
    return bool(done())


if __name__ == "__main__":
    sys.exit(main())
