"""What is to be evaluated or exported, as the arguments of the commands that do it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

from slr_keras.errors import UserError
from slr_keras.evaluation import specs
from slr_keras.evaluation.specs import AUTOATTACK, CLEAN, USUAL, VERSIONS, Ball

CURVE = "0:16/255:9"
IMAGES = "adversarial.npz"
KINDS = {  # words for a person: names of the command
    "Quick: clean, FGSM, PGD-20": USUAL,
    "AutoAttack": (CLEAN, AUTOATTACK),
    "AutoAttack and PGD-20": (CLEAN, "pgd-20", AUTOATTACK),
    "Chosen below": (),
}


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The flags of ``python -m slr_keras.evaluate``.

    Attributes:
        target: run folder or ``.keras`` file.
        which: ``best`` or ``final``; empty for a file.
        attacks: their names, as ``pgd-20``.
        version: of AutoAttack.
        samples: images, 0 for all.
        curve: radii as first:last:number; empty for none.
        transfer: another run or file whose adversarial images are tried; empty for none.
        keep_images: whether adversarial images are kept for the gallery.
        data: the data set's name, for a file that says nothing of it.
    """

    target: str
    which: str = "best"
    attacks: Sequence[str] = USUAL
    version: str = "standard"
    samples: int = 1000
    curve: str = ""
    transfer: str = ""
    keep_images: bool = True
    data: str = ""

    @property
    def folder(self) -> pathlib.Path:
        """Where the results go."""
        place = pathlib.Path(self.target)
        return place.parent if place.suffix == ".keras" else place

    def problem(self) -> str:
        """Why it cannot begin, a sentence; empty when it can."""
        if not self.target:
            return "Choose a run, or a .keras file."
        if not self.attacks and not self.curve:
            return "Choose at least one attack."
        if self.target.endswith(".keras") and not self.data:
            return "The file says nothing of its data: choose a data set."
        try:
            specs.make_steps(self.attacks, Ball())
        except UserError as error:
            return f"{str(error)[:1].upper()}{str(error)[1:]}"
        return ""

    def arguments(self) -> tuple[str, ...]:
        """Flags for the command."""
        flags = [self.target]
        if self.attacks:
            flags += ["--attacks", *self.attacks]
        if AUTOATTACK in self.attacks and self.version != VERSIONS[0]:
            flags += ["--version", self.version]
        if self.samples:
            flags += ["--num-samples", str(self.samples)]
        if self.which and not self.target.endswith(".keras"):
            flags += ["--which", self.which]
            if self.which != "best":
                flags += ["--out", str(self.folder / f"evaluation-{self.which}.json")]
        for flag, value in (("--curve", self.curve), ("--transfer-from", self.transfer)):
            flags += [flag, value] if value else []
        if self.data:
            flags += ["--data.name", self.data]
        if self.keep_images:
            flags += ["--save-adversarial", str(self.folder / IMAGES)]
        return tuple(flags)
