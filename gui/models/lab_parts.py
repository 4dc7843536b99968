"""What lies on the lab's bench: models in slots, an image, and what an attack made of it."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np

from slr_keras.protocol.lab_events import AttackDone, ImagePicked, ModelLoaded, SweepPoint, unpack

SLOTS = ("a", "b")


WHICH = {"best": "best epoch", "final": "final epoch", "current": "newest weights"}


def other(slot: str) -> str:
    """The other slot."""
    return "b" if slot == "a" else "a"


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
