"""SIGKILL at random moments over train, evaluate, export and study; what is resumed is compared."""

from __future__ import annotations

import json
import pathlib
import random
import shutil
import time
from collections.abc import Callable, Iterator

from benchmarks.hardening import _runs
from benchmarks.hardening._jobs import Job, run

SHARES = {"train": 0.5, "evaluate": 0.3, "export": 0.15, "study": 0.05}  # of all kills


def tries(count: int, seed: int, folder: pathlib.Path) -> Iterator[tuple[str, str]]:
    """``(what, complaint)`` for each kill; complaints about a result come with its last kill."""
    whole = _runs.peace(folder)
    rng = random.Random(seed)
    for what, share in SHARES.items():
        kill = {"train": _train, "evaluate": _evaluate, "export": _export, "study": _study}[what]
        begin, check = kill(folder, whole)
        yield from _until_done(
            what, round(share * count), rng, begin, check, folder / f"{what}.log"
        )


Begin = Callable[[int], tuple[str, list[object]]]
Check = Callable[[int], str]


def _until_done(
    what: str, count: int, rng: random.Random, begin: Begin, check: Check, log: pathlib.Path
) -> Iterator[tuple[str, str]]:
    """Kill again and again, until it is done; then from the start, until there were enough."""
    number, killed, longest = 0, 0, 4.0
    while killed < count:
        module, words = begin(number)
        started = time.monotonic()
        job = Job(module, words, log)
        done = job.wait(rng.uniform(0.05, longest))
        if done is None:
            job.kill()
            killed += 1
            yield f"kill {what}", ""
            continue
        longest = max(2.0, 1.3 * (time.monotonic() - started))
        wrong = done.complaint((0,)) or check(number)
        if wrong:
            yield f"kill {what}", wrong
        number += 1
    module, words = begin(number)
    done = run(module, words, log)
    if wrong := done.complaint((0,)) or check(number):
        yield f"kill {what}", wrong


def _train(folder: pathlib.Path, whole: pathlib.Path) -> tuple[Begin, Check]:
    def place(number: int) -> pathlib.Path:
        return folder / f"killed{number}"

    def begin(number: int) -> tuple[str, list[object]]:
        there = (place(number) / "config.toml").exists()
        resume = ["--resume", place(number), "--progress", "quiet"]
        return "train", resume if there else [*_runs.FLAGS, "--run-dir", place(number)]

    def check(number: int) -> str:
        found = "; ".join(_runs.differences(whole, place(number)))
        if not found:
            shutil.rmtree(place(number))
        return found

    return begin, check


def _evaluate(folder: pathlib.Path, whole: pathlib.Path) -> tuple[Begin, Check]:
    def place(number: int) -> pathlib.Path:
        return folder / f"evaluated{number}"

    def begin(number: int) -> tuple[str, list[object]]:
        if not place(number).exists():
            shutil.copytree(whole, place(number))
            (place(number) / "evaluation.json").unlink()
        return "evaluate", [place(number), *_runs.EVALUATE]

    def check(number: int) -> str:
        same = _runs.evaluated(whole) == _runs.evaluated(place(number))
        shutil.rmtree(place(number))
        return "" if same else "other figures"

    return begin, check


STUDY = """
name = "killed"
question = "Does it end as it should?"
[base]
"data.train_samples" = 200
"model.width" = 4
"model.strides" = [2]
"train.epochs" = 3
"train.batch_size" = 40
"train.tensorboard" = false
"attack.steps" = 3
"eval.test_samples" = 50
[[arm]]
name = "AT"
"method.name" = "at"
[[arm]]
name = "SLR"
"method.start_epoch" = 2
[evaluation]
attacks = ["clean", "fgsm"]
num_samples = 30
which = ["best"]
"""


def _study(folder: pathlib.Path, whole: pathlib.Path) -> tuple[Begin, Check]:
    """The study alone is killed; what it began goes on, and the next one waits for that."""
    file, known = folder / "killed.toml", []
    file.write_text(STUDY)

    def begin(number: int) -> tuple[str, list[object]]:
        return "study", [file, "--out", folder / f"study{number}", "--progress", "quiet"]

    def check(number: int) -> str:
        runs = json.loads((folder / f"study{number}" / "results.json").read_bytes())["runs"]
        known.append([run["models"]["best"]["attacks"] for run in runs])
        return "" if len(runs) == 2 and known[-1] == known[0] else "other figures"

    return begin, check


def _export(folder: pathlib.Path, whole: pathlib.Path) -> tuple[Begin, Check]:
    from benchmarks.kill_resume import read_weights

    out = folder / "out.keras"
    wanted = {name: array.tobytes() for name, array in read_weights(whole / "best.keras").items()}

    def begin(number: int) -> tuple[str, list[object]]:
        if out.exists():  # a killed export leaves nothing, or all of it
            read_weights(out)
            out.unlink()
        return "export", [whole, "--format", "keras", "--out", out, "--images", "5"]

    def check(number: int) -> str:
        got = sorted(array.tobytes() for array in read_weights(out).values())
        return "" if got == sorted(wanted.values()) else "other weights"

    return begin, check
