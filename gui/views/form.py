"""The form of a run's settings, drawn from :class:`gui.models.form.Form`."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QGuiApplication, QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QTabBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from slr_keras.errors import UserError

from .. import theme
from ..models.form import Form, Preset, Row, presets
from .no_wheel import guard

LABEL_WIDTH = 124
HEADER = """
QToolButton { border: none; border-radius: 0; border-bottom: 1px solid palette(mid);
              font-weight: 600; padding: 5px 0 3px 0; text-align: left; background: transparent; }
QToolButton:focus { border-bottom: 2px solid palette(highlight); }
"""
ESSENTIALS, ALL, CHANGED = "Essentials", "All settings", "Changed"
MODES = {
    ESSENTIALS: "Data, network, method, attack and length: what makes a run",
    ALL: "Everything, by section",
    CHANGED: "What is not as the preset has it",
}
NO_MATCH = "No setting matches. Clear the search to see all."
NOTHING_CHANGED = "Everything is as the preset has it."
TOML_FILTER = "TOML files (*.toml);;All files (*)"


class UnitEdit(QLineEdit):
    """A line edit with the unit at its right end."""

    def __init__(self, unit: str):
        super().__init__()
        self._unit = QLabel(unit, self)
        theme.role(self._unit, "muted")
        self._unit.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        width = self._unit.sizeHint().width()
        self.setTextMargins(0, 0, width + 6 if unit else 0, 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the unit at the right end."""
        super().resizeEvent(event)
        size = self._unit.sizeHint()
        self._unit.setGeometry(self.width() - size.width() - 6, 0, size.width(), self.height())


class RowView(QWidget):
    """One row: label, control, reset button and error line."""

    def __init__(self, form: Form, row: Row):
        super().__init__()
        self.form, self.row = form, row
        self.control = self._control()
        self.control.setAccessibleName(f"{row.setting.section} {row.label}".strip())
        self.control.setAccessibleDescription(row.help)
        self.control.setToolTip(f"<p>{row.help}</p><p>{row.details}</p>")
        self.label = QLabel("" if row.kind == "switch" else row.label)
        self.label.setBuddy(self.control)
        self.label.setWordWrap(True)
        self.label.setFixedWidth(LABEL_WIDTH)
        self.label.setToolTip(self.control.toolTip())
        self.undo = self._undo_button()
        self.stops: list[QWidget] = [self.control]  # where Tab goes
        self.note: QLabel | None = None  # made when there is something to say
        grid = self._grid = QGridLayout(self)
        grid.setContentsMargins(0, 2, 0, 2)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.label, 0, 0)
        grid.addWidget(self._cell(), 0, 1)
        grid.addWidget(self.undo, 0, 2)
        self.stops.append(self.undo)
        guard(self)

    # -- building -----------------------------------------------------------------------------

    def _control(self) -> QWidget:
        row, kind = self.row, self.row.kind
        if kind == "switch":
            box = QCheckBox(row.label)
            box.toggled.connect(lambda on: self._edited("true" if on else "false"))
            return box
        if kind in ("choice", "variant"):
            combo = QComboBox()
            combo.addItems(self.form.options(row))
            combo.setEditable(self.form.takes_files(row))
            combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
            combo.setMinimumContentsLength(8)
            combo.currentTextChanged.connect(self._edited)
            return combo
        edit = UnitEdit(row.setting.facts.unit.partition(" in ")[0])
        edit.textEdited.connect(self._edited)
        if not row.default:
            edit.setPlaceholderText("empty")
        return edit

    def _cell(self) -> QWidget:
        """The control, with buttons that choose a file or a folder where they help."""
        choosers = self._choosers()
        if not choosers:
            return self.control
        cell = QWidget()
        layout = QHBoxLayout(cell)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.control, 1)
        for name, icon, choose in choosers:
            button = _icon_button(icon, f"{name} for {self.row.label.lower()}")
            button.clicked.connect(choose)
            layout.addWidget(button)
            self.stops.append(button)
        return cell

    def _choosers(self) -> list[tuple[str, QStyle.StandardPixmap, Callable[[], None]]]:
        picks, pixmaps = self.row.setting.facts.picks, QStyle.StandardPixmap
        file = ("Choose a file", pixmaps.SP_FileIcon, self._choose_file)
        folder = ("Choose a folder", pixmaps.SP_DirIcon, self._choose_folder)
        if self.form.takes_files(self.row) or picks == "file":
            return [file]
        return {"folder": [folder], "path": [file, folder]}.get(picks, [])

    def _undo_button(self) -> QToolButton:
        default = self.row.default or "empty"
        button = _reset_button(f"Reset {self.row.label.lower()} to {default}")
        button.clicked.connect(lambda: self.form.reset(self.row.key))
        return button

    def _make_note(self) -> QLabel:
        line = self._line = QWidget()
        layout = QHBoxLayout(line)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(4)
        self.icon = QLabel()
        style = line.style().standardIcon(QStyle.StandardPixmap.SP_MessageBoxCritical)
        self.icon.setPixmap(style.pixmap(QSize(14, 14)))
        note = QLabel(wordWrap=True)
        note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(self.icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(note, 1)
        self._grid.addWidget(line, 1, 1, 1, 2)
        return note

    # -- both ways ----------------------------------------------------------------------------

    def _edited(self, text: str) -> None:
        self.form.set_text(self.row.key, text)

    def _choose_file(self) -> None:
        kinds = "Keras models (*.keras)" if self.form.takes_files(self.row) else "All files (*)"
        path, _ = QFileDialog.getOpenFileName(self.control, self.row.label, "", kinds)
        if path:
            self._edited(path)

    def _choose_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self.control, self.row.label)
        if path:
            self._edited(path)

    def refresh(self, wanted: bool) -> None:
        """Show what the row holds; hide it if it is not wanted."""
        self.setVisible(wanted)
        if not wanted:
            return
        self._offer_options()
        _show_text(self.control, self.row.text)
        changed = self.row.changed
        for widget in (self.label, self.control) if self.row.kind == "switch" else (self.label,):
            font = widget.font()
            font.setBold(changed)
            widget.setFont(font)
        self.undo.setVisible(changed)
        self._say(_capital(self.row.error) or self.form.about(self.row), bool(self.row.error))

    def _offer_options(self) -> None:
        """The variants that there are now: own parts come and go."""
        if not isinstance(self.control, QComboBox):
            return
        combo, options = self.control, self.form.options(self.row)
        if options != [combo.itemText(place) for place in range(combo.count())]:
            combo.blockSignals(True)
            combo.clear()
            combo.addItems(options)
            combo.blockSignals(False)

    def _say(self, text: str, bad: bool) -> None:
        if self.note is None:
            if not text:
                return
            self.note = self._make_note()
        self.note.setText(text)
        self.icon.setVisible(bad)
        theme.role(self.note, "bad" if bad else "muted")
        self._line.setVisible(bool(text))


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
        self.undo = _reset_button(f"Reset all of {self.title.lower()}")
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


