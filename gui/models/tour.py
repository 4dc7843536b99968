"""What the guided tour says, step by step."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Step:
    """One step: what it is called, what to do, and the screen where it is done."""

    title: str
    text: str
    screen: str


OFFER = Step(
    "New here?",
    "A tour of five steps, ten minutes: train on digits, watch, attack, compare with AT, export. "
    "It can be left at any time; Help has it again.",
    "",
)
STEPS = (
    Step(
        "Train on digits",
        "The default settings train a small network with SLR on 8x8 digits, about a minute. "
        "Press Start at the foot of the form.",
        "train",
    ),
    Step(
        "Watch",
        "Clean and robust accuracy appear after each epoch: on training images dashed, on "
        "validation images whole. Where the robust curve falls while training goes on, the network "
        "overfits robustly; the line above the charts says so.",
        "train",
    ),
    Step(
        "Attack",
        "Under Runs choose the run and press Attack in lab. Drag epsilon: the picture hardly "
        "changes, the answer does. The path shows at which step.",
        "runs",
    ),
    Step(
        "Compare with AT",
        "Set Training method to at under Essentials and press Start again. Then choose both runs "
        "under Runs and press Compare: curves, the clean-and-robust plane, what differs.",
        "train",
    ),
    Step(
        "Export",
        "Choose the better run, a format, and press Export: it is written, read back in a fresh "
        "process, and gets a model card.",
        "export",
    ),
)
