"""The table of runs: Qt's model and view on the columns of :mod:`gui.models.run_columns`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRectF,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QAction, QColor, QFont, QPainter, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from .. import theme
from ..models import run_words as words
from ..models.run_columns import COLUMNS, Column, setting_column
from ..models.run_query import Query
from ..models.run_record import RunRecord
from ..models.run_store import Changes

WIDEST = 34  # characters of a column that nobody made wider
MEASURED = 40  # rows that say how wide a column is to be
KEY_ROLE = Qt.ItemDataRole.UserRole  # what a cell sorts by
Index = QModelIndex | QPersistentModelIndex


class RunsModel(QAbstractTableModel):
    """Runs as rows, in the order they were found; the proxy sorts.

    Signals:
        renamed: a run and the name that the user gave it in its cell.
    """

    renamed = Signal(object, str)

    def __init__(self, records: Mapping[str, RunRecord], parent: QWidget | None = None):
        super().__init__(parent)
        self._source = records
        self.ordinary = COLUMNS
        self.columns: list[Column] = list(COLUMNS)
        self.records: list[RunRecord] = list(records.values())
        self._rows = {record.key: row for row, record in enumerate(self.records)}

    # -- what changes -------------------------------------------------------------------------

    def apply(self, changes: Changes) -> None:
        """Follow the store; selection and scroll position of views stay."""
        for key in changes.removed:
            self._remove(key)
        added = [self._source[key] for key in changes.added if key in self._source]
        added = [record for record in added if record.key not in self._rows]
        if added:
            first = len(self.records)
            self.beginInsertRows(QModelIndex(), first, first + len(added) - 1)
            self.records += added
            self._number()
            self.endInsertRows()
        for key in changes.changed:
            if key in self._rows:
                row = self._rows[key]
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(self.columns) - 1))

    def _remove(self, key: str) -> None:
        row = self._rows.get(key)
        if row is None:
            return
        self.beginRemoveRows(QModelIndex(), row, row)
        del self.records[row]
        self._number()
        self.endRemoveRows()

    def _number(self) -> None:
        self._rows = {record.key: row for row, record in enumerate(self.records)}

    def show_settings(self, paths: Sequence[str]) -> None:
        """Have exactly these settings as columns after the ordinary ones."""
        wanted = list(paths)
        if wanted == [column.setting for column in self.columns[len(COLUMNS) :]]:
            return
        first = len(COLUMNS)
        if len(self.columns) > first:
            self.beginRemoveColumns(QModelIndex(), first, len(self.columns) - 1)
            del self.columns[first:]
            self.endRemoveColumns()
        if wanted:
            self.beginInsertColumns(QModelIndex(), first, first + len(wanted) - 1)
            self.columns += [_setting(path) for path in wanted]
            self.endInsertColumns()

    # -- what views ask -----------------------------------------------------------------------

    def row_of(self, key: str) -> int | None:
        """The row of a run."""
        return self._rows.get(key)

    def column_of(self, name: str) -> int | None:
        """The number of a column by its name."""
        return next((i for i, column in enumerate(self.columns) if column.name == name), None)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """One for each run."""
        return 0 if parent.isValid() else len(self.records)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """The ordinary columns and those of settings."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Titles and what they mean."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.help
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, sort key, alignment, colour and tool tip of a cell."""
        if not index.isValid():
            return None
        record, column = self.records[index.row()], self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(record)
        if role == KEY_ROLE:
            return column.key(record)
        if role == Qt.ItemDataRole.EditRole:
            return record.name
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.ForegroundRole:
            return _colour(record, column)
        if role == Qt.ItemDataRole.FontRole:
            return _font(record, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return _tip(record, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{column.title}: {_spoken(record, column)}"
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Names can be edited in their cell."""
        flags = super().flags(index)
        if index.isValid() and self.columns[index.column()].name == "name":
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Hand a new name on; an empty one gives the folder's name back."""
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        record = self.records[index.row()]
        if str(value) != record.name:
            self.renamed.emit(record, str(value))
        return True


def _setting(path: str) -> Column:
    numeric = words.number(words.flat_value(path)) is not None
    return setting_column(path, number=numeric, width=max(7, len(path) - 1))


