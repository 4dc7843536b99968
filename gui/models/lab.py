"""The bench of the attack lab: models in two slots, an image, an attack, what came of it.

Every result remembers what it was computed from. It is *current* only while the bench still
holds exactly that; a result of earlier settings may be looked at, marked as such.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from slr_keras.attacks.pgd import PGD
from slr_keras.config import EvalSettings
from slr_keras.errors import SettingError
from slr_keras.protocol.lab_events import AttackDone, ImagePicked, ModelLoaded, SweepPoint, unpack
from slr_keras.settings import registry, schema
from slr_keras.settings.schema import PIXELS, Setting

from . import pictures

SLOTS = ("a", "b")
WHICH = {"best": "best epoch", "final": "final epoch", "current": "newest weights"}
SWEEP_POINTS = 17
FIRST_EPS = {"l2": 128 / 255}  # where the bench starts in a norm the run was not trained in
MAX_PROBABILITIES = 10


def other(slot: str) -> str:
    """The other slot."""
    return "b" if slot == "a" else "a"


# -- what is on the bench -----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a model comes from: a run folder or a ``.keras`` file, and which epoch of it."""

    path: str
    which: str = "best"

    @property
    def is_file(self) -> bool:
        """Whether it is a plain model file."""
        return self.path.endswith(".keras")

    @property
    def title(self) -> str:
        """For people."""
        name = pathlib.Path(self.path).name
        return name if self.is_file else f"{name}, {WHICH.get(self.which, self.which)}"


@dataclasses.dataclass(frozen=True)
class Model:
    """A loaded model, as the lab described it."""

    title: str
    source: Source
    epoch: int
    input_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    parameters: int
    digest: str
    test_images: int
    attack: dict[str, Any] | None
    notice: str = ""

    @classmethod
    def of(cls, event: ModelLoaded, source: Source) -> Model:
        """From the lab's answer."""
        names = tuple(str(name) for name in event.class_names)
        return cls(
            event.title or source.title,
            source,
            event.epoch,
            event.input_shape,
            names,
            event.parameters,
            event.digest,
            event.test_images,
            event.attack,
            event.notice,
        )

    @property
    def facts(self) -> str:
        """Epoch, input and size in one line."""
        size = "×".join("any" if n is None else str(n) for n in self.input_shape)
        epoch = [f"epoch {self.epoch}"] if self.epoch else []
        parts = [*epoch, f"{size} input", f"{self.parameters:,} weights"]
        return "  ·  ".join(parts)

    def class_name(self, label: int) -> str:
        """The name of a class; its number where the model says none."""
        return self.class_names[label] if 0 <= label < len(self.class_names) else str(label)


@dataclasses.dataclass(frozen=True, eq=False)
class Image:
    """The picked image; ``serial`` tells two picks apart."""

    pixels: np.ndarray
    label: int | None
    origin: str
    index: int | None
    path: str
    title: str
    notice: str
    serial: int

    @classmethod
    def of(cls, event: ImagePicked, path: str, serial: int) -> Image:
        """From the lab's answer."""
        return cls(
            unpack(event.image),
            event.label,
            event.origin,
            event.index,
            path if event.origin == "file" else "",
            event.title,
            event.notice,
            serial,
        )


