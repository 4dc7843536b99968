"""The small runs that are hurt, and what tells that they ended as one that was left in peace."""

from __future__ import annotations

import json
import pathlib
import shutil
from collections.abc import Iterator

from benchmarks import kill_resume
from benchmarks.hardening._jobs import run

FLAGS = """
--train.epochs 4 --train.batch_size 40 --data.train_samples 200 --data.label_noise 0.1
--method.start_epoch 2 --model.width 4 --model.strides 2 --attack.steps 3
--train.checkpoint_minutes 0.002 --train.keep_checkpoints 5 --no-train.tensorboard
--eval.train_samples 50 --eval.val_samples 50 --eval.test_samples 50
--eval.steps 2 --eval.test_steps 2
--analysis.record label_history,label_quality --analysis.samples 20 --progress quiet
""".split()  # noqa: SIM905
EVALUATE = ("--attacks", "clean", "fgsm", "pgd-20", "--num-samples", "60", "--progress", "quiet")


def peace(folder: pathlib.Path) -> pathlib.Path:
    """A run that was never hurt, with an evaluation."""
    place = folder / "peace"
    for module, words in (
        ("train", [*FLAGS, "--run-dir", place]),
        ("evaluate", [place, *EVALUATE]),
    ):
        done = run(module, words, folder / "peace.log")
        if done.code:
            raise SystemExit(f"the run in peace failed: {done.text[-500:]}")
    return place


def begun(folder: pathlib.Path, whole: pathlib.Path) -> pathlib.Path:
    """A copy of a run as it is in its middle, with two checkpoints."""
    place = folder / "begun"
    shutil.copytree(whole, place)
    for name in ("summary.json", "final.keras", "curves.png", "evaluation.json"):
        (place / name).unlink(missing_ok=True)
    checkpoints = sorted((place / "checkpoints").glob("*.json"))
    for last in checkpoints[2:]:
        last.unlink()
        last.with_suffix(".npz").unlink()
    return place


def differences(one: pathlib.Path, other: pathlib.Path) -> Iterator[str]:
    """What a run that was resumed has otherwise than one that was not."""
    for name, compare in kill_resume.COMPARISONS.items():
        for text in compare(one, other):
            yield f"{name}: {text}"


def evaluated(path: pathlib.Path) -> list[tuple[object, ...]]:
    """The figures of an evaluation, without times."""
    rows = json.loads((path / "evaluation.json").read_bytes())["results"]
    return [(row["attack"], row["accuracy"], row["right"]) for row in rows]
