"""The Evaluate screen: attacks on many images, their figures as they come, what fell."""

from __future__ import annotations

import functools
from html import escape
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSplitter,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from slr_keras.settings import schema
from slr_keras.settings.schema import PIXELS, Facts

from .. import theme
from ..actions import Action
from ..models.comparison import Line
from ..models.run_words import duration, percent
from ..presenters.context import Context
from ..presenters.evaluate import EvaluatePresenter, Row
from .compare_charts import CurvesChart, Shown
from .evaluate_form import EvaluateForm
from .gallery import Gallery
from .screen import Screen
from .text_table import TextTable

RADIUS = Facts("radius", unit=PIXELS)
HEADER = ("attack", "accuracy", "95 % interval", "robust images", "time")
NOTHING = "This model has not been evaluated yet. Choose attacks on the left and press Evaluate."
VERDICTS = {"pass": ("✓", "good"), "warn": ("▲", "warn"), "fail": ("✕", "bad")}
NO_CHECKS = "Each evaluation looks at itself: whether its figures can be believed stands here."


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
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidget(self.form)
        area.setMinimumWidth(250)
        right = QWidget()
        layout = QVBoxLayout(right)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.addLayout(self._progress())
        layout.addWidget(self._tabs(), 1)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(area)
        self.splitter.addWidget(right)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([300, 900])
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
        self.curve = CurvesChart()
        self.gallery = Gallery()
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        pages = (self.table, self.checks, self.curve, self.gallery)
        for text, page in zip(
            ("Results", "Checks", "Epsilon", "Fallen images"), pages, strict=True
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
        rows = self.presenter.rows()
        makers = [functools.partial(_cells, row) for row in rows]
        self.table.show_rows(HEADER if rows else (), makers)
        record = self.context.store.get(self.presenter.target) if self.presenter.target else None
        name = record.name if record else self.presenter.target
        self.model.setText(f"{name}, {self.presenter.which} epoch" if name else "")
        self.report.setEnabled(record is not None)
        content = self.presenter.found.content if self.presenter.found else {}
        self.checks.setHtml(_checks_html(content.get("checks") or []))
        if self.tabs.currentWidget() is self.curve:
            self._show_curve(content.get("curve") or [])
        if self.tabs.currentWidget() is self.gallery:
            self.gallery.show_images(self.presenter.images, content.get("class_names") or ())
        self._show_status()

    def _show_curve(self, points: list[dict[str, Any]]) -> None:
        self.curve.dress(theme.colours())
        shares = np.array([point["accuracy"] for point in points], float)
        bounds = [point.get("interval") or [np.nan, np.nan] for point in points]
        low, high = np.array(bounds, float).reshape(-1, 2).T
        radii = np.array(
            [255 * float(schema.check("eps", float, RADIUS, p["eps"])) for p in points]
        )
        line = Line(radii, 100 * shares, 100 * low, 100 * high)
        arm = Shown("curve", "accuracy", theme.colours().robust)
        self.curve.show_over([(arm, line)], "epsilon, in /255", "Accuracy under attack", " %")

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
        self.status.setText(problem or (_facts(found.content) if found else NOTHING))

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
        records = self.context.store.records.values()
        self.form.offer([r for r in records if r.epochs or r.summary])
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
            "tab": self.tabs.currentIndex(),
            "kind": self.form.kind.currentText(),
            "samples": self.form.samples.value(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``; passes over what it cannot use."""
        tab, samples = state.get("tab"), state.get("samples")
        if isinstance(tab, int) and 0 <= tab < self.tabs.count():
            self.tabs.setCurrentIndex(tab)
        if isinstance(samples, int):
            self.form.samples.setValue(samples)
        self.form.kind.setCurrentIndex(max(0, self.form.kind.findText(str(state.get("kind", "")))))
        target, which = state.get("target"), state.get("which")
        if isinstance(target, str) and target:
            self.presenter.show(target, str(which))

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "tabs"):
            self._show()


def _cells(row: Row) -> list[str]:
    low, high = row.interval or (None, None)
    interval = "" if low is None else f"{percent(low)} to {percent(high)}"
    waits = "…" if row.share else ""
    accuracy = percent(row.accuracy) if row.accuracy is not None else waits
    robust = "" if row.robust is None else f"{row.robust:,} of {row.samples:,}"
    return [row.attack, accuracy, interval, robust, duration(row.seconds) if row.seconds else ""]


def _facts(content: dict[str, Any]) -> str:
    """What the figures rest on."""
    epoch = f"epoch {content['epoch']}, " if content.get("epoch") else ""
    images = f"{content.get('samples', 0):,} {content.get('split', 'test')} images"
    when = str(content.get("time", ""))[:16].replace("T", " ")
    return f"{epoch}{images} of {content.get('data', '')}, {content.get('device', '')}, {when}"


def _checks_html(checks: list[dict[str, Any]]) -> str:
    colours = theme.colours()
    if not checks:
        return f"<p style='color:{colours.muted}'>{NO_CHECKS}</p>"
    rows = []
    for check in checks:
        glyph, colour = VERDICTS.get(check["verdict"], ("·", "muted"))
        shade = getattr(colours, colour)
        verdict, name, says = (escape(str(check[key])) for key in ("verdict", "name", "says"))
        rows.append(
            f"<tr><td style='color:{shade}'>{glyph}&nbsp;{verdict}&nbsp;&nbsp;</td>"
            f"<td><b>{name}</b>&nbsp;&nbsp;</td><td>{says}</td></tr>"
        )
    return f"<table cellpadding=4>{''.join(rows)}</table>"
