"""The attack lab: one image, one attack, two models."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QKeyEvent

from ..actions import Action
from ..models import pictures
from ..models.lab_parts import SLOTS, Source
from ..presenters.context import Context
from ..presenters.lab import LabPresenter
from .images import MODES
from .lab_files import LabFiles, dropped
from .lab_layout import LabLayout
from .lab_sources import available, best_source

REPAINT_MS = 15


class LabScreen(LabLayout):
    """Models above, image and attack at the left, what came of it in the middle."""

    name = "lab"
    title = "Attack lab"

    def __init__(self, context: Context):
        super().__init__(context)
        self.lab: LabPresenter = context.lab
        self._recalled: dict[str, Any] | None = None
        self.setAcceptDrops(True)
        self.build()
        self.files = LabFiles(
            self, self.lab, self.charts, self.factor.currentData, context.message.emit
        )
        self._connect()
        self.refresh()

    # -- connections --------------------------------------------------------------------------

    def _connect(self) -> None:
        lab = self.lab
        self._timer = QTimer(self, singleShot=True, interval=REPAINT_MS)
        self._timer.timeout.connect(self.refresh)
        lab.changed.connect(self._later)
        for slot, picker in self.pickers.items():
            picker.chosen.connect(lambda source, slot=slot: self._choose(slot, source))
            picker.open_wanted.connect(lambda slot=slot: self.open_model(slot))
            picker.source.opening.connect(self._list_runs)
        self.swap.clicked.connect(lab.swap)
        self.source.picked.connect(self._pick)
        self.look_at_many.clicked.connect(lambda on: lab.many.look(on))
        self.many.wanted.connect(lambda index: self._pick("index", index))
        self.source.open_wanted.connect(self.files.open_image)
        self.attack.attack_chosen.connect(lab.choose_attack)
        self.attack.changed.connect(self._change)
        self.attack.target_chosen.connect(lab.set_target)
        self.attack.seed_changed.connect(lab.set_seed)
        self.as_trained.clicked.connect(lab.as_in_training)
        self.modes.buttonClicked.connect(lambda button: self._mode_chosen())
        self.factor.activated.connect(lambda: self.refresh())
        self.save.clicked.connect(self.files.save_figure)
        self.copy.clicked.connect(self.files.copy_python)
        self.charts.scrubbed.connect(self.refresh)
        self.sweep.clicked.connect(lab.sweep)
        self.charts.chosen.connect(lambda eps: self._change("eps", eps))
        self.cancel.clicked.connect(lab.cancel)
        self.restart.clicked.connect(lab.restart)
        for row in self.rows.values():
            row.pointed.connect(self._point)
        self.empty_open.clicked.connect(lambda: self.open_model("a"))
        self.empty_newest.clicked.connect(self.open_newest)
        self.empty_train.clicked.connect(lambda: self.context.go_to.emit("train"))
        self.context.attack_model.connect(self.attack_model)
        self.context.trainer.event.connect(self._trainer_event)

    def _trainer_event(self, event: object) -> None:
        self.lab.trainer_event(event, self._training())

    def _training(self) -> str:
        """The path of the run that trains; empty if none does."""
        job = self.context.trainer.current
        return str(job.path) if job is not None and job.trains else ""

    def _later(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    # -- what a user does ---------------------------------------------------------------------

    def attack_model(self, path: str, which: str) -> None:
        """Put a model into slot A and come to the front."""
        if self._recalled is not None:  # what else was on the bench comes back all the same
            sources = dict(self._recalled.get("sources") or {})
            sources.pop("a", None)
            self._recalled["sources"] = sources
        self.lab.load("a", Source(path, which or "best"))
        self._list_runs()
        self.context.go_to.emit(self.name)

    def _choose(self, slot: str, source: Source | None) -> None:
        if source is None:
            self.lab.unload(slot)
        else:
            self.lab.load(slot, source)

    def open_model(self, slot: str) -> None:
        """Choose a ``.keras`` file."""
        self.files.open_model(slot, self.context.runs_dir)
        self.refresh()

    def open_newest(self) -> None:
        """Put the newest run that has a model into slot A."""
        path = self._newest()
        if path:
            self.lab.load("a", best_source(path))

    def _pick(self, origin: str, index: int = 0) -> None:
        """Take a test image and look at it alone."""
        self.lab.many.look(False)
        self.lab.pick(origin, index)

    def many_or_one(self) -> None:
        """Look at many images, or at one again."""
        self.lab.many.look(not self.lab.many.on)

    def _change(self, name: str, value: object) -> None:
        problem = self.lab.change(name, value)
        if problem:
            self.context.message.emit(problem)
        self.refresh()

    def _mode_chosen(self) -> None:
        mode = next(mode for mode, b in self.mode_buttons.items() if b.isChecked())
        self.set_mode(mode)

    def set_mode(self, mode: str) -> None:
        """How clean and adversarial image are compared."""
        self.mode_buttons[mode].setChecked(True)
        for row in self.rows.values():
            row.set_mode(mode)
        self.refresh()

    def toggle(self) -> None:
        """Adversarial and clean image by turns, in the same place."""
        now = self.rows["a"].adversarial.mode
        self.set_mode("clean" if now != "clean" else "adversarial")

    def _point(self, row: int, column: int) -> None:
        words = self._pixel_text(row, column) if row >= 0 else ""
        for slot_row in self.rows.values():
            slot_row.set_pointer(row, column, words)
        self.pixel.setText(words or self._hint())

    def _pixel_text(self, row: int, column: int) -> str:
        image = self.lab.bench.image
        if image is None:
            return ""
        shown = {
            f"adversarial {slot.upper()}": result.frame(self.charts.step)
            for slot, result in self.lab.bench.results().items()
        }
        return pictures.pixel_text(row, column, image.pixels, shown)

    def _hint(self) -> str:
        return "Point at a pixel, or use the arrow keys, to read its values; the wheel zooms."

    # -- drag and drop ------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take images, models and run folders."""
        if dropped(event.mimeData()) is not None:
            event.acceptProposedAction()
            self.context.message.emit("Drop an image to attack it, or a model to load it as A.")

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Nothing was dropped."""
        self.context.message.emit("")

    def dropEvent(self, event: QDropEvent) -> None:
        """Attack the image, or load the model."""
        path = dropped(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.files.take(path)

    # -- what is shown ------------------------------------------------------------------------

    def refresh(self) -> None:
        """Bring everything to what the bench holds."""
        bench, lab = self.lab.bench, self.lab
        used = [slot for slot in SLOTS if bench.slots[slot].source is not None]
        self.pages.setCurrentIndex(1 if used else 0)
        self._show_status()
        for slot, picker in self.pickers.items():
            picker.show_slot(bench.slots[slot])
        if not used:
            self._show_empty()
            return
        self.source.show_bench(bench, lab.usable)
        self.attack.show_bench(bench)
        self._show_many()
        trained = bench.slots["a"].model
        self.as_trained.setVisible(bool(trained and trained.attack))
        notes = bench.notes()
        self.notes.setText("\n".join(notes))
        self.notes.setVisible(bool(notes))
        for slot, row in self.rows.items():
            row.setVisible(bench.slots[slot].source is not None)
            row.show_bench(bench, self.charts.step, self.factor.currentData(), lab.busy)
        self.warnings.setText(bench.warnings_text())
        self.warnings.setVisible(bool(self.warnings.text()))
        self.charts.show_bench(bench)
        if not self.pixel.text():
            self.pixel.setText(self._hint())

    def _show_many(self) -> None:
        """One image or many; what is of one image alone steps back meanwhile."""
        on = self.lab.many.on
        self.look_at_many.setChecked(on)
        self.middle.setCurrentIndex(int(on))
        for widget in (self.amplify, self.factor, self.mode_buttons["swipe"], self.sweep):
            widget.setVisible(not on)
        if on:
            self.many.show_bench(self.rows["a"].adversarial.mode)

    def _show_empty(self) -> None:
        self.empty_newest.setVisible(bool(self._newest()))
        self.empty_problem.setText(self.lab.bench.image_problem)
        self.empty_problem.setVisible(bool(self.lab.bench.image_problem))

    def _show_status(self) -> None:
        lab = self.lab
        self.status.setText(lab.state_text)
        self.status.setToolTip(lab.state_text)
        self.busy.setVisible(lab.busy)
        self.cancel.setVisible(lab.busy)
        self.trouble.setVisible(bool(lab.trouble))
        self.trouble_text.setText(lab.trouble)
        lines = lab.death.stderr[-4:] if lab.death is not None else ()
        self.trouble_log.setText("\n".join(lines))
        self.trouble_log.setVisible(bool(lines))
        bench = lab.bench
        current = any(bench.is_current(slot) for slot in SLOTS)
        self.save.setEnabled(current and not lab.many.on)
        self.copy.setEnabled(bench.slots["a"].model is not None and bench.image is not None)
        self.sweep.setEnabled(lab.can_sweep and not lab.sweeping)
        self.swap.setEnabled(any(bench.slots[slot].source for slot in SLOTS))

    # -- runs ---------------------------------------------------------------------------------

    def _runs(self) -> list[tuple[str, str]]:
        records = sorted(
            self.context.store.records.values(), key=lambda r: r.started or 0.0, reverse=True
        )
        return [(str(record.path), record.name) for record in records]

    def _newest(self) -> str:
        return next((path for path, _ in self._runs() if available(path)), "")

    def _list_runs(self) -> None:
        runs, running = self._runs(), self._training()
        for slot, picker in self.pickers.items():
            picker.set_runs(runs, running)
            picker.show_slot(self.lab.bench.slots[slot])

    # -- as a screen --------------------------------------------------------------------------

    def shown(self) -> None:
        """List the runs anew; the first time, bring back what was on the bench."""
        self._list_runs()
        if self._recalled:
            self.lab.recall(self._recalled)
            self._recalled = None
        self.refresh()

    def state(self) -> dict[str, Any]:
        """Models, image, attack and view."""
        if self._recalled:  # never shown in this session: as it was
            return self._recalled
        mode, factor = self.rows["a"].adversarial.mode, self.factor.currentIndex()
        return self.lab.remembered() | {"mode": mode, "factor": factor}

    def restore(self, state: dict[str, Any]) -> None:
        """The models are loaded when the screen is shown first."""
        self._recalled = dict(state)
        if state.get("mode") in MODES:
            self.set_mode(state["mode"])
        self.factor.setCurrentIndex(min(int(state.get("factor") or 0), self.factor.count() - 1))

    def actions_table(self) -> list[Action]:
        """What can be done here."""
        lab, files = self.lab, self.files

        def test_set() -> bool:
            model = lab.bench.slots["a"].model
            return lab.usable and model is not None and model.test_images > 0

        def both() -> bool:
            return any(slot.source for slot in lab.bench.slots.values())

        def current() -> bool:
            return any(lab.bench.is_current(slot) for slot in SLOTS)

        def ready() -> bool:
            return lab.bench.slots["a"].model is not None and lab.bench.image is not None

        rows = [
            ("random", "Take a random image", lambda: self._pick("random"), "Ctrl+Shift+R",
             test_set),
            ("wrong", "Take the next wrong image", lambda: self._pick("wrong"), "Ctrl+Shift+W",
             test_set),
            ("many", "Attack many images, or one again", self.many_or_one, "Ctrl+Shift+M",
             test_set),
            ("open_image", "Open an image…", files.open_image, "Ctrl+Shift+O", lambda: lab.usable),
            ("open_model", "Open a model as A…", lambda: self.open_model("a"), "", None),
            ("open_model_b", "Open a model as B…", lambda: self.open_model("b"), "", None),
            ("swap", "Swap models A and B", lab.swap, "Ctrl+Shift+X", both),
            ("toggle", "Switch between clean and adversarial", self.toggle, "Ctrl+T", current),
            ("sweep", "Sweep epsilon", lab.sweep, "Ctrl+Shift+E", lambda: lab.can_sweep),
            ("cancel", "Cancel the attack", lab.cancel, "Ctrl+.", lambda: lab.busy),
            ("save_figure", "Save the comparison as a figure…", files.save_figure, "Ctrl+Shift+S",
             current),
            ("copy_python", "Copy the attack as Python", files.copy_python, "Ctrl+Shift+C", ready),
            ("restart", "Restart the lab", lab.restart, "", None),
        ]  # fmt: skip
        return [
            Action(f"lab.{name}", text, run, "Attack", keys, enabled or (lambda: True))
            for name, text, run, keys, enabled in rows
        ]

    def changeEvent(self, event: QEvent) -> None:
        """Words with colours in them follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and "_timer" in self.__dict__:
            self._later()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """T switches between clean and adversarial."""
        if event.key() == Qt.Key.Key_T and not event.modifiers():
            self.toggle()
        else:
            super().keyPressEvent(event)
