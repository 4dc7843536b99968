"""Starts the window: checks what could go wrong first, ends the workers last."""

from __future__ import annotations

import argparse
import faulthandler
import os
import pathlib
import signal
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from . import preflight

if TYPE_CHECKING:
    from PySide6.QtCore import QSettings
    from PySide6.QtWidgets import QApplication

    from .instance import FolderClaim
    from .presenters.context import Context, Programs
    from .views.window import Window

INSTALLED = "slr-keras-app"  # the command where the package is installed
LOGGED_OF_A_KIND = 20  # of the same defect; one in a timer would fill the log


def main(argv: Sequence[str] | None = None) -> int:
    """Run the app; returns the exit code (2: no window could be opened)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options, for_qt = _parser().parse_known_args(arguments)
    if problem := preflight.problem(for_qt):
        print(f"error: {problem}", file=sys.stderr)
        return 2
    faulthandler.enable()
    app, settings = application(for_qt), default_settings()
    session = Session(app, settings, runs_folder(options.runs, settings))
    session.window.show()
    code = app.exec()
    session.end()
    return int(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=INSTALLED if pathlib.Path(sys.argv[0]).stem == INSTALLED else "python main.py",
        description="Configure, watch, control and attack adversarial training in a window.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--runs",
        metavar="DIR",
        type=pathlib.Path,
        help="folder of the runs; default: ./runs, or the last one used if there is no ./runs",
    )
    return parser


def runs_folder(asked: pathlib.Path | None, settings: QSettings) -> pathlib.Path:
    """The folder asked for; else ``runs`` here, else the last one used, if they exist."""
    here = pathlib.Path("runs")
    if asked is not None or here.is_dir():
        return (asked or here).expanduser()
    last = str(settings.value("runs_dir", ""))
    return pathlib.Path(last) if last and pathlib.Path(last).is_dir() else here


def application(arguments: Sequence[str] = ()) -> QApplication:
    """Qt's application with everything that must be set before the first widget."""
    from PySide6.QtWidgets import QApplication

    app = QApplication(["slr-keras", *arguments])
    app.setOrganizationName("slr-keras")
    app.setApplicationName("slr-keras")
    app.setDesktopFileName("slr-keras")
    return app


def default_settings() -> QSettings:
    """The user's settings, a file on every system."""
    from PySide6.QtCore import QSettings

    scope = QSettings.Scope.UserScope
    return QSettings(QSettings.Format.IniFormat, scope, "slr-keras", "slr-keras")


class Session:
    """A window with its context, from the first paint to the last process."""

    def __init__(
        self,
        app: QApplication,
        settings: QSettings,
        runs_dir: pathlib.Path,
        programs: Programs | None = None,
    ):
        from . import theme
        from .instance import FolderClaim
        from .presenters.context import Context, Programs
        from .views.window import Window

        theme.install(app, settings)
        self.claim: FolderClaim = FolderClaim(runs_dir)
        sentence = self.claim.take()
        self.context: Context = Context(
            runs_dir, settings, programs or Programs(), alone=not sentence
        )
        self.window: Window = Window(self.context)
        self._seen: dict[str, int] = {}
        self._hook = sys.excepthook
        sys.excepthook = self.report
        self._listen_for_signals()
        self.window.painted.connect(self._warm_up)
        if sentence:
            self.window.messages.say(sentence, trouble=True)

    def _warm_up(self) -> None:
        from PySide6.QtCore import QTimer

        QTimer.singleShot(0, self.context.lab, self.context.lab.start)

    def _listen_for_signals(self) -> None:
        """Ctrl+C and SIGTERM close the window without a question; a run saves its state."""
        numbers = [
            getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)
        ]
        self._handlers = {
            number: signal.signal(number, lambda *_: self.window.leave()) for number in numbers
        }

    def report(
        self, kind: type[BaseException], value: BaseException, trace: TracebackType | None
    ) -> None:
        """An exception that nobody caught: log it, say so, go on."""
        if issubclass(kind, KeyboardInterrupt):
            self.window.leave()
            return
        frames = traceback.extract_tb(trace)
        place = f"{kind.__name__} at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        self._seen[place] = self._seen.get(place, 0) + 1
        if self._seen[place] > LOGGED_OF_A_KIND:
            return
        text = "".join(traceback.format_exception(kind, value, trace))
        print(text, file=sys.stderr, end="")
        self.context.diagnostics.write("window", text.rstrip(), "error")
        self.window.messages.say(
            f"Something went wrong in the window ({kind.__name__}: {value}). Runs are not "
            "affected; Diagnostics has the details and a report to send.",
            trouble=True,
        )

    def end(self) -> None:
        """After the window: end the lab, let a trainer save and end by itself, then leave."""
        from .worker import abandoned

        sys.excepthook = self._hook
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self.context.lab.close()
        self.context.settings.sync()
        self.claim.release()
        self.context.trainer.worker.close()
        workers = (self.context.trainer.worker, self.context.lab.worker)
        if abandoned() or any(worker.running for worker in workers):
            leave_at_once()


def leave_at_once(code: int = 0) -> None:
    """End without destructors: that of QProcess would kill the programs that go on."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
