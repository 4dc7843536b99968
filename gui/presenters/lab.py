"""Decides what the lab is asked for and what of its answers is shown."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QObject

from slr_keras.protocol import commands, events, lab_events

from ..models.attack_settings import attack_names
from ..models.lab import Bench
from ..models.lab_parts import SLOTS, Key, Result, Slot, Source
from .lab_process import LabProcess
from .loading import Loading
from .many import ManyImages
from .picking import Picking
from .requests import Request, Requests
from .sweeping import Sweeping


class LabPresenter(LabProcess):
    """Owns the bench; asks the lab for what it lacks.

    Of each kind of request one a slot is on its way at most. What changes meanwhile is asked for
    when the answer is there: a drag over many values costs as many attacks as fit into it and
    at most two after it.
    """

    def __init__(self, command: Sequence[str], parent: QObject | None = None):
        super().__init__(command, parent)
        self.bench = Bench()
        self.requests = Requests(self.worker.send, self._advance, self)
        self.models, self.image = Loading(self), Picking(self)
        self.sweeps, self.many = Sweeping(self), ManyImages(self)
        self._refused: dict[str, Key] = {}
        self.worker.event.connect(self._event)
        self.worker.acknowledged.connect(self._acknowledged)

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self.requests)

    @property
    def sweeping(self) -> bool:
        """Whether a sweep goes on."""
        return self.requests.awaits("sweep")

    @property
    def can_sweep(self) -> bool:
        """Whether there is something to sweep on."""
        return self.sweeps.possible

    def _bring_back(self) -> None:
        self.requests.clear()
        self._refused.clear()
        self.models.bring_back()
        self.image.bring_back()

    def _lost(self) -> None:
        for slot in self.bench.slots.values():
            slot.loading, slot.live = False, None
        self.requests.clear()

    # -- what a user asks for -----------------------------------------------------------------

    def load(self, slot: str, source: Source) -> None:
        """Load a model into a slot; a newer request replaces one that is on its way."""
        place = self.bench.slots[slot]
        if place.source != source:
            place.result, place.sweep, place.live = None, None, None
        place.source, place.problem = source, ""
        if not self.worker.running:
            return self.start()  # which loads what is in the slots
        self.models.ask(slot)
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
        self.image.fit("a")
        self._advance()
        self.changed.emit()

    def pick(self, origin: str, index: int = 0, path: str = "") -> None:
        """Take an image: ``index``, ``random``, ``wrong`` or ``file``."""
        self.image.pick(origin, index, path)
        self.changed.emit()

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
        self.sweeps.cancel_outdated()
        self._advance()
        self.changed.emit()

    def sweep(self) -> None:
        """Attack at a row of radii, on each model."""
        self.sweeps.start()
        self.changed.emit()

    def cancel(self) -> None:
        """Give up everything that is on its way but loading."""
        for request in self.requests:
            if request.kind == "load":
                continue
            self.requests.cancel(request)
            if request.kind == "many":
                self.many.refused(request, "Given up.")
            if request.kind == "attack" and request.key is not None and request.slot:
                self._refused[request.slot.wire] = request.key
        self.changed.emit()

    def trainer_event(self, event: object, path: str) -> None:
        """Reload the weights of the run at ``path``, which trains, where a slot follows it."""
        for name, source in self.models.followers(event, path):
            self.load(name, source)

    # -- attacks ------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Ask for the attacks that the bench lacks."""
        if self.usable and self.many.on:
            return self.many.advance()
        if not self.usable or self.requests.waiting("pick"):
            return None
        for name in SLOTS:
            slot, key = self.bench.slots[name], self.bench.key(name)
            running = self.requests.waiting("attack", slot)
            if running is not None:
                self.requests.hurry(running, key)
            elif key and not self.bench.is_current(name) and self._refused.get(slot.wire) != key:
                command = commands.RunAttack(
                    0, slot.wire, self.bench.attack(), key.label, self.bench.seed
                )
                self.requests.send(command, "attack", slot, key)
        return None

    # -- answers ------------------------------------------------------------------------------

    def _event(self, event: object) -> None:
        handler = self._HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)
            self._advance()
            self.changed.emit()

    def _acknowledged(self, event: events.Acknowledged) -> None:
        if not event.accepted:
            self._event(lab_events.Refused(event.id, event.message))

    def _model_loaded(self, event: lab_events.ModelLoaded) -> None:
        request = self.requests.forget(event.id)
        name = self.models.loaded(event, request) if request is not None else ""
        if name:
            self.image.fit(name)

    def _image_picked(self, event: lab_events.ImagePicked) -> None:
        request = self.requests.forget(event.id)
        if request is not None:
            self.image.picked(event, request)
            self.sweeps.cancel_outdated()

    def _progress(self, event: lab_events.AttackProgress) -> None:
        request = self.requests.get(event.id)
        if request is not None and request.slot is not None:
            image = lab_events.unpack(event.image) if event.image else None
            request.slot.live = (event.step, event.steps, image)

    def _attack_done(self, event: lab_events.AttackDone) -> None:
        request = self.requests.forget(event.id)
        image = self.bench.image
        if request is None or request.slot is None or request.key is None or image is None:
            return
        if request.key.image == image.serial:
            request.slot.result = Result.of(request.key, event, image.pixels)
            request.slot.problem = ""

    def _sweep_point(self, event: lab_events.SweepPoint) -> None:
        request = self.requests.get(event.id)
        if request is not None:
            self.sweeps.point(event, request)

    def _sweep_done(self, event: lab_events.SweepDone) -> None:
        request = self.requests.forget(event.id)
        if request is not None:
            self.sweeps.done(event, request)

    def _many_image(self, event: lab_events.ManyImage) -> None:
        request = self.requests.get(event.id)
        if request is not None:
            self.many.image(event, request)

    def _many_done(self, event: lab_events.ManyDone) -> None:
        request = self.requests.forget(event.id)
        if request is not None:
            self.many.done(request)

    def _superseded(self, event: lab_events.Superseded) -> None:
        request = self.requests.forget(event.id)
        if request is not None and request.kind == "load":
            self.models.superseded(request)

    def _on_refused(self, event: lab_events.Refused) -> None:
        request = self.requests.forget(event.id)
        if request is not None:
            self._take_refusal(request, event.message)

    def _take_refusal(self, request: Request, message: str) -> None:
        if request.kind == "pick":
            self.bench.image_problem = message
        elif request.kind == "many":
            self.many.refused(request, message)
        elif request.slot is not None and request.kind == "load":
            self.models.refused(request.slot, message)
        elif request.slot is not None:
            if request.key is not None:
                self._refused[request.slot.wire] = request.key
            request.slot.problem = message

    _HANDLERS: dict[type, Callable[[Any, Any], None]] = {
        events.Hello: LabProcess._hello,
        events.Failed: LabProcess._failed,
        lab_events.LabState: LabProcess._lab_state,
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
