"""What an evaluation can be asked for, as flags of a command and as the fields of a form."""

from __future__ import annotations

import dataclasses
from typing import Any

from slr_keras.evaluation.specs import AUTOATTACK, CORRUPTIONS, TRANSFER, VERSIONS
from slr_keras.settings.schema import PIXELS

NORMS = ("linf", "l2", "l1", "l0")


@dataclasses.dataclass(frozen=True)
class Flag:
    """One of them.

    Attributes:
        name: as typed, ``--num-samples``.
        help: what it is.
        label: what a form calls it; empty where a form has a control of its own.
        kind: of its value, in capitals; empty for choices and switches.
        choices: if it takes nothing else.
        default: what it is where it is not given.
        lowest: of a whole number; None for other values.
        many: whether it takes several values.
        reads: whether its file must be there.
        needs: the flag, or the attack, without which it means nothing.
    """

    name: str
    help: str
    label: str = ""
    kind: str = ""
    choices: tuple[str, ...] = ()
    default: Any = None
    lowest: int | None = None
    many: bool = False
    reads: bool = False
    needs: str = ""

    @property
    def dest(self) -> str:
        """The name of its value among the parsed ones."""
        return self.name.removeprefix("--").replace("-", "_")

    @property
    def argument(self) -> dict[str, Any]:
        """For ``argparse``."""
        facts: dict[str, Any] = {"help": self.help, "default": self.default}
        if self.default is False:
            return facts | {"action": "store_true"}
        facts |= {"choices": self.choices} if self.choices else {"metavar": self.kind}
        facts |= {"nargs": "+"} if self.many else {}
        return facts | ({} if self.lowest is None else {"type": int})


FLAGS = (
    Flag(
        "--attacks",
        "clean, fgsm, pgd-20 (20 steps), apgd-ce, apgd-t, fab-t, square-1000 (queries), "
        "cw-linf, fmn (distances), autoattack, corruptions, fog-3, ..., each attack in a ball of "
        "its own as well: apgd-t@l2:0.5 [clean fgsm pgd-20]",
        kind="NAME",
        many=True,
    ),
    Flag("--version", "of autoattack [standard]", choices=VERSIONS, needs=AUTOATTACK),
    Flag("--num-samples", "images; the first N of the split [all]", kind="N", lowest=1),
    Flag("--which", "epoch [best if there is one]", choices=("best", "final")),
    Flag("--split", "[test]", "Images of", choices=("test", "val", "train"), default="test"),
    Flag("--norm", "norm of the ball [as in the run]", choices=NORMS),
    Flag("--eps", f"radius, {PIXELS} [as in the run]", kind="EPS"),
    Flag("--step-size", "step size [as in the run, or a quarter of eps]", "Step size", kind="STEP"),
    Flag("--restarts", "random starts [1]", "Random starts", kind="N", default=1, lowest=1),
    Flag(
        "--curve",
        "accuracy at N radii from A to B, as 0:16/255:9; without --attacks that alone",
        kind="A:B:N",
    ),
    Flag(
        "--curve-attack",
        "attack of the curve [pgd-20]",
        "Attack against epsilon",
        kind="NAME",
        default="pgd-20",
        needs="--curve",
    ),
    Flag(
        "--transfer-from",
        "another run folder or .keras file; adds a row of attacks made on it",
        kind="MODEL",
    ),
    Flag(
        "--ensemble",
        "run folders or .keras files whose logits are averaged with those of the target",
        "Averaged with",
        kind="MODEL",
        many=True,
    ),
    Flag(
        "--transfer-attack",
        f"attack of that row [{TRANSFER}]",
        "Attack of the transfer",
        kind="NAME",
        needs="--transfer-from",
    ),
    Flag(
        "--checks",
        "whether the figures can be believed; all attacks a few images more [basic]",
        "Checks",
        choices=("basic", "all", "none"),
        default="basic",
    ),
    Flag(
        "--corruptions-from",
        "changed images in CIFAR-10-C's format, in the place of those made here",
        kind="FOLDER",
        needs=CORRUPTIONS,
    ),
    Flag(
        "--corruptions-baseline",
        "evaluation.json of another model: errors are divided by its own (mCE)",
        "Errors relative to",
        kind="FILE",
        reads=True,
        needs=CORRUPTIONS,
    ),
    Flag(
        "--certify",
        f"randomised smoothing with noise of this size, {PIXELS}: certified accuracy",
        kind="SIGMA",
        many=True,
    ),
    Flag(
        "--certify-samples",
        "noisy images for each image [1000]",
        kind="N",
        lowest=1,
        needs="--certify",
    ),
    Flag("--per-class", "print accuracy in each class as well", default=False),
    Flag("--save-adversarial", "keep adversarial images", kind="FILE.npz"),
    Flag("--batch-size", "images at once [250]", "Images at once", "N", default=250, lowest=1),
    Flag("--eval-seed", "of the attack's starts [0]", "Seed", "SEED", default=0, lowest=0),
    Flag(
        "--robustbench",
        "an entry of RobustBench as well (autoattack)",
        "RobustBench entry",
        kind="FILE",
        needs=AUTOATTACK,
    ),
)
FIELDS = tuple(flag for flag in FLAGS if flag.label)
