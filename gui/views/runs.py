"""The Runs screen: every run in one table, what can be done with it, and the queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..actions import Action
from ..models import run_words as words
from ..models.run_query import Query
from ..models.run_record import RunRecord
from ..models.run_store import Changes
from ..presenters.context import Context
from ..presenters.runs import RunsPresenter
from . import no_wheel
from .queue_list import QueueList
from .runs_detail import RunDetail
from .runs_model import RunsModel, RunsProxy
from .runs_table import RunsTable
from .screen import Screen

ALL, EMPTY, NOTHING = range(3)  # pages in the place of the table
EVERYWHERE = "All folders"
MAIN = (
    *("runs.charts", "runs.compare", "runs.evaluate", "runs.attack"),
    *("runs.resume", "runs.settings"),
)
MORE = (
    *(
        "runs.labels",
        "runs.export",
        "",
        "runs.rename",
        "runs.notes",
        "runs.folder",
        "runs.copy_path",
        "",
    ),
    *("runs.trash", "runs.undo"),
)
FILTERS: dict[str, tuple[str, ...]] = {
    "All states": (),
    "Running or paused": ("running", "paused"),
    "Can be resumed": words.RESUMABLE,
    **{status.word: (name,) for name, status in words.STATUS.items()},
}
SEARCH_HELP = (
    "Words look anywhere in name, notes, state and settings. Settings and figures compare: "
    "attack.eps=8/255, method.name!=at, drop>5, best>=40, seed=1."
)


class RunsScreen(Screen):
    """Home: what was trained, how it went, and where to go from there."""

    name = "runs"
    title = "Runs"

    def __init__(self, context: Context):
        super().__init__(context)
        self.presenter = RunsPresenter(context, self)
        self.presenter.wanted = lambda: self.window().isVisible()
        self.model = RunsModel(context.store.records, self)
        self.proxy = RunsProxy(self)
        self.table = RunsTable(self.model, self.proxy)
        self.detail = RunDetail()
        self.queue = QueueList(context.trainer)
        self._actions = {action.name: self._as_qt(action) for action in self.actions_table()}
        self._restored: list[str] = []  # runs to select once they are loaded
        self._lay_out()
        self._connect()
        self._search_changed()
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
        layout.addLayout(self._filters())
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
        for name in MAIN:
            row.addWidget(_button(self._actions[name]))
        more = QPushButton("More")
        more.setToolTip("Rename, notes, folder, trash")
        menu = QMenu(more)
        self._fill_menu(menu)
        more.setMenu(menu)
        row.addWidget(more)
        return row

    def _filters(self) -> QHBoxLayout:
        self.search = QLineEdit(placeholderText="Search, or compare: attack.eps=8/255  drop>5")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search runs")
        self.search.setToolTip(SEARCH_HELP)
        self.folders = QComboBox()
        self.folders.setAccessibleName("Show runs of this study or folder")
        self.folders.setToolTip("The runs of one study, or of another folder with several runs")
        self.folders.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.folders.addItem(EVERYWHERE)
        self.folders.hide()
        no_wheel.guard(self.folders)
        self.states = QComboBox()
        self.states.setAccessibleName("Show runs in this state")
        self.states.addItems(list(FILTERS))
        no_wheel.guard(self.states)
        self.differing = QCheckBox("Only differing settings")
        self.differing.setToolTip(
            "Of the settings, show those that differ among the runs in the table, all of them."
        )
        self.columns = QPushButton("Columns")
        self.columns.setToolTip("Choose the columns")
        menu = QMenu(self.columns)
        menu.aboutToShow.connect(lambda: self.table.fill_column_menu(menu))
        self.columns.setMenu(menu)
        row = QHBoxLayout()
        row.addWidget(self.search, 1)
        for widget in (self.folders, self.states, self.differing, self.columns):
            row.addWidget(widget)
        return row

    def _pages(self) -> QStackedWidget:
        self.pages = QStackedWidget()
        self.pages.addWidget(self.table)
        self.pages.addWidget(
            _Page(
                "No runs yet",
                f"A run that you start here or in a terminal appears in {self.context.runs_dir}.",
                "Configure a run",
                self.presenter.new_run,
            )
        )
        self.nothing = _Page("No run matches", "", "Show all runs", self._clear_filters)
        self.pages.addWidget(self.nothing)
        return self.pages

    def _connect(self) -> None:
        self._searching = QTimer(self, interval=120, singleShot=True)
        self._searching.timeout.connect(self._search_changed)
        self.search.textChanged.connect(self._searching.start)
        self.states.currentIndexChanged.connect(self._search_changed)
        self.folders.currentIndexChanged.connect(self._search_changed)
        self.differing.toggled.connect(self._columns_changed)
        self.presenter.changed.connect(self._apply)
        self.presenter.scanned.connect(self._scanned)
        self.presenter.undo.indexChanged.connect(self._enable)
        self.context.trainer.changed.connect(self._enable)
        self.detail.noted.connect(self.presenter.set_notes)
        self.model.renamed.connect(self.presenter.rename)
        self.table.selectionModel().selectionChanged.connect(self._selection_changed)
        self.table.doubleClicked.connect(self._double_clicked)
        self.table.customContextMenuRequested.connect(self._menu)

    # -- actions ------------------------------------------------------------------------------

    def actions_table(self) -> list[Action]:
        """What can be done with the selected runs; keys work while the table has the focus."""
        one = lambda: self.isVisible() and self._one() is not None  # noqa: E731
        some = lambda: self.isVisible() and bool(self.table.selected())  # noqa: E731
        several = lambda: self.isVisible() and len(self.table.selected()) > 1  # noqa: E731
        act = self._with_one
        presenter = self.presenter
        return [
            Action("runs.charts", "Open in charts", self._overlay, "Run", "", some,
                   "Show the selected runs in one chart (Return)."),
            Action("runs.compare", "Compare", self._compare, "Run", "", several,
                   "Show the selected runs side by side: curves, evaluations, settings."),
            Action("runs.evaluate", "Evaluate", act(presenter.evaluate), "Run", "", one,
                   "Attack many test images on this run's model: AutoAttack and others."),
            Action("runs.attack", "Attack in lab", act(presenter.attack), "Run", "", one,
                   "Attack single images on this run's model."),
            Action("runs.resume", "Resume", act(presenter.resume), "Run", "", self._resumable,
                   "Let a run go on that was stopped, paused or cut off."),
            Action("runs.settings", "Use settings", act(presenter.use_settings), "Run", "",
                   self._configured, "Fill the form with this run's settings."),
            Action("runs.export", "Export", act(presenter.export), "Run", "", one,
                   "Write this run's model for others, with a model card."),
            Action("runs.labels", "Labels", act(presenter.labels), "Run", "", one,
                   "Show how this run's labels were softened, and which are suspected."),
            Action("runs.rename", "Rename", self._rename, "Run", "", one,
                   "Give the run another name; its folder keeps its own (F2)."),
            Action("runs.notes", "Edit notes", self._edit_notes, "Run", "", one,
                   "Write down what to remember of this run (Ctrl+E)."),
            Action("runs.folder", "Show in file manager", act(presenter.show_folder), "Run", "",
                   one, "Open the run's folder."),
            Action("runs.copy_path", "Copy path", self._copy_path, "Run", "", some,
                   "Copy where the run lies on disk (Ctrl+C)."),
            Action("runs.trash", "Move to trash", self._trash, "Run", "", some,
                   "Move the selected runs to the trash; can be undone (Delete)."),
            Action("runs.undo", "Undo move to trash", presenter.undo.undo, "Run", "",
                   presenter.undo.canUndo, "Bring back what was moved to the trash last (Ctrl+Z)."),
            Action("runs.redo", "Redo move to trash", presenter.undo.redo, "Run", "",
                   presenter.undo.canRedo, "Move to the trash again (Ctrl+Shift+Z)."),
            Action("runs.search", "Search runs", self._search, "View", "",
                   help="Find runs by words, settings or figures (Ctrl+F in the Runs screen)."),
        ]  # fmt: skip

    def _as_qt(self, action: Action) -> QAction:
        """A Qt action with its keys, which only work in this screen."""
        keys = {
            "runs.charts": ["Return", "Enter"],
            "runs.rename": ["F2"],
            "runs.notes": ["Ctrl+E"],
            "runs.copy_path": ["Ctrl+C"],
            "runs.trash": ["Delete"],
            "runs.undo": ["Ctrl+Z"],
            "runs.redo": ["Ctrl+Shift+Z"],
            "runs.search": ["Ctrl+F"],
        }
        anywhere = action.name in ("runs.undo", "runs.redo", "runs.search")
        owner = self if anywhere else self.table
        made = QAction(action.text, owner)
        made.setToolTip(action.help)
        made.setStatusTip(action.help)
        made.setShortcuts([QKeySequence(key) for key in keys.get(action.name, [])])
        made.setShortcutContext(  # in the table not its editors, which need these keys
            Qt.ShortcutContext.WidgetWithChildrenShortcut
            if anywhere
            else Qt.ShortcutContext.WidgetShortcut
        )
        made.triggered.connect(lambda: action.run())
        owner.addAction(made)
        return made

    def _with_one(self, do: Callable[[RunRecord], None]) -> Callable[[], None]:
        def run() -> None:
            record = self._one()
            if record is not None:
                do(record)

        return run

    def _one(self) -> RunRecord | None:
        """The run that is meant: the current one of those selected."""
        selected = self.table.selected()
        return selected[0] if selected else None

    def _resumable(self) -> bool:
        record = self._one() if self.isVisible() else None
        return record is not None and self.presenter.can_resume(record)

    def _configured(self) -> bool:
        record = self._one() if self.isVisible() else None
        return record is not None and record.config is not None

    def _overlay(self) -> None:
        self.presenter.overlay(self.table.selected())

    def _compare(self) -> None:
        self.presenter.compare(self.table.selected())

    def _trash(self) -> None:
        self.detail.keep_notes()
        self.presenter.trash(self.table.selected())

    def _rename(self) -> None:
        self.table.edit_name()

    def _edit_notes(self) -> None:
        record = self._one()
        if record is not None:
            self.table.select([record.key])
            self.detail.notes.setFocus()

    def _copy_path(self) -> None:
        paths = [record.key for record in self.table.selected()]
        if paths:
            QApplication.clipboard().setText("\n".join(paths))
            what = "Path" if len(paths) == 1 else words.count(len(paths), "path")
            self.context.message.emit(f"{what} copied.")

    def _search(self) -> None:
        self.context.go_to.emit(self.name)
        self.search.setFocus()
        self.search.selectAll()

    def _menu(self, at: QPoint) -> None:
        if self.table.indexAt(at).isValid():
            menu = QMenu(self.table)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            for name in MAIN:
                menu.addAction(self._actions[name])
            menu.addSeparator()
            self._fill_menu(menu)
            menu.popup(self.table.viewport().mapToGlobal(at))

    def _fill_menu(self, menu: QMenu) -> None:
        for name in MORE:
            menu.addAction(self._actions[name]) if name else menu.addSeparator()

    def _double_clicked(self) -> None:
        self._overlay()

    def _enable(self) -> None:
        for action in self.actions_table():
            self._actions[action.name].setEnabled(action.enabled())

    # -- what changes -------------------------------------------------------------------------

    def _apply(self, changes: Changes) -> None:
        self.model.apply(changes)
        if changes.added or changes.removed:
            self._fill_folders()
        if self._restored and changes.added:
            self._select_restored()
        self._columns_changed()
        if changes.added and not self.presenter.loading:
            self.table.fit()
        self._refresh()

    def _scanned(self) -> None:
        problem = self.context.store.problem
        self.banner.setText(problem)
        self.banner.setVisible(bool(problem))
        self._choose_Page()

    def _selection_changed(self) -> None:
        self._restored = []
        self._refresh()

    def _refresh(self) -> None:
        """What hangs on the selection and on the number of runs."""
        self.detail.show_runs(self.table.selected())
        shown, total = self.proxy.rowCount(), len(self.model.records)
        text = words.count(total, "run") if shown == total else f"{shown} of {total} runs"
        self.count.setText(text if total else "")
        self._choose_Page()
        self._enable()

    def _choose_Page(self) -> None:
        empty = not self.model.records and not self.presenter.loading
        self.side.setHidden(empty and not self.context.trainer.queue)
        if empty:
            self.pages.setCurrentIndex(EMPTY)
        elif self.model.records and not self.proxy.rowCount():
            problem = self.proxy.query.problem(self.model.records)
            self.nothing.why.setText(
                problem or "No run has all that the search and the state filter ask for."
            )
            self.pages.setCurrentIndex(NOTHING)
        else:
            self.pages.setCurrentIndex(ALL)

    def _fill_folders(self) -> None:
        """Studies come and go, and gain runs; the chosen one stays chosen."""
        chosen, found = self.folders.currentText(), self.context.store.folders()
        wanted = [(EVERYWHERE, None), *found.items()]
        shown = [
            (self.folders.itemText(n), self.folders.itemData(n))
            for n in range(self.folders.count())
        ]
        if wanted == shown:
            return
        self.folders.blockSignals(True)
        self.folders.clear()
        for name, keys in wanted:
            self.folders.addItem(name, keys)
        self.folders.setCurrentIndex(max(0, self.folders.findText(chosen)))
        self.folders.setVisible(len(found) > 1)
        self.folders.blockSignals(False)
        self._search_changed()

    def _search_changed(self) -> None:
        self._searching.stop()
        keys = self.folders.currentData() or ()
        states = FILTERS[self.states.currentText()]
        self.proxy.ask(Query.parse(self.search.text()), states, keys)
        self._columns_changed()
        self._refresh()

    def _clear_filters(self) -> None:
        self.search.clear()
        self.states.setCurrentIndex(0)
        self.folders.setCurrentIndex(0)
        self._search_changed()

    def _columns_changed(self) -> None:
        if not self.differing.isChecked():
            if len(self.model.columns) > len(self.model.ordinary) or self.table.muted_names:
                self.table.show_settings([])
            return
        paths = words.differing(self.proxy.records())
        ordinary = {c.setting: c.name for c in self.model.ordinary if c.setting}
        visible = {path for path, name in ordinary.items() if name not in self.table.hidden_names}
        muted = [name for path, name in ordinary.items() if path not in paths]
        self.table.show_settings([path for path in paths if path not in visible], muted)

    # -- the session --------------------------------------------------------------------------

    def shown(self) -> None:
        """Look at the disk at once, and be ready for the keyboard."""
        self.presenter.scan()
        self._enable()
        if not self.search.hasFocus():
            self.table.setFocus()

    def state(self) -> dict[str, Any]:
        """Columns, sorting, filters, splitter and selection."""
        return {
            "table": self.table.state(),
            "search": self.search.text(),
            "states": self.states.currentText(),
            "differing": self.differing.isChecked(),
            "splitter": self.splitter.sizes(),
            "selected": [record.key for record in self.table.selected()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse; runs are selected as soon as they are loaded."""
        table, sizes, selected = (state.get(n) for n in ("table", "splitter", "selected"))
        if isinstance(table, dict):
            self.table.restore(table)
        if isinstance(sizes, list) and len(sizes) == 2 and all(type(s) is int for s in sizes):
            self.splitter.setSizes(sizes)
        self.search.setText(str(state.get("search", "")))
        self.states.setCurrentIndex(max(0, self.states.findText(str(state.get("states", "")))))
        self.differing.setChecked(state.get("differing") is True)
        self._restored = [str(key) for key in selected] if isinstance(selected, list) else []
        self._search_changed()
        self._select_restored()

    def _select_restored(self) -> None:
        wanted = self._restored
        self.table.select(wanted)
        self._restored = [key for key in wanted if self.model.row_of(key) is None]


def _button(action: QAction) -> QPushButton:
    """A push button that does what an action does, and is enabled when it is."""
    button = QPushButton(action.text())
    button.setToolTip(action.toolTip())
    button.clicked.connect(action.trigger)
    action.enabledChanged.connect(button.setEnabled)
    return button


class _Page(QWidget):
    """What stands in the place of an empty table: what is so, and a way on."""

    def __init__(self, title: str, sentence: str, button: str, do: Callable[[], None]):
        super().__init__()
        head = QLabel(title)
        theme.role(head, "title")
        self.why = QLabel(sentence)
        self.why.setWordWrap(True)
        self.why.setFixedWidth(460)
        self.why.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        theme.role(self.why, "muted")
        push = QPushButton(button)
        push.clicked.connect(lambda: do())
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addStretch(2)
        for widget in (head, self.why, push):
            layout.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)
