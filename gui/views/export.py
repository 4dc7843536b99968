"""The Export screen: which model leaves, in which format, and the proof that it is the same."""

from __future__ import annotations

import pathlib
from html import escape
from typing import Any

from PySide6.QtCore import QEvent, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
)

from slr_keras.export_formats import FORMATS

from .. import theme
from ..actions import Action
from ..models.places import shown
from ..presenters.context import Context
from ..presenters.export import ExportPresenter
from .parts import combo, with_button
from .run_box import DATED, RunBox, trained
from .screen import Screen

WHAT = (
    "The inference network alone leaves: no optimiser, no label bank. What was written is read "
    "back by a fresh process and its outputs are compared; a model card with the figures of the "
    "run goes with it."
)
NOTHING = "Nothing was exported in this session."


class ExportScreen(Screen):
    """Models leave here."""

    name = "export"
    title = "Export"

    def __init__(self, context: Context):
        super().__init__(context)
        self.presenter = ExportPresenter(context, self)
        self._files: list[str] = []
        self._build()
        self.presenter.changed.connect(self._show_if_visible)
        context.runs_changed.connect(lambda _: self._offer())
        context.export_model.connect(self.export)
        self._show()

    # -- building -----------------------------------------------------------------------------

    def _build(self) -> None:
        title = QLabel(self.title)
        theme.role(title, "title")
        what = QLabel(WHAT, wordWrap=True)
        theme.role(what, "muted")
        self.status = QLabel(wordWrap=True)
        self.status.setAccessibleName("Status of the export")
        self.go = QPushButton("Export")
        theme.role(self.go, "primary")
        self.go.clicked.connect(self._start)
        self.results = QTextBrowser(openLinks=False)
        self.results.setAccessibleName("What was exported")
        self.results.anchorClicked.connect(self._open)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(8)
        for widget in (title, what):
            layout.addWidget(widget)
        layout.addLayout(self._form())
        row = QHBoxLayout()
        row.addWidget(self.go)
        row.addWidget(self.status, 1)
        layout.addLayout(row)
        layout.addWidget(self.results, 1)

    def _form(self) -> QFormLayout:
        self.model = RunBox("Model to export")
        self.model.setMinimumContentsLength(DATED)
        self.model.currentIndexChanged.connect(lambda _: self._show())
        self.which = combo("Epoch whose weights are exported")
        self.which.addItem("Best robust epoch", "best")
        self.which.addItem("Last epoch", "final")
        self.format = combo("Format")
        for name, form in FORMATS.items():
            self.format.addItem(form.label, name)
        self.format.currentIndexChanged.connect(lambda _: self._show())
        self.out = QLineEdit()
        self.out.setAccessibleName("Where to")
        self.overwrite = QCheckBox("Replace what is there")
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
        for text, field in (
            ("&Model", with_button(self.model, self._choose_file, "Choose a .keras file")),
            ("&Epoch", self.which),
            ("&Format", self.format),
            ("&Where to", with_button(self.out, self._choose_place, "Choose a folder")),
        ):
            form.addRow(text, field)
        self.out.setMinimumWidth(420)
        form.addRow("", self.overwrite)
        return form

    # -- both ways ----------------------------------------------------------------------------

    @property
    def source(self) -> str:
        """The chosen run folder or file."""
        return self.model.path

    def _start(self) -> None:
        self.presenter.start(
            self.source,
            str(self.which.currentData()),
            str(self.format.currentData()),
            self.out.text().strip(),
            self.overwrite.isChecked(),
        )

    def _show_if_visible(self) -> None:
        if self.isVisible():
            self._show()

    def _show(self) -> None:
        trainer, is_file = self.presenter.trainer, self.source.endswith(".keras")
        self.which.setEnabled(not is_file)
        self.go.setEnabled(bool(self.source))
        self.go.setText("Add to queue" if trainer.busy else "Export")
        if self.source:
            kind = str(self.format.currentData())
            self.out.setPlaceholderText(shown(self.presenter.place(self.source, kind, "")))
        last = trainer.last
        if self.presenter.exports:
            self.status.setText(trainer.status_text)
        else:
            failed = last is not None and last.job.task == "export" and last.kind != "done"
            self.status.setText(last.sentence if failed else "")  # what was done stands below
            theme.role(self.status, "bad" if failed else "muted")
        self.results.setHtml(self._html())

    def _html(self) -> str:
        colours = theme.colours()
        if not self.presenter.done:
            return f"<p style='color:{colours.muted}'>{NOTHING}</p>"
        parts = []
        for written in self.presenter.done:
            links = "<br>".join(
                f"<a href='{QUrl.fromLocalFile(path).toString()}'>{escape(shown(path))}</a>"
                for path in written.paths
            )
            name = escape(pathlib.Path(written.source).name)
            parts.append(
                f"<p><b>{name}</b> <span style='color:{colours.good}'>✓ "
                f"{escape(written.sentence)}</span><br>{links}</p>"
            )
        return "".join(parts)

    def _open(self, url: QUrl) -> None:
        path = pathlib.Path(url.toLocalFile())
        place = path if path.is_dir() or path.suffix == ".md" else path.parent
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(place)))

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Model", "", "Keras models (*.keras)")
        if path:
            self.export(path, "")

    def _choose_place(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Where to")
        if path:
            form = FORMATS[str(self.format.currentData())]
            self.out.setText(str(pathlib.Path(path) / form.place))

    def export(self, path: str, which: str) -> None:
        """Choose a model and come to the front."""
        if path.endswith(".keras") and path not in self._files:
            self._files.append(path)
        self.context.go_to.emit(self.name)
        self._offer(shown_or_not=True)
        self.model.choose(path)
        self.which.setCurrentIndex(max(0, self.which.findData(which)))
        self._show()

    def _offer(self, shown_or_not: bool = False) -> None:
        if not (shown_or_not or self.isVisible()):
            return
        self.model.offer(trained(self.context.store.records.values(), self._files))
        self._show()

    # -- the window's part --------------------------------------------------------------------

    def actions_table(self) -> list[Action]:
        """What can be done here."""
        can = lambda: self.isVisible() and self.go.isEnabled()  # noqa: E731
        return [
            Action("export.start", "Export the model", self._start, "Run", "", can,
                   "Write the chosen model for others, and prove that it is the same."),
        ]  # fmt: skip

    def shown(self) -> None:
        """Offer the runs that are there now."""
        self._offer()

    def state(self) -> dict[str, Any]:
        """The format."""
        return {"format": self.format.currentData()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``; passes over what it cannot use."""
        self.format.setCurrentIndex(max(0, self.format.findData(state.get("format"))))

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "results"):
            self._show()