@dataclasses.dataclass(frozen=True)
class Key:
    """Everything that a result depends on."""

    model: str
    other: str
    image: int
    attack: tuple[tuple[str, Any], ...]
    label: int | None
    seed: int

    def without_eps(self) -> Key:
        """What a sweep over eps depends on; it has no transfer either."""
        rest = tuple(pair for pair in self.attack if pair[0] != "eps")
        return dataclasses.replace(self, attack=rest, other="")


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """An attack's outcome with the arrays unpacked."""

    key: Key
    done: AttackDone
    clean: np.ndarray
    adversarial: np.ndarray
    frames: np.ndarray | None

    @classmethod
    def of(cls, key: Key, done: AttackDone, clean: np.ndarray) -> Result:
        """From the lab's answer."""
        frames = unpack(done.frames) if done.frames else None
        return cls(key, done, clean, unpack(done.adversarial), frames)

    @property
    def norm(self) -> str:
        """The norm of the attack."""
        return str(self.done.attack.get("norm", "linf"))

    @property
    def delta(self) -> np.ndarray:
        """The perturbation, adversarial minus clean."""
        return self.adversarial - self.clean

    @property
    def steps(self) -> int:
        """Gradient steps that were made."""
        return max(len(self.done.losses) - 1, 0)

    def frame(self, step: int | None) -> np.ndarray:
        """The iterate after ``step`` steps; the result itself for None."""
        if step is None or self.frames is None or step >= len(self.frames) - 1:
            return self.adversarial
        return self.frames[max(step, 0)]

    @property
    def clean_class(self) -> int:
        """What the model says of the clean image."""
        return int(np.argmax(self.done.clean_probabilities))

    @property
    def adversarial_class(self) -> int:
        """What the model says of the adversarial image."""
        return int(np.argmax(self.done.adversarial_probabilities))


@dataclasses.dataclass
class SweepResult:
    """Points of a sweep, in the order they came."""

    key: Key
    points: list[SweepPoint] = dataclasses.field(default_factory=list)
    first_fooled: float | None = None
    complete: bool = False
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass
class Slot:
    """One place for a model.

    Attributes:
        wire: the slot's name in the lab; swapping A and B swaps only what they are called here.
        problem: why the model or the attack was refused, a sentence.
        live: the step of a long attack that was streamed last: (step, steps, image or None).
    """

    wire: str
    source: Source | None = None
    model: Model | None = None
    result: Result | None = None
    sweep: SweepResult | None = None
    problem: str = ""
    loading: bool = False
    live: tuple[int, int, np.ndarray | None] | None = None


class Bench:
    """All of the lab's state that is shown; knows neither Qt nor the worker."""

    def __init__(self) -> None:
        self.slots = {slot: Slot(wire=slot) for slot in SLOTS}
        self.image: Image | None = None
        self.image_problem = ""
        self.seed = 0
        self.target: int | None = None
        self.touched = False
        self._name = PGD.name
        self._values: dict[str, dict[str, Any]] = {}
        self._eps: dict[str, float] = {}
        self._set_defaults(PGD(steps=EvalSettings().test_steps))

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
        eps = self._eps.get(norm, FIRST_EPS.get(norm, PGD().eps))
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


# -- the attack's settings ----------------------------------------------------------------------


def attack_names() -> list[str]:
    """The attacks there are; the default first."""
    return sorted(registry.variants("attacks"), key=lambda name: (name != PGD.name, name))


def attack_rows(name: str) -> list[Setting]:
    """The settings of an attack, with their facts; the direction follows from the target."""
    cls = registry.get("attacks", name)
    elsewhere = ("targeted", "warmup_epochs")  # a button, and nothing outside training
    return [row for row in schema.walk(cls, registry.variants) if row.name not in elsewhere]


def is_distance(row: Setting) -> bool:
    """Whether a setting is a distance of pixels, written in /255."""
    return row.facts.unit == PIXELS


def slider_end(norm: str, eps: float) -> int:
    """The right end of the epsilon slider, in half levels."""
    usual = 64 if norm == "linf" else 1020
    return max(usual, 2 * round(2 * 255 * eps))


def sweep_radii(norm: str, eps: float) -> tuple[float, ...]:
    """The radii of a sweep: from 0 to twice the present one, in half levels where they fit."""
    end = max(2 * eps, 8 / 255 if norm == "linf" else 128 / 255)
    if norm == "linf":
        end = min(end, 1.0)
    radii = np.round(np.linspace(0, end, SWEEP_POINTS) * 510) / 510
    return tuple(float(radius) for radius in np.unique(radii))


