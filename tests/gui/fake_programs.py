"""Command lines of the fakes, and a configuration that they train in no time."""

from __future__ import annotations

import pathlib
import sys

from gui.presenters.context import Programs
from slr_keras import config as configs
from slr_keras.config import RunConfig

HERE = pathlib.Path(__file__).resolve().parent
FAKE_TRAINER = [sys.executable, str(HERE / "fake_trainer.py")]
FAKE_LAB = [sys.executable, str(HERE / "fake_lab.py")]
FAKE_TASK = [sys.executable, str(HERE / "fake_task.py")]


def programs(*trainer_flags: str) -> Programs:
    """Both workers without TensorFlow."""
    return Programs(trainer=[*FAKE_TRAINER, *trainer_flags], lab=FAKE_LAB)


def quick_config(epochs: int = 5) -> RunConfig:
    """A run of so many epochs."""
    return configs.load(values={"train": {"epochs": epochs}})
