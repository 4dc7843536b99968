"""Has epsilon swept on the lab's models."""

from __future__ import annotations

from slr_keras.protocol import commands, lab_events

from ..models.attack_settings import sweep_radii
from ..models.lab_parts import SLOTS, SweepResult
from .requests import Asking, Request


class Sweeping:
    """The part of the lab's presenter that sees to sweeps."""

    def __init__(self, lab: Asking):
        self.lab = lab

    @property
    def possible(self) -> bool:
        """Whether there is something to sweep on."""
        return self.lab.usable and any(self.lab.bench.key(name) for name in SLOTS)

    def start(self) -> None:
        """Attack at a row of radii, on each model."""
        bench, requests = self.lab.bench, self.lab.requests
        for request in requests:
            if request.kind == "sweep":
                requests.cancel(request)
        attack = bench.attack()
        for name in SLOTS:
            slot, key = bench.slots[name], bench.key(name)
            if key is None or not self.lab.usable:
                continue
            slot.sweep = SweepResult(key.without_eps())
            radii = sweep_radii(attack["norm"], attack["eps"])
            command = commands.Sweep(0, slot.wire, attack, radii, key.label, bench.seed)
            requests.send(command, "sweep", slot, key.without_eps())

    def cancel_outdated(self) -> None:
        """Give up what was begun with other settings."""
        for name in SLOTS:
            request = self.lab.requests.waiting("sweep", self.lab.bench.slots[name])
            if request is not None and not self.lab.bench.sweep_is_current(name):
                self.lab.requests.cancel(request)

    def point(self, event: lab_events.SweepPoint, request: Request) -> None:
        """One more radius."""
        if request.slot is not None and request.slot.sweep is not None:
            request.slot.sweep.points.append(event)

    def done(self, event: lab_events.SweepDone, request: Request) -> None:
        """No more come."""
        if request.slot is not None and request.slot.sweep is not None:
            request.slot.sweep.first_fooled = event.first_fooled
            request.slot.sweep.complete = True
            request.slot.sweep.warnings = event.warnings
