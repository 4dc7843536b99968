"""What came of an attack, in words, and which classes are worth showing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from . import pictures
from .lab_parts import Model, Result, SweepResult

MAX_PROBABILITIES = 10


def a(name: str) -> str:
    """A class with its article: ``a 3``, ``an 8``, ``an airplane``."""
    sounds = name[:1].lower() in tuple("aeiou") or name in {"8", "11", "18"}
    return f"an {name}" if sounds else f"a {name}"


def verdict(model: Model, result: Result) -> str:
    """The computed verdict as a sentence."""
    done, name = result.done, model.class_name
    clean, now = name(result.clean_class), name(result.adversarial_class)
    if done.verdict == "wrong_on_clean":
        return f"Wrong already on the clean image: takes {a(name(done.label))} for {a(clean)}."
    count = f"{result.steps} step" + ("s" if result.steps != 1 else "")
    if done.verdict == "resists":
        if done.targeted:
            return f"Resists: {a(now)}, not {a(name(done.label))}, after {count}."
        return f"Resists: still {a(now)} after {count}."
    where = "by the random start" if done.fooled_at == 0 else f"at step {done.fooled_at}"
    if done.fooled_at is None:
        where = f"after {count}"
    goal = ", the target" if done.targeted else ""
    return f"Fooled {where}: {clean} → {now}{goal}."


def tone(result: Result) -> str:
    """The colour of the verdict: ``good``, ``warn`` or ``bad``."""
    return {"resists": "good", "wrong_on_clean": "warn"}.get(result.done.verdict, "bad")


def transfer(result: Result, rival: Model, rival_name: str, name: str, truth: int | None) -> str:
    """Whether the other model falls for the same image."""
    done = result.done
    now = int(np.argmax(done.transfer_adversarial))
    before = int(np.argmax(done.transfer_clean)) if done.transfer_clean else None
    head = f"Model {rival_name}"
    made = f"the image made for {name}"
    if truth is not None and before is not None and before != truth:
        return f"{head} is wrong on the clean image already ({rival.class_name(before)})."
    if now == (truth if truth is not None else before):
        return f"{head} resists {made}: still {a(rival.class_name(now))}."
    was = rival.class_name(before) if before is not None else "?"
    return f"{head} is fooled by {made}: {was} → {rival.class_name(now)}."


def shown_classes(
    clean: tuple[float, ...],
    now: tuple[float, ...],
    truth: int | None,
    most: int = MAX_PROBABILITIES,
) -> list[int]:
    """The classes whose probabilities are drawn: all if few, else the likeliest and the true one.

    Their order is that of the class numbers.
    """
    if len(clean) <= most:
        return list(range(len(clean)))
    largest = np.maximum(clean, now)
    chosen = [int(k) for k in np.argsort(-largest, kind="stable")[:most]]
    if truth is not None and truth not in chosen:
        chosen[-1] = truth
    return sorted(chosen)


def first_fooling_text(sweep: SweepResult) -> str:
    """What the sweep found, in a sentence."""
    if not sweep.complete:
        return f"Radii so far: {len(sweep.points)}…"
    if sweep.first_fooled is None:
        last = max((point.eps for point in sweep.points), default=0.0)
        return f"Not fooled up to {pictures.levels(last)}."
    if sweep.first_fooled == 0:
        return "Wrong without any attack."
    return f"First fooled at {pictures.levels(sweep.first_fooled)}."


def first_fooling_of(sweeps: Mapping[str, SweepResult]) -> str:
    """The same of several models, short, in /255: ``Fooled from A 22.5, B 19.5``."""
    if not all(sweep.complete for sweep in sweeps.values()):
        return f"Radii so far: {sum(len(sweep.points) for sweep in sweeps.values())}…"
    parts = []
    for slot, sweep in sweeps.items():
        first = sweep.first_fooled
        text = "never" if first is None else pictures.levels(first).removesuffix("/255")
        parts.append(f"{slot.upper()} {text}")
    return f"Fooled from {', '.join(parts)}"
