"""The bench of the attack lab: models in two slots, an image, an attack, what came of it.

Every result remembers what it was computed from. It is *current* only while the bench still
holds exactly that; a result of earlier settings may be looked at, marked as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slr_keras.config import EvalSettings
from slr_keras.errors import SettingError
from slr_keras.settings import registry

from . import pictures
from .attack_settings import FIRST, attack_rows
from .lab_parts import SLOTS, Image, Key, Model, Result, Slot, other
from .lab_words import transfer, verdict

FIRST_EPS = {"l2": 128 / 255}  # where the bench starts in a norm the run was not trained in


class Bench:
    """All of the lab's state that is shown; knows neither Qt nor the worker."""

    def __init__(self) -> None:
        self.slots = {slot: Slot(wire=slot) for slot in SLOTS}
        self.image: Image | None = None
        self.image_problem = ""
        self.seed = 0
        self.target: int | None = None
        self.touched = False
        self._name = FIRST.name
        self._values: dict[str, dict[str, Any]] = {}
        self._eps: dict[str, float] = {}
        self._set_defaults(FIRST)

    # -- the attack ---------------------------------------------------------------------------

    @property
    def attack_name(self) -> str:
        """Which attack."""
        return self._name

    @property
    def values(self) -> dict[str, Any]:
        """Its settings by name."""
        return self._values[self._name]

    def choose_attack(self, name: str) -> None:
        """Change to another attack; what both have keeps its value."""
        kept = dict(self.values)
        fresh = {row.name: row.default for row in attack_rows(name)}
        known = self._values.get(name, fresh)
        shared = ("norm", "eps")
        self._values[name] = known | {key: kept[key] for key in shared if key in fresh}
        self._name, self.touched = name, True

    def change(self, name: str, value: Any) -> str:
        """Set one setting of the attack; returns why it cannot be, empty if it is."""
        if name == "norm" and value != self.values["norm"]:
            return self._change_norm(str(value))
        try:
            self._made({**self.values, name: value})
        except SettingError as error:
            return f"{error}."
        self.values[name] = value
        self.touched = True
        return ""

    def _change_norm(self, norm: str) -> str:
        """Another norm measures on another scale: its own radius, steps of a quarter of it."""
        before = self.values["norm"]
        self._eps[before] = self.values["eps"]
        eps = self._eps.get(norm, FIRST_EPS.get(norm, FIRST.eps))
        changes = {"norm": norm, "eps": eps}
        if "step_size" in self.values:
            changes["step_size"] = eps / 4
        try:
            self._made(self.values | changes)
        except SettingError as error:
            return f"{error}."
        self.values.update(changes)
        self.touched = True
        return ""

    def _made(self, values: Mapping[str, Any]) -> Any:
        return registry.get("attacks", self._name)(**values)

    def use_attack(self, described: Mapping[str, Any]) -> None:
        """Take the settings of a run's training attack, as in TOML, with the steps of a test."""
        try:
            attack = registry.restore("attacks", dict(described))
        except (KeyError, ValueError):
            return  # written by another version: the settings at hand stay
        steps = getattr(attack, "steps", None)
        if steps is not None:
            attack = attack.replace(steps=max(steps, EvalSettings().test_steps))
        self._set_defaults(attack)

    def _set_defaults(self, attack: Any) -> None:
        self._name = attack.name
        self._values[attack.name] = {
            row.name: getattr(attack, row.name) for row in attack_rows(attack.name)
        }

    def attack(self) -> dict[str, Any]:
        """The settings as commands carry them, plain numbers and the name."""
        targeted = {"targeted": self.target is not None}
        return {"name": self._name, **self.values, **targeted}

    def notes(self) -> list[str]:
        """What is allowed and probably not meant, a sentence each."""
        values, found = self.values, []
        if {"step_size", "steps"} <= values.keys():
            reach = values["step_size"] * values["steps"]
            if reach < values["eps"] * (1 - 1e-9):
                found.append(
                    f"{values['steps']} steps of {pictures.levels(values['step_size'])} reach only "
                    f"{pictures.levels(reach)}: take more or longer steps to cover the ball."
                )
        if values["eps"] == 0:
            found.append("Epsilon is 0: the attack may not change a thing.")
        return found

    # -- what is current ----------------------------------------------------------------------

    def key(self, slot: str) -> Key | None:
        """What a result would have to be computed from; None while something is missing."""
        place, image = self.slots[slot], self.image
        model = None if place.loading else place.model
        if model is None or image is None or not fits(model, image):
            return None
        rival = self.slots[other(slot)].model
        settings = tuple(sorted(self.attack().items()))
        label = self.target if self.target is not None else image.label
        return Key(
            model.digest, rival.digest if rival else "", image.serial, settings, label, self.seed
        )

    def is_current(self, slot: str) -> bool:
        """Whether the slot's result belongs to the present settings."""
        result = self.slots[slot].result
        return result is not None and result.key == self.key(slot)

    def sweep_is_current(self, slot: str) -> bool:
        """Whether the slot's sweep belongs to the present settings."""
        sweep, key = self.slots[slot].sweep, self.key(slot)
        return sweep is not None and key is not None and sweep.key == key.without_eps()

    def result_of_image(self, slot: str) -> Result | None:
        """The slot's last result, if it started from the image on the bench."""
        result = self.slots[slot].result
        if result is None or self.image is None or result.key.image != self.image.serial:
            return None
        return result

    def results(self) -> dict[str, Result]:
        """The last results that started from the image on the bench, by slot."""
        found = {slot: self.result_of_image(slot) for slot in SLOTS}
        return {slot: result for slot, result in found.items() if result is not None}

    def swap(self) -> None:
        """A becomes B and B becomes A, with all that is known of them."""
        self.slots["a"], self.slots["b"] = self.slots["b"], self.slots["a"]

    def class_names(self) -> tuple[str, ...]:
        """The names of the classes that can be a target: those of the first model there is."""
        for slot in SLOTS:
            model = self.slots[slot].model
            if model is not None:
                return model.class_names
        return ()

    # -- sentences ----------------------------------------------------------------------------

    def truth(self, slot: str) -> int | None:
        """The class that counts as right: the image's label, else the clean prediction."""
        if self.image is not None and self.image.label is not None:
            return self.image.label
        result = self.result_of_image(slot)
        return result.clean_class if result else None

    def verdict(self, slot: str) -> str:
        """What came of the attack, in a sentence; empty without a result."""
        model, result = self.slots[slot].model, self.result_of_image(slot)
        return verdict(model, result) if model and result else ""

    def transfer(self, slot: str) -> str:
        """What the *other* model says of the image made for this one."""
        result, rival = self.result_of_image(slot), self.slots[other(slot)].model
        if result is None or rival is None or not result.done.transfer_adversarial:
            return ""
        return transfer(result, rival, other(slot).upper(), slot.upper(), self.truth(slot))

    def warnings(self, slot: str) -> list[str]:
        """Why the slot's attack may be failing, as far as that is current."""
        result, sweep = self.slots[slot].result, self.slots[slot].sweep
        found = list(result.done.warnings) if result and self.is_current(slot) else []
        if sweep is not None and self.sweep_is_current(slot):
            found += [warning for warning in sweep.warnings if warning not in found]
        return found

    def warnings_text(self) -> str:
        """The warnings of both slots, each once, with the slots they are about."""
        about: dict[str, list[str]] = {}
        for slot in SLOTS:
            for warning in self.warnings(slot):
                about.setdefault(warning, []).append(slot.upper())
        return "\n".join(f"{' and '.join(names)}: {text}" for text, names in about.items())

    def mismatch(self, slot: str) -> str:
        """Why the image cannot be given to the slot's model; empty if it can."""
        model = self.slots[slot].model
        if model is None or self.image is None or fits(model, self.image):
            return ""
        mine = "×".join(map(str, self.image.pixels.shape))
        wanted = "×".join("any" if n is None else str(n) for n in model.input_shape)
        return (
            f"The image is {mine} and this model takes {wanted}. "
            "Load a model for images of the same size."
        )


def fits(model: Model, image: Image) -> bool:
    """Whether the model takes images of this size."""
    sizes = image.pixels.shape
    return len(model.input_shape) == len(sizes) and all(
        wanted in (None, size) for wanted, size in zip(model.input_shape, sizes, strict=True)
    )
