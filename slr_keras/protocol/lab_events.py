"""What the lab (``python -m slr_keras.lab``) answers; every answer names its request's ``id``.

Arrays travel as :class:`Array`: base64 of little-endian float32 in C order, with the shape.
"""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import numpy as np

from slr_keras.protocol.events import Event


def pack(array: np.ndarray) -> dict[str, Any]:
    """An array for a message; see :func:`unpack`."""
    data = np.ascontiguousarray(array, "<f4")
    return {"shape": list(data.shape), "float32": base64.b64encode(data.tobytes()).decode("ascii")}


def unpack(packed: dict[str, Any]) -> np.ndarray:
    """The inverse of :func:`pack`; a read-only float32 array.

    >>> unpack(pack(np.ones((2, 1))))
    array([[1.],
           [1.]], dtype=float32)
    """
    flat = np.frombuffer(base64.b64decode(packed["float32"]), "<f4")
    return flat.reshape(packed["shape"])


@dataclasses.dataclass(frozen=True)
class LabState(Event):
    """What the lab does from now on: ``importing``, ``ready``, ``loading``, ``compiling``,
    ``picking``, ``attacking``, ``attacking_many`` or ``sweeping``."""

    name = "lab_state"
    state: str
    device: str = ""


@dataclasses.dataclass(frozen=True)
class Refused(Event):
    """A request cannot be answered; ``message`` says why and what to do. The lab goes on."""

    name = "refused"
    id: int
    message: str


@dataclasses.dataclass(frozen=True)
class Superseded(Event):
    """A request was dropped for a newer one or cancelled."""

    name = "superseded"
    id: int


@dataclasses.dataclass(frozen=True)
class ModelLoaded(Event):
    """A model is in a slot.

    ``epoch`` is 0 where the file does not say; ``attack`` is the run's training attack as in TOML,
    None where unknown; ``digest`` is the SHA-256 of the weights; ``notice`` says what is missing
    (the test images, for example).
    """

    name = "model_loaded"
    id: int
    slot: str
    title: str
    source: str
    which: str
    epoch: int
    input_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    parameters: int
    digest: str
    test_images: int = 0
    attack: dict[str, Any] | None = None
    notice: str = ""


@dataclasses.dataclass(frozen=True)
class ImagePicked(Event):
    """The image that attacks start from: ``image`` (H, W, C) packed, pixels in [0, 1].

    ``label`` is None where unknown; ``notice`` says what was done to a file (resized, ...).
    """

    name = "image_picked"
    id: int
    image: dict[str, Any]
    label: int | None
    origin: str
    index: int | None = None
    title: str = ""
    notice: str = ""


@dataclasses.dataclass(frozen=True)
class AttackProgress(Event):
    """An iterate of a long attack, streamed at most 20 times a second; over all restarts.

    An attack that is done within a tenth of a second sends none.
    """

    name = "attack_progress"
    id: int
    slot: str
    step: int
    steps: int
    loss: float | None
    margin: float | None
    image: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class AttackDone(Event):
    """An attack's result.

    Attributes:
        adversarial: packed (H, W, C), pixels in [0, 1].
        clean_probabilities / adversarial_probabilities: (K,) of the attacked model, computed
            with its BatchNorm folded, as the attack computes.
        transfer_clean / transfer_adversarial: the same of the other slot's model, if there is one.
        label: class attacked; ``targeted`` tells the direction.
        verdict: ``wrong_on_clean`` (the image is misclassified to begin with), ``resists`` or
            ``fooled``: what the model says of ``adversarial``.
        fooled_at: first step whose iterate fools (0: the start), None if none does.
        distance: measured distance in the attack's norm; ``budget`` is eps.
        losses / margins: the trajectory, entry 0 the start: cross-entropy of ``label`` and
            z_y - max other logit. With restarts, that of the loop whose result counts.
        frames: packed (T, H, W, C) iterates, the start first; None if not asked for or too large.
        warnings: why the attack may be failing, a sentence each.
    """

    name = "attack_done"
    id: int
    slot: str
    attack: dict[str, Any]
    label: int
    targeted: bool
    adversarial: dict[str, Any]
    clean_probabilities: tuple[float, ...]
    adversarial_probabilities: tuple[float, ...]
    verdict: str
    fooled_at: int | None
    distance: float
    budget: float
    losses: tuple[float, ...]
    margins: tuple[float, ...]
    seconds: float
    frames: dict[str, Any] | None = None
    transfer_clean: tuple[float, ...] | None = None
    transfer_adversarial: tuple[float, ...] | None = None
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ManyImage(Event):
    """One of many images: test image ``index``, clean and attacked, packed (H, W, C).

    ``verdict`` as in :class:`AttackDone`; ``clean_class`` and ``adversarial_class`` are what the
    model says of the two.
    """

    name = "many_image"
    id: int
    slot: str
    index: int
    label: int
    image: dict[str, Any]
    adversarial: dict[str, Any]
    clean_class: int
    adversarial_class: int
    verdict: str


@dataclasses.dataclass(frozen=True)
class ManyDone(Event):
    """All of the many images were attacked."""

    name = "many_done"
    id: int
    slot: str


@dataclasses.dataclass(frozen=True)
class SweepPoint(Event):
    """One radius of a sweep: whether the attack fools, and the attacked class's probability."""

    name = "sweep_point"
    id: int
    slot: str
    eps: float
    fooled: bool
    probability: float
    margin: float


@dataclasses.dataclass(frozen=True)
class SweepDone(Event):
    """The end of a sweep; ``first_fooled`` is the smallest radius that fools, None if none does.

    ``warnings``: why the attack may be failing, a sentence each.
    """

    name = "sweep_done"
    id: int
    slot: str
    first_fooled: float | None
    warnings: tuple[str, ...] = ()