class _TallArea(QScrollArea):
    """Scrolls up and down only: as wide as its content needs, so that nothing is cut off."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The content asks for another layout."""
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            bar = self.verticalScrollBar().sizeHint().width()
            self.setMinimumWidth(self.widget().minimumSizeHint().width() + bar)
        return super().eventFilter(watched, event)


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
        self._top = self._presets()
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
        parts = (self._top, self.modes, self.search, self._scroll(), self.help, self.notes)
        for widget in parts:
            layout.addWidget(widget, 1 if isinstance(widget, QScrollArea) else 0)
        form.changes.append(self.refresh)
        self.refresh()

    # -- building -----------------------------------------------------------------------------

    def _presets(self) -> QWidget:
        self.presets = QComboBox()
        self.presets.setAccessibleName("Preset")
        self.presets.setMinimumContentsLength(12)
        for preset in presets():
            self.presets.addItem(preset.title, preset)
            tip = f"{preset.title}\n\n{preset.description}"
            self.presets.setItemData(self.presets.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.presets.addItem("Settings of your own", None)
        self.presets.activated.connect(self._preset_chosen)
        guard(self.presets)
        self.description = QLabel(wordWrap=True)
        theme.role(self.description, "muted")
        self.menu = QToolButton()
        self.menu.setText("More")
        self.menu.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu.setAccessibleName("More: import, export, copy, reset")
        self.menu.setMenu(self._more())
        top = QWidget()
        grid = QGridLayout(top)
        grid.setContentsMargins(0, 0, 0, 0)
        label = QLabel("Preset")
        label.setBuddy(self.presets)
        grid.addWidget(label, 0, 0)
        grid.addWidget(self.presets, 0, 1)
        grid.addWidget(self.menu, 0, 2)
        grid.addWidget(self.description, 1, 0, 1, 3)
        grid.setColumnStretch(1, 1)
        return top

    def _more(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction("Import TOML…", self.import_toml)
        menu.addAction("Export TOML…", self.export_toml)
        menu.addAction("Copy as command", self.copy_command)
        menu.addSeparator()
        menu.addAction("Reset all settings", self.form.reset)
        return menu

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
        self.area = _TallArea(widgetResizable=True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(inside)
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
            self._show_preset()
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

    def _show_preset(self) -> None:
        edited = self.form.edited
        index = self.presets.count() - 1
        for candidate in range(index):
            name = self.presets.itemData(candidate).name
            if name == self.form.preset and (name or not edited):
                index = candidate
        self.presets.setCurrentIndex(index)
        preset = self.presets.itemData(index)
        text = _short(preset) if preset else ""
        self.description.setText(f"With changes. {text}" if edited and preset else text)
        self.description.setToolTip(preset.description if preset else "")
        self.description.setVisible(bool(preset))

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

    def _preset_chosen(self, index: int) -> None:
        preset = self.presets.itemData(index)
        if preset is None:
            self._show_preset()
        else:
            self.form.load_preset(preset.name)

    def choose_preset(self) -> None:
        """Open the list of presets."""
        self.presets.setFocus()
        self.presets.showPopup()

    def import_toml(self) -> None:
        """Ask for a TOML file and show its settings."""
        path, _ = QFileDialog.getOpenFileName(self, "Import settings", "", TOML_FILTER)
        if path:
            self.load(lambda: self.form.load_toml(pathlib.Path(path)), f"Settings of {path}.")

    def load(self, load: Callable[[], None], said: str) -> None:
        """Load something into the form and say so, or say why not."""
        try:
            load()
        except UserError as error:
            self.message.emit(f"The settings could not be read: {error}")
        else:
            self.message.emit(said)

    def export_toml(self) -> None:
        """Ask for a file name and write the settings there."""
        try:
            text = self.form.toml()
        except UserError as error:
            self.message.emit(f"Nothing was exported, {error}.")
            return
        path, _ = QFileDialog.getSaveFileName(self, "Export settings", "run.toml", TOML_FILTER)
        if not path:
            return
        try:
            pathlib.Path(path).write_text(text, encoding="utf-8")
        except OSError as error:
            self.message.emit(f"{path} could not be written: {error.strerror}.")
        else:
            self.message.emit(f"Settings written to {path}.")

    def copy_command(self) -> None:
        """Put the command that starts this run on the clipboard."""
        if errors := self.form.errors():
            self.message.emit(f"Nothing was copied, a setting is wrong: {errors[0]}")
            return
        QGuiApplication.clipboard().setText(self.form.command())
        self.message.emit("Command copied.")

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


def _show_text(control: QWidget, text: str) -> None:
    if isinstance(control, QCheckBox):
        control.setChecked(text == "true")
    elif isinstance(control, QComboBox):
        if control.currentText() != text:
            if control.isEditable():
                control.setCurrentText(text)
            else:
                control.setCurrentIndex(control.findText(text))
    elif isinstance(control, QLineEdit) and control.text() != text:
        control.setText(text)
        control.setCursorPosition(0)


def _reset_button(name: str) -> QToolButton:
    """A quiet button that keeps its place when it is hidden."""
    button = QToolButton()
    button.setText("↺")
    button.setAutoRaise(True)
    button.setStyleSheet("padding: 2px;")
    button.setFixedWidth(26)
    button.setAccessibleName(name)
    button.setToolTip(name)
    policy = button.sizePolicy()
    policy.setRetainSizeWhenHidden(True)
    button.setSizePolicy(policy)
    return button


def _icon_button(icon: QStyle.StandardPixmap, name: str) -> QToolButton:
    button = QToolButton()
    button.setStyleSheet("padding: 2px;")
    button.setFixedWidth(28)
    button.setIcon(button.style().standardIcon(icon))
    button.setAccessibleName(name)
    button.setToolTip(name)
    return button


def _count(errors: int, changed: int) -> str:
    if errors:
        return "1 error" if errors == 1 else f"{errors} errors"
    return f"{changed} changed" if changed else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _short(preset: Preset) -> str:
    """The first paragraph of a preset's description that says what it is for."""
    text = " ".join(preset.description.replace("`", "").split())
    return text if len(text) <= 160 else f"{text[:157].rsplit(' ', 1)[0]} …"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
