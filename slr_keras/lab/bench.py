"""What lies on the lab's bench, two models and an image, and what is done with it."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import numpy as np

from slr_keras.attacks._base import Attack
from slr_keras.errors import SettingError, UserError
from slr_keras.lab import images
from slr_keras.lab.models import Model, Shelf, check_slot, shown
from slr_keras.lab.trajectories import (
    Clock,
    Point,
    Trajectory,
    cross_entropy,
    distance,
    doubts,
    follow,
    fools,
    margin,
    reach,
    softmax,
)
from slr_keras.protocol import commands as ask
from slr_keras.protocol import lab_events as tell
from slr_keras.protocol.lab_events import pack
from slr_keras.settings import registry

Steps = Generator[None, None, None]


class Bench:
    """Answers each request through the channel; raises :class:`UserError` to refuse it."""

    def __init__(self, channel: Any):
        self.channel = channel
        self.shelves = {slot: Shelf() for slot in ("a", "b")}
        self.picture: images.Picture | None = None

    # -- models and images --------------------------------------------------------------------

    def load(self, command: ask.Load) -> bool:
        """Put a model into a slot; True if the slot now holds other weights."""
        check_slot(command.slot, self.shelves)
        changed = self.shelves[command.slot].load(command.source, command.which)
        model = self._model(command.slot)
        self.channel.send(
            tell.ModelLoaded(
                id=command.id,
                slot=command.slot,
                title=model.title,
                source=command.source,
                which=command.which,
                epoch=model.epoch,
                input_shape=tuple(size or 0 for size in model.engine.input_shape),
                class_names=model.class_names,
                parameters=int(model.engine.net.count_params()),
                digest=model.digest,
                test_images=len(model.test.y) if model.test else 0,
                attack=model.attack,
                notice="" if model.test else model.no_test,
            )
        )
        return changed

    def warm_up(self, slot: str) -> None:
        """Compile what the first attack on a slot needs."""
        model = self._model(slot)
        model.engine.warm_up((model.attack or {}).get("norm", "linf"))

    def pick(self, command: ask.PickImage) -> None:
        """Take an image."""
        check_slot(command.slot, self.shelves)
        self.picture = picture = images.pick(command, self.shelves[command.slot].model)
        self.channel.send(
            tell.ImagePicked(
                id=command.id,
                image=pack(picture.image),
                label=picture.label,
                origin=picture.origin,
                index=picture.index,
                title=picture.title,
                notice=picture.notice,
            )
        )

    # -- attacks ------------------------------------------------------------------------------

    def attack(self, command: ask.RunAttack) -> Steps:
        """One attack, an iterate now and then, the result."""
        model, picture = self._subject(command.slot)
        attack = restored(command.attack)
        label = _label(model, picture, command.label)
        clock = Clock()

        def watch(point: Point) -> None:
            if clock.due(point.done, point.total):
                self.channel.send(_progress(command, point, label))

        path = yield from follow(model.engine, attack, picture.image, label, command.seed, watch)
        self.channel.send(self._result(command, attack, label, path, clock.begun))

    def _result(
        self, command: ask.RunAttack, attack: Attack, label: int, path: Trajectory, begun: float
    ) -> tell.AttackDone:
        model, picture = self._subject(command.slot)
        clean, final = model.engine.logits(picture.image[None])[0], path.logits[-1]
        transfer, warnings = self._transfer(command.slot, picture, path.final)
        warnings += _aim(attack, label, picture, clean)
        warnings += doubts(model.engine, attack, picture.image, label, path)
        frames = pack(np.stack(path.frames)) if command.frames and path.frames else None
        return tell.AttackDone(
            id=command.id,
            slot=command.slot,
            attack=registry.describe(attack),
            label=label,
            targeted=attack.targeted,
            adversarial=pack(path.final),
            clean_probabilities=_probabilities(clean),
            adversarial_probabilities=_probabilities(final),
            verdict=_verdict(attack, label, picture, clean, final),
            fooled_at=path.fooled_at(label, attack.targeted),
            distance=distance(attack, picture.image, path.final),
            budget=attack.eps,
            losses=path.losses(label),
            margins=path.margins(label),
            seconds=round(time.monotonic() - begun, 4),
            frames=frames,
            transfer_clean=transfer[0],
            transfer_adversarial=transfer[1],
            warnings=tuple(warnings),
        )

    def _model(self, slot: str) -> Model:
        """The model in a slot."""
        check_slot(slot, self.shelves)
        model = self.shelves[slot].model
        if model is None:
            raise UserError(f"There is no model in slot {slot.upper()}. Load one, then attack.")
        return model

    def _subject(self, slot: str) -> tuple[Model, images.Picture]:
        """The model and the image to attack."""
        model, picture = self._model(slot), self.picture
        if picture is None:
            raise UserError("There is no image yet. Pick one, then attack.")
        if not model.accepts(picture.image.shape):
            raise UserError(
                f"The image is {shown(picture.image.shape)} and {model.title} takes "
                f"{shown(model.engine.input_shape)}. Pick an image for this model."
            )
        return model, picture

    def _transfer(
        self, slot: str, picture: images.Picture, adversarial: np.ndarray
    ) -> tuple[tuple[Any, Any], list[str]]:
        """What the other slot's model says of both images, or why it is not asked."""
        other = self.shelves["b" if slot == "a" else "a"].model
        model = self.shelves[slot].model
        if other is None or model is None:
            return (None, None), []
        if not other.accepts(picture.image.shape):
            takes = f"it takes images of {shown(other.engine.input_shape)}"
        elif not model.same_classes(other):
            takes = "it has other classes"
        else:
            both = other.engine.logits(np.stack([picture.image, adversarial]))
            return (_probabilities(both[0]), _probabilities(both[1])), []
        return (None, None), [f"Transfer to {other.title} is left out: {takes}."]

    def many(self, command: ask.AttackMany) -> Steps:
        """The attack on each of many test images, an answer each."""
        model, attack = self._model(command.slot), restored(command.attack)
        for picture in [images.numbered(model, index) for index in _places(command)]:
            label = _label(model, picture, command.label)
            path = yield from follow(
                model.engine, attack, picture.image, label, command.seed, lambda point: None
            )
            clean, final = model.engine.logits(picture.image[None])[0], path.logits[-1]
            self.channel.send(
                tell.ManyImage(
                    id=command.id,
                    slot=command.slot,
                    index=int(picture.index or 0),
                    label=int(picture.label or 0),
                    image=pack(picture.image),
                    adversarial=pack(path.final),
                    clean_class=int(np.argmax(clean)),
                    adversarial_class=int(np.argmax(final)),
                    verdict=_verdict(attack, label, picture, clean, final),
                )
            )
            yield
        self.channel.send(tell.ManyDone(command.id, command.slot))

    def sweep(self, command: ask.Sweep) -> Steps:
        """The attack at each radius, a point each."""
        model, picture = self._subject(command.slot)
        attacks = _at_radii(command)
        label = _label(model, picture, command.label)
        fooled: list[bool] = []
        for attack in attacks:
            path = yield from follow(
                model.engine, attack, picture.image, label, command.seed, lambda point: None
            )
            final = path.logits[-1]
            fooled.append(fools(final, label, attack.targeted))
            self.channel.send(
                tell.SweepPoint(
                    id=command.id,
                    slot=command.slot,
                    eps=attack.eps,
                    fooled=fooled[-1],
                    probability=float(softmax(final)[label]),
                    margin=margin(final, label),
                )
            )
            yield
        first = next((a.eps for a, hit in zip(attacks, fooled, strict=True) if hit), None)
        warnings = tuple(_sweep_doubts(attacks, fooled))
        self.channel.send(tell.SweepDone(command.id, command.slot, first, warnings))


