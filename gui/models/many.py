"""Many test images under one attack: what was asked, what came of each, and the count of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from slr_keras.protocol.lab_events import ManyImage, unpack

from .lab import Bench
from .lab_parts import SLOTS, Model
from .lab_words import a

COUNTS = (9, 16, 25)
TONES = {"resists": "good", "wrong_on_clean": "warn", "fooled": "bad"}


@dataclasses.dataclass(frozen=True)
class Key:
    """Everything that the outcome depends on."""

    model: str
    places: tuple[int, ...]
    attack: tuple[tuple[str, Any], ...]
    target: int | None
    seed: int


@dataclasses.dataclass(frozen=True, eq=False)
class Tile:
    """One image, clean and attacked; ``key`` tells with which settings."""

    key: Key
    index: int
    label: int
    clean: np.ndarray
    adversarial: np.ndarray
    clean_class: int
    adversarial_class: int
    verdict: str

    @classmethod
    def of(cls, key: Key, event: ManyImage) -> Tile:
        """From the lab's answer."""
        return cls(
            key,
            event.index,
            event.label,
            unpack(event.image),
            unpack(event.adversarial),
            event.clean_class,
            event.adversarial_class,
            event.verdict,
        )

    def words(self, model: Model) -> str:
        """``7 → 3`` if the class changed, else the class."""
        now = model.class_name(self.adversarial_class)
        same = self.adversarial_class == self.clean_class
        return now if same else f"{model.class_name(self.clean_class)} → {now}"

    def sentence(self, model: Model) -> str:
        """The outcome for a tool tip and for screen readers."""
        true, clean, now = map(
            model.class_name, (self.label, self.clean_class, self.adversarial_class)
        )
        head = f"Test image {self.index}, {a(true)}: "
        if self.verdict == "wrong_on_clean":
            return f"{head}taken for {a(clean)} without any attack."
        if self.verdict == "resists":
            return f"{head}resists, {'still' if now == clean else 'now'} {a(now)}."
        return f"{head}fooled, now {a(now)}."


@dataclasses.dataclass
class Outcome:
    """The tiles of one slot by the image's place; those of an older key are still shown."""

    key: Key
    tiles: dict[int, Tile] = dataclasses.field(default_factory=dict)
    complete: bool = False
    problem: str = ""

    @property
    def current(self) -> list[Tile]:
        """The tiles of the present key."""
        return [tile for tile in self.tiles.values() if tile.key == self.key]

    def summary(self) -> str:
        """``11 of 25 fooled, 12 resist, 2 wrong already``."""
        if self.problem:
            return self.problem
        found = [tile.verdict for tile in self.current]
        total = len(self.key.places)
        if not self.complete:
            return f"{len(found)} of {total} attacked…"
        parts = [f"{found.count('fooled')} of {total} fooled", f"{found.count('resists')} resist"]
        wrong = found.count("wrong_on_clean")
        return ", ".join(parts + ([f"{wrong} wrong already"] if wrong else []))


def draw(bench: Bench, count: int, number: int) -> tuple[int, ...]:
    """The places of ``count`` random test images, the ``number``-th drawing; empty without any."""
    models = (bench.slots[slot].model for slot in SLOTS)
    sizes = [model.test_images for model in models if model is not None and model.test_images]
    if not sizes:
        return ()
    rng = np.random.default_rng(number)
    places = rng.choice(min(sizes), min(count, min(sizes)), replace=False)
    return tuple(int(place) for place in np.sort(places))


def key_of(bench: Bench, slot: str, places: tuple[int, ...]) -> Key | None:
    """What an outcome would have to be of; None while something is missing."""
    place = bench.slots[slot]
    if place.loading or place.model is None or not places:
        return None
    settings = tuple(sorted(bench.attack().items()))
    return Key(place.model.digest, places, settings, bench.target, bench.seed)
