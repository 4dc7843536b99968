"""A monkey on the window: ``python -m benchmarks.monkey [--minutes M] [--seed S]``.

Clicks, keys, wheels, resizes, themes, deleted and new runs, killed workers, in a random order that
the seed fixes, on the real window with fake workers, offscreen. Exit code 1 if an exception was
raised, the window stood still for longer than 250 ms, or a process was left behind.

It stands still from one chance to handle events to the next. What counts is what the window worked
in between, or waited for of its own accord (a disk, a lock, another process); time in which it, or
a thread of its own that it waited for, was ready and other programs had the processor is the
machine's (Linux says how long that was; where the system does not, all counts). Each stall is
listed with the time on the clock and the processor time of all of its threads. Making, deleting and
spoiling runs is the monkey's work, and not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from typing import Any

import psutil

from ._stalls import Moment, Stall

FREEZE = 0.25  # seconds
OWN_WORK = ("new_run", "deleted_run", "spoilt_file")  # of the monkey, on the disk
KEYS = ("Tab", "Backtab", "Return", "Escape", "Up", "Down", "Left", "Right", "Space", "Delete")
START = "start"
TYPED = "at slr 8/255 0.1 -3 999999999 <b> "


def main() -> int:
    """Let it loose; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.monkey", description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.5, help="[0.5]")
    parser.add_argument("--seed", type=int, default=0, help="fixes what it does [0]")
    parser.add_argument("--verbose", action="store_true", help="say each thing that it does")
    options = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # it types names of files too
        monkey = Monkey(pathlib.Path(folder), options.seed, options.verbose)
        monkey.play(60 * options.minutes)
        return monkey.end()


