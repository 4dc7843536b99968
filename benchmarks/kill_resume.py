"""A run killed with SIGKILL and resumed ends bit-equal to one that was never killed.

    python -m benchmarks.kill_resume --kills 5 --seed 0

Trains on the digits (refinement from epoch 2 on, a checkpoint every tenth of a second) once in
peace. Then again: killed while a checkpoint is being written, killed at random moments, and
resumed each time until it is done. Compares the last checkpoints (weights, optimiser, label bank,
random state, metrics), best.keras and final.keras, history.csv and summary.json; exits with 1
if anything differs but durations.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import dataclasses
import io
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from slr_keras.training.checkpoints import Checkpoints

ROOT = pathlib.Path(__file__).parent.parent
STEPS = 20
SETTINGS = f"""
[train]
batch_size = 32
checkpoint_minutes = 0.0016
[data]
train_samples = {STEPS * 32}
augment = "crop-flip"
[ema]
decay = 0.9
start_epoch = 2
[model]
width = 8
[method]
start_epoch = 2
[attack]
steps = 5
[eval]
train_samples = 100
val_samples = 100
test_samples = 100
steps = 3
test_steps = 3
"""
DURATIONS = {"seconds", "images_per_second", "training_seconds"}
LIMIT = 600.0


@dataclasses.dataclass(frozen=True)
class Moment:
    """When to kill: at a checkpoint from ``place`` (epoch and a share of it) on, or after it.

    ``writing`` waits for the next one to be half written, else ``delay`` seconds pass.
    """

    place: float
    writing: bool
    delay: float

    def __str__(self) -> str:
        """As the table shows it."""
        return "while writing one" if self.writing else f"{self.delay:.2f} s later"


@dataclasses.dataclass(frozen=True)
class Kill:
    """What a kill met: the moment, and what was on disk after it."""

    moment: Moment
    newest: str
    temporary: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, kill, resume, compare; returns 1 on any difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=5, help="at random moments [5]")
    parser.add_argument("--mid-checkpoint", type=int, default=2, help="while one is written [2]")
    parser.add_argument("--seed", type=int, default=0, help="of run and moments [0]")
    parser.add_argument("--epochs", type=int, default=5, help="length of the run [5]")
    parser.add_argument("--folder", type=pathlib.Path, help="kept there [temporary, removed]")
    parser.add_argument("rest", nargs="*", help="further arguments of slr_keras.train, after --")
    options = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        folder = options.folder or stack.enter_context(tempfile.TemporaryDirectory())
        return compare_runs(pathlib.Path(folder), options)


def compare_runs(folder: pathlib.Path, options: argparse.Namespace) -> int:
    """Both runs below ``folder``, and the tables."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "settings.toml"
    settings.write_text(SETTINGS)
    fresh = [str(settings), "--seed", str(options.seed), "--train.epochs", str(options.epochs)]
    fresh += options.rest
    peace, killed = folder / "peace", folder / "killed"
    if code := _start([*fresh, "--run-dir", str(peace)]).wait(LIMIT):
        return code
    kills = kill_and_resume(killed, fresh, options)
    _show_kills(kills, wanted=options.kills + options.mid_checkpoint)
    differences = {name: list(compare(peace, killed)) for name, compare in COMPARISONS.items()}
    _show(differences)
    return int(any(differences.values()) or len(kills) < options.kills + options.mid_checkpoint)


def kill_and_resume(run: pathlib.Path, fresh: list[str], options: argparse.Namespace) -> list[Kill]:
    """Start the run, kill it as often as asked, resume it until it is done."""
    kills: list[Kill] = []
    for moment in random_moments(options):
        kills += _kill(run, fresh, moment)
    if code := _start(_arguments(run, fresh)).wait(LIMIT):
        raise SystemExit(f"the resumed run ended with {code}")
    return kills


def _kill(run: pathlib.Path, fresh: list[str], moment: Moment, attempts: int = 5) -> list[Kill]:
    """Kill it at a moment; again if a checkpoint was to be half written and was whole already."""
    kills: list[Kill] = []
    while len(kills) < attempts:
        process = _start(_arguments(run, fresh))
        if not _reached(process, run, moment):
            break
        process.kill()
        process.wait()
        kills.append(_scene(moment, run))
        if kills[-1].temporary or not moment.writing:
            break
    return kills


def random_moments(options: argparse.Namespace) -> list[Moment]:
    """As many as asked for, in the order in which the run comes to them."""
    chance = random.Random(options.seed)
    writing = [True] * options.mid_checkpoint + [False] * options.kills
    chance.shuffle(writing)
    places = sorted(chance.uniform(1, options.epochs + 1) for _ in writing)
    return [Moment(p, w, chance.uniform(0, 0.3)) for p, w in zip(places, writing, strict=True)]


def _arguments(run: pathlib.Path, fresh: list[str]) -> list[str]:
    if (run / "config.toml").exists():
        return ["--resume", str(run)]
    return [*fresh, "--run-dir", str(run)]


def _start(arguments: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "slr_keras.train", "--progress", "quiet", *arguments]
    return subprocess.Popen(command, cwd=ROOT)


