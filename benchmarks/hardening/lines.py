"""Bad command lines drawn from the settings' own declarations: exit code 2, one line."""

from __future__ import annotations

import pathlib
import random
from collections.abc import Iterator
from typing import Any

from benchmarks.hardening._jobs import run
from slr_keras import config

WORDS = ("", "x", "nan", "-1", "1e999", "8/0", "[]", "True", "ä", "0x10", "../..", "'", "1,2", "--")


def tries(count: int, seed: int, folder: pathlib.Path) -> Iterator[tuple[str, str]]:
    """``(kind, complaint)`` for each line."""
    rng = random.Random(seed)
    settings = list(config.settings())
    made = 0
    while made < count:
        words = _line(rng.choice(settings), rng)
        if words is None:
            continue
        made += 1
        done = run("train", [*words, "--run-dir", folder / "never"], folder / "line.log")
        wrong = done.complaint((2,))
        said = [line for line in done.text.splitlines() if line.strip()]
        if not wrong and len(said) != 1:
            wrong = f"{len(said)} lines"
        if not wrong and (folder / "never").exists():
            wrong = "a run folder was made"
        yield "bad command line", wrong and f"{' '.join(words)}: {wrong}"


def _line(item: Any, rng: random.Random) -> list[str] | None:
    """A flag with a value that its declaration forbids; None where this one forbids none."""
    flag, facts = f"--{item.path}", item.facts
    bad: list[list[str]] = [[f"{flag}x", "1"], [flag.replace("_", "") + "_", "1"]]
    if item.type in (int, float):
        bad += [[flag, word] for word in WORDS if word not in ("-1", "--")]
        bad += [[flag, str(facts.at_least - 1)]] if facts.at_least is not None else []
        bad += [[flag, str(facts.at_most + 1)]] if facts.at_most is not None else []
        bad += [[flag, "1.5"]] if item.type is int else []
        bad += [[flag]]
    elif item.type is bool:
        bad += [[flag, "perhaps"]]
    elif facts.choices or facts.variants:
        bad += [[flag, "no such thing"], [flag]]
    if facts.picks or (facts.variants and item.type is str):
        bad = bad[:2]
    return rng.choice(bad)
