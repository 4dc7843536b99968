"""The Train screen: settings on the left, the run and its charts on the right."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from slr_keras.protocol import events

from .. import theme
from ..actions import Action
from ..presenters.context import Context
from ..presenters.train import TrainPresenter
from . import train_questions
from .charts import ChartsPanel
from .crash_card import CrashCard
from .form import FormView
from .queue_list import QueueList
from .run_header import RunHeader
from .screen import Screen

FORM_WIDTH = 370
REFRESH_MS = 2000  # of charts of runs that somebody else trains


class TrainScreen(Screen):
    """Configure a run, start it, watch and steer it."""

    name = "train"
    title = "Train"

    def __init__(self, context: Context):
        super().__init__(context)
        self.trainer = context.trainer
        self.presenter = TrainPresenter(context, self)
        self.form = FormView(self.presenter.form)
        self.header = RunHeader(self.trainer)
        self.crash = CrashCard()
        self.queue = QueueList(self.trainer)
        self.charts = ChartsPanel()
        self.left = self._left()
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self.left)
        self.splitter.addWidget(self._right())
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setSizes([FORM_WIDTH, 900])
        layout = QVBoxLayout(self)
        layout.addWidget(self.splitter)
        self._refresh = QTimer(self, interval=REFRESH_MS)
        self._refresh.timeout.connect(self._refresh_others)
        self._refresh.start()
        self._connect()
        self._show_start()
        self._show_estimate()
        if self.trainer.queue_problem:
            QTimer.singleShot(0, self, lambda: context.message.emit(self.trainer.queue_problem))

    # -- building -----------------------------------------------------------------------------

    def _left(self) -> QWidget:
        self.estimate = QLabel(wordWrap=True)
        self.estimate.setAccessibleName("Estimated time")
        theme.role(self.estimate, "muted")
        self.start = QPushButton("Start", default=True)
        self.start.setMinimumHeight(32)
        self.start.clicked.connect(self.begin)
        left = QWidget()
        layout = QVBoxLayout(left)
        layout.setContentsMargins(0, 0, 4, 0)
        layout.addWidget(self.form, 1)
        for widget in (self.estimate, self.start, self.queue):
            layout.addWidget(widget)
        return left

    def _right(self) -> QWidget:
        self.earlier = QWidget()
        self.earlier_text = QLabel(wordWrap=True)
        theme.role(self.earlier_text, "muted")
        self.back = QPushButton("Back to the live run")
        self.back.clicked.connect(self.presenter.show_live)
        line = QHBoxLayout(self.earlier)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.earlier_text, 1)
        line.addWidget(self.back)
        self.earlier.hide()
        self.unfold = QPushButton("Show settings")
        self.unfold.setToolTip("Show the form again (Ctrl+B)")
        self.unfold.clicked.connect(lambda: self.show_form(True))
        self.unfold.hide()
        right = QWidget()
        layout = QVBoxLayout(right)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(self.unfold, 0, Qt.AlignmentFlag.AlignLeft)
        for widget in (self.header, self.crash, self.earlier):
            layout.addWidget(widget)
        layout.addWidget(self.charts, 1)
        return right

    def _connect(self) -> None:
        context, presenter, trainer = self.context, self.presenter, self.trainer
        presenter.message.connect(context.message)
        presenter.own_parts.asks.connect(self.ask_own_parts)
        presenter.estimated.connect(self._show_estimate)
        presenter.charted.connect(self._show_charts)
        presenter.form.changes.append(self._show_start)
        self.form.message.connect(context.message)
        self.form.top.menu.menu().addSeparator()
        self.form.top.menu.menu().addAction("Hide settings", lambda: self.show_form(False))
        self.header.discard.connect(self.ask_discard)
        self.header.open_lab.connect(self.open_lab)
        self.crash.resume.connect(trainer.again)
        self.crash.toggled.connect(lambda there: self.header.status.setHidden(there))
        self.crash.copied.connect(lambda: context.message.emit("Details copied."))
        trainer.changed.connect(self._show_start)
        trainer.started.connect(lambda _: self.crash.show_ending(None))
        trainer.ended.connect(lambda *_: self.crash.show_ending(trainer.last))
        trainer.event.connect(self._chart)
        context.chart_runs.connect(presenter.show_runs)
        context.edit_config.connect(self.use_run)

    # -- showing ------------------------------------------------------------------------------

    def shown(self) -> None:
        """The screen came to the front: what others changed meanwhile is taken in."""
        self.presenter.estimate_now()
        self._refresh_others()

    def _show_start(self) -> None:
        self.start.setText(self.presenter.start_text)
        errors = self.presenter.form.errors()
        self.start.setToolTip(errors[0] if errors else "Start this run (Ctrl+Return)")

    def _show_estimate(self) -> None:
        self.estimate.setText(self.presenter.estimate)
        self.estimate.setVisible(bool(self.presenter.estimate))

    def _show_charts(self) -> None:
        self.charts.set_runs(self.presenter.records())
        earlier = bool(self.presenter.shown) and not self.presenter.shows_live
        self.earlier.setVisible(earlier and bool(self.presenter.records()))
        if self.earlier.isVisibleTo(self):
            self.earlier_text.setText(f"The charts show {self.presenter.names()}.")
        self.back.setVisible(self.trainer.busy)

    def _chart(self, event: Any) -> None:
        """The live run's events go to the charts, which pass over runs that they do not show."""
        if isinstance(event, events.EpochEnded):
            self.charts.epoch(self.presenter.live, event)
        elif isinstance(event, events.BatchEnded) and self.presenter.shows_live:
            self.charts.batch(event)

    def _refresh_others(self) -> None:
        """Runs that this window does not train grow, vanish, or are found only now."""
        records = self.presenter.records()
        if [str(run.path) for run in records] != [run.path for run in self.charts.runs]:
            self._show_charts()
        others = [run for run in records if str(run.path) != self.presenter.live]
        if self.isVisible() and any(run.status in ("running", "paused") for run in others):
            self.charts.refresh()

    # -- what a user can ask ------------------------------------------------------------------

    def begin(self) -> None:
        """Start or queue the run of the form; show what is wrong if it cannot."""
        if not self.presenter.start():
            self.show_form(True)
            self.form.show_first_error()

    def use_run(self, path: str) -> None:
        """Show a run's settings in the form."""
        if self.presenter.use_run(path):
            self.show_form(True)

    def ask_own_parts(self, name: str) -> None:
        """Ask whether code of somebody's may be run."""
        agree = partial(self.presenter.own_parts.agree, name)
        train_questions.ask_own_parts(self, name, agree)

    def show_form(self, shown: bool) -> None:
        """Show the settings, or fold them away for more room."""
        self.left.setVisible(shown)
        self.unfold.setHidden(shown)

    def toggle_form(self) -> None:
        """Fold the settings away, or show them again."""
        self.show_form(not self.left.isVisibleTo(self))

    def pause_after_this_epoch(self) -> None:
        """Wait at the end of the epoch that goes on."""
        self.trainer.pause_after(0)

    def open_lab(self) -> None:
        """Attack images on the newest weights of the run."""
        if self.trainer.current is not None and self.trainer.current.trains:
            self.context.attack_model.emit(self.trainer.current.path, "current")
            self.context.go_to.emit("lab")

    def ask_discard(self) -> None:
        """Discard the run if that is meant."""
        job = self.trainer.current
        if job is not None:
            discard = partial(self._discard, job.path)
            train_questions.ask_discard(self, job.name, discard, self.trainer.stop)

    def _discard(self, path: str) -> None:
        """The run may have ended, and the next begun, while the question stood there."""
        if self.trainer.current is not None and self.trainer.current.path == path:
            self.trainer.discard()

    def actions_table(self) -> list[Action]:
        """The screen's part of the table of actions."""
        busy, trainer, form = (lambda: self.trainer.busy), self.trainer, self.form
        run = "Run"

        def action(
            name: str,
            text: str,
            do: Callable[[], object],
            menu: str,
            keys: str = "",
            enabled: Callable[[], bool] = lambda: True,
            help: str = "",
        ) -> Action:
            return Action(f"train.{name}", text, do, menu, keys, enabled, help)

        return [
            action("start", "Start or queue the run", self.begin, run, "Ctrl+Return", self._front),
            action("pause", "Pause or continue", self.header.toggle_pause, run, "Ctrl+P", busy),
            action(
                "pause_after",
                "Pause after this epoch",
                self.pause_after_this_epoch,
                run,
                "Ctrl+Shift+P",
                busy,
            ),
            action("stop", "Stop and save", trainer.stop, run, "Ctrl+.", busy),
            action("discard", "Discard the run…", self.ask_discard, run, "", busy),
            action("kill", "Kill the trainer", trainer.kill, "", "", busy),
            action(
                "start_queue",
                "Start the queue",
                trainer.start_next,
                run,
                "",
                lambda: bool(trainer.queue) and not trainer.busy,
            ),
            action("lab", "Attack the running model", self.open_lab, run, "", busy),
            action(
                "live",
                "Charts of the live run",
                self.presenter.show_live,
                "Charts",
                "",
                lambda: bool(self.presenter.live) and not self.presenter.shows_live,
            ),
            action("preset", "Choose a preset", self._choose_preset, "File", "Ctrl+L"),
            action("import", "Import settings…", self._import, "File", "Ctrl+O"),
            action("export", "Export settings…", form.top.export_toml, "File", "Ctrl+S"),
            action("copy", "Copy as command", form.top.copy_command, "File", "Ctrl+Shift+K"),
            action("reset", "Reset all settings", self._reset, "File"),
            action("search", "Search settings", self._search, "View", "Ctrl+/"),
            action("form", "Show or hide the settings", self.toggle_form, "View", "Ctrl+B"),
            *self.charts.actions_table(),
        ]

    def _front(self) -> bool:
        return self.isVisible()

    def _to_form(self) -> None:
        self.context.go_to.emit(self.name)
        self.show_form(True)

    def _choose_preset(self) -> None:
        self._to_form()
        self.form.top.choose_preset()

    def _import(self) -> None:
        self._to_form()
        self.form.top.import_toml()

    def _reset(self) -> None:
        self._to_form()
        self.presenter.form.reset()

    def _search(self) -> None:
        self._to_form()
        self.form.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.form.search.selectAll()

    # -- session ------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Settings as typed, folded sections, splitter, charts."""
        rows = self.presenter.form.rows.values()
        return {
            "texts": {row.key: row.text for row in rows if row.text != row.default},
            "preset": self.presenter.form.preset,
            "folded": self.form.folded(),
            "mode": self.form.modes.currentIndex(),
            "form": self.left.isVisibleTo(self),
            "sizes": self.splitter.sizes() if self.left.isVisibleTo(self) else [],
            "charted": self.presenter.shown,
            "charts": self.charts.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``; passes over what it cannot use."""
        texts = state.get("texts")
        if isinstance(texts, dict):
            self.presenter.form.set_texts(texts, str(state.get("preset", "")))
        self.form.fold([str(name) for name in state.get("folded", [])])
        mode = state.get("mode")
        if isinstance(mode, int) and 0 <= mode < self.form.modes.count():
            self.form.modes.setCurrentIndex(mode)
        self.show_form(state.get("form") is not False)
        sizes = state.get("sizes") or []
        if len(sizes) == 2 and all(type(size) is int for size in sizes):
            self.splitter.setSizes(sizes)
        if isinstance(state.get("charts"), dict):
            self.charts.restore(state["charts"])
        if isinstance(state.get("charted"), list) and not self.trainer.busy:
            self.presenter.show_runs(state["charted"])
