"""What a window asks of its workers: typed commands, one JSON object a line.

Every command carries an ``id``; the worker acknowledges it with
:class:`slr_keras.protocol.events.Acknowledged`. A worker whose stdin ends saves its state and
leaves.

    >>> decode(encode(Pause(id=3)))
    Pause(id=3)
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from slr_keras.protocol import wire
from slr_keras.protocol.wire import encode

__all__ = ["decode", "encode"]


@dataclasses.dataclass(frozen=True)
class Command(wire.Message):
    """Base of the commands; ``id`` counts up in a window."""

    kind: ClassVar[str] = "command"

    id: int = 0


# -- to the trainer: `python -m slr_keras.train --progress json` ------------------------------


@dataclasses.dataclass(frozen=True)
class Pause(Command):
    """Wait after the batch in flight; the model stays in memory, the state goes to disk."""

    name = "pause"


@dataclasses.dataclass(frozen=True)
class PauseAfter(Command):
    """Wait after so many more whole epochs (0: at the end of this one); goes on if it waits."""

    name = "pause_after"
    epochs: int = 1


@dataclasses.dataclass(frozen=True)
class Resume(Command):
    """Go on."""

    name = "resume"


@dataclasses.dataclass(frozen=True)
class Stop(Command):
    """Save the state and leave; the run can be resumed."""

    name = "stop"


@dataclasses.dataclass(frozen=True)
class Discard(Command):
    """Leave and save nothing more; what is on disk stays."""

    name = "discard"


@dataclasses.dataclass(frozen=True)
class Detach(Command):
    """Go on without the window, also if the run waits: the end of stdin no longer stops it."""

    name = "detach"


# -- to the lab: `python -m slr_keras.lab` ----------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Load(Command):
    """Load a model into slot ``a`` or ``b``.

    ``source`` is a run folder or a ``.keras`` file; ``which`` is ``best``, ``final`` or
    ``current`` (the newest checkpoint of a run). A slot that holds the same weights answers at
    once.
    """

    name = "load"
    slot: str = "a"
    source: str = ""
    which: str = "best"


@dataclasses.dataclass(frozen=True)
class PickImage(Command):
    """Take an image to attack.

    ``origin`` is ``index`` (image ``index`` of the test set), ``random``, ``wrong`` (random among
    the test images that slot ``slot`` gets wrong) or ``file`` (``path``). The test set is that of
    the run in slot ``slot``.
    """

    name = "pick_image"
    origin: str = "random"
    index: int = 0
    path: str = ""
    slot: str = "a"


@dataclasses.dataclass(frozen=True)
class RunAttack(Command):
    """Attack the picked image on the model of ``slot``; a newer one for the slot replaces it.

    ``attack`` are the settings of an attack with its ``name``, as in TOML. ``label`` is the class
    to move away from, or towards if targeted; None for the image's own label or, where it has
    none, the model's clean prediction. The result is evaluated on the other slot too.
    """

    name = "run_attack"
    slot: str = "a"
    attack: dict[str, Any] = dataclasses.field(default_factory=dict)
    label: int | None = None
    seed: int = 0
    frames: bool = True


@dataclasses.dataclass(frozen=True)
class AttackMany(Command):
    """Attack test images one after the other on the model of ``slot``, each by itself.

    ``indices`` are their places in the test set of the slot's model. ``label`` is the class to
    reach if the attack is targeted; None to move away from each image's own. With the same
    ``seed`` each image comes out as with :class:`RunAttack`.
    """

    name = "attack_many"
    slot: str = "a"
    attack: dict[str, Any] = dataclasses.field(default_factory=dict)
    indices: tuple[int, ...] = ()
    label: int | None = None
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Sweep(Command):
    """The attack at each radius of ``eps`` (ascending, numbers in pixels of [0, 1])."""

    name = "sweep"
    slot: str = "a"
    attack: dict[str, Any] = dataclasses.field(default_factory=dict)
    eps: tuple[float, ...] = ()
    label: int | None = None
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Cancel(Command):
    """Give up the request with number ``target``."""

    name = "cancel"
    target: int = 0


KINDS: dict[str, type[Command]] = wire.kinds(Command)


def decode(line: str | bytes) -> Command | None:
    """The command of a line; None for one that this version does not know.

    Raises:
        ValueError: the line is not a JSON object.
    """
    command: Command | None = wire.decode(line, Command.kind, KINDS)
    return command
