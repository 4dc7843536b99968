"""The window: rail, screens, menus from the one table of actions, and what outlives a session."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QDesktopServices, QPaintEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from slr_keras import __version__, texts

from .. import theme
from ..actions import Action
from ..presenters.context import Context
from ..worker import start_apart
from .areas import Page
from .close_dialog import CloseDialog
from .icons import icon
from .menus import Menus
from .message_bar import MessageBar
from .palette import Palette, Shortcuts
from .rail import Place, Rail
from .screen import Screen
from .status import Status
from .tour import Tour
from .window_actions import own_actions

SCREENS = (
    Place("runs", "Runs", ".runs", "RunsScreen"),
    Place("train", "Train", ".train", "TrainScreen", plots=True),
    Place("evaluate", "Evaluate", ".evaluate", "EvaluateScreen", plots=True),
    Place("compare", "Compare", ".compare", "CompareScreen", plots=True),
    Place("labels", "Labels", ".labels", "LabelsScreen", plots=True),
    Place("lab", "Attack lab", ".lab", "LabScreen", plots=True),
    Place("export", "Export", ".export", "ExportScreen"),
    Place("diagnostics", "Diagnostics", ".diagnostics", "DiagnosticsScreen"),
)
NAMES = [place.name for place in SCREENS]
USUAL = QSize(1360, 860)  # of the window on its first start, where the screen has room
TITLE_BAR = 40  # what the window manager adds
ABOUT = f"""<h3>slr_keras {__version__}</h3>
<p>Adversarial training for Keras that does not overfit: Self-Guided Label Refinement
(CVPR 2024, <a href="https://arxiv.org/abs/2403.09101">arXiv 2403.09101</a>).</p>
<p>Apache-2.0. The window is drawn by Qt for Python (LGPL) and pyqtgraph (MIT).</p>"""


class Window(QMainWindow):
    """One window on one runs folder.

    The list of runs is built at once, the other screens by :meth:`complete` after the first
    paint: hundreds of form fields and pyqtgraph need not be there for the window to appear.

    Signals:
        painted: the window is on screen for the first time.
    """

    painted = Signal()

    def __init__(self, context: Context):
        super().__init__()
        self.context = context
        self.leaving = False
        self._was_painted = False
        self.closing: CloseDialog | None = None
        self._wanted, self._wanted_shown = NAMES[0], False  # of the last session
        self._owners: dict[str, str] = {}  # action to screen
        self.setWindowIcon(icon("app", theme.LIGHT.accent, size=64))
        self.setMinimumSize(600, 400)
        self.screens: dict[str, Screen] = {}
        self._pages: dict[str, Page] = {}
        self.rail = Rail(SCREENS)
        self.stack = QStackedWidget()
        self.messages = MessageBar()
        self.tour = Tour(context.settings)
        self.status = Status(context)
        self._arrange()
        self.actions_table = own_actions(self, SCREENS)
        self._menus = Menus(self, self.run)
        self._connect()
        self._restore()
        self._show_menus()
        self.painted.connect(lambda: QTimer.singleShot(0, self, self.complete))

    def _arrange(self) -> None:
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(0)
        right.addWidget(self.stack, 1)
        right.addWidget(self.tour)
        right.addWidget(self.messages)
        body = QWidget()
        row = QHBoxLayout(body)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addLayout(right, 1)
        self.setCentralWidget(body)
        self.setStatusBar(self.status)

    def _connect(self) -> None:
        context = self.context
        self.rail.chosen.connect(self.show_screen)
        self.rail.search.connect(self.search_actions)
        context.go_to.connect(self.show_screen)
        context.runs_read.connect(self._runs_read)
        self.tour.go.connect(self.show_screen)
        context.attack_model.connect(lambda *_: self.show_screen("lab"))
        context.chart_runs.connect(lambda *_: self.show_screen("train"))
        context.compare_runs.connect(lambda *_: self.show_screen("compare"))
        context.edit_config.connect(lambda *_: self.show_screen("train"))
        context.message.connect(self.messages.say)
        context.trainer.message.connect(context.message)
        context.lab.message.connect(context.message)
        context.trainer.changed.connect(self._title)
        self._title()

    # -- screens ------------------------------------------------------------------------------

    @property
    def current(self) -> Screen:
        """The screen in front."""
        return self.stack.currentWidget().screen

    def complete(self) -> None:
        """Build the screens that are not there yet, and the menus with all actions.

        In one go: no signal of one screen can be missed by another that is built later.
        """
        missing = [place for place in SCREENS if place.name not in self.screens]
        for place in sorted(missing, key=lambda place: place.name != self._wanted):
            self._guarded(partial(self._build, place))
        if not self._wanted_shown:
            self.show_screen(self._wanted)
        if missing:
            for name in filter(self.screens.__contains__, NAMES):
                table = self.screens[name].actions_table()
                self._owners |= {action.name: name for action in table}
                self.actions_table += table
            self._show_menus()

    def _build(self, place: Place) -> None:
        screen = self.screens[place.name] = place.screen()(self.context)
        page = self._pages[place.name] = Page(screen)
        self.stack.addWidget(page)
        self._guarded(partial(screen.restore, self._state_of(place.name)))

    def show_screen(self, name: str) -> None:
        """Bring a screen to the front."""
        if name not in NAMES:
            return
        if name not in self.screens:
            self._guarded(partial(self._build, SCREENS[NAMES.index(name)]))
        screen = self.screens.get(name)
        if screen is None:
            return
        self._wanted_shown = True
        self.stack.setCurrentWidget(self._pages[name])
        self.rail.mark(name)
        self._share_keys()
        screen.shown()

    def _runs_read(self) -> None:
        """All runs are known for the first time."""
        self.context.runs_read.disconnect(self._runs_read)
        if not self.context.store.records:
            self.tour.offer()

    def _title(self) -> None:
        trainer = self.context.trainer
        folder = self.context.runs_dir.absolute().name
        doing = f"{trainer.status_text.rstrip('.…')} – " if trainer.busy else ""
        self.setWindowTitle(f"{doing}{folder} – slr_keras")

    # -- actions ------------------------------------------------------------------------------

    def _show_menus(self) -> None:
        self._menus.show(self.actions_table)
        self._share_keys()

    def _share_keys(self) -> None:
        front = self.current.name if self.stack.count() else ""
        self._menus.share_keys(front, self._owners)

    def run(self, action: Action) -> None:
        """Do an action if it can be done now; say so otherwise."""
        if action.enabled():
            action.run()
        else:
            self.messages.say(f"“{action.text.rstrip('…')}” cannot be done now.")

    def search_actions(self) -> None:
        """Open the command palette."""
        palette = Palette(self.actions_table, self.run, self)
        palette.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        palette.open()

    def show_shortcuts(self) -> None:
        """List the shortcuts."""
        dialog = Shortcuts(self.actions_table, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def show_about(self) -> None:
        """Say what this is."""
        box = QMessageBox(self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle("About slr_keras")
        box.setIconPixmap(icon("app", theme.colours().accent, size=64).pixmap(64, 64))
        box.setText(ABOUT)
        box.open()

    def open_runs(self) -> None:
        """Show the runs folder in the file manager."""
        path = self.context.runs_dir.absolute()
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
            self.messages.say(f"No file manager answered. The runs are in {path}.")

    def ask_other_runs(self) -> None:
        """Ask for a folder and open a window on it."""
        here = str(self.context.runs_dir.absolute().parent)
        path = QFileDialog.getExistingDirectory(self, "Open another runs folder", here)
        if path and not start_apart(__package__.split(".")[0], "--runs", path):
            self.messages.say("The second window could not be started.", trouble=True)

    # -- session ------------------------------------------------------------------------------

    def _restore(self) -> None:
        settings = self.context.settings
        geometry = settings.value("window/geometry")
        if not (isinstance(geometry, QByteArray) and self.restoreGeometry(geometry)):
            room = self.screen().availableGeometry().size() - QSize(0, TITLE_BAR)
            self.resize(USUAL.boundedTo(room))
        wanted = str(settings.value("window/screen", ""))
        self._wanted = wanted if wanted in NAMES else NAMES[0]
        if SCREENS[NAMES.index(self._wanted)].plots:
            self.rail.mark(self._wanted)  # its page comes after the first paint
        else:
            self.show_screen(self._wanted)
        self.stack.setFocus()

    def _state_of(self, name: str) -> dict[str, object]:
        try:
            state = texts.from_json(str(self.context.settings.value(f"screens/{name}", "{}")))
        except ValueError:
            return {}
        return state if isinstance(state, dict) else {}

    def save(self) -> None:
        """Keep geometry, screen and the screens' states for the next session."""
        settings = self.context.settings
        settings.setValue("window/geometry", self.saveGeometry())
        settings.setValue("window/screen", self.current.name if self.stack.count() else "")
        settings.setValue("runs_dir", str(self.context.runs_dir.absolute()))
        for screen in self.screens.values():
            self._guarded(partial(self._save_state, screen))
        settings.sync()

    def _save_state(self, screen: Screen) -> None:
        self.context.settings.setValue(f"screens/{screen.name}", json.dumps(screen.state()))

    def _guarded(self, step: Callable[[], object]) -> None:
        """A screen that cannot keep or restore its state does not stop the others."""
        try:
            step()
        except Exception:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]

    # -- beginning and end --------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Tell when the window is there."""
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            self.painted.emit()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask first if a run is going on."""
        if self.context.trainer.busy and not self.leaving:
            event.ignore()
            self._ask_to_leave()
            return
        self.save()
        event.accept()

    def _ask_to_leave(self) -> None:
        if self.closing is None:
            self.closing = CloseDialog(self.context.trainer, self)
            self.closing.leave.connect(self.leave)
            self.closing.finished.connect(self._asked)
            self.closing.open()
        self.closing.raise_()

    def _asked(self) -> None:
        if self.closing is not None:
            self.closing.deleteLater()
            self.closing = None

    def leave(self) -> None:
        """Close without a question; a run still going on saves its state and ends."""
        self.leaving = True
        self.close()