def _reached(process: subprocess.Popen[bytes], run: pathlib.Path, moment: Moment) -> bool:
    """Wait for a moment; False if the process ended before."""
    starts = _starts(run)
    while process.poll() is None:
        if _starts(run) > starts and _place(run) >= moment.place:
            return _writing(process, run) if moment.writing else _alive(process, moment.delay)
        time.sleep(0.01)
    return False


def _alive(process: subprocess.Popen[bytes], seconds: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
        return False
    return True


def _writing(process: subprocess.Popen[bytes], run: pathlib.Path) -> bool:
    """Wait until a temporary file of a checkpoint appears."""
    old = set(_temporary(run))
    while process.poll() is None:
        if set(_temporary(run)) - old:
            return True
        time.sleep(0.0002)
    return False


def _starts(run: pathlib.Path) -> int:
    events = run / "events.jsonl"
    return events.read_text().count('"event": "run_start"') if events.exists() else 0


def _place(run: pathlib.Path) -> float:
    """Epoch and share of it that the newest checkpoint has done."""
    found = Checkpoints(run / "checkpoints").found()
    epoch, batch = found[0].stem.split("-") if found else ("1", "0")
    return int(epoch) + int(batch) / STEPS


def _temporary(run: pathlib.Path) -> list[str]:
    return [path.name for path in (run / "checkpoints").glob(".*.tmp")]


def _scene(moment: Moment, run: pathlib.Path) -> Kill:
    found = Checkpoints(run / "checkpoints").found()
    return Kill(moment, found[0].stem if found else "-", " ".join(_temporary(run)))


# -- comparing --------------------------------------------------------------------------------


def _checkpoint(one: pathlib.Path, other: pathlib.Path) -> Iterator[str]:
    newest = [Checkpoints(run / "checkpoints").found()[0] for run in (one, other)]
    if newest[0].name != newest[1].name:
        yield f"{newest[0].name} and {newest[1].name}"
    heads = [json.loads(path.read_text()) for path in newest]
    yield from _unequal(*(head["position"] for head in heads))
    yield from _unequal(*(head["identity"] for head in heads))
    with np.load(newest[0].with_suffix(".npz")) as a, np.load(newest[1].with_suffix(".npz")) as b:
        yield from _unequal_arrays(dict(a), dict(b))


def _unequal_arrays(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> Iterator[str]:
    if one.keys() != other.keys():
        yield f"{len(one)} and {len(other)} arrays"
    for name in one.keys() & other.keys():
        a, b = one[name], other[name]
        if a.shape != b.shape or a.dtype != b.dtype or a.tobytes() != b.tobytes():
            yield name


def _weights(name: str) -> Callable[[pathlib.Path, pathlib.Path], Iterator[str]]:
    def compare(one: pathlib.Path, other: pathlib.Path) -> Iterator[str]:
        return _unequal_arrays(read_weights(one / name), read_weights(other / name))

    return compare


def read_weights(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The arrays of a ``.keras`` file."""
    import h5py

    found: dict[str, np.ndarray] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with zipfile.ZipFile(path) as archive:
        data = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(data) as file:
        file.visititems(keep)
    return found


def _history(one: pathlib.Path, other: pathlib.Path) -> Iterator[str]:
    rows = [list(csv.DictReader((run / "history.csv").open())) for run in (one, other)]
    if len(rows[0]) != len(rows[1]):
        yield f"{len(rows[0])} and {len(rows[1])} epochs"
    for a, b in zip(*rows, strict=False):
        yield from (f"epoch {a['epoch']}: {text}" for text in _unequal(a, b))


def _summary(one: pathlib.Path, other: pathlib.Path) -> Iterator[str]:
    return _unequal(*(json.loads((run / "summary.json").read_text()) for run in (one, other)))


def _unequal(one: dict[str, Any], other: dict[str, Any]) -> Iterator[str]:
    for key in sorted({*one, *other} - DURATIONS):
        if one.get(key) != other.get(key):
            yield f"{key}: {one.get(key)!r} and {other.get(key)!r}"


COMPARISONS: dict[str, Callable[[pathlib.Path, pathlib.Path], Iterator[str]]] = {
    "last checkpoint": _checkpoint,
    "best.keras": _weights("best.keras"),
    "final.keras": _weights("final.keras"),
    "history.csv": _history,
    "summary.json": _summary,
}


def _show_kills(kills: list[Kill], wanted: int) -> None:
    table = Table(title=f"{len(kills)} of {wanted} kills with SIGKILL")
    for column in ("from epoch", "killed", "newest checkpoint", "temporary file left"):
        table.add_column(column)
    for kill in kills:
        place = f"{kill.moment.place:.2f}"
        table.add_row(place, str(kill.moment), kill.newest, kill.temporary)
    Console().print(table)


def _show(differences: dict[str, list[str]]) -> None:
    table = Table(title="Killed and resumed against never killed")
    for column in ("compared", "result"):
        table.add_column(column)
    for name, found in differences.items():
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        table.add_row(name, "; ".join(found[:3]) + more if found else "bit-equal")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