class Monkey:
    """Plays with a window.

    Attributes:
        done: how often it did what.
        frozen: the stalls that were too long.
        raised: tracebacks of exceptions.
    """

    def __init__(self, folder: pathlib.Path, seed: int, verbose: bool):  # noqa: D107
        from PySide6.QtCore import QSettings, QTimer

        from gui.app import Session, application
        from gui.presenters.context import Programs
        from tests.gui.fake_programs import FAKE_LAB, FAKE_TASK, FAKE_TRAINER

        self.rng, self.verbose = random.Random(seed), verbose
        self.runs, self.made = folder / "runs", 0
        for _ in range(6):
            self._new_run()
        self._disarm(folder)
        tasks = dict.fromkeys(("evaluate", "export", "report"), FAKE_TASK)
        settings = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)
        programs = Programs([*FAKE_TRAINER, "--batch-seconds", "0.02"], FAKE_LAB, tasks)
        self.session = Session(application(), settings, self.runs, programs)
        context = self.session.context
        self.workers = context.trainer.worker, context.lab.worker
        self.done: dict[str, int] = {}
        self.frozen: list[Stall] = []
        self.raised: list[str] = []
        self.doing = ""
        sys.excepthook = self._caught
        self.window = self.session.window
        self.window.show()
        self.window.complete()
        self._begin()
        signal.signal(signal.SIGCONT, self._begin)  # it was stopped from outside
        self._timers = QTimer(interval=10), QTimer(interval=50)  # menus have a loop of their own
        for timer, slot in zip(self._timers, (self._look, self._close_popups), strict=True):
            timer.timeout.connect(slot)
            timer.start()

    def _caught(self, *error: Any) -> None:
        """Told at once: a crash may follow."""
        text = "".join(traceback.format_exception(*error))
        if text not in self.raised:
            print(f"after {self.doing}:\n{text}", flush=True)
        self.raised.append(text)

    def _disarm(self, folder: pathlib.Path) -> None:
        """What would wait for a person, or start another program, answers by itself."""
        from PySide6.QtGui import QDesktopServices
        from PySide6.QtWidgets import QFileDialog, QMessageBox

        from gui.views import window

        for name in ("getSaveFileName", "getOpenFileName"):
            setattr(QFileDialog, name, lambda *_, **__: (self.rng.choice(["", "out"]), ""))
        QFileDialog.getExistingDirectory = lambda *_, **__: self.rng.choice(["", str(folder)])
        for name in ("warning", "information", "critical", "question", "about"):
            setattr(QMessageBox, name, lambda *_, **__: None)
        QDesktopServices.openUrl = lambda *_: True
        window.start_apart = lambda *_: True  # a second window, with a lab that is no fake
        os.environ["XDG_DATA_HOME"] = str(folder / "home")

    # -- its world ----------------------------------------------------------------------------

    def _new_run(self) -> None:
        from tests.gui._runs import make_run
        from tests.gui.test_compare import evaluate
        from tests.gui.test_evaluate import keep
        from tests.gui.test_labels import record

        self.made += 1
        folder = self.runs / self.rng.choice(["", "study"]) / f"run{self.made}"
        curve = tuple(0.2 + 0.3 * self.rng.random() for _ in range(self.rng.randint(1, 30)))
        method = self.rng.choice(["at", "trades", "mart"])
        make_run(folder, curve, method={"name": method}, seed=self.made % 3)
        (folder / "final.keras").touch()
        evaluate(folder, "best", 0.7, 0.4)
        keep(folder / "adversarial.npz")
        record(folder)

    def _deleted_run(self) -> None:
        found = list(self.runs.rglob("config.toml"))
        if len(found) > 3:
            shutil.rmtree(self.rng.choice(found).parent, ignore_errors=True)

    def _spoilt_file(self) -> None:
        found = [path for path in self.runs.rglob("*") if path.is_file()]
        path = self.rng.choice(found)
        path.write_bytes(path.read_bytes()[: self.rng.randint(0, 200)])

    def _killed(self) -> None:
        worker = self.rng.choice(self.workers)
        if worker.running:
            worker.kill()

    # -- what it does -------------------------------------------------------------------------

    def play(self, seconds: float) -> None:
        """Until the time is over."""
        acts: list[tuple[Callable[[], None], int]] = [
            (self._click, 40), (self._choose, 15), (self._key, 20), (self._type, 8),
            (self._screen, 10), (self._action, 10), (self._resize, 3), (self._wheel, 4),
            (self._new_run, 2), (self._deleted_run, 1), (self._spoilt_file, 1), (self._killed, 1),
        ]  # fmt: skip
        self._spin(2.0, START)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            act = self.rng.choices([a for a, _ in acts], [w for _, w in acts])[0]
            name = act.__name__.strip("_")
            self.done[name] = self.done.get(name, 0) + 1
            self.doing = name
            self._begin()
            try:
                act()
            except Exception:
                self._caught(*sys.exc_info())
            if name in OWN_WORK:
                self._begin()
            self._look()
            self._spin(self.rng.choice([0.0, 0.0, 0.02, 0.1]), self.doing)

    def _begin(self, *_: object) -> None:
        """What was before does not count."""
        self._seen = Moment.now()

    def _look(self) -> None:
        """Events are handled now; was that long ago?"""
        before, self._seen = self._seen, Moment.now()
        stall = Stall.between(before, self._seen, self.doing)
        if stall.own > FREEZE and self.doing != START:
            self.frozen.append(stall)
            print(stall.text(), flush=True)

    def _spin(self, seconds: float, doing: str) -> None:
        from PySide6.QtCore import QCoreApplication

        self.doing, end = doing, time.monotonic() + seconds
        while True:
            self._begin()
            QCoreApplication.processEvents()
            self._look()
            if time.monotonic() >= end:
                return
            time.sleep(0.002)

    def _widgets(self, *kinds: type) -> list[Any]:
        from PySide6.QtWidgets import QApplication, QWidget

        top = QApplication.activeModalWidget() or self.window
        found = [w for kind in kinds for w in top.findChildren(kind)]
        return [w for w in found if isinstance(w, QWidget) and w.isVisible() and w.isEnabled()]

    def _say(self, what: str) -> None:
        self.doing = what
        if self.verbose:
            print(what, flush=True)

    def _click(self) -> None:
        from PySide6.QtCore import QPoint, Qt
        from PySide6.QtTest import QTest
        from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QGraphicsView, QSlider

        found = self._widgets(QAbstractButton, QAbstractItemView, QGraphicsView, QSlider)
        if not found:
            return
        widget = self.rng.choice(found)
        target = getattr(widget, "viewport", lambda: widget)()
        self._say(f"click {type(widget).__name__} {widget.accessibleName() or widget.objectName()}")
        place = QPoint(
            self.rng.randrange(max(1, target.width())), self.rng.randrange(max(1, target.height()))
        )
        if isinstance(widget, QAbstractButton):
            self._say(f"click button {widget.text()!r} {widget.accessibleName()}")
            place = target.rect().center()
        right = self.rng.random() < 0.1
        button = Qt.MouseButton.RightButton if right else Qt.MouseButton.LeftButton
        act = QTest.mouseDClick if self.rng.random() < 0.1 else QTest.mouseClick
        act(target, button, Qt.KeyboardModifier.NoModifier, place)

    def _choose(self) -> None:
        from PySide6.QtWidgets import QComboBox, QSpinBox, QTabBar

        found = self._widgets(QComboBox, QTabBar, QSpinBox)
        if not found:
            return
        widget = self.rng.choice(found)
        self._say(f"choose in {type(widget).__name__} {widget.accessibleName()}")
        if isinstance(widget, QSpinBox):
            widget.setValue(self.rng.randint(widget.minimum(), min(widget.maximum(), 10**6)))
        elif widget.count():
            row = self.rng.randrange(widget.count())
            widget.setCurrentIndex(row)
            if isinstance(widget, QComboBox):
                widget.activated.emit(row)

    def _key(self) -> None:
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest
        from PySide6.QtWidgets import QApplication

        widget = QApplication.focusWidget() or self.window
        name = self.rng.choice(KEYS)
        self._say(f"key {name} in {type(widget).__name__}")
        QTest.keyClick(widget, getattr(Qt.Key, f"Key_{name}"))

    def _type(self) -> None:
        from PySide6.QtTest import QTest
        from PySide6.QtWidgets import QLineEdit, QPlainTextEdit

        found = self._widgets(QLineEdit, QPlainTextEdit)
        if found:
            widget = self.rng.choice(found)
            self._say(f"type in {widget.accessibleName()}")
            widget.setFocus()
            if self.rng.random() < 0.5:
                widget.selectAll()
            QTest.keyClicks(widget, self.rng.choice(TYPED.split(" ")))

    def _screen(self) -> None:
        name = self.rng.choice(list(self.window.screens))
        self._say(f"screen {name}")
        self.window.show_screen(name)

    def _action(self) -> None:
        table = [a for a in self.window.actions_table if a.name != "file.quit" and a.enabled()]
        action = self.rng.choice(table)
        self._say(f"action {action.name}")
        action.run()

    def _resize(self) -> None:
        size = self.rng.randint(900, 1800), self.rng.randint(600, 1100)
        self._say(f"resize {size}")
        self.window.resize(*size)

    def _wheel(self) -> None:
        from PySide6.QtCore import QPoint, QPointF, Qt
        from PySide6.QtGui import QWheelEvent
        from PySide6.QtWidgets import QApplication, QGraphicsView

        found = self._widgets(QGraphicsView)
        if found:
            view = self.rng.choice(found).viewport()
            middle = QPointF(view.rect().center())
            turn = QPoint(0, self.rng.choice([-120, 120]))
            self._say("wheel")
            none, modifiers = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
            phase = Qt.ScrollPhase.NoScrollPhase
            event = QWheelEvent(
                middle, view.mapToGlobal(middle), QPoint(), turn, none, modifiers, phase, False
            )
            QApplication.sendEvent(view, event)

    def _close_popups(self) -> None:
        from PySide6.QtWidgets import QApplication, QDialog, QMenu

        popup = QApplication.activePopupWidget()
        if popup is not None:
            if isinstance(popup, QMenu) and self.rng.random() < 0.3 and popup.actions():
                self._trigger(self.rng.choice(popup.actions()))
            popup.close()
        modal = QApplication.activeModalWidget()
        if isinstance(modal, QDialog) and self.rng.random() < 0.2:
            modal.reject()

    def _trigger(self, action: Any) -> None:
        if action.isEnabled() and not action.menu() and "uit" not in action.text():
            action.trigger()

    # -- the end ------------------------------------------------------------------------------

    def end(self) -> int:
        """Close the window, and say what came of it."""
        self._timers[1].stop()
        self.window.leave()
        self.session.context.lab.close()
        self.session.context.trainer.worker.close(5000)
        self._spin(1.0, START)
        _, left = psutil.wait_procs(self._processes(), timeout=5)
        longest = max((round(stall.own, 2) for stall in self.frozen), default=0)
        facts = {
            "acts": sum(self.done.values()), "exceptions": len(self.raised), "left": len(left),
            "stalls over 250 ms": len(self.frozen), "longest stall in s": longest,
        }  # fmt: skip
        print(json.dumps(facts), flush=True)
        for process in left:
            process.kill()
        os._exit(1 if self.raised or self.frozen or left else 0)

    def _processes(self) -> set[psutil.Process]:
        """What was started from here, and what works on the folder: a detached program is no
        child."""
        named = (p for p in psutil.process_iter(["cmdline"]) if p.pid != os.getpid())
        folder = str(self.runs.parent)
        at_work = {p for p in named if any(folder in word for word in p.info["cmdline"] or ())}
        return at_work | set(psutil.Process().children(recursive=True))


if __name__ == "__main__":
    sys.exit(main())
