"""The table of runs: its columns, their widths and order, and what is selected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractItemView, QMenu, QTableView, QWidget

from ..models.run_columns import COLUMNS
from ..models.run_record import RunRecord
from .curve_delegate import CurveDelegate
from .runs_model import RunsModel, RunsProxy

WIDEST = 34  # characters of a column that nobody made wider
MEASURED = 40  # rows that say how wide a column is to be


class RunsTable(QTableView):
    """The view: column chooser in the header's menu, sorting by a click on it."""

    columns_chosen = Signal()

    def __init__(self, model: RunsModel, proxy: RunsProxy, parent: QWidget | None = None):
        super().__init__(parent)
        self._model, self._proxy = model, proxy
        self.hidden_names = {column.name for column in COLUMNS if not column.shown}
        self.muted_names: set[str] = set()  # hidden for now, whatever the user chose
        self._widths: dict[str, int] = {}  # by the user
        self._fitted: dict[str, int] = {}  # by the content
        proxy.setSourceModel(model)
        self.setModel(proxy)
        self.setAccessibleName("Runs")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)  # Tab leaves the table, arrows move in it
        self.setSortingEnabled(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 12)
        self._header()
        self.dress()
        self.sort_by("started", Qt.SortOrder.DescendingOrder)

    def _header(self) -> None:
        header = self.horizontalHeader()
        header.setSectionsMovable(True)
        header.setHighlightSections(False)
        header.setMinimumSectionSize(36)
        header.setStretchLastSection(False)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._column_menu)
        header.sectionResized.connect(self._resized)
        self._dressing = False

    # -- columns ------------------------------------------------------------------------------

    def dress(self) -> None:
        """Widths, visibility and painters of all columns, as chosen."""
        character = self.fontMetrics().averageCharWidth()
        curve = self._model.column_of("curve")
        self._dressing = True  # our own widths are not the user's
        for i, column in enumerate(self._model.columns):
            own = self._fitted.get(column.name, column.width * character)
            self.setColumnWidth(i, self._widths.get(column.name, own))
            self.setColumnHidden(i, column.name in self.hidden_names | self.muted_names)
        self._dressing = False
        if curve is not None and not isinstance(self.itemDelegateForColumn(curve), CurveDelegate):
            self.setItemDelegateForColumn(curve, CurveDelegate(self))

    def fit(self) -> None:
        """Give columns the room that the topmost cells need; they only ever grow.

        Qt's own size hints would ask for every row: seconds, where runs are many.
        """
        metrics = self.fontMetrics()
        rows = range(min(self._proxy.rowCount(), MEASURED))
        top = [self._proxy.record(self._proxy.index(row, 0)) for row in rows]
        for i, column in enumerate(self._model.columns):
            if column.name != "curve" and not self.isColumnHidden(i):
                wanted = metrics.horizontalAdvance(column.title) + 24
                for record in top:
                    wanted = max(wanted, metrics.horizontalAdvance(column.text(record)) + 20)
                wanted = min(wanted, metrics.averageCharWidth() * WIDEST)
                self._fitted[column.name] = max(wanted, self._fitted.get(column.name, 0))
        self.dress()

    def show_settings(self, paths: Sequence[str], muted: Iterable[str] = ()) -> None:
        """Have these settings as columns beside epsilon, and some ordinary ones out of sight."""
        self.muted_names = set(muted)
        self._model.show_settings(paths)
        header, after = self.horizontalHeader(), self._model.column_of("epsilon")
        for number in range(len(COLUMNS), len(self._model.columns)):
            place = header.visualIndex(after) + 1 + number - len(COLUMNS)
            header.moveSection(header.visualIndex(number), place)
        self.dress()
        self.fit()

    def _column_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.fill_column_menu(menu)
        menu.popup(self.horizontalHeader().mapToGlobal(at))

    def fill_column_menu(self, menu: QMenu) -> None:
        """Make a menu one that shows and hides columns."""
        menu.clear()
        for column in COLUMNS:
            action = QAction(column.title, menu, checkable=True)
            action.setChecked(column.name not in self.hidden_names)
            action.setToolTip(column.help)
            action.setEnabled(column.name != "name")  # a run without a name is no row
            action.toggled.connect(_choosing(self.show_column, column.name))
            menu.addAction(action)
        menu.addSeparator()
        menu.addAction("Reset columns", self.reset_columns)
        menu.setToolTipsVisible(True)

    def show_column(self, name: str, shown: bool) -> None:
        """Show or hide a column."""
        (self.hidden_names.discard if shown else self.hidden_names.add)(name)
        self.dress()
        self.fit()
        self.columns_chosen.emit()

    def reset_columns(self) -> None:
        """Columns as on the first day."""
        self.hidden_names = {column.name for column in COLUMNS if not column.shown}
        self._widths.clear()
        self._fitted.clear()
        self._arrange([column.name for column in self._model.columns])
        self.fit()
        self.columns_chosen.emit()

    def _resized(self, section: int, _old: int, new: int) -> None:
        if new > 0 and not self._dressing and section < len(self._model.columns):
            self._widths[self._model.columns[section].name] = new

    def _arrange(self, names: Sequence[str]) -> None:
        header = self.horizontalHeader()
        places = [self._model.column_of(name) for name in names]
        for target, section in enumerate(place for place in places if place is not None):
            header.moveSection(header.visualIndex(section), target)

    def sort_by(self, name: str, order: Qt.SortOrder) -> None:
        """Sort by a column."""
        column = self._model.column_of(name)
        if column is not None:
            self.sortByColumn(column, order)

    # -- runs ---------------------------------------------------------------------------------

    def selected(self) -> list[RunRecord]:
        """The selected runs, the current one first, the others from the top."""
        rows = sorted(self.selectionModel().selectedRows(), key=lambda index: index.row())
        current = self.currentIndex().row()
        rows.sort(key=lambda index: index.row() != current)
        return [self._proxy.record(index) for index in rows]

    def select(self, keys: Iterable[str]) -> None:
        """Select runs by their paths."""
        self.clearSelection()
        flag = self.selectionModel().SelectionFlag
        for key in keys:
            row = self._model.row_of(key)
            if row is None:
                continue
            index = self._proxy.mapFromSource(self._model.index(row, 0))
            if index.isValid():
                self.selectionModel().setCurrentIndex(index, flag.Select | flag.Rows)

    def edit_name(self) -> None:
        """Open the editor on the current run's name."""
        column = self._model.column_of("name")
        index = self.currentIndex()
        if index.isValid() and column is not None:
            at = index.siblingAtColumn(column)
            self.setCurrentIndex(at)
            self.edit(at)

    def changeEvent(self, event: QEvent) -> None:
        """Repaint in the new colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.viewport().update()

    # -- the session --------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Columns, their order and widths, and the sorting."""
        header, columns = self.horizontalHeader(), self._model.columns
        sections = [header.logicalIndex(place) for place in range(header.count())]
        section = header.sortIndicatorSection()
        known = 0 <= section < len(COLUMNS)
        return {
            "hidden": sorted(self.hidden_names),
            "order": [columns[i].name for i in sections if i < len(COLUMNS)],
            "widths": dict(self._widths),
            "sort": columns[section].name if known else "started",
            "descending": header.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """The inverse; what makes no sense is passed over."""
        known = {column.name for column in COLUMNS}
        hidden, widths, order = (state.get(name) for name in ("hidden", "widths", "order"))
        if isinstance(hidden, list):
            self.hidden_names = known.intersection(map(str, hidden)) - {"name"}
        if isinstance(widths, dict):
            good = {str(n): w for n, w in widths.items() if isinstance(w, int) and 36 <= w < 4000}
            self._widths.update(good)
        if isinstance(order, list):
            self._arrange([str(name) for name in order])
        self.dress()
        descending = (
            Qt.SortOrder.DescendingOrder
            if state.get("descending", True)
            else (Qt.SortOrder.AscendingOrder)
        )
        self.sort_by(str(state.get("sort", "started")), descending)


def _choosing(show: Callable[[str, bool], None], name: str) -> Callable[[bool], None]:
    return lambda shown: show(name, shown)
