"""Natural changes as the rows of a heat map: kinds in their groups, with means."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from slr_keras.settings import registry

from .measured import Natural
from .run_words import percent, points

ALL = "all changes"


@dataclasses.dataclass(frozen=True)
class HeatRow:
    """A kind of change, a group of kinds, or all of them.

    Attributes:
        shares: accuracy at each severity, then their mean; None where it was not measured.
        tips: what each of them says in words.
        ece: the expected calibration error; None where it was not measured.
        whole: a mean over kinds.
    """

    name: str
    shares: tuple[float | None, ...]
    tips: tuple[str, ...]
    ece: float | None
    whole: bool = False


def heat(found: Natural) -> list[HeatRow]:
    """All, then each group followed by its kinds."""
    everything = list(found.kinds)
    rows = [_row(found, ALL, everything, True)]
    for name, kinds in groups(everything).items():
        if name:
            rows.append(_row(found, name, kinds, True))
        rows += [_row(found, kind, [kind]) for kind in kinds]
    return rows


def groups(kinds: Sequence[str]) -> dict[str, list[str]]:
    """The kinds by their group; those of no known group under an empty name, at the end."""
    known = registry.variants("corruptions")
    found: dict[str, list[str]] = {}
    for kind in kinds:
        group = known[kind].group if kind in known else ""
        found.setdefault(group, []).append(kind)
    return dict(sorted(found.items(), key=lambda pair: not pair[0]))


def sentence(found: Natural) -> str:
    """What all of it comes to."""
    mean, levels, clean = found.mean(), found.severities, found.clean
    kinds = f"{len(found.kinds)} kinds" if len(found.kinds) > 1 else next(iter(found.kinds))
    below = "" if clean is None else f", {points(100 * (clean - mean))} below the clean images"
    strong = f"severities {levels[0]} to {levels[-1]}" if levels[1:] else f"severity {levels[0]}"
    said = f"{percent(mean)} of the images are right, the mean over {kinds} at {strong}{below}."
    if found.ece_mean is None:
        return f"{said} In percent:"
    before = "" if found.ece_clean is None else f" from {percent(found.ece_clean)}"
    return f"{said} The calibration error goes{before} to {percent(found.ece_mean)}. In percent:"


def _row(found: Natural, name: str, kinds: Sequence[str], whole: bool = False) -> HeatRow:
    shares = [*(found.at(kinds, level) for level in found.severities), found.mean(kinds)]
    places = [*(f"at severity {level}" for level in found.severities), "over all severities"]
    tips = [_tip(name, *pair, found.clean) for pair in zip(places, shares, strict=True)]
    errors = [found.ece[kind] for kind in kinds if kind in found.ece]
    ece = found.ece_mean if name == ALL else sum(errors) / len(errors) if errors else None
    return HeatRow(name, tuple(shares), tuple(tips), ece, whole)


def _tip(name: str, place: str, share: float | None, clean: float | None) -> str:
    if share is None:
        return ""
    below = "" if clean is None else f", {points(100 * (clean - share))} below the clean images"
    return f"{name} {place}: {percent(share)}{below}"
