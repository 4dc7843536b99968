"""The rows of the form in their places: the essentials, and sections that fold."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from .. import theme
from ..models.form import Form
from ..models.form_row import Row
from .form_row import RowView, reset_button

HEADER = """
QToolButton { border: none; border-radius: 0; border-bottom: 1px solid palette(mid);
              font-weight: 600; padding: 5px 0 3px 0; text-align: left; background: transparent; }
QToolButton:focus { border-bottom: 2px solid palette(highlight); }
"""


class SectionView(QWidget):
    """A heading that folds its rows away; a row is made when it is shown for the first time.

    Signals:
        folded: the heading was used.
        made: a row was made.
    """

    folded = Signal()
    made = Signal(object)

    def __init__(self, form: Form, section: str):
        super().__init__()
        self.section, self._form = section, form
        self._views: dict[str, RowView] = {}
        words = section.replace("_", " ").replace(".", ": ") or "run"
        self.title = words[0].upper() + words[1:]
        self.header = QToolButton()
        self.header.setText(self.title)
        self.header.setCheckable(True)
        self.header.setChecked(True)
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.header.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.header.setStyleSheet(HEADER)
        self.header.toggled.connect(lambda _: self.folded.emit())
        self.count = QLabel()
        theme.role(self.count, "muted")
        self.undo = reset_button(f"Reset all of {self.title.lower()}")
        self.undo.clicked.connect(lambda: form.reset(section=section))
        self.body = QWidget()
        self._inside = QVBoxLayout(self.body)
        self._inside.setContentsMargins(10, 4, 0, 8)
        self._inside.setSpacing(0)
        top = QHBoxLayout()
        top.setSpacing(8)
        for widget in (self.header, self.count, self.undo):
            top.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addWidget(self.body)

    @property
    def _rows(self) -> list[Row]:
        return self._form.sections().get(self.section, [])

    @property
    def rows(self) -> list[RowView]:
        """The rows that were made so far, from top to bottom."""
        return [self._views[row.key] for row in self._rows if row.key in self._views]

    def view(self, row: Row) -> RowView:
        """The widgets of a row."""
        if row.key not in self._views:
            view = self._views[row.key] = RowView(self._form, row)
            rows = self._rows
            before = rows[: rows.index(row)]
            place = sum(other.key in self._views for other in before)
            self._inside.insertWidget(place, view)
            stops = [self.rows[place - 1].undo if place else self.undo, *view.stops]
            for one, next_ in zip(stops, stops[1:], strict=False):
                QWidget.setTabOrder(one, next_)
            self.made.emit(view)
        return self._views[row.key]

    def refresh(self, words: str, among: Callable[[Row], bool] | None = None) -> bool:
        """Show the rows that match, ``among`` those only; returns whether there is one."""
        shown = [row for row in self._rows if self._form.shown(row)]
        wanted = [row for row in shown if row.matches(words) and (among is None or among(row))]
        for row in wanted:
            self.view(row)
        keys = {row.key for row in wanted}
        for view in self._views.values():
            view.refresh(view.row.key in keys)
        changed = sum(row.changed for row in shown)
        errors = sum(bool(row.error) for row in shown)
        self.count.setText(_count(errors, changed))
        theme.role(self.count, "bad" if errors else "muted")
        self.undo.setVisible(bool(changed))
        open_ = self.header.isChecked() or bool(words) or among is not None
        self.header.setArrowType(Qt.ArrowType.DownArrow if open_ else Qt.ArrowType.RightArrow)
        self.body.setVisible(open_)
        self.setVisible(bool(wanted))
        return bool(wanted)


class EssentialsView(QWidget):
    """The few rows that make a run, without headings; a row is made when it is first shown.

    Signals:
        made: a row was made.
    """

    made = Signal(object)

    def __init__(self, form: Form):
        super().__init__()
        self._form = form
        self._views: dict[str, RowView] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(8, 4, 0, 8)
        self._column.setSpacing(4)

    @property
    def rows(self) -> list[RowView]:
        """Those made so far."""
        return list(self._views.values())

    def refresh(self) -> None:
        """Show the rows of the variants that are chosen."""
        wanted = self._form.essentials()
        for place, row in enumerate(wanted):
            view = self._views.get(row.key)
            if view is None:
                view = self._views[row.key] = RowView(self._form, row)
                self.made.emit(view)
            if self._column.indexOf(view) != place:
                self._column.insertWidget(place, view)
        keys = {row.key for row in wanted}
        for view in self._views.values():
            view.refresh(view.row.key in keys)


def _count(errors: int, changed: int) -> str:
    if errors:
        return "1 error" if errors == 1 else f"{errors} errors"
    return f"{changed} changed" if changed else ""
