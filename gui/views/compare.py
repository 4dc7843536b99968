"""The Compare screen: runs or a study side by side, as curves, plane, tables and bars."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QRect, Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QMessageBox,
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
from ..models.comparison import AXES, QUANTITIES, VALIDATION, Arm
from ..models.evaluated import CLEAN
from ..models.run_words import count
from ..presenters.compare import ComparePresenter
from ..presenters.context import Context
from . import figure
from .compare_charts import ClassChart, CurvesChart, PlaneChart, Shown, hue
from .legend import Entry, Legend
from .parts import combo, fill
from .plots import Chart
from .screen import Screen
from .text_table import TextTable

CHOOSE = "Choose a study or folder…"
EMPTY = (
    "Select two or more runs under Runs and choose Compare, or choose a study here: a folder "
    "with several runs. Runs that differ in nothing but their seed are shown as one."
)
NO_EVALUATION = (
    "None of these runs has been evaluated: see Evaluate, or python -m slr_keras.evaluate."
)
TABS = ("Curves", "Clean and robust", "Evaluation", "Classes", "Settings")
TABLES: dict[str, Callable[[Any], str]] = {
    ".md": tables.table,
    ".tex": tables.latex,
    ".csv": tables.csv_text,
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
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        pages = (
            self._curves(),
            self._plane(),
            self._evaluation(),
            self._classes(),
            self._settings(),
        )
        for text, page in zip(TABS, pages, strict=True):
            self.tabs.addTab(page, text)
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

    def _curves(self) -> QWidget:
        self.quantity = combo("Quantity", _pairs(QUANTITIES))
        self.axis = combo(
            "Over", _pairs({name: text.partition(",")[0] for name, text in AXES.items()})
        )
        self.curves = CurvesChart()
        self.curves.menu_wanted.connect(self._chart_menu)
        return self._page(self.curves, ("Show", self.quantity), ("over", self.axis))

    def _plane(self) -> QWidget:
        self.under = combo("Robust accuracy under")
        self.plane = PlaneChart()
        self.plane.menu_wanted.connect(self._chart_menu)
        return self._page(self.plane, ("Robust accuracy under", self.under))

    def _evaluation(self) -> QWidget:
        self.evaluation = TextTable("Evaluations of the runs")
        self.footing = QLabel(wordWrap=True)
        theme.role(self.footing, "muted")
        self.footing.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._page(self.evaluation), 1)
        layout.addWidget(self.footing)
        return page

    def _classes(self) -> QWidget:
        self.class_attack = combo("Accuracy under")
        self.classes = ClassChart()
        self.classes.menu_wanted.connect(self._chart_menu)
        return self._page(self.classes, ("Accuracy in each class under", self.class_attack))

    def _settings(self) -> QWidget:
        self.settings = TextTable("Settings that tell the runs apart")
        return self._page(self.settings)

    def _page(self, body: QWidget, *choices: tuple[str, QComboBox]) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 8, 0, 0)
        if choices:
            row = QHBoxLayout()
            for text, box in choices:
                label = QLabel(text)
                label.setBuddy(box)
                row.addWidget(label)
                row.addWidget(box)
                box.currentIndexChanged.connect(lambda _: self._draw())
            row.addStretch(1)
            layout.addLayout(row)
        layout.addWidget(body, 1)
        return page

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
        fill(self.against, _pairs({arm.key: arm.label for arm in arms}))
        attacks = comparison.attacks_of(arms, self.presenter.evaluated)
        fill(self.under, _pairs({name: tables.title(name) for name in [VALIDATION, *attacks]}))
        fill(self.class_attack, _pairs({name: tables.title(name) for name in [CLEAN, *attacks]}))
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
        if self._stale or not self.presenter.arms:
            return
        draw = (
            self._draw_curves,
            self._draw_plane,
            self._draw_evaluation,
            self._draw_classes,
            self._draw_settings,
        )
        draw[self.tabs.currentIndex()]()

    def _draw_curves(self) -> None:
        quantity, axis = self.quantity.currentData(), self.axis.currentData()
        line = partial(self.presenter.overlay.line, quantity=quantity, axis=axis)
        lines = [(self._shown(arm), line(arm)) for arm in self.presenter.visible]
        self.curves.show_lines(lines, axis, quantity, QUANTITIES[quantity])

    def _draw_plane(self) -> None:
        attack, evaluated = self.under.currentData() or VALIDATION, self.presenter.evaluated
        arrows = [
            (self._shown(arm), arrow)
            for arm in self.presenter.visible
            for arrow in comparison.arrows(arm, attack, evaluated)
        ]
        self.plane.show_arrows(arrows, tables.title(attack))

    def _draw_evaluation(self) -> None:
        found = self.presenter.results()
        if not found["runs"]:
            self.evaluation.show_rows([], [])
            self.footing.setText(NO_EVALUATION)
            return
        visible, evaluated = self.presenter.visible, self.presenter.evaluated
        header, far = comparison.distances(visible, evaluated)
        rows = [partial(_row, part, arm, far[arm]) for arm, part in tables.parts(found).items()]
        self.evaluation.show_rows([*tables.header(found), *header], rows)
        self.footing.setText(tables.footing(found))

    def _draw_classes(self) -> None:
        attack, evaluated = self.class_attack.currentData() or CLEAN, self.presenter.evaluated
        bars = [
            (self._shown(arm), comparison.by_class(arm, attack, evaluated))
            for arm in self.presenter.visible
        ]
        names = comparison.class_names(self.presenter.visible, evaluated)
        title = f"Accuracy in each class, {tables.title(attack)} (best epoch)"
        self.classes.show_bars(bars, names, title)

    def _draw_settings(self) -> None:
        header, rows = comparison.settings_table(self.presenter.visible)
        self.settings.show_rows(header, [lambda row=row: row for row in rows])  # type: ignore[misc]

    def _shown(self, arm: Arm) -> Shown:
        return Shown(arm.key, arm.label, self._hue(arm))

    def _hue(self, arm: Arm) -> str:
        return hue(self.presenter.number(arm), theme.colours())

    def _text(self, arm: Arm) -> str:
        return arm.label if len(arm.records) == 1 else f"{arm.label} ({len(arm.records)} seeds)"

    # -- which runs ---------------------------------------------------------------------------

    def _fill_folders(self) -> None:
        if not self.isVisible():
            return
        found = self.presenter.folders()
        shown = next(
            (n for n, paths in found.items() if set(paths) == set(self.presenter.paths)), None
        )
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
        drawn = lambda: some() and self._chart() is not None  # noqa: E731
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

    def _chart(self) -> Chart | None:
        return {0: self.curves, 1: self.plane, 3: self.classes}.get(self.tabs.currentIndex())

    def _ask_figure(self) -> None:
        if self._chart() is None:
            self.context.message.emit("This tab is a table: export it as Markdown, LaTeX or CSV.")
            return
        chosen, kind = QFileDialog.getSaveFileName(
            self, "Export figure", "compare.png", "PNG image (*.png);;SVG drawing (*.svg)"
        )
        self._save(self.save_figure, chosen, ".svg" if "svg" in kind else ".png")

    def _ask_table(self, suffix: str) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Export evaluations", f"compare{suffix}")
        self._save(self.save_table, chosen, suffix)

    def save_table(self, path: pathlib.Path) -> None:
        """The evaluations as the suffix says: .md, .tex or .csv; raises OSError, ValueError."""
        found = self.presenter.results()
        if not found["runs"]:
            raise ValueError(NO_EVALUATION)
        if path.suffix not in TABLES:
            raise ValueError(f"expected {', '.join(TABLES)}, received {path.suffix!r}")
        write_atomically(path, TABLES[path.suffix](found).encode())

    def save_figure(self, path: pathlib.Path) -> None:
        """The chart in front on white; raises OSError, ValueError."""
        chart = self._chart()
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

    def _save(self, write: Callable[[pathlib.Path], None], chosen: str, suffix: str) -> None:
        if not chosen:
            return
        path = pathlib.Path(chosen)
        path = path if path.suffix else path.with_suffix(suffix)
        try:
            write(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            text = f"{path} could not be saved: {reason.rstrip('.')}. Choose another place or name."
            QMessageBox.warning(self, "Not saved", text)
        else:
            self.context.message.emit(f"Saved {path}.")

    def _chart_menu(self, position: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Show everything", self._show_everything)
        menu.addAction("Export figure as PNG or SVG…", self._ask_figure)
        menu.popup(position)

    def _show_everything(self) -> None:
        self.curves.whole = True
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
        combos = {name: getattr(self, name).currentData() for name in ("quantity", "axis")}
        return {"paths": self.presenter.paths, "tab": self.tabs.currentIndex(), **combos}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``; passes over what it cannot use."""
        paths, tab = state.get("paths"), state.get("tab")
        if isinstance(paths, list):
            self.presenter.show_runs(list(map(str, paths)))
        if isinstance(tab, int) and 0 <= tab < self.tabs.count():
            self.tabs.setCurrentIndex(tab)
        for name in ("quantity", "axis"):
            box = getattr(self, name)
            box.setCurrentIndex(max(0, box.findData(state.get(name))))

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "classes"):
            self._change_colours(theme.colours())

    def _dress(self, colours: theme.Colours | None = None, pen_scale: float = 1.0) -> None:
        for chart in (self.curves, self.plane, self.classes):
            chart.dress(colours or theme.colours(), pen_scale)

    def _change_colours(self, colours: theme.Colours, pen_scale: float = 1.0) -> None:
        self._dress(colours, pen_scale)
        self._stale = True
        if self.isVisible():
            self._refresh()


def _row(part: Any, arm: str, distances: list[str]) -> list[str]:
    return [*tables.row(part, arm), *distances]


def _pairs(choices: dict[str, str]) -> list[tuple[str, object]]:
    """(text, name) of choices by their names."""
    return [(text, name) for name, text in choices.items()]
