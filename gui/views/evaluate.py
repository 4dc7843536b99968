"""The Evaluate screen: attacks on many images, their figures as they come, what fell."""

from __future__ import annotations

import functools
from typing import Any

from PySide6.QtCore import QEvent, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSplitter,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from .. import theme
from ..actions import Action
from ..models import against
from ..models.measured import Measured
from ..models.rows import Row
from ..presenters.context import Context
from ..presenters.evaluate import EvaluatePresenter
from .areas import Column
from .certificates_page import CertificatesPage
from .evaluate_form import EvaluateForm
from .evaluate_words import cells, checks_html, facts, far_header, rated
from .gallery import Gallery
from .natural_page import NaturalPage
from .radius_page import RadiusPage
from .screen import Screen
from .text_table import TextTable

HEADER = ("attack", "accuracy", "95 % interval", "robust images")
NOTHING = "This model has not been evaluated yet. Choose attacks on the left and press Evaluate."


class EvaluateScreen(Screen):
    """Accuracy of a run or a model file under attack."""

    name = "evaluate"
    title = "Evaluate"

    def __init__(self, context: Context):
        super().__init__(context)
        self.presenter = EvaluatePresenter(context, self)
        self.trainer = context.trainer
        self.form = EvaluateForm()
        self._build()
        self.form.start.connect(lambda: self.presenter.start(self.form.asked()))
        self.form.chosen.connect(self.presenter.show)
        self.presenter.changed.connect(self._changed)
        self.trainer.changed.connect(lambda: self.isVisible() and self._show_status())
        self.gallery.attack.connect(self._attack)
        context.runs_changed.connect(lambda _: self._offer())
        context.evaluate_model.connect(self.evaluate)
        self._show()

    # -- building -----------------------------------------------------------------------------

    def _build(self) -> None:
        right = QWidget()
        layout = QVBoxLayout(right)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.addLayout(self._progress())
        layout.addWidget(self._tabs(), 1)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(Column(self.form))
        self.splitter.addWidget(right)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([310, 900])
        self.splitter.setChildrenCollapsible(False)
        title = QLabel(self.title)
        theme.role(title, "title")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(16, 12, 16, 12)
        outer.setSpacing(8)
        outer.addLayout(self._head(title))
        outer.addWidget(self.splitter, 1)

    def _head(self, title: QLabel) -> QHBoxLayout:
        self.model = QLabel()
        theme.role(self.model, "muted")
        self.report = QPushButton("Report page")
        self.report.setToolTip("Write the run's report page and open it in the browser")
        self.report.clicked.connect(self.presenter.write_report)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(title)
        row.addWidget(self.model, 1)
        row.addWidget(self.report)
        return row

    def _progress(self) -> QVBoxLayout:
        self.status = QLabel(wordWrap=True)
        self.status.setAccessibleName("Status of the evaluation")
        self.bar = QProgressBar(maximum=1000, textVisible=False)
        self.bar.setAccessibleName("Part of the evaluation that is done")
        self.bar.setFixedHeight(8)
        self.pause, self.stop = QPushButton("Pause"), QPushButton("Stop")
        self.pause.setToolTip("Wait; the model stays loaded")
        self.stop.setToolTip("Leave; the same evaluation goes on where it was when started again")
        self.pause.clicked.connect(self._toggle_pause)
        self.stop.clicked.connect(self.trainer.stop)
        row = QHBoxLayout()
        row.addWidget(self.status, 1)
        row.addWidget(self.pause)
        row.addWidget(self.stop)
        layout = QVBoxLayout()
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.bar)
        return layout

    def _tabs(self) -> QTabWidget:
        self.table = TextTable("Accuracy under each attack")
        self.checks = QTextBrowser(openLinks=False)
        self.checks.setAccessibleName("Checks of the evaluation")
        self.radii, self.natural = RadiusPage(), NaturalPage()
        self.certificates, self.gallery = CertificatesPage(), Gallery()
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for text, page in (
            ("Results", self.table),
            ("Checks", self.checks),
            ("Epsilon", self.radii),
            ("Natural changes", self.natural),
            ("Certificates", self.certificates),
            ("Fallen images", self.gallery),
        ):
            self.tabs.addTab(page, text)
        self.tabs.currentChanged.connect(lambda _: self._show())
        return self.tabs

    # -- what is shown ------------------------------------------------------------------------

    def _changed(self) -> None:
        if self.presenter.report:
            page, self.presenter.report = self.presenter.report, ""
            QDesktopServices.openUrl(QUrl.fromLocalFile(page))
        if self.isVisible():
            self._show()

    def _show(self) -> None:
        self._show_rows(self.presenter.rows())
        record = self.context.store.get(self.presenter.target) if self.presenter.target else None
        name = record.name if record else self.presenter.target
        self.model.setText(f"{name}, {self.presenter.which} epoch" if name else "")
        self.report.setEnabled(record is not None)
        content = self.presenter.found.content if self.presenter.found else {}
        self.checks.setHtml(checks_html(content.get("checks") or []))
        self._show_tabs()
        if self.tabs.currentWidget() is self.gallery:
            self.gallery.show_images(self.presenter.images, content.get("class_names") or ())
        self._show_status()

    def _show_rows(self, rows: list[Row]) -> None:
        distances = [row.distance for row in rows if row.distance]
        header = [*HEADER, *far_header(distances), "time", *rated(distances)] if rows else []
        makers = [functools.partial(cells, row, distances) for row in rows]
        self.table.show_rows(header, makers)

    def _show_tabs(self) -> None:
        """The tabs of which there is something; the one in front is drawn."""
        found = self.presenter.found
        measured = found.measured if found else Measured()
        falls = against.falls(measured)
        for page, wanted in (
            (self.radii, falls),
            (self.natural, measured.natural),
            (self.certificates, measured.certificates),
        ):
            self.tabs.setTabVisible(self.tabs.indexOf(page), bool(wanted))
        front = self.tabs.currentWidget()
        if front is self.radii:
            self.radii.show_falls(falls)
        if front is self.natural:
            self.natural.show_changes(measured.natural)
        if front is self.certificates:
            self.certificates.show_certificates(measured.certificates)

    def _show_status(self) -> None:
        live = self.presenter.evaluates
        now = self.trainer.progress.evaluation
        for widget in (self.bar, self.pause, self.stop):
            widget.setVisible(live)
        self.pause.setText("Continue" if self.trainer.state in ("paused", "pausing") else "Pause")
        self.pause.setEnabled(self.trainer.state != "stopping")
        self.form.go.setText("Add to queue" if self.trainer.busy else "Evaluate")
        if live:
            self.status.setText(self.trainer.status_text)
            if now is not None:
                self.bar.setValue(round(1000 * (now.step - 1 + now.share) / now.steps))
            return
        found, problem = self.presenter.found, self.presenter.problem
        theme.role(self.status, "bad" if problem else "muted")
        self.status.setText(problem or (facts(found.content) if found else NOTHING))

    def _toggle_pause(self) -> None:
        if self.trainer.state in ("paused", "pausing"):
            self.trainer.resume_run()
        else:
            self.trainer.pause()

    # -- going elsewhere ----------------------------------------------------------------------

    def evaluate(self, path: str, which: str) -> None:
        """Choose a model and come to the front."""
        self.presenter.show(path, which or "best")
        self.context.go_to.emit(self.name)
        self._offer()

    def _attack(self, number: int) -> None:
        """Take a fallen image into the lab."""
        self.context.attack_model.emit(self.presenter.target, self.presenter.which)
        self.context.lab.pick("index", number)

    def _offer(self) -> None:
        if not self.isVisible():
            return
        self.form.offer(list(self.context.store.records.values()))
        if self.presenter.target:
            self.form.choose(self.presenter.target, self.presenter.which)
        else:
            asked = self.form.asked()
            self.presenter.show(asked.target, asked.which)

    # -- the window's part --------------------------------------------------------------------

    def actions_table(self) -> list[Action]:
        """What can be done here."""
        can = lambda: self.isVisible() and self.form.go.isEnabled()  # noqa: E731
        live = lambda: self.presenter.evaluates  # noqa: E731
        return [
            Action("evaluate.start", "Evaluate the model", self.form.start.emit, "Run", "", can,
                   "Attack many images on the chosen model, now or when its turn comes."),
            Action("evaluate.stop", "Stop the evaluation", self.trainer.stop, "Run", "", live,
                   "It goes on where it was when it is started again."),
        ]  # fmt: skip

    def shown(self) -> None:
        """Offer the runs that are there now."""
        self._offer()
        self._show()

    def state(self) -> dict[str, Any]:
        """Model, tab, kind of attacks and splitter."""
        return {
            "target": self.presenter.target,
            "which": self.presenter.which,
            "tab": self.tabs.tabText(self.tabs.currentIndex()),
            "more": self.form.rest.isChecked(),
            "kind": self.form.kind.currentText(),
            "samples": self.form.samples.value(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``; passes over what it cannot use."""
        samples, target, which = (state.get(name) for name in ("samples", "target", "which"))
        if isinstance(samples, int):
            self.form.samples.setValue(samples)
        self.form.kind.setCurrentIndex(max(0, self.form.kind.findText(str(state.get("kind", "")))))
        self.form.rest.setChecked(state.get("more") is True)
        if isinstance(target, str) and target:
            self.presenter.show(target, str(which))
            self._show_tabs()
        names = [self.tabs.tabText(number) for number in range(self.tabs.count())]
        if (tab := state.get("tab")) in names and self.tabs.isTabVisible(names.index(tab)):
            self.tabs.setCurrentIndex(names.index(tab))

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "tabs"):
            self._show()
