"""Which arms of a study are compared with each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from slr_keras.studies.results import Results, reference


@dataclasses.dataclass(frozen=True)
class Group:
    """Arms of which one is what the others are compared with.

    Attributes:
        title: what their names have in common; empty where that is nothing.
        arms: ``{what is left of its name: arm}``.
    """

    title: str
    arms: dict[str, str]


def arms(results: Results) -> list[str]:
    """Those of which at least one run is done."""
    done = {run["arm"] for run in results["runs"]}
    return [arm for arm in results["arms"] if arm in done]


def groups(results: Results) -> list[Group]:
    """The groups of a study, in its order: points of a grid, or sorts of arms."""
    found: dict[str, list[str]] = {}
    for arm in arms(results):
        found.setdefault(reference(results, arm), []).append(arm)
    if len(found) < 2:
        return [Group("", {arm: arm for each in found.values() for arm in each})]
    return [_group(each) for each in found.values()]


def short_names(results: Results) -> dict[str, str]:
    """``{arm: its name in its group}``."""
    return {arm: short for part in groups(results) for short, arm in part.arms.items()}


def _group(names: Sequence[str]) -> Group:
    """What stands in all names before a colon or after a comma is their title."""
    rests = [name.split(", ") for name in names]
    tail: list[str] = []
    while min(map(len, rests)) > 1 and len({rest[-1] for rest in rests}) == 1:
        tail.insert(0, [rest.pop() for rest in rests][0])
    bodies = [", ".join(rest) for rest in rests]
    heads = {body.rpartition(": ")[0] for body in bodies}
    head = heads.pop() if len(heads) == 1 else ""
    short = [body.removeprefix(f"{head}: ") for body in bodies]
    return Group(", ".join(filter(None, [head, *tail])), dict(zip(short, names, strict=True)))
