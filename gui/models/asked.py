"""What is to be evaluated or exported, as the arguments of the commands that do it."""

from __future__ import annotations

import dataclasses
import pathlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from slr_keras import config as configs
from slr_keras.errors import SettingError, UserError
from slr_keras.evaluation import flags as evaluate_flags
from slr_keras.evaluation import specs
from slr_keras.evaluation.smoothing import Smoothing
from slr_keras.evaluation.specs import AUTOATTACK, CLEAN, CORRUPTIONS, USUAL, VERSIONS, Ball
from slr_keras.settings import registry

CURVE = "0:16/255:9"
IMAGES = "adversarial.npz"
ATTACKS = ("--curve-attack", "--transfer-attack")  # flags that name one
KINDS = {  # words for a person: names of the command
    "Quick: clean, FGSM, PGD-20": USUAL,
    "AutoAttack": (CLEAN, AUTOATTACK),
    "AutoAttack and PGD-20": (CLEAN, "pgd-20", AUTOATTACK),
    "Nearest adversarial images": (CLEAN, "fmn", "deepfool"),
    "Natural changes": (CLEAN, CORRUPTIONS),
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
        norm, eps: of the ball, the radius as a text such as 8/255; empty as trained.
        certify: sizes of noise as texts, for certificates by randomised smoothing.
        draws: noisy images for each image, 0 for as many as the command takes.
        changed: folder of naturally changed images in the place of those that are made.
        trained: the attack of the training, which says what an empty norm and radius are.
        more: values of :data:`slr_keras.evaluation.flags.FIELDS`, by flag.
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
    norm: str = ""
    eps: str = ""
    certify: Sequence[str] = ()
    draws: int = 0
    changed: str = ""
    trained: Any = None
    more: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def folder(self) -> pathlib.Path:
        """Where the results go."""
        place = pathlib.Path(self.target)
        return place.parent if place.suffix == ".keras" else place

    @property
    def _stored(self) -> str:
        """The folder, where natural changes are asked for."""
        return self.changed if CORRUPTIONS in self.attacks else ""

    def problem(self) -> str:
        """Why it cannot begin, a sentence; empty when it can."""
        if not self.target:
            return "Choose a run, or a .keras file."
        if not (self.attacks or self.curve or self.certify):
            return "Choose at least one attack."
        if self.target.endswith(".keras") and not self.data:
            return "The file says nothing of its data: choose a data set."
        if self._stored and not pathlib.Path(self.changed).is_dir():
            return f"There is no folder {self.changed}."
        return self._more_problem() or self._ball_problem() or self._noise_problem()

    def _more_problem(self) -> str:
        """Which file or attack of the further flags there is not."""
        for flag in evaluate_flags.FIELDS:
            value = self.more.get(flag.name, "")
            if flag.kind == "FILE" and flag.reads and value and not pathlib.Path(value).is_file():
                return f"{flag.label}: there is no file {value}."
            try:
                shlex.split(value)
            except ValueError:
                return f"{flag.label}: a quotation mark is left open."
        return ""

    def _ball_problem(self) -> str:
        """What of the attacks does not fit the ball that they search."""
        like = self.trained or configs.RunConfig().attack
        norm = self.norm or like.norm
        if norm != like.norm and not self.eps:
            return f"The model was trained in {like.norm}: give a radius in {norm} as well."
        attacks = [*self.attacks, *([specs.TRANSFER] if self.transfer else [])]
        attacks += [self.more[name] for name in ATTACKS if name in self.more]
        step = self.more.get("--step-size")
        try:
            ball = specs.read_ball(like, norm, self.eps or None, step, 1)
        except SettingError as error:
            return f"{'Radius' if error.path == '--eps' else 'Step size'}: {error.message}"
        return next(filter(None, (_attack_problem(name, ball) for name in attacks)), "")

    def _noise_problem(self) -> str:
        """What of the certificates does not hold."""
        given = {"samples": self.draws} if self.draws else {}
        try:
            for sigma in self.certify:
                Smoothing(sigma=sigma, **given)  # type: ignore[arg-type]
        except SettingError as error:
            what = "Draws" if error.path == "samples" else "Noise"
            return f"{what}: {error.message}"
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
                mean = ".ensemble" if "--ensemble" in self.more else ""  # as the command's own
                flags += ["--out", str(self.folder / f"evaluation-{self.which}{mean}.json")]
        for flag, value in (
            ("--norm", self.norm),
            ("--eps", self.eps),
            ("--curve", self.curve),
            ("--transfer-from", self.transfer),
            ("--corruptions-from", self._stored),
        ):
            flags += [flag, value] if value else []
        if self.certify:
            flags += ["--certify", *self.certify]
            flags += ["--certify-samples", str(self.draws)] if self.draws else []
        for flag in evaluate_flags.FIELDS:
            if value := self.more.get(flag.name):
                flags += [flag.name, *(shlex.split(value) if flag.many else [value])]
        if self.data:
            flags += ["--data.name", self.data]
        if self.keep_images:
            flags += ["--save-adversarial", str(self.folder / IMAGES)]
        return tuple(flags)


def _attack_problem(name: str, ball: Ball) -> str:
    """Why an attack cannot search in the ball; empty when it can."""
    try:
        specs.make_steps([name], ball)
    except SettingError as error:
        what = "radius" if error.path == "eps" else error.path
        return f"{name}: {what}: {error.message}"
    except UserError as error:
        return f"{str(error)[:1].upper()}{str(error)[1:]}"
    return ""


def norms() -> list[str]:
    """Those that any attack measures in."""
    fields = (
        field
        for attack in registry.variants("attacks").values()
        for field in dataclasses.fields(attack)
        if field.name == "norm"
    )
    return list(dict.fromkeys(norm for field in fields for norm in field.metadata["facts"].choices))