def restored(settings: dict[str, Any]) -> Attack:
    """The attack of settings with its name.

    Raises:
        UserError: a setting is unknown or out of range.
    """
    if not isinstance(settings, dict) or not isinstance(settings.get("name"), str):
        raise UserError("The attack has no name. Choose an attack.")
    attack: Attack = registry.restore("attacks", settings)
    return attack


def _places(command: ask.AttackMany) -> list[int]:
    """The test images asked for."""
    if not isinstance(command.indices, (tuple, list)) or not command.indices:
        raise UserError("expected one test image or more to attack, received none.")
    return list(command.indices)


def _at_radii(command: ask.Sweep) -> list[Attack]:
    """The attack at each radius, in ascending order."""
    attack = restored(command.attack)
    radii = command.eps
    if not isinstance(radii, (tuple, list)) or not radii:
        raise SettingError("eps", "expected one radius or more, received none")
    attacks = [attack.replace(eps=radius) for radius in radii]
    return sorted(attacks, key=lambda one: one.eps)


def _label(model: Model, picture: images.Picture, asked: int | None) -> int:
    """The class to move away from or towards: as asked, the image's own or the model's guess."""
    label = picture.label if asked is None else asked
    if label is None:
        label = int(model.engine.logits(picture.image[None])[0].argmax())
    known = isinstance(label, int) and not isinstance(label, bool)
    if not known or not 0 <= label < model.engine.num_classes:
        raise SettingError(
            "label",
            f"expected a class from 0 to {model.engine.num_classes - 1}, received {label}. "
            "Choose a class of this model",
        )
    return label


def _progress(command: ask.RunAttack, point: Point, label: int) -> tell.AttackProgress:
    return tell.AttackProgress(
        id=command.id,
        slot=command.slot,
        step=point.done,
        steps=point.total,
        loss=cross_entropy(point.logits, label),
        margin=margin(point.logits, label),
        image=pack(point.image),
    )


def _probabilities(logits: np.ndarray) -> tuple[float, ...]:
    return tuple(float(p) for p in softmax(logits))


def _verdict(
    attack: Attack, label: int, picture: images.Picture, clean: np.ndarray, final: np.ndarray
) -> str:
    """``wrong_on_clean``, ``fooled`` or ``resists``."""
    true = picture.label if attack.targeted else label
    if true is not None and np.argmax(clean) != true:
        return "wrong_on_clean"
    return "fooled" if fools(final, label, attack.targeted) else "resists"


def _aim(attack: Attack, label: int, picture: images.Picture, clean: np.ndarray) -> list[str]:
    """A targeted attack towards where the image already is."""
    here = np.argmax(clean) if picture.label is None else picture.label
    if not attack.targeted or label != here:
        return []
    return ["The target is the image's own class. Choose another class to drive it to."]


def _sweep_doubts(attacks: list[Attack], fooled: list[bool]) -> list[str]:
    """An attack that fools at a radius and fails at a larger one is too weak there."""
    found = reach(attacks[-1])
    first = fooled.index(True) if True in fooled else len(fooled)
    if not all(fooled[first:]):
        found.append(
            "The attack fools at a smaller radius and fails at a larger one, where every smaller "
            "perturbation is allowed too: it is too weak to trust. Take more steps or restarts."
        )
    return found
