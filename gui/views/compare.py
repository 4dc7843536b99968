"""The Compare screen: runs or a study side by side, as curves, plane, tables and bars."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QRect, Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from slr_keras.run_folder import write_atomically
from slr_keras.studies import tables

from .. import theme
from ..actions import Action
from ..models import comparison
from ..models.comparison import Arm
from ..models.run_words import count
from ..presenters.compare import MOST, ComparePresenter
from ..presenters.context import Context
from . import figure, saving
from .compare_charts import hue
from .compare_pages import (
    NO_EVALUATION,
    ClassesPage,
    ComparePage,
    CurvesPage,
    EvaluationPage,
    PlanePage,
    SettingsPage,
)
from .legend import Entry, Legend
from .parts import combo, fill
from .plots import Chart
from .screen import Screen

NARROW = 150  # pixels that a box of runs may be squeezed to
CHOOSE = "Choose a study…"
EMPTY = (
    "Select two or more runs under Runs and choose Compare, or choose a study here: a folder "
    "with several runs. Runs that differ in nothing but their seed are shown as one."
)
TABLES: dict[str, Callable[[Any, tables.Columns], str]] = {
    ".md": tables.table,
    ".tex": tables.latex,
    ".csv": lambda found, _: tables.csv_text(found),
}


class CompareScreen(Screen):
    """Several runs, what tells them apart and what that did to their figures."""

    name = "compare"
    title = "Compare"

    def __init__(self, context: Context):
        super().__init__(context)
        self.presenter = ComparePresenter(context, self)
        self.presenter.looked_at = self.isVisible
        self._stale = True
        self._lay_out()
        self.presenter.changed.connect(self._changed)
        context.runs_changed.connect(lambda _: self._fill_folders())
        self._dress()
        self._changed()

    # -- building -----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.legend = Legend("Runs that are compared")
        self.legend.toggled.connect(self.presenter.toggle)
        self.notice = QLabel(wordWrap=True)
        theme.role(self.notice, "warn")
        self.curves = CurvesPage(self.presenter)
        self.plane = PlanePage(self.presenter)
        self.evaluation = EvaluationPage(self.presenter)
        self.classes = ClassesPage(self.presenter)
        self.settings = SettingsPage(self.presenter)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for page in self._pages:
            self.tabs.addTab(page, page.title)
            page.chosen.connect(self._draw)
        for chart in self._charts:
            chart.menu_wanted.connect(self._chart_menu)
        self.tabs.currentChanged.connect(lambda _: self._draw())
        full = QWidget()
        inside = QVBoxLayout(full)
        inside.setContentsMargins(0, 0, 0, 0)
        for widget in (self.legend, self.notice):
            inside.addWidget(widget)
        inside.addWidget(self.tabs, 1)
        empty = QLabel(EMPTY, alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        theme.role(empty, "muted")
        self.pages = QStackedWidget()
        self.pages.addWidget(empty)
        self.pages.addWidget(full)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(8)
        layout.addLayout(self._head())
        layout.addWidget(self.pages, 1)

    def _head(self) -> QHBoxLayout:
        title = QLabel(self.title)
        theme.role(title, "title")
        self.count = QLabel()
        theme.role(self.count, "muted")
        self.folders = combo("Study or folder whose runs are compared")
        self.folders.setPlaceholderText(CHOOSE)
        self.folders.activated.connect(self._folder_chosen)
        self.against = combo("Compare with this one")
        self.against.activated.connect(
            lambda row: self.presenter.against(self.against.itemData(row))
        )
        for box in (self.folders, self.against):
            box.setMinimumWidth(NARROW)
        self._against = QLabel("against")
        self._against.setBuddy(self.against)
        self.export = QPushButton("Export")
        menu = QMenu(self.export)
        for action in self._exports():
            menu.addAction(action.text, action.run).setToolTip(action.help)
        self.export.setMenu(menu)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(title)
        row.addWidget(self.count, 1)
        for widget in (self.folders, self._against, self.against, self.export):
            row.addWidget(widget)
        return row

    @property
    def _pages(self) -> tuple[ComparePage, ...]:
        return self.curves, self.plane, self.evaluation, self.classes, self.settings

    @property
    def _charts(self) -> list[Chart]:
        return [page.chart for page in self._pages if page.chart is not None]

    # -- what is shown ------------------------------------------------------------------------

    def _changed(self) -> None:
        self._stale = True
        if self.isVisible():
            self._refresh()

    def _refresh(self) -> None:
        """Everything that does not depend on the tab, then the tab in front."""
        self._stale = False
        arms, runs = self.presenter.arms, self.presenter.records
        self.pages.setCurrentIndex(1 if runs else 0)
        seeds = f", {count(len(arms), 'arm')}" if len(arms) < len(runs) else ""
        self.count.setText(f"{count(len(runs), 'run')}{seeds}" if runs else "")
        problems = self.presenter.problems
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        self.notice.setText(f"{problems[0]}{more}" if problems else "")
        self.notice.setVisible(bool(problems))
        self._fill_folders()
        for widget in (self._against, self.against):
            widget.setVisible(len(arms) > 1)
        self.export.setEnabled(bool(runs))
        fill(self.against, [(arm.label, arm.key) for arm in arms])
        attacks = comparison.attacks_of(arms, self.presenter.evaluated)
        for page in self._pages:
            page.offer(attacks)
        entries = [
            Entry(
                arm.key, self._text(arm), self._hue(arm), shown=arm.key not in self.presenter.hidden
            )
            for arm in arms
        ]
        self.legend.show_entries(entries, theme.colours())
        self._draw()

    def _draw(self) -> None:
        """The tab in front; the others when they come there."""
        if not self._stale and self.presenter.arms:
            self._front.draw()

    @property
    def _front(self) -> ComparePage:
        return self._pages[self.tabs.currentIndex()]

    def _hue(self, arm: Arm) -> str:
        return hue(self.presenter.number(arm), theme.colours())

    def _text(self, arm: Arm) -> str:
        return arm.label if len(arm.records) == 1 else f"{arm.label} ({len(arm.records)} seeds)"

    # -- which runs ---------------------------------------------------------------------------

    def _fill_folders(self) -> None:
        if not self.isVisible():
            return
        found = self.presenter.folders()
        compared = set(self.presenter.paths)
        shown = next((n for n, paths in found.items() if set(paths[:MOST]) == compared), None)
        self.folders.blockSignals(True)
        self.folders.clear()
        for name, paths in found.items():
            self.folders.addItem(f"{name} ({len(paths)} runs)", paths)
        self.folders.setCurrentIndex(-1 if shown is None else list(found).index(shown))
        self.folders.blockSignals(False)
        self.folders.setEnabled(bool(found))

    def _folder_chosen(self, row: int) -> None:
        self.presenter.show_runs(self.folders.itemData(row) or [])

    # -- export -------------------------------------------------------------------------------

    def _exports(self) -> list[Action]:
        some = lambda: self.isVisible() and bool(self.presenter.arms)  # noqa: E731
        drawn = lambda: some() and self._front.chart is not None  # noqa: E731
        table = lambda suffix: partial(self._ask_table, suffix)  # noqa: E731
        return [
            Action("compare.figure", "Picture of this tab as PNG or SVG…", self._ask_figure,
                   "Charts", "", drawn, "Save the chart in front with its legend."),
            Action("compare.markdown", "Evaluations as Markdown…", table(".md"),
                   "Charts", "", some, "Save the table of evaluations as Markdown."),
            Action("compare.latex", "Evaluations as LaTeX…", table(".tex"),
                   "Charts", "", some, "Save the table of evaluations as a LaTeX tabular."),
            Action("compare.csv", "Evaluations as CSV…", table(".csv"),
                   "Charts", "", some, "Save every accuracy, unrounded, one a line."),
        ]  # fmt: skip

    def _ask_figure(self) -> None:
        if self._front.chart is None:
            self.context.message.emit("This tab is a table: export it as Markdown, LaTeX or CSV.")
            return
        self._ask("Export figure", "compare.png", saving.FIGURES, self.save_figure)

    def _ask_table(self, suffix: str) -> None:
        self._ask("Export evaluations", f"compare{suffix}", "", self.save_table)

    def _ask(self, title: str, proposal: str, kinds: str, write: saving.Write) -> None:
        saving.ask(self, title, proposal, kinds, write, self.context.message.emit)

    def save_table(self, path: pathlib.Path) -> None:
        """The evaluations as the suffix says: .md, .tex or .csv; raises OSError, ValueError."""
        found = self.presenter.results()
        if not found["runs"]:
            raise ValueError(NO_EVALUATION)
        if path.suffix not in TABLES:
            raise ValueError(f"expected {', '.join(TABLES)}, received {path.suffix!r}")
        more = comparison.distances(self.presenter.visible, self.presenter.evaluated)
        write_atomically(path, TABLES[path.suffix](found, more).encode())

    def save_figure(self, path: pathlib.Path) -> None:
        """The chart in front on white; raises OSError, ValueError."""
        chart = self._front.chart
        if chart is None:
            raise ValueError("the tab in front is a table")
        self._change_colours(theme.LIGHT, figure.pen_scale(path))
        try:
            legend = [entry for entry in self.legend.entries if entry.shown]
            places = [(chart, QRect(QPoint(0, 0), chart.size()))]
            figure.save(
                figure.Figure("", "", [legend], places, chart.size()),
                path,
                theme.LIGHT,
                self.font(),
            )
        finally:
            self._change_colours(theme.colours())

    def _chart_menu(self, position: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Show everything", self._show_everything)
        menu.addAction("Export figure as PNG or SVG…", self._ask_figure)
        menu.popup(position)

    def _show_everything(self) -> None:
        self.curves.chart.whole = True
        self._draw()

    # -- the window's part --------------------------------------------------------------------

    def actions_table(self) -> list[Action]:
        """What can be exported."""
        return self._exports()

    def shown(self) -> None:
        """What happened while it was hidden is drawn now."""
        if self._stale:
            self._refresh()
        else:
            self._fill_folders()

    def state(self) -> dict[str, Any]:
        """Runs, hidden arms, the tab and its choices."""
        combos = {name: getattr(self.curves, name).currentData() for name in ("quantity", "axis")}
        return {"paths": self.presenter.paths, "tab": self.tabs.currentIndex(), **combos}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``; passes over what it cannot use."""
        paths, tab = state.get("paths"), state.get("tab")
        if isinstance(paths, list):
            self.presenter.show_runs(list(map(str, paths)))
        if isinstance(tab, int) and 0 <= tab < self.tabs.count():
            self.tabs.setCurrentIndex(tab)
        for name in ("quantity", "axis"):
            box = getattr(self.curves, name)
            box.setCurrentIndex(max(0, box.findData(state.get(name))))

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "pages"):
            self._change_colours(theme.colours())

    def _dress(self, colours: theme.Colours | None = None, pen_scale: float = 1.0) -> None:
        for chart in self._charts:
            chart.dress(colours or theme.colours(), pen_scale)

    def _change_colours(self, colours: theme.Colours, pen_scale: float = 1.0) -> None:
        self._dress(colours, pen_scale)
        self._stale = True
        if self.isVisible():
            self._refresh()
