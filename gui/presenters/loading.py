"""Has models loaded into the lab's slots."""

from __future__ import annotations

import os

from slr_keras.protocol import commands, events, lab_events

from ..models.lab_parts import SLOTS, Model, Slot, Source
from .requests import Asking, Request

NEW_WEIGHTS = (events.EpochEnded, events.CheckpointSaved, events.Paused, events.RunEnded)


class Loading:
    """The part of the lab's presenter that sees to the models."""

    def __init__(self, lab: Asking):
        self.lab = lab
        self._again: set[str] = set()  # slots whose model was asked for anew meanwhile

    def ask(self, name: str) -> None:
        """Load what a slot is to hold; one request a slot is on its way at most."""
        slot = self.lab.bench.slots[name]
        if self.lab.requests.waiting("load", slot) is not None:
            self._again.add(slot.wire)
        elif slot.source is not None:
            slot.loading = True
            command = commands.Load(0, slot.wire, slot.source.path, slot.source.which)
            self.lab.requests.send(command, "load", slot)

    def bring_back(self) -> None:
        """Load what is in the slots into a new lab."""
        self._again.clear()
        for name in SLOTS:
            self.ask(name)

    def followers(self, event: object, path: str) -> list[tuple[str, Source]]:
        """The slots with the run at ``path``, where an event of it tells of new weights."""
        if not isinstance(event, NEW_WEIGHTS) or not path:
            return []
        slots = self.lab.bench.slots
        found = [(name, source) for name in SLOTS if (source := slots[name].source) is not None]
        return [(n, s) for n, s in found if s.which != "final" and _same_path(s.path, path)]

    # -- answers ------------------------------------------------------------------------------

    def loaded(self, event: lab_events.ModelLoaded, request: Request) -> str:
        """A model is there; returns which slot has it now, empty if none does."""
        slot, name = request.slot, self._name(request.slot)
        if slot is None or slot.source is None or not name:  # taken out meanwhile
            return ""
        if self._asked_again(slot):
            return ""
        bench = self.lab.bench
        slot.loading, slot.problem = False, ""
        slot.model = Model.of(event, slot.source)
        if event.attack and not bench.touched:
            bench.use_attack(event.attack)
        if bench.target is not None and bench.target >= len(bench.class_names()):
            bench.target = None
        return name

    def superseded(self, request: Request) -> None:
        """A newer request took its place."""
        if request.slot is not None:
            request.slot.loading = self.lab.requests.waiting("load", request.slot) is not None

    def refused(self, slot: Slot, message: str) -> None:
        """It cannot be loaded."""
        slot.loading = False
        if not (slot.source is not None and self._asked_again(slot)):
            slot.model, slot.result, slot.sweep = None, None, None
            slot.problem = message

    def _asked_again(self, slot: Slot) -> bool:
        """Whether the slot is to hold something newer, which is loaded now."""
        again = slot.wire in self._again
        if again:
            self._again.discard(slot.wire)
            self.ask(self._name(slot))
        return again

    def _name(self, slot: Slot | None) -> str:
        slots = self.lab.bench.slots
        return next((name for name in SLOTS if slots[name] is slot), "")


def _same_path(a: str, b: str) -> bool:
    return os.path.abspath(a) == os.path.abspath(b)
