"""The window: rail, screens, menus from the one table of actions, and what outlives a session."""

from __future__ import annotations

import json
from functools import partial

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer, QUrl, Signal, SignalInstance
from PySide6.QtGui import QCloseEvent, QDesktopServices, QPaintEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from slr_keras import __version__, texts

from .. import theme
from ..actions import Action
from ..presenters.context import Context
from ..worker import start_apart
from .close_dialog import CloseDialog
from .icons import icon
from .menus import Menus
from .message_bar import MessageBar
from .palette import Palette, Shortcuts
from .rail import Rail
from .screen import Screen
from .screens import NAMES, SCREENS, Screens, guarded
from .status import Status
from .tour import Tour
from .window_actions import own_actions

USUAL = QSize(1360, 860)  # of the window on its first start, where the screen has room
TITLE_BAR = 40  # what the window manager adds
ABOUT = f"""<h3>slr_keras {__version__}</h3>
<p>Adversarial training for Keras that does not overfit: Self-Guided Label Refinement
(CVPR 2024, <a href="https://arxiv.org/abs/2403.09101">arXiv 2403.09101</a>).</p>
<p>Apache-2.0. The window is drawn by Qt for Python (LGPL) and pyqtgraph (MIT).</p>"""


class Window(QMainWindow):
    """One window on one runs folder.

    The list of runs, or the screen of the last session, is there with the first paint or soon
    after it; the others come when they are asked for, or when the runs are read.

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
        self.setWindowIcon(icon("app", theme.LIGHT.accent, size=64))
        self.setMinimumSize(600, 400)
        self.rail = Rail(SCREENS)
        self.stack = Screens(context, self._state_of)
        self.messages = MessageBar()
        self.tour = Tour(context.settings)
        self.status = Status(context)
        self._arrange()
        self._own_actions = own_actions(self, SCREENS)
        self._menus = Menus(self, self.run)
        self._connect()
        self._restore()
        self._show_menus()
        self.stack.built.connect(self._show_menus)
        self.painted.connect(lambda: QTimer.singleShot(0, self, self._begin))

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
        for signal, name in (
            (context.attack_model, "lab"),
            (context.chart_runs, "train"),
            (context.compare_runs, "compare"),
            (context.edit_config, "train"),
            (context.evaluate_model, "evaluate"),
            (context.export_model, "export"),
            (context.show_labels, "labels"),
        ):
            signal.connect(partial(self._request, signal, name))
        context.trainer.started.connect(lambda _: self.complete())
        context.message.connect(self.messages.say)
        context.trainer.message.connect(context.message)
        context.lab.message.connect(context.message)
        context.trainer.changed.connect(self._title)
        self._title()

    # -- screens ------------------------------------------------------------------------------

    @property
    def screens(self) -> dict[str, Screen]:
        """Those that are there, by name."""
        return self.stack.there

    @property
    def current(self) -> Screen:
        """The screen in front."""
        screen = self.stack.current
        if screen is None:
            raise RuntimeError("no screen was built yet: call show_screen or complete first")
        return screen

    def _begin(self) -> None:
        """The window is painted: the screen of the last session, then the others."""
        self._show_wanted()
        self.stack.build_soon()

    def _show_wanted(self) -> None:
        if not self._wanted_shown:
            self.show_screen(self._wanted)

    def complete(self) -> None:
        """Have all screens at once."""
        self._show_wanted()
        self.stack.build_all()

    def _request(self, signal: SignalInstance, name: str, *what: object) -> None:
        """A screen is asked to do something; those that were not there are asked again."""
        if not self.stack.complete:
            self.complete()
            signal.emit(*what)
        self.show_screen(name)

    def show_screen(self, name: str) -> None:
        """Bring a screen to the front."""
        screen = self.stack.bring(name) if name in NAMES else None
        if screen is None:
            return
        self._wanted_shown = True
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

    @property
    def actions_table(self) -> list[Action]:
        """All that can be done."""
        return self._own_actions + self.stack.actions()

    def _show_menus(self) -> None:
        self._menus.show(self.actions_table)
        self._share_keys()

    def _share_keys(self) -> None:
        front = self.stack.current
        self._menus.share_keys(front.name if front else "", self.stack.owners())

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
        front = self.current.name if self._wanted_shown else self._wanted
        settings.setValue("window/screen", front)
        settings.setValue("runs_dir", str(self.context.runs_dir.absolute()))
        for screen in self.screens.values():
            guarded(partial(self._save_state, screen))
        settings.sync()

    def _save_state(self, screen: Screen) -> None:
        self.context.settings.setValue(f"screens/{screen.name}", json.dumps(screen.state()))

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
