"""The Runs screen: every run in one table, what can be done with it, and the queue."""

from __future__ import annotations

import time
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..actions import Action
from ..models import run_words as words
from ..models.run_store import Changes
from ..models.run_tree import RunTree
from ..presenters.context import Context
from ..presenters.runs import RunsPresenter
from .empty_page import EmptyPage
from .queue_list import QueueList
from .runs_actions import RunActions
from .runs_detail import RunDetail
from .runs_filters import RunsFilters
from .runs_model import RunsModel
from .runs_table import RunsTable
from .screen import Screen

ALL, EMPTY, NOTHING = range(3)  # pages in the place of the table
ROOMY = 1150  # pixels: room for the pane beside the table, even if it shows nothing
REST = 8  # times as long as taking in took, while runs are read


class RunsScreen(Screen):
    """Home: what was trained, how it went, and where to go from there."""

    name = "runs"
    title = "Runs"

    def __init__(self, context: Context):
        super().__init__(context)
        self.presenter = RunsPresenter(context, self)
        self.presenter.wanted = lambda: self.window().isVisible()
        store = context.store
        tree = self.tree = RunTree(store.records, str(store.runs_dir), store.folder_name)
        self.model = RunsModel(tree, self)
        self.table = RunsTable(self.model)
        self.filters = RunsFilters()
        self.detail = RunDetail()
        self.queue = QueueList(context.trainer)
        self.run_actions = RunActions(
            self, self.presenter, self.table, self.detail, self._search, context.message.emit
        )
        self._restored: list[str] = []  # runs to select once they are loaded
        self._reading = True  # for the first time
        self._found: list[Changes] = []  # that the table does not show yet
        self._next = 0.0  # when it may take them in
        self._lay_out()
        self._connect()
        self._filter()
        self._refresh()
        self.presenter.start()

    # -- building -----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.banner = QLabel(wordWrap=True)
        theme.role(self.banner, "bad")
        side = self.side = QWidget()
        beside = QVBoxLayout(side)
        beside.setContentsMargins(8, 0, 0, 0)
        beside.setSpacing(8)
        beside.addWidget(self.detail, 1)
        beside.addWidget(self.queue)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self._pages())
        self.splitter.addWidget(side)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setSizes([1000, 280])
        self.splitter.setChildrenCollapsible(False)
        side.setMinimumWidth(220)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(8)
        layout.addLayout(self._head())
        layout.addWidget(self.filters)
        layout.addWidget(self.banner)
        layout.addWidget(self.splitter, 1)

    def _head(self) -> QHBoxLayout:
        title = QLabel(self.title)
        theme.role(title, "title")
        self.count = QLabel()
        theme.role(self.count, "muted")
        row = QHBoxLayout()
        row.addWidget(title)
        row.addSpacing(8)
        row.addWidget(self.count, 1)
        for button in self.run_actions.buttons():
            row.addWidget(button)
        menu = QMenu(self.filters.columns)
        menu.aboutToShow.connect(lambda: self.table.fill_column_menu(menu))
        self.filters.columns.setMenu(menu)
        return row

    def _pages(self) -> QStackedWidget:
        self.pages = QStackedWidget()
        self.pages.addWidget(self.table)
        self.pages.addWidget(
            EmptyPage(
                "No runs yet",
                f"A run that you start here or in a terminal appears in {self.context.runs_dir}.",
                "Configure a run",
                self.presenter.new_run,
            )
        )
        self.nothing = EmptyPage("No run matches", "", "Show all runs", self.filters.clear)
        self.pages.addWidget(self.nothing)
        return self.pages

    def _connect(self) -> None:
        self.filters.changed.connect(self._filter)
        self.filters.differing.toggled.connect(self._columns_changed)
        self.presenter.changed.connect(self._apply)
        self.presenter.scanned.connect(self._scanned)
        self.presenter.undo.indexChanged.connect(self._enable)
        self.context.trainer.changed.connect(self._enable)
        self.detail.noted.connect(self.presenter.set_notes)
        self.model.renamed.connect(self.presenter.rename)
        self.table.selectionModel().selectionChanged.connect(self._selection_changed)
        self.table.entered.connect(self.run_actions.overlay)
        self.table.customContextMenuRequested.connect(self._menu)

    def _search(self) -> None:
        self.context.go_to.emit(self.name)
        self.filters.search.setFocus()
        self.filters.search.selectAll()

    def _enable(self) -> None:
        self.run_actions.enable()

    def _menu(self, at: QPoint) -> None:
        if self.table.indexAt(at).isValid():
            self.run_actions.menu().popup(self.table.viewport().mapToGlobal(at))

    # -- what changes -------------------------------------------------------------------------

    def _apply(self, changes: Changes) -> None:
        """Take in what a scan found; while many runs are read, no more often than it pays."""
        self._found.append(changes)
        if not self.presenter.loading or time.monotonic() >= self._next:
            self._take_in()

    def _take_in(self) -> None:
        begun, found, self._found = time.monotonic(), self._found, []
        added = any(changes.added for changes in found)
        changed = tuple(key for changes in found for key in changes.changed)
        self.model.apply(Changes(changed=changed))
        if added or any(changes.removed for changes in found):
            self.filters.offer(self.context.store.folders())
            self.table.fold_again()
        if self._restored and added:
            self._select_restored()
        self._columns_changed()
        if (added or changed) and not self.presenter.loading:
            self.table.fit()
        self._refresh()
        self._next = time.monotonic() + REST * (time.monotonic() - begun)

    def _scanned(self) -> None:
        problem = self.context.store.problem
        self.banner.setText(problem)
        self.banner.setVisible(bool(problem))
        if self._found and not self.presenter.loading:
            self._take_in()
        if self._reading and not self.presenter.loading:
            self._reading = False
            self._refresh()
        self._choose_page()

    def _selection_changed(self) -> None:
        self._restored = []
        self._refresh()

    def _refresh(self) -> None:
        """What hangs on the selection and on the number of runs."""
        selected = self.table.selected()
        self.detail.show_runs(selected)
        self.context.store.watch("selection", [record.key for record in selected])
        shown, total = self.tree.shown, len(self.context.store.records)
        text = words.count(total, "run") if shown == total else f"{shown} of {total} runs"
        if self._reading:
            text = f"{text}, reading on…" if total else "Looking for runs…"
        self.count.setText(text if total or self._reading else "")
        self._choose_page()
        self._enable()

    def _choose_page(self) -> None:
        empty = not self.context.store.records and not self.presenter.loading
        idle = empty or (self.width() < ROOMY and not self.table.selected())
        self.side.setHidden(idle and not self.context.trainer.queue)
        if empty:
            self.pages.setCurrentIndex(EMPTY)
        elif self.context.store.records and not self.tree.rows:
            problem = self.tree.problem()
            self.nothing.why.setText(
                problem or "No run has all that the search and the state filter ask for."
            )
            self.pages.setCurrentIndex(NOTHING)
        else:
            self.pages.setCurrentIndex(ALL)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is little room, a pane that shows no run gives way to the figures."""
        super().resizeEvent(event)
        self._choose_page()

    def _filter(self) -> None:
        self.model.ask(*self.filters.asked())
        self.table.fold_again()
        self._columns_changed()
        self._refresh()

    def _columns_changed(self) -> None:
        if not self.filters.differing.isChecked():
            if len(self.model.columns) > len(self.model.ordinary) or self.table.muted_names:
                self.table.show_settings([])
            return
        paths = words.differing(self.tree.records())
        ordinary = {c.setting: c.name for c in self.model.ordinary if c.setting}
        visible = {path for path, name in ordinary.items() if name not in self.table.hidden_names}
        muted = [name for path, name in ordinary.items() if path not in paths]
        self.table.show_settings([path for path in paths if path not in visible], muted)

    # -- the window's part --------------------------------------------------------------------

    def actions_table(self) -> list[Action]:
        """What can be done with the selected runs."""
        return self.run_actions.table

    def shown(self) -> None:
        """Look at the disk at once, and be ready for the keyboard."""
        self.presenter.scan()
        self._enable()
        if not self.filters.search.hasFocus():
            self.table.setFocus()

    def state(self) -> dict[str, Any]:
        """Columns, sorting, filters, splitter and selection."""
        return {
            "table": self.table.state(),
            **self.filters.state(),
            "splitter": self.splitter.sizes(),
            "selected": [row.key for row in reversed(self.table.selected_rows())],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse; runs are selected as soon as they are loaded."""
        table, sizes, selected = (state.get(n) for n in ("table", "splitter", "selected"))
        if isinstance(table, dict):
            self.table.restore(table)
        if isinstance(sizes, list) and len(sizes) == 2 and all(type(s) is int for s in sizes):
            self.splitter.setSizes(sizes)
        self._restored = [str(key) for key in selected] if isinstance(selected, list) else []
        self.filters.restore(state)
        self._select_restored()

    def _select_restored(self) -> None:
        wanted = self._restored
        self.table.select(wanted)
        self._restored = [key for key in wanted if key not in self.tree.places]
