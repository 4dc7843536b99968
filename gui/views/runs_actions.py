"""What can be done with the selected runs: the actions of the Runs screen, with their keys."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu, QPushButton, QWidget

from ..actions import Action
from ..models import run_words as words
from ..models.run_record import RunRecord
from ..presenters.runs import RunsPresenter
from .runs_detail import RunDetail
from .runs_table import RunsTable

MAIN = (
    *("runs.charts", "runs.compare", "runs.evaluate", "runs.attack"),
    *("runs.resume", "runs.settings"),
)
MORE = (
    *("runs.labels", "runs.export", ""),
    *("runs.rename", "runs.notes", "runs.folder", "runs.copy_path", ""),
    *("runs.trash", "runs.undo"),
)
KEYS = {
    "runs.rename": ("F2",),
    "runs.notes": ("Ctrl+E",),
    "runs.copy_path": ("Ctrl+C",),
    "runs.trash": ("Delete",),
    "runs.undo": ("Ctrl+Z",),
    "runs.redo": ("Ctrl+Shift+Z",),
    "runs.search": ("Ctrl+F",),
}
CHARTED = 25  # runs in one chart
ANYWHERE = ("runs.undo", "runs.redo", "runs.search")  # their keys need no table


class RunActions(QObject):
    """The actions on the runs that are selected in a table.

    Args:
        screen: where the keys work.
        presenter: carries them out.
        table: says which runs are meant.
        detail: where notes are written.
        search: looks for runs.
        say: a sentence for the window's foot.
    """

    def __init__(
        self,
        screen: QWidget,
        presenter: RunsPresenter,
        table: RunsTable,
        detail: RunDetail,
        search: Callable[[], None],
        say: Callable[[str], object],
    ):
        super().__init__(screen)
        self._screen, self._presenter = screen, presenter
        self._table, self._detail, self._say = table, detail, say
        self.table = self._all(search)
        self.items = {action.name: self._as_qt(action) for action in self.table}

    # -- what there is ------------------------------------------------------------------------

    def _all(self, search: Callable[[], None]) -> list[Action]:
        """Keys work while the table has the focus."""
        seen = self._screen.isVisible
        one = lambda: seen() and self._table.one() is not None  # noqa: E731
        some = lambda: seen() and bool(self._table.selected_rows())  # noqa: E731
        several = lambda: seen() and len(self._table.selected()) > 1  # noqa: E731
        groups = lambda: seen() and self._table.has_groups()  # noqa: E731
        act, presenter = self._with_one, self._presenter
        return [
            Action("runs.charts", "Open in charts", self.overlay, "Run", "", some,
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
            Action("runs.rename", "Rename", self._table.edit_name, "Run", "", one,
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
            Action("runs.fold", "Fold all studies", self._table.fold, "View", "", groups,
                   "Show each folder with several runs as one row (Left folds one)."),
            Action("runs.unfold", "Unfold all studies", self._table.unfold, "View", "", groups,
                   "Show the runs of all studies (Right unfolds one)."),
            Action("runs.search", "Search runs", search, "View", "",
                   help="Find runs by words, settings or figures (Ctrl+F in the Runs screen)."),
        ]  # fmt: skip

    def _as_qt(self, action: Action) -> QAction:
        """A Qt action with its keys, which only work in this screen."""
        anywhere = action.name in ANYWHERE
        owner = self._screen if anywhere else self._table
        made = QAction(action.text, owner)
        made.setToolTip(action.help)
        made.setStatusTip(action.help)
        made.setShortcuts([QKeySequence(key) for key in KEYS.get(action.name, ())])
        made.setShortcutContext(  # in the table not its editors, which need these keys
            Qt.ShortcutContext.WidgetWithChildrenShortcut
            if anywhere
            else Qt.ShortcutContext.WidgetShortcut
        )
        made.triggered.connect(lambda: action.run())
        owner.addAction(made)
        return made

    def enable(self) -> None:
        """Those that can be done now."""
        for action in self.table:
            self.items[action.name].setEnabled(action.enabled())

    def buttons(self) -> list[QPushButton]:
        """One for each main action, and one with a menu of the others."""
        more = QPushButton("More")
        more.setToolTip("Rename, notes, folder, trash")
        menu = QMenu(more)
        self._fill(menu)
        more.setMenu(menu)
        return [*(_button(self.items[name]) for name in MAIN), more]

    def menu(self) -> QMenu:
        """All of them, for a right click."""
        menu = QMenu(self._table)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name in MAIN:
            menu.addAction(self.items[name])
        menu.addSeparator()
        self._fill(menu)
        return menu

    def _fill(self, menu: QMenu) -> None:
        for name in MORE:
            menu.addAction(self.items[name]) if name else menu.addSeparator()

    # -- what they do -------------------------------------------------------------------------

    def _with_one(self, do: Callable[[RunRecord], None]) -> Callable[[], None]:
        def run() -> None:
            record = self._table.one()
            if record is not None:
                do(record)

        return run

    def _resumable(self) -> bool:
        record = self._table.one() if self._screen.isVisible() else None
        return record is not None and self._presenter.can_resume(record)

    def _configured(self) -> bool:
        record = self._table.one() if self._screen.isVisible() else None
        return record is not None and record.config is not None

    def overlay(self) -> None:
        """Show the selected runs in one chart, the first of very many."""
        chosen = self._table.selected()
        self._presenter.overlay(chosen[:CHARTED])
        if len(chosen) > CHARTED:
            self._say(f"{len(chosen):,} runs are too many to see: the first {CHARTED} are drawn.")

    def _compare(self) -> None:
        self._presenter.compare(self._table.selected())

    def _trash(self) -> None:
        self._detail.keep_notes()
        self._presenter.trash(self._table.selected())

    def _edit_notes(self) -> None:
        record = self._table.one()
        if record is not None:
            self._table.select([record.key])
            self._detail.notes.setFocus()

    def _copy_path(self) -> None:
        paths = [record.key for record in self._table.selected()]
        if paths:
            QApplication.clipboard().setText("\n".join(paths))
            what = "Path" if len(paths) == 1 else words.count(len(paths), "path")
            self._say(f"{what} copied.")


def _button(action: QAction) -> QPushButton:
    """A push button that does what an action does, and is enabled when it is."""
    button = QPushButton(action.text())
    button.setToolTip(action.toolTip())
    button.clicked.connect(action.trigger)
    action.enabledChanged.connect(button.setEnabled)
    return button
