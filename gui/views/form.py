"""The form of a run's settings, drawn from :class:`gui.models.form.Form`."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import (
    QLabel,
    QLineEdit,
    QScrollArea,
    QSizePolicy,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..models.form import Form
from ..models.form_row import Row
from .areas import Column
from .form_presets import PresetBar
from .form_row import RowView
from .form_sections import EssentialsView, SectionView

ESSENTIALS, ALL, CHANGED = "Essentials", "All settings", "Changed"
MODES = {
    ESSENTIALS: "Data, network, method, attack and length: what makes a run",
    ALL: "Everything, by section",
    CHANGED: "What is not as the preset has it",
}
NO_MATCH = "No setting matches. Clear the search to see all."
NOTHING_CHANGED = "Everything is as the preset has it."


class FormView(QWidget):
    """Presets, search, sections, help for the focused row, and what is wrong.

    Signals:
        message: a sentence for the window's foot.
    """

    message = Signal(str)

    def __init__(self, form: Form, parent: QWidget | None = None):
        super().__init__(parent)
        self.form = form
        self._filling = False
        self._of_control: dict[QObject, Row] = {}
        self.top = PresetBar(form)
        self.top.message.connect(self.message)
        self.modes = QTabBar(drawBase=False, expanding=False)
        self.modes.setAccessibleName("Which settings are shown")
        for text, tip in MODES.items():
            self.modes.setTabToolTip(self.modes.addTab(text), tip)
        self.modes.currentChanged.connect(self.refresh)
        self.essentials = EssentialsView(form)
        self.search = QLineEdit(placeholderText="Search settings", clearButtonEnabled=True)
        self.search.setAccessibleName("Search settings")
        self.search.textChanged.connect(self.refresh)
        self.sections = [SectionView(form, name) for name in form.sections()]
        self.empty = QLabel(NO_MATCH, wordWrap=True)
        theme.role(self.empty, "muted")
        self.help = self._help()
        self.notes = QLabel(wordWrap=True)
        self.notes.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.notes.setAccessibleName("Remarks on the settings")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        parts = (self.top, self.modes, self.search, self._scroll(), self.help, self.notes)
        for widget in parts:
            layout.addWidget(widget, 1 if isinstance(widget, QScrollArea) else 0)
        form.changes.append(self.refresh)
        self.refresh()

    # -- building -----------------------------------------------------------------------------

    def _scroll(self) -> QScrollArea:
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 6, 0)
        layout.setSpacing(2)
        layout.addWidget(self.empty)
        layout.addWidget(self.essentials)
        self.essentials.made.connect(self._watch)
        for section in self.sections:
            section.folded.connect(self.refresh)
            section.made.connect(self._watch)
            layout.addWidget(section)
        layout.addStretch(1)
        self.area = Column(inside)
        return self.area

    def _help(self) -> QLabel:
        label = QLabel("Choose a setting to read what it does.", wordWrap=True)
        label.setAccessibleName("Help for the focused setting")
        label.setAlignment(Qt.AlignmentFlag.AlignTop)
        label.setFixedHeight(3 * QFontMetrics(label.font()).lineSpacing() + 6)
        theme.role(label, "muted")
        return label

    def show_all(self) -> None:
        """Show all settings, by section."""
        self.modes.setCurrentIndex(list(MODES).index(ALL))

    def _watch(self, view: RowView) -> None:
        self._of_control[view.control] = view.row
        view.control.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Explain the setting whose control has the focus, and bring it into view."""
        row = self._of_control.get(watched)
        if event.type() == QEvent.Type.FocusIn and row is not None:
            self.help.setText(f"{row.help} ({row.details})")
            self.help.setToolTip(self.help.text())
            self.area.ensureWidgetVisible(watched, 0, 40)  # type: ignore[arg-type]
        return super().eventFilter(watched, event)

    # -- both ways ----------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the form as it is now."""
        if self._filling:
            return
        self._filling = True  # controls that are filled tell of it
        try:
            self._show_rows()
            self.top.refresh()
            self._show_notes()
        finally:
            self._filling = False

    def _show_rows(self) -> None:
        """Those of the mode; a search looks through all."""
        mode, words = list(MODES)[self.modes.currentIndex()], self.search.text()
        few = mode == ESSENTIALS and not words
        self.essentials.setVisible(few)
        if few:
            self.essentials.refresh()
        changed = self.form.differs if mode == CHANGED and not words else None
        found = [not few and section.refresh(words, changed) for section in self.sections]
        for section in self.sections if few else ():
            section.hide()
        self.empty.setText(NOTHING_CHANGED if changed else NO_MATCH)
        self.empty.setVisible(not few and not any(found))

    def _hidden_errors(self) -> list[str]:
        """What is wrong with rows that are not shown."""
        if list(MODES)[self.modes.currentIndex()] != ESSENTIALS or self.search.text():
            return []
        shown = {row.key for row in self.form.essentials()}
        rows = [r for r in self.form.visible() if r.error and r.key not in shown]
        return [f"{row.setting.path}: {row.error} (see All settings)" for row in rows]

    def _show_notes(self) -> None:
        colours = theme.colours()
        wrong = [*self.form.problems, *self._hidden_errors()]
        lines = [(colours.bad, problem) for problem in wrong]
        lines += [(colours.warn, warning) for warning in self.form.warnings()]
        self.notes.setText(
            "".join(
                f'<p style="margin:2px 0; color:{colour}">⚠ {_escaped(text)}</p>'
                for colour, text in lines
            )
        )
        self.notes.setVisible(bool(lines))

    def changeEvent(self, event: QEvent) -> None:
        """Take the colours of a new theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "notes"):
            self._show_notes()

    # -- what a user can ask ------------------------------------------------------------------

    def show_first_error(self) -> None:
        """Take the user to the first row that is wrong."""
        wrong = {row.key for row in self.form.visible() if row.error}
        if self.modes.currentIndex() == 0 and wrong:
            view = next((v for v in self.essentials.rows if v.row.key in wrong), None)
            if view is not None:
                self.search.clear()
                view.control.setFocus(Qt.FocusReason.OtherFocusReason)
                return
        self.modes.setCurrentIndex(list(MODES).index(ALL))
        for section in self.sections:
            for view in section.rows:
                if view.row.error and self.form.shown(view.row):
                    self.search.clear()
                    section.header.setChecked(True)
                    view.control.setFocus(Qt.FocusReason.OtherFocusReason)
                    return

    def folded(self) -> list[str]:
        """The sections that are folded away."""
        return [view.section for view in self.sections if not view.header.isChecked()]

    def fold(self, sections: list[str]) -> None:
        """Fold these sections away, and no others."""
        for view in self.sections:
            view.header.setChecked(view.section not in sections)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