# -- words --------------------------------------------------------------------------------------


def a(name: str) -> str:
    """A class with its article: ``a 3``, ``an 8``, ``an airplane``."""
    sounds = name[:1].lower() in tuple("aeiou") or name in {"8", "11", "18"}
    return f"an {name}" if sounds else f"a {name}"


def verdict(model: Model, result: Result) -> str:
    """The computed verdict as a sentence."""
    done, name = result.done, model.class_name
    clean, now = name(result.clean_class), name(result.adversarial_class)
    if done.verdict == "wrong_on_clean":
        return f"Wrong already on the clean image: takes {a(name(done.label))} for {a(clean)}."
    count = f"{result.steps} step" + ("s" if result.steps != 1 else "")
    if done.verdict == "resists":
        if done.targeted:
            return f"Resists: {a(now)}, not {a(name(done.label))}, after {count}."
        return f"Resists: still {a(now)} after {count}."
    where = "by the random start" if done.fooled_at == 0 else f"at step {done.fooled_at}"
    if done.fooled_at is None:
        where = f"after {count}"
    goal = ", the target" if done.targeted else ""
    return f"Fooled {where}: {clean} → {now}{goal}."


def tone(result: Result) -> str:
    """The colour of the verdict: ``good``, ``warn`` or ``bad``."""
    return {"resists": "good", "wrong_on_clean": "warn"}.get(result.done.verdict, "bad")


def transfer(result: Result, rival: Model, rival_name: str, name: str, truth: int | None) -> str:
    """Whether the other model falls for the same image."""
    done = result.done
    now = int(np.argmax(done.transfer_adversarial))
    before = int(np.argmax(done.transfer_clean)) if done.transfer_clean else None
    head = f"Model {rival_name}"
    made = f"the image made for {name}"
    if truth is not None and before is not None and before != truth:
        return f"{head} is wrong on the clean image already ({rival.class_name(before)})."
    if now == (truth if truth is not None else before):
        return f"{head} resists {made}: still {a(rival.class_name(now))}."
    was = rival.class_name(before) if before is not None else "?"
    return f"{head} is fooled by {made}: {was} → {rival.class_name(now)}."


def shown_classes(
    clean: tuple[float, ...],
    now: tuple[float, ...],
    truth: int | None,
    most: int = MAX_PROBABILITIES,
) -> list[int]:
    """The classes whose probabilities are drawn: all if few, else the likeliest and the true one.

    Their order is that of the class numbers.
    """
    if len(clean) <= most:
        return list(range(len(clean)))
    largest = np.maximum(clean, now)
    chosen = [int(k) for k in np.argsort(-largest, kind="stable")[:most]]
    if truth is not None and truth not in chosen:
        chosen[-1] = truth
    return sorted(chosen)


def first_fooling_text(sweep: SweepResult) -> str:
    """What the sweep found, in a sentence."""
    if not sweep.complete:
        return f"Radii so far: {len(sweep.points)}…"
    if sweep.first_fooled is None:
        last = max((point.eps for point in sweep.points), default=0.0)
        return f"Not fooled up to {pictures.levels(last)}."
    if sweep.first_fooled == 0:
        return "Wrong without any attack."
    return f"First fooled at {pictures.levels(sweep.first_fooled)}."


def first_fooling_of(sweeps: Mapping[str, SweepResult]) -> str:
    """The same of several models, short, in /255: ``Fooled from A 22.5, B 19.5``."""
    if not all(sweep.complete for sweep in sweeps.values()):
        return f"Radii so far: {sum(len(sweep.points) for sweep in sweeps.values())}…"
    parts = []
    for slot, sweep in sweeps.items():
        first = sweep.first_fooled
        text = "never" if first is None else pictures.levels(first).removesuffix("/255")
        parts.append(f"{slot.upper()} {text}")
    return f"Fooled from {', '.join(parts)}"
