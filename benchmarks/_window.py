"""A real window with fake workers, offscreen: what the benchmarks of the app share."""

from __future__ import annotations

import itertools
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from ._stalls import Moment, Stall

ROOT = pathlib.Path(__file__).resolve().parent.parent


FAKE = [sys.executable, str(ROOT / "tests/gui/fake_trainer.py")]


NOTHING = [sys.executable, "-c", "import sys; sys.stdin.read()"]


def opened(folder: pathlib.Path, *flags: str) -> Any:
    """A session on ``runs`` in a folder, its trainer a fake one with these flags."""
    from PySide6.QtCore import QSettings

    from gui import app as app_module
    from gui.presenters.context import Programs

    app = app_module.application()
    settings = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)
    session = app_module.Session(app, settings, folder / "runs", Programs([*FAKE, *flags], NOTHING))
    session.window.resize(1360, 860)
    session.window.show()
    session.window.complete()
    spin(1.0)
    return session


def spin(seconds: float, until: Callable[[], object] = lambda: False) -> bool:
    """Let the window work for so long, or until something is so; whether it is."""
    from PySide6.QtCore import QEventLoop, QTimer

    loop, timer, end = QEventLoop(), QTimer(interval=5), time.monotonic() + seconds
    timer.timeout.connect(lambda: loop.quit() if until() or time.monotonic() > end else None)
    timer.start()
    loop.exec()
    return bool(until())


def longest_gap(seconds: float) -> float:
    """The longest time that a 10 ms timer was kept waiting, in milliseconds.

    What the window worked or waited for itself: not while other programs had the processor.
    """
    from PySide6.QtCore import QTimer

    ticks: list[Moment] = []
    timer = QTimer(interval=10)
    timer.timeout.connect(lambda: ticks.append(Moment.now()))
    timer.start()
    spin(seconds)
    timer.stop()
    return 1000 * max(Stall.between(*pair).own for pair in itertools.pairwise(ticks))


def settings(epochs: int) -> Any:
    """A run of so many epochs."""
    from slr_keras import config

    return config.load(values={"train": {"epochs": epochs}})


def finished_run(path: pathlib.Path, epochs: int) -> None:
    """A run folder as a trainer leaves it."""
    command = [*FAKE, "--batch-seconds", "0", "--batches", "1", "--run-dir", str(path)]
    config = path.with_suffix(".toml")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f"[train]\nepochs = {epochs}\n")
    with (
        open(os.devnull, "w") as nowhere,
        subprocess.Popen([*command, str(config)], stdin=subprocess.PIPE, stdout=nowhere) as process,
    ):
        process.wait()
    config.unlink()


def close(session: Any) -> None:
    """Everything this part started ends with it."""
    for worker in (session.context.trainer.worker, session.context.lab.worker):
        worker.kill()
        worker.close(3000)
    session.window.leave()
    session.end()


def lives(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