def _alignment(column: Column) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column.number else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def _colour(record: RunRecord, column: Column) -> QColor | None:
    colours = theme.colours()
    if column.name == "status":
        return QColor(getattr(colours, words.status(record).colour))
    if column.name == "drop" and words.is_large(record.drop):
        return QColor(colours.bad)
    if column.name in ("started", "notes", "folder"):
        return QColor(colours.muted)
    return None


def _font(record: RunRecord, column: Column) -> QFont | None:
    if column.name == "drop" and words.is_large(record.drop):
        font = QFont()
        font.setBold(True)
        return font
    return None


def _tip(record: RunRecord, column: Column) -> str | None:
    if column.name == "name":
        return "\n".join(filter(None, [str(record.path), record.problem]))
    if column.name == "status":
        return "\n".join(filter(None, [words.status(record).help, record.failure, record.problem]))
    if column.name == "notes":
        return record.notes or None
    return None


def _spoken(record: RunRecord, column: Column) -> str:
    if column.name == "curve":
        return words.best_text(record)
    return column.text(record) or "empty"


class RunsProxy(QSortFilterProxyModel):
    """Sorts by number, not by text, cells without a figure last; filters by query and state."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.query = Query()
        self.statuses: Collection[str] = ()
        self.keys: Collection[str] = ()
        self.setSortRole(KEY_ROLE)

    def ask(self, query: Query, statuses: Collection[str], keys: Collection[str] = ()) -> None:
        """Show runs that match a query, of these states and keys (of all where none is named)."""
        wanted = query, tuple(statuses), frozenset(keys)
        if wanted != (self.query, self.statuses, self.keys):
            self.beginFilterChange()
            self.query, self.statuses, self.keys = wanted
            self.endFilterChange()

    def records(self) -> list[RunRecord]:
        """The runs shown, in their order."""
        return [self.record(self.index(row, 0)) for row in range(self.rowCount())]

    def record(self, index: Index) -> RunRecord:
        """The run of a row."""
        return self._runs().records[self.mapToSource(index).row()]

    def _runs(self) -> RunsModel:
        return self.sourceModel()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        """Whether a run is shown."""
        record = self._runs().records[row]
        if self.statuses and record.status not in self.statuses:
            return False
        if self.keys and record.key not in self.keys:
            return False
        return self.query.matches(record)

    def lessThan(self, left: Index, right: Index) -> bool:
        """Order of two cells."""
        a, b = left.data(KEY_ROLE), right.data(KEY_ROLE)
        if a is None or b is None:  # last in either order
            ascending = self.sortOrder() == Qt.SortOrder.AscendingOrder
            return (a is not None) is ascending if (a is None) != (b is None) else False
        return (isinstance(a, str), a) < (isinstance(b, str), b)


class CurveDelegate(QStyledItemDelegate):
    """Paints the robust curve of a run into its cell."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """The background as in other cells, then the curve with a dot at its best."""
        view = QStyleOptionViewItem(option)
        self.initStyleOption(view, index)
        style = view.widget.style() if view.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, view, painter, view.widget)
        proxy = index.model()
        if not isinstance(proxy, RunsProxy):
            return
        figures = proxy.record(index).figures
        if len(figures.curve) < 2:
            return
        selected = bool(view.state & QStyle.StateFlag.State_Selected)
        colour = QColor(theme.colours().robust)
        if selected:
            colour = view.palette.color(QPalette.ColorRole.HighlightedText)
        place = QRectF(view.rect).adjusted(8, 4, -8, -4)
        points = _in_place(figures.curve, place)
        best = next(i for i, (epoch, _) in enumerate(figures.curve) if epoch == figures.best_epoch)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colour, 1.5))
        painter.drawPolyline(QPolygonF(points))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(points[best], 2.5, 2.5)
        painter.restore()


def _in_place(curve: Sequence[tuple[int, float]], place: QRectF) -> list[QPointF]:
    """A curve in a rectangle; it starts at zero so that runs compare by eye."""
    first, last = curve[0][0], curve[-1][0]
    top = max(max(value for _, value in curve), 1e-9)
    wide, high = place.width() / max(last - first, 1), place.height() / top
    return [
        QPointF(place.left() + (epoch - first) * wide, place.bottom() - value * high)
        for epoch, value in curve
    ]


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
