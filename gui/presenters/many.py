"""Has many test images attacked, again and again as the settings change."""

from __future__ import annotations

from slr_keras.protocol import commands, lab_events

from ..models import many
from ..models.lab_parts import SLOTS, Slot
from ..models.many import Outcome, Tile
from .requests import Asking, Request


class ManyImages:
    """The part of the lab's presenter that sees to many images at once.

    Attributes:
        on: whether they are looked at; the attack on the one image waits meanwhile.
        count: how many.
        drawing: which random draw; the same number gives the same images.
        outcomes: by the slot's name in the lab.
    """

    def __init__(self, lab: Asking):
        self.lab = lab
        self.on = False
        self.count = many.COUNTS[0]
        self.drawing = 0
        self.outcomes: dict[str, Outcome] = {}

    @property
    def places(self) -> tuple[int, ...]:
        """Which test images."""
        return many.draw(self.lab.bench, self.count, self.drawing)

    def outcome(self, slot: str) -> Outcome | None:
        """What is known of the model in a slot."""
        return self.outcomes.get(self.lab.bench.slots[slot].wire)

    def look(self, on: bool) -> None:
        """Look at many images, or at one again."""
        self.on = on
        for outcome in self.outcomes.values():
            outcome.problem = ""
        self.lab.settings_changed()

    def take(self, count: int) -> None:
        """So many images."""
        self.count = count
        self.lab.settings_changed()

    def draw(self) -> None:
        """Other images."""
        self.drawing += 1
        self.lab.settings_changed()

    def recall(self, state: object) -> None:
        """The last session's (on, count, drawing), if that is what it is."""
        if isinstance(state, list) and len(state) == 3 and state[1] in many.COUNTS:
            self.on, self.count, self.drawing = bool(state[0]), state[1], int(state[2])

    # -- requests and answers -----------------------------------------------------------------

    def advance(self) -> None:
        """Ask for what is missing."""
        places = self.places
        for name in SLOTS:
            slot = self.lab.bench.slots[name]
            key, running = many.key_of(self.lab.bench, name, places), self._running(slot)
            if running is not None:
                self.lab.requests.hurry(running, key)
            elif key is not None and self._outdated(slot, key):
                self._ask(slot, key)

    def _running(self, slot: Slot) -> Request | None:
        return self.lab.requests.waiting("many", slot)

    def _outdated(self, slot: Slot, key: many.Key) -> bool:
        known = self.outcomes.get(slot.wire)
        return known is None or known.key != key or not (known.complete or known.problem)

    def _ask(self, slot: Slot, key: many.Key) -> None:
        before = self.outcomes.get(slot.wire)
        kept = before.tiles if before is not None and before.key.places == key.places else {}
        if before is not None and before.key == key:  # interrupted: what is there is right
            before.complete = False
        else:
            self.outcomes[slot.wire] = Outcome(key, dict(kept))
        done = {tile.index for tile in self.outcomes[slot.wire].current}
        left = tuple(place for place in key.places if place not in done)
        attack = self.lab.bench.attack()
        command = commands.AttackMany(0, slot.wire, attack, left, key.target, key.seed)
        self.lab.requests.send(command, "many", slot, key)

    def image(self, event: lab_events.ManyImage, request: Request) -> None:
        """One more tile."""
        outcome = self._of(request)
        if outcome is not None:
            outcome.tiles[event.index] = Tile.of(outcome.key, event)

    def done(self, request: Request) -> None:
        """No more come."""
        outcome = self._of(request)
        if outcome is not None:
            outcome.complete = True

    def refused(self, request: Request, message: str) -> None:
        """It cannot be done with these settings."""
        outcome = self._of(request)
        if outcome is not None:
            outcome.problem = message

    def _of(self, request: Request) -> Outcome | None:
        outcome = self.outcomes.get(request.slot.wire) if request.slot else None
        return outcome if outcome is not None and outcome.key == request.key else None
