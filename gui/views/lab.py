"""The attack lab: one image, one attack, two models."""

from __future__ import annotations

import hashlib
import pathlib
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QMimeData, QSignalBlocker, QStandardPaths, Qt, QTimer
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QFileDialog

from slr_keras.image_formats import SUFFIXES

from .. import theme
from ..actions import Action
from ..models import pictures
from ..models.attack_code import from_test_set, snippet
from ..models.lab_parts import SLOTS, Result, Source, SweepResult
from ..models.lab_words import first_fooling_of, first_fooling_text
from ..presenters.context import Context
from ..presenters.lab import LabPresenter
from . import lab_figure
from .images import MODES
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
        self.step: int | None = None
        self._recalled: dict[str, Any] | None = None
        self.setAcceptDrops(True)
        self.build()
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
        self.source.open_wanted.connect(self.open_image)
        self.attack.attack_chosen.connect(lab.choose_attack)
        self.attack.changed.connect(self._change)
        self.attack.target_chosen.connect(lab.set_target)
        self.attack.seed_changed.connect(lab.set_seed)
        self.as_trained.clicked.connect(lab.as_in_training)
        self.modes.buttonClicked.connect(lambda button: self._mode_chosen())
        self.factor.activated.connect(lambda: self.refresh())
        self.save.clicked.connect(self.save_figure)
        self.copy.clicked.connect(self.copy_python)
        self.scrubber.valueChanged.connect(self._scrub)
        self.trajectory.scrubbed.connect(self.scrubber.setValue)
        self.sweep.clicked.connect(lab.sweep)
        self.sweep_chart.chosen.connect(lambda eps: self._change("eps", eps))
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

    def open_model(self, slot: str = "a") -> None:
        """Choose a ``.keras`` file."""
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a model", str(self.context.runs_dir), "Keras models (*.keras)"
        )
        if path:
            self.lab.load(slot, Source(path, "final"))
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

    def open_image(self) -> None:
        """Choose an image file."""
        kinds = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(self, "Open an image", "", f"Images ({kinds})")
        if path:
            self.lab.many.look(False)
            self.lab.pick("file", path=path)

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

    def _scrub(self, step: int) -> None:
        self.step = None if step >= self.scrubber.maximum() else step
        self.refresh()

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
            f"adversarial {slot.upper()}": result.frame(self.step)
            for slot, result in self._results().items()
        }
        return pictures.pixel_text(row, column, image.pixels, shown)

    def _hint(self) -> str:
        return "Point at a pixel, or use the arrow keys, to read its values; the wheel zooms."

    def _results(self) -> dict[str, Result]:
        bench = self.lab.bench
        found = {slot: bench.result_of_image(slot) for slot in SLOTS}
        return {slot: result for slot, result in found.items() if result is not None}

    # -- taking it along ----------------------------------------------------------------------

    def save_figure(self) -> None:
        """Ask for a name and write the comparison."""
        path, chosen = QFileDialog.getSaveFileName(
            self, "Save figure", "attack.png", "PNG image (*.png);;SVG drawing (*.svg)"
        )
        if not path:
            return
        if not pathlib.Path(path).suffix:
            path += ".svg" if "svg" in chosen else ".png"
        self.write_figure(pathlib.Path(path))

    def write_figure(self, path: pathlib.Path) -> None:
        """Write the comparison and say how it went."""
        try:
            charts = {"Path of the attack: margin in colour, loss grey": self.trajectory}
            if any(slot.sweep is not None for slot in self.lab.bench.slots.values()):
                charts["True class over epsilon"] = self.sweep_chart
            lab_figure.save(self.lab.bench, path, self.factor.currentData(), charts)
        except OSError as error:
            self.context.message.emit(str(error))
        else:
            self.context.message.emit(f"Figure saved as {path}.")

    def copy_python(self) -> None:
        """Put the program of this attack on the clipboard."""
        bench = self.lab.bench
        model, image = bench.slots["a"].model, bench.image
        if model is None or image is None:
            return
        file = ""
        if not from_test_set(model, image):
            try:
                file = str(_write_image(image.pixels))
            except OSError as error:
                self.context.message.emit(f"The image cannot be written: {error}.")
                return
        QGuiApplication.clipboard().setText(snippet(bench, "a", file))
        self.context.message.emit("The attack is on the clipboard, as Python.")

    # -- drag and drop ------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take images, models and run folders."""
        if _dropped(event.mimeData()) is not None:
            event.acceptProposedAction()
            self.context.message.emit("Drop an image to attack it, or a model to load it as A.")

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Nothing was dropped."""
        self.context.message.emit("")

    def dropEvent(self, event: QDropEvent) -> None:
        """Attack the image, or load the model."""
        path = _dropped(event.mimeData())
        if path is None:
            return
        event.acceptProposedAction()
        self.take_file(path)

    def take_file(self, path: pathlib.Path) -> None:
        """Use a file or folder as what it is."""
        if path.is_dir():
            self.lab.load("a", best_source(str(path)))
        elif path.suffix == ".keras":
            self.lab.load("a", Source(str(path), "final"))
        else:
            self.lab.start()
            self.lab.many.look(False)
            self.lab.pick("file", path=str(path))

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
            row.show_bench(bench, self.step, self.factor.currentData(), lab.busy)
        self.warnings.setText(bench.warnings_text())
        self.warnings.setVisible(bool(self.warnings.text()))
        self._show_charts()
        self._show_scrubber()
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

    def _show_scrubber(self) -> None:
        results = self._results()
        last = max((result.steps for result in results.values()), default=0)
        blocker = QSignalBlocker(self.scrubber)
        self.scrubber.setRange(0, last)
        if self.step is not None and self.step >= last:
            self.step = None
        at = last if self.step is None else self.step
        self.scrubber.setValue(at)
        del blocker
        framed = any(result.frames is not None for result in results.values())
        self.scrubber.setEnabled(framed and last > 0)
        self.trajectory.set_step(at)
        self.step_text.setText(self._step_text(results, at, last))

    def _step_text(self, results: dict[str, Result], at: int, last: int) -> str:
        if not last:
            return ""
        words = [f"step {at} of {last}"]
        for slot, result in results.items():
            margins = result.done.margins
            if at < len(margins) and margins[at] is not None:
                name = f"{slot.upper()} " if len(results) > 1 else "margin "
                words.append(f"{name}{margins[at]:+.2f}")
        return "   ".join(words)

    def _show_charts(self) -> None:
        bench = self.lab.bench
        results = self._results()
        stale = not all(bench.is_current(slot) for slot in results)
        self.trajectory.show_results(results, stale)
        colours = theme.colours()
        margin = "margin of the target" if bench.target is not None else "margin"
        marks = ((margin, colours.robust), ("loss", colours.muted))
        legend = [f'<span style="color:{colour}">■</span> {name}' for name, colour in marks]
        legend += ["– – B"] if len(results) > 1 else []
        self.path_panel.caption.setText(" &nbsp;".join(legend))
        sweeps = {s: sweep for s in SLOTS if (sweep := bench.slots[s].sweep) is not None}
        old = not all(bench.sweep_is_current(slot) for slot in sweeps)
        self.sweep_chart.show_sweeps(sweeps, float(bench.values["eps"]), old)
        word = "Target" if bench.target is not None else "True class"
        self.sweep_panel.title.setText(f"{word} over ε (/255)")
        self.sweep_panel.say(self._sweep_text(sweeps, old))

    def _sweep_text(self, sweeps: dict[str, SweepResult], old: bool) -> str:
        if not sweeps:
            return "Sweep to see what fools."
        if old:
            return "Of other settings: sweep again."
        if len(sweeps) == 1:
            return first_fooling_text(next(iter(sweeps.values())))
        return first_fooling_of(sweeps)

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
        lab = self.lab

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
            ("open_image", "Open an image…", self.open_image, "Ctrl+Shift+O", lambda: lab.usable),
            ("open_model", "Open a model as A…", lambda: self.open_model("a"), "", None),
            ("open_model_b", "Open a model as B…", lambda: self.open_model("b"), "", None),
            ("swap", "Swap models A and B", lab.swap, "Ctrl+Shift+X", both),
            ("toggle", "Switch between clean and adversarial", self.toggle, "Ctrl+T", current),
            ("sweep", "Sweep epsilon", lab.sweep, "Ctrl+Shift+E", lambda: lab.can_sweep),
            ("cancel", "Cancel the attack", lab.cancel, "Ctrl+.", lambda: lab.busy),
            ("save_figure", "Save the comparison as a figure…", self.save_figure, "Ctrl+Shift+S",
             current),
            ("copy_python", "Copy the attack as Python", self.copy_python, "Ctrl+Shift+C", ready),
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


def _dropped(data: QMimeData) -> pathlib.Path | None:
    """The first file that can be used."""
    for url in data.urls():
        path = pathlib.Path(url.toLocalFile())
        run = path.is_dir() and (path / "config.toml").is_file()
        if run or path.suffix.lower() in (*SUFFIXES, ".keras"):
            return path
    return None


def _write_image(pixels: np.ndarray) -> pathlib.Path:
    """A file of the app's own with the image as the attack sees it."""
    place = QStandardPaths.StandardLocation.AppDataLocation
    folder = pathlib.Path(QStandardPaths.writableLocation(place)) / "images"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()[:12]
    path = folder / f"{digest}.npy"
    np.save(path, pixels)
    return path
