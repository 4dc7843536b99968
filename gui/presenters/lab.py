"""Decides what the lab is asked for and what of its answers is shown."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from slr_keras.protocol import commands, events, lab_events

from ..models.attack_settings import attack_names, sweep_radii
from ..models.death import Death
from ..models.lab import Bench
from ..models.lab_parts import SLOTS, Image, Key, Model, Result, Slot, Source, SweepResult
from ..worker import Worker
from .many import ManyImages
from .requests import Key as AnyKey
from .requests import Request

PATIENCE = 0.3  # seconds that an outdated attack may still take before it is cancelled
SENTENCES = {
    "off": "The attack lab is off.",
    "starting": "Starting…",
    "importing": "Importing TensorFlow…",
    "ready": "Ready",
    "loading": "Loading a model…",
    "compiling": "Compiling the attack…",
    "picking": "Reading an image…",
    "attacking": "Attacking…",
    "attacking_many": "Attacking many images…",
    "sweeping": "Sweeping epsilon…",
    "silent": "The lab does not answer.",
    "crashed": "The lab stopped.",
}


class LabPresenter(QObject):
    """Owns the lab worker and the bench.

    Of each kind of request one a slot is on its way at most. What changes meanwhile is asked for
    when the answer is there: a drag over many values costs as many attacks as fit into it and
    at most two after it.

    Signals:
        changed: something that is shown changed.
        message: a sentence for the bar at the window's foot.
    """

    changed = Signal()
    message = Signal(str)

    def __init__(self, command: Sequence[str], parent: QObject | None = None):
        super().__init__(parent)
        self.command = list(command)
        self.flags: Callable[[], list[str]] = list  # of own parts that it is to know
        self.bench = Bench()
        self.many = ManyImages(self)
        self.death: Death | None = None
        self.device = ""
        self.sweeping = False
        self._phase = "off"
        self._failure = ""
        self._silent = self._restarting = self._closing = False
        self._requests: dict[int, Request] = {}
        self._refused: dict[str, Key] = {}
        self._reload: set[str] = set()
        self._serial = 0
        self._last_pick: commands.PickImage | None = None
        self._held = ""
        self._clock = QTimer(self, singleShot=True)
        self._clock.timeout.connect(self._advance)
        self.worker = Worker("attack lab", self)
        self.worker.event.connect(self._event)
        self.worker.acknowledged.connect(self._acknowledged)
        self.worker.silent.connect(self._on_silent)
        self.worker.ended.connect(self._ended)

    # -- the worker's life --------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``off``, ``starting``, ``importing``, ``ready``, ``loading``, ``attacking``,
        ``silent`` or ``crashed``, among others that the lab names."""
        if self.death is not None:
            return "crashed"
        return "silent" if self._silent else self._phase

    @property
    def state_text(self) -> str:
        """The state as a sentence."""
        if self.state == "ready" and self.device:
            return f"Ready, on {self.device.split('(')[0].strip()}"
        return SENTENCES.get(self.state, f"{self.state.capitalize()}…")

    @property
    def trouble(self) -> str:
        """What happened to a lab that is gone or does not answer; empty while all is well."""
        if self.death is not None:
            reason = self._failure or self.death.sentence
            return f"{reason} Models, image and settings are kept and come back with a restart."
        if self._silent:
            return (
                "The lab has given no sign of life for a while. Wait, or restart it: models, "
                "image and settings come back."
            )
        return ""

    @property
    def usable(self) -> bool:
        """Whether requests are taken."""
        return self.worker.running and not self._restarting and not self._closing

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self._requests)

    def start(self) -> None:
        """Start the worker; it imports TensorFlow in the background."""
        if self.worker.running or self._closing:
            return
        self.death, self._failure, self._silent = None, "", False
        self._phase = "starting"
        self.worker.start([*self.command, *self.flags()])
        self._bring_back()
        self.changed.emit()

    def restart(self) -> None:
        """End the worker if it runs, start a new one and bring models and image back."""
        if not self.worker.running:
            return self.start()
        self._restarting = True
        self.worker.kill()
        return None

    def close(self, wait_ms: int = 1000) -> None:
        """End the worker for good; it has nothing to save."""
        self._closing = True
        if not self.worker.close(wait_ms):
            self.worker.kill()

    def _bring_back(self) -> None:
        """Ask a new worker for what is on the bench."""
        self._requests.clear()
        self._refused.clear()
        for name in SLOTS:
            source = self.bench.slots[name].source
            if source is not None:
                self._send_load(name, source)
        image = self.bench.image
        if image is not None and image.index is not None:
            self.pick("index", image.index)
        elif image is not None and image.path:
            self.pick("file", path=image.path)
        elif self._last_pick is not None:
            self._send_pick(self._last_pick)

    def _ended(self, death: Death) -> None:
        for slot in self.bench.slots.values():
            slot.loading, slot.live = False, None
        self._requests.clear()
        self.sweeping = self._silent = False
        if self._restarting:
            self._restarting = False
            self.start()
        elif self._closing:
            self._phase = "off"
        else:
            self.death = death
            self.message.emit(f"{self._failure or death.sentence} Restart it in the Attack lab.")
        self.changed.emit()

    def _on_silent(self, silent: bool) -> None:
        self._silent = silent
        self.changed.emit()

    # -- what a user asks for -----------------------------------------------------------------

    def load(self, slot: str, source: Source) -> None:
        """Load a model into a slot; a newer request replaces one that is on its way."""
        place = self.bench.slots[slot]
        if place.source != source:
            place.result, place.sweep, place.live = None, None, None
        place.source, place.problem = source, ""
        if not self.worker.running:
            return self.start()  # which loads what is in the slots
        if not any(r.kind == "load" and r.slot is place for r in self._requests.values()):
            self._send_load(slot, source)
        else:
            self._reload.add(place.wire)
        self.changed.emit()
        return None

    def unload(self, slot: str) -> None:
        """Take the model out of a slot."""
        self.bench.slots[slot] = Slot(wire=self.bench.slots[slot].wire)
        self._advance()
        self.changed.emit()

    def swap(self) -> None:
        """Exchange the two models."""
        self.bench.swap()
        self._fit_image("a")
        self._advance()
        self.changed.emit()

    def pick(self, origin: str, index: int = 0, path: str = "") -> None:
        """Take an image: ``index``, ``random``, ``wrong`` or ``file``."""
        slots = self.bench.slots
        first = "a" if slots["a"].source or not slots["b"].source else "b"
        self._send_pick(commands.PickImage(0, origin, index, path, slots[first].wire))

    def change(self, name: str, value: Any) -> str:
        """Set one setting of the attack; returns why it cannot be, empty if it is."""
        problem = self.bench.change(name, value)
        self.settings_changed()
        return problem

    def choose_attack(self, name: str) -> None:
        """Change to another attack."""
        self.bench.choose_attack(name)
        self.settings_changed()

    def set_target(self, label: int | None) -> None:
        """The class to reach; None to move away from the true one."""
        self.bench.target = label
        self.settings_changed()

    def set_seed(self, seed: int) -> None:
        """The seed of the random starts."""
        self.bench.seed = seed
        self.settings_changed()

    def as_in_training(self) -> None:
        """Take the settings of A's training attack."""
        model = self.bench.slots["a"].model
        if model is not None and model.attack:
            self.bench.use_attack(model.attack)
            self.settings_changed()

    def settings_changed(self) -> None:
        """Ask for what the bench lacks with the settings as they are now."""
        self._refused.clear()
        for slot in self.bench.slots.values():
            slot.problem = "" if slot.model else slot.problem
        self._cancel_outdated_sweeps()
        self._advance()
        self.changed.emit()

    def sweep(self) -> None:
        """Attack at a row of radii, on each model."""
        self._drop("sweep", cancel=True)
        attack = self.bench.attack()
        for name in SLOTS:
            slot, key = self.bench.slots[name], self.bench.key(name)
            if key is None or not self.usable:
                continue
            slot.sweep = SweepResult(key.without_eps())
            radii = sweep_radii(attack["norm"], attack["eps"])
            command = commands.Sweep(0, slot.wire, attack, radii, key.label, self.bench.seed)
            self.request(command, "sweep", slot, key.without_eps())
        self.changed.emit()

    def cancel(self) -> None:
        """Give up everything that is on its way but loading."""
        for request in [*self._requests.values()]:
            if request.kind != "load":
                self.worker.send(commands.Cancel(target=request.id))
                if request.kind == "many":
                    self.many.refused(request, "Given up.")
                if request.kind == "attack" and request.key is not None and request.slot:
                    self._refused[request.slot.wire] = request.key
                self._forget(request.id)
        self.changed.emit()

    @property
    def can_sweep(self) -> bool:
        """Whether there is something to sweep on."""
        return self.usable and any(self.bench.key(name) for name in SLOTS)

    # -- a run that trains --------------------------------------------------------------------

    def trainer_event(self, event: object, path: str) -> None:
        """Reload the weights of the run at ``path`` where a slot follows it."""
        kinds = (events.EpochEnded, events.CheckpointSaved, events.Paused, events.RunEnded)
        if not isinstance(event, kinds) or not path:
            return
        for name in SLOTS:
            source = self.bench.slots[name].source
            if source and source.which != "final" and same_path(source.path, path):
                self.load(name, source)

    # -- requests -----------------------------------------------------------------------------

    def request(
        self,
        command: commands.Command,
        kind: str,
        slot: Slot | None = None,
        key: AnyKey | None = None,
    ) -> None:
        """Send a command and remember that its answer is awaited."""
        number = self.worker.send(command)
        if number:
            path = getattr(command, "path", "")
            self._requests[number] = Request(number, kind, slot, key, path)
        self.sweeping = any(r.kind == "sweep" for r in self._requests.values())

    def _send_load(self, name: str, source: Source) -> None:
        slot = self.bench.slots[name]
        slot.loading = True
        self.request(commands.Load(0, slot.wire, source.path, source.which), "load", slot)

    def _send_pick(self, command: commands.PickImage) -> None:
        self._last_pick = command
        self._drop("pick")
        self.bench.image_problem = ""
        self.request(command, "pick")
        self.changed.emit()

    def _forget(self, number: int) -> Request | None:
        request = self._requests.pop(number, None)
        if request is not None and request.slot is not None and request.kind == "attack":
            request.slot.live = None
        self.sweeping = any(r.kind == "sweep" for r in self._requests.values())
        return request

    def _drop(self, kind: str, cancel: bool = False) -> None:
        """Forget the requests of a kind: their answers come too late."""
        for request in [r for r in self._requests.values() if r.kind == kind]:
            if cancel:
                self.worker.send(commands.Cancel(target=request.id))
            self._forget(request.id)

    def waiting(self, kind: str, slot: Slot | None = None) -> Request | None:
        """The request of a kind that is on its way."""
        found = (r for r in self._requests.values() if r.kind == kind and r.slot is slot)
        return next(found, None)

    def _cancel_outdated_sweeps(self) -> None:
        for name in SLOTS:
            slot = self.bench.slots[name]
            request = self.waiting("sweep", slot)
            if request is not None and not self.bench.sweep_is_current(name):
                self.worker.send(commands.Cancel(target=request.id))
                self._forget(request.id)

    def _advance(self) -> None:
        """Ask for the attacks that the bench lacks."""
        if self.usable and self.many.on:
            return self.many.advance()
        if not self.usable or self.waiting("pick"):
            return None
        for name in SLOTS:
            slot, key = self.bench.slots[name], self.bench.key(name)
            running = self.waiting("attack", slot)
            if running is not None:
                self.hurry(running, key)
            elif key and not self.bench.is_current(name) and self._refused.get(slot.wire) != key:
                command = commands.RunAttack(
                    0, slot.wire, self.bench.attack(), key.label, self.bench.seed
                )
                self.request(command, "attack", slot, key)

    def hurry(self, running: Request, key: AnyKey | None) -> None:
        """Cancel an attack whose settings are outdated, once it has had its time."""
        if running.key == key or running.cancelled:
            return
        left = running.sent + PATIENCE - time.monotonic()
        if left > 0:
            self._clock.start(int(1000 * left) + 1)
            return
        running.cancelled = True
        self.worker.send(commands.Cancel(target=running.id))

    # -- answers ------------------------------------------------------------------------------

    def _event(self, event: object) -> None:
        handler = self._HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)
            self._advance()
            self.changed.emit()

    def _hello(self, event: events.Hello) -> None:
        self._phase = "importing"

    def _lab_state(self, event: lab_events.LabState) -> None:
        self._phase = event.state
        self.device = event.device or self.device

    def _failed(self, event: events.Failed) -> None:
        self._failure = event.message

    def _acknowledged(self, event: events.Acknowledged) -> None:
        if not event.accepted:
            self._event(lab_events.Refused(event.id, event.message))

    def _model_loaded(self, event: lab_events.ModelLoaded) -> None:
        request = self._forget(event.id)
        if request is None or request.slot is None:
            return
        slot = request.slot
        name = next((n for n in SLOTS if self.bench.slots[n] is slot), None)
        if name is None or slot.source is None:  # taken out meanwhile
            return
        if slot.wire in self._reload:
            self._reload.discard(slot.wire)
            return self._send_load(name, slot.source)
        slot.loading, slot.problem = False, ""
        slot.model = Model.of(event, slot.source)
        if event.attack and not self.bench.touched:
            self.bench.use_attack(event.attack)
        names = self.bench.class_names()
        if self.bench.target is not None and self.bench.target >= len(names):
            self.bench.target = None
        self._fit_image(name)
        return None

    def _fit_image(self, name: str) -> None:
        """See to an image that the first model can take."""
        model, image = self.bench.slots[name].model, self.bench.image
        first = "a" if self.bench.slots["a"].model else "b"
        if model is None or name != first or self.waiting("pick"):
            return
        if image is None and model.test_images:
            self.pick("index", 0)
        elif image is not None and self.bench.mismatch(name):
            if image.path:
                self.pick("file", path=image.path)
            elif model.test_images:
                self.pick("index", min(image.index or 0, model.test_images - 1))

    def _image_picked(self, event: lab_events.ImagePicked) -> None:
        request = self._forget(event.id)
        if request is None:
            return
        self._serial += 1
        image, before = Image.of(event, request.path, self._serial), self.bench.image
        if before is not None and _same(image, before):
            image = dataclasses.replace(image, serial=before.serial)
        self.bench.image = image
        for slot in self.bench.slots.values():
            if slot.model is not None:
                slot.problem = ""
        self._cancel_outdated_sweeps()

    def _progress(self, event: lab_events.AttackProgress) -> None:
        request = self._requests.get(event.id)
        if request is not None and request.slot is not None:
            image = lab_events.unpack(event.image) if event.image else None
            request.slot.live = (event.step, event.steps, image)

    def _attack_done(self, event: lab_events.AttackDone) -> None:
        request = self._forget(event.id)
        image = self.bench.image
        if request is None or request.slot is None or request.key is None or image is None:
            return
        if request.key.image == image.serial:
            request.slot.result = Result.of(request.key, event, image.pixels)
            request.slot.problem = ""

    def _sweep_point(self, event: lab_events.SweepPoint) -> None:
        request = self._requests.get(event.id)
        if request is not None and request.slot is not None and request.slot.sweep is not None:
            request.slot.sweep.points.append(event)

    def _sweep_done(self, event: lab_events.SweepDone) -> None:
        request = self._forget(event.id)
        if request is not None and request.slot is not None and request.slot.sweep is not None:
            request.slot.sweep.first_fooled = event.first_fooled
            request.slot.sweep.complete = True
            request.slot.sweep.warnings = event.warnings

    def _many_image(self, event: lab_events.ManyImage) -> None:
        request = self._requests.get(event.id)
        if request is not None:
            self.many.image(event, request)

    def _many_done(self, event: lab_events.ManyDone) -> None:
        request = self._forget(event.id)
        if request is not None:
            self.many.done(request)

    def _superseded(self, event: lab_events.Superseded) -> None:
        request = self._forget(event.id)
        if request is not None and request.kind == "load" and request.slot is not None:
            request.slot.loading = self.waiting("load", request.slot) is not None

    def _on_refused(self, event: lab_events.Refused) -> None:
        request = self._forget(event.id)
        if request is None:
            return
        if request.kind == "pick":
            self.bench.image_problem = event.message
        elif request.kind == "many":
            self.many.refused(request, event.message)
        elif request.slot is not None:
            self._slot_refused(request, request.slot, event.message)

    def _slot_refused(self, request: Request, slot: Slot, message: str) -> None:
        if request.kind == "load":
            slot.loading = False
            if slot.wire in self._reload and slot.source is not None:
                self._reload.discard(slot.wire)
                name = next(n for n in SLOTS if self.bench.slots[n] is slot)
                return self._send_load(name, slot.source)
            slot.model, slot.result, slot.sweep = None, None, None
        elif request.key is not None:
            self._refused[slot.wire] = request.key
        slot.problem = message
        return None

    _HANDLERS: dict[type, Callable[[Any, Any], None]] = {
        events.Hello: _hello,
        events.Failed: _failed,
        lab_events.LabState: _lab_state,
        lab_events.ModelLoaded: _model_loaded,
        lab_events.ImagePicked: _image_picked,
        lab_events.AttackProgress: _progress,
        lab_events.AttackDone: _attack_done,
        lab_events.SweepPoint: _sweep_point,
        lab_events.SweepDone: _sweep_done,
        lab_events.ManyImage: _many_image,
        lab_events.ManyDone: _many_done,
        lab_events.Superseded: _superseded,
        lab_events.Refused: _on_refused,
    }

    # -- the next session ---------------------------------------------------------------------

    def remembered(self) -> dict[str, Any]:
        """Plain values that bring the bench back."""
        slots = self.bench.slots
        image = self.bench.image
        sources = {n: [s.path, s.which] for n in SLOTS if (s := slots[n].source) is not None}
        return {
            "sources": sources,
            "attack": self.bench.attack(),
            "seed": self.bench.seed,
            "target": self.bench.target,
            "index": image.index if image else None,
            "file": image.path if image else "",
            "many": [self.many.on, self.many.count, self.many.drawing],
        }

    def recall(self, values: dict[str, Any]) -> None:
        """The inverse; passes over models and files that are gone, and over what it cannot read."""
        attack = dict(values.get("attack") or {})
        name = attack.pop("name", None)
        attack.pop("targeted", None)
        if name in attack_names():
            self.bench.choose_attack(str(name))
            for key in ("norm", *attack):
                if key in attack and key in self.bench.values:
                    self.bench.change(key, attack[key])
        self.bench.seed = int(values.get("seed", self.bench.seed))
        self.bench.target = values.get("target", self.bench.target)
        self.many.recall(values.get("many"))
        self.settings_changed()
        for slot, (path, which) in dict(values.get("sources") or {}).items():
            if slot in SLOTS and pathlib.Path(path).exists():
                self.load(slot, Source(str(path), str(which)))
        if values.get("file") and pathlib.Path(values["file"]).is_file():
            self.pick("file", path=values["file"])
        elif values.get("index") is not None and self.bench.slots["a"].source:
            self.pick("index", int(values["index"]))


def _same(image: Image, before: Image) -> bool:
    return image.label == before.label and np.array_equal(image.pixels, before.pixels)


def same_path(a: str, b: str) -> bool:
    """Whether two texts name the same place."""
    return os.path.abspath(a) == os.path.abspath(b)
