"""The screens of the window, each built when it is first needed or there is time for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QStackedWidget

from ..actions import Action
from ..presenters.context import Context
from .areas import Page
from .rail import Place, import_pyqtgraph
from .screen import Screen

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
PATIENCE = 700  # milliseconds in which the runs are read before other screens are built
PAUSE = 10  # milliseconds between two steps, for what the user does meanwhile


class Screens(QStackedWidget):
    """Hundreds of form fields and pyqtgraph need not be there for the list of runs to be used.

    Args:
        context: what they share.
        state_of: what a screen was left with in the last session.

    Signals:
        built: there are more of them, with their actions.

    Attributes:
        there: those that are built, by name.
    """

    built = Signal()

    def __init__(self, context: Context, state_of: Callable[[str], dict[str, Any]]):
        super().__init__()
        self.there: dict[str, Screen] = {}
        self._context, self._state_of = context, state_of
        self._pages: dict[str, Page] = {}
        self._tables: dict[str, list[Action]] = {}
        self._left = list(SCREENS)
        self._steps = self._to_do()
        self._timer = QTimer(self, interval=PAUSE)
        self._timer.timeout.connect(self._step)

    @property
    def current(self) -> Screen | None:
        """The screen in front; None before there is any."""
        page = self.currentWidget()
        return page.screen if isinstance(page, Page) else None

    @property
    def complete(self) -> bool:
        """Whether there is none left to build."""
        return not self._left

    def bring(self, name: str) -> Screen | None:
        """Bring one to the front, built if need be; None if that fails."""
        for place in [place for place in self._left if place.name == name]:
            self._build(place)
        if name not in self.there:
            return None
        self.setCurrentWidget(self._pages[name])
        return self.there[name]

    def build_soon(self) -> None:
        """Build the list of runs now, the others when the runs are read or that takes long."""
        if "runs" not in self.there:
            self._build(SCREENS[0])
        once = Qt.ConnectionType.SingleShotConnection
        self._context.runs_read.connect(self._timer.start, once)
        QTimer.singleShot(PATIENCE, self._timer, self._timer.start)

    def build_all(self) -> None:
        """Build the others in one go."""
        while self._left:
            self._build(self._left[0])

    def actions(self) -> list[Action]:
        """Those of the screens that are there."""
        return [action for name in NAMES for action in self._tables.get(name, [])]

    def owners(self) -> dict[str, str]:
        """The screen of each action."""
        return {action.name: name for name, table in self._tables.items() for action in table}

    def _step(self) -> None:
        step = next(self._steps, None)
        if step is None:
            self._timer.stop()
        else:
            guarded(step)

    def _to_do(self) -> Iterator[Callable[[], object]]:
        """Steps so short that the window does not stand still in one of them."""
        yield import_pyqtgraph
        for place in SCREENS:
            if place in self._left:
                yield place.screen
            if place in self._left:
                yield partial(self._build, place)

    def _build(self, place: Place) -> None:
        self._left.remove(place)
        guarded(partial(self._make, place))
        self.built.emit()

    def _make(self, place: Place) -> None:
        screen = place.screen()(self._context)
        page = self._pages[place.name] = Page(screen)
        self.addWidget(page)
        self.there[place.name] = screen
        self._tables[place.name] = screen.actions_table()
        guarded(partial(screen.restore, self._state_of(place.name)))


def guarded(step: Callable[[], object]) -> None:
    """A screen that cannot be built, or keep or restore its state, does not stop the others."""
    try:
        step()
    except Exception:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
