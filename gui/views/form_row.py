"""One row of the form: a setting's label, control, reset button and error line."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QStyle,
    QToolButton,
    QWidget,
)

from .. import theme
from ..models.form import Form
from ..models.form_row import Row
from .no_wheel import guard

LABEL_WIDTH = 124


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
        button = reset_button(f"Reset {self.row.label.lower()} to {default}")
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


def reset_button(name: str) -> QToolButton:
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


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
