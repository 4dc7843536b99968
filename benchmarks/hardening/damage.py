"""Torn and flipped bytes in every kind of file of a run folder, read by what reads it.

The command ends with exit code 0 and the figures of before, or with one line. Where a text file was
changed into another valid one (a digit of an accuracy, a setting), nobody can know.
"""

from __future__ import annotations

import json
import pathlib
import random
import shutil
from collections.abc import Callable, Iterator

from benchmarks.hardening import _runs
from benchmarks.hardening._jobs import Done, run

ATTACKED = ("--attacks", "clean", "--num-samples", "60", "--progress", "quiet", "--out")


def tries(count: int, seed: int, folder: pathlib.Path) -> Iterator[tuple[str, str]]:
    """``(kind of file, complaint)`` for each damaged file."""
    whole = _runs.peace(folder)
    begun = _runs.begun(folder, whole)
    clean = _clean(whole, folder)
    rng = random.Random(seed)
    kinds = sorted({_kind(path, whole) for path in _files(whole)})
    for number in range(count):
        kind = kinds[number % len(kinds)]
        resume = kind.startswith("checkpoints") or (kind in TEXT and rng.random() < 0.2)
        place = folder / "hurt"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(begun if resume else whole, place)
        found = [path for path in _files(place) if _kind(path, place) == kind]
        if not found:
            continue
        how = _hurt(rng.choice(found), rng)
        done = _read(kind, resume, place, folder)
        yield (
            kind,
            _complaint(done, kind, resume, place, whole, clean)
            and (f"{how}: {_complaint(done, kind, resume, place, whole, clean)}"),
        )


def _files(place: pathlib.Path) -> list[pathlib.Path]:
    unread = {"curves.png", "run.lock"}
    found = (path for path in sorted(place.rglob("*")) if path.is_file())
    return [path for path in found if path.name not in unread and path.stat().st_size]


def _kind(path: pathlib.Path, place: pathlib.Path) -> str:
    """``checkpoints/*.npz``, ``best.keras``, ``analysis/*.npz``."""
    parts = path.relative_to(place).parts
    return parts[0] if len(parts) == 1 else f"{parts[0]}/*{path.suffix}"


TEXT = {"config.toml", "events.jsonl", "history.csv", "summary.json", "evaluation.json"}


def _hurt(path: pathlib.Path, rng: random.Random) -> str:
    """Damage a file; says how."""
    data = bytearray(path.read_bytes())
    how = rng.choice(["torn", "flipped", "flipped", "zeroed", "emptied", "garbage"])
    place = rng.randrange(len(data))
    if how == "torn":
        del data[place:]
    elif how == "flipped":
        data[place] ^= 1 << rng.randrange(8)
    elif how == "zeroed":
        data[place : place + 512] = bytes(len(data[place : place + 512]))
    elif how == "emptied":
        data.clear()
    else:
        data[place : place + 64] = rng.randbytes(len(data[place : place + 64]))
    path.write_bytes(data)
    return f"{path.name} {how} at {place}"


def _read(kind: str, resume: bool, place: pathlib.Path, folder: pathlib.Path) -> Done:
    log = folder / "hurt.log"
    if resume:
        return run("train", ["--resume", place, "--progress", "quiet"], log)
    if kind == "best.keras":
        return run("evaluate", [place, *ATTACKED, folder / "hurt.json"], log)
    if kind == "final.keras":
        words = [place, "--which", "final", *ATTACKED, folder / "hurt.json"]
        return run("evaluate", words, log)
    if kind == "evaluation.json":
        done = run("evaluate", [place, *_runs.EVALUATE], log)
        if done.code:
            return done
    return run("report", [place, "--out", folder / "hurt.html"], log)


def _complaint(
    done: Done,
    kind: str,
    resume: bool,
    place: pathlib.Path,
    whole: pathlib.Path,
    clean: Callable[[str], float],
) -> str:
    if wrong := done.complaint():
        return wrong
    if done.code or kind in TEXT:
        return ""
    if resume:
        return "; ".join(_runs.differences(whole, place))
    if kind.endswith(".keras"):
        found = json.loads((place.parent / "hurt.json").read_bytes())["results"][0]["accuracy"]
        wanted = clean(kind.removesuffix(".keras"))
        return "" if found == wanted else f"wrong in silence: {found} instead of {wanted}"
    return ""


def _clean(whole: pathlib.Path, folder: pathlib.Path) -> Callable[[str], float]:
    known = {}
    for which in ("best", "final"):
        out = folder / f"{which}.json"
        run("evaluate", [whole, "--which", which, *ATTACKED, out], folder / "clean.log")
        known[which] = json.loads(out.read_bytes())["results"][0]["accuracy"]
    return known.__getitem__
