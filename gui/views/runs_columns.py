"""A view of runs whose columns the user chooses, moves and makes wider."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QAction, QFont, QFontMetrics
from PySide6.QtWidgets import QMenu, QStyledItemDelegate, QStyleOptionViewItem, QTreeView, QWidget

from ..models.run_columns import COLUMNS
from ..models.run_group import Group
from ..models.run_tree import Row, cell
from .curve_delegate import CurveDelegate
from .runs_model import Index, RunsModel

WIDEST = 34  # characters of a column that nobody made wider
MEASURED = 40  # rows that say how wide a column is to be
INDENT = 16


class RunsColumns(QTreeView):
    """Columns with a chooser in the header's menu; a click on one sorts by it.

    Signals:
        columns_chosen: other columns are shown.
    """

    columns_chosen = Signal()

    def __init__(self, model: RunsModel, parent: QWidget | None = None):
        super().__init__(parent)
        self._model = model
        self.hidden_names = {column.name for column in COLUMNS if not column.shown}
        self.muted_names: set[str] = set()  # hidden for now, whatever the user chose
        self._widths: dict[str, int] = {}  # by the user
        self._fitted: dict[str, int] = {}  # by the content
        self.setModel(model)
        self.setIndentation(INDENT)
        self.setItemDelegate(_Row(self))
        self.setHorizontalScrollMode(QTreeView.ScrollMode.ScrollPerPixel)
        self.setSortingEnabled(True)
        self._header()
        self.dress()
        self.sort_by("started", Qt.SortOrder.DescendingOrder)

    def _header(self) -> None:
        header = self.header()
        header.setSectionsMovable(True)
        header.setFirstSectionMovable(True)
        self.setTreePosition(0)
        header.setMinimumSectionSize(36)
        header.setStretchLastSection(False)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._column_menu)
        header.sectionResized.connect(self._resized)
        self._dressing = False

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
        metrics, bold = self.fontMetrics(), QFontMetrics(_bold(self.font()))
        top = list(islice(self.open_rows(), MEASURED))
        for i, column in enumerate(self._model.columns):
            if column.name != "curve" and not self.isColumnHidden(i):
                wanted = metrics.horizontalAdvance(column.title) + 24
                room = 20 + (2 * INDENT if column.name == "name" else 0)
                for row in top:
                    face = bold if isinstance(row, Group) or column.name == "drop" else metrics
                    text = cell(row, column).text
                    wanted = max(wanted, face.horizontalAdvance(text) + room)
                wanted = min(wanted, metrics.averageCharWidth() * WIDEST)
                self._fitted[column.name] = max(wanted, self._fitted.get(column.name, 0))
        self.dress()

    def show_settings(self, paths: Sequence[str], muted: Iterable[str] = ()) -> None:
        """Have these settings as columns beside epsilon, and some ordinary ones out of sight."""
        self.muted_names = set(muted)
        self._model.show_settings(paths)
        header, after = self.header(), self._model.column_of("epsilon")
        for number in range(len(COLUMNS), len(self._model.columns)):
            place = header.visualIndex(after) + 1 + number - len(COLUMNS)
            header.moveSection(header.visualIndex(number), place)
        self.dress()
        self.fit()

    def _column_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.fill_column_menu(menu)
        menu.popup(self.header().mapToGlobal(at))

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
        header = self.header()
        places = [self._model.column_of(name) for name in names]
        for target, section in enumerate(place for place in places if place is not None):
            header.moveSection(header.visualIndex(section), target)

    def sort_by(self, name: str, order: Qt.SortOrder) -> None:
        """Sort by a column."""
        column = self._model.column_of(name)
        if column is not None:
            self.sortByColumn(column, order)

    def open_rows(self) -> Iterator[Row]:
        """The rows from the top, without those that are folded away."""
        for row in self._model.tree.rows:
            yield row
            if isinstance(row, Group) and self.isExpanded(self._model.index_of(row.key)):
                yield from row.records

    # -- the session --------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Columns, their order and widths, and the sorting."""
        header, columns = self.header(), self._model.columns
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


def _bold(font: QFont) -> QFont:
    """As the names of groups and large drops are written."""
    made = QFont(font)
    made.setBold(True)
    return made


def _choosing(show: Callable[[str, bool], None], name: str) -> Callable[[bool], None]:
    return lambda shown: show(name, shown)


class _Row(QStyledItemDelegate):
    """Gives rows some air."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """As high as a line of text and a bit."""
        return QSize(super().sizeHint(option, index).width(), option.fontMetrics.height() + 12)
