"""Texts that tell runs apart: their names, and the settings in which they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_BASIC = (
    *("method.name", "labels.name", "attack.name", "attack.eps"),
    *("model.name", "data.name"),
)


_IDLE = ("run_dir", "overwrite", "train.tensorboard", "train.export", "train.keep_checkpoints")


def labels(names: Sequence[str], settings: Sequence[Mapping[str, Any]], most: int = 2) -> list[str]:
    """A text for each run that tells them apart: its name, and settings that differ.

    Args:
        names: display names.
        settings: flat dotted settings of each run.
        most: how many differing settings are named.
    """
    keys = differing(settings)[:most]
    return [
        " · ".join([name, *(_setting(key, values[key]) for key in keys)])
        for name, values in zip(names, settings, strict=True)
    ]


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings that all runs have and not all have alike, the telling ones first."""
    if len(settings) < 2:
        return []
    shared = [key for key in settings[0] if all(key in values for values in settings)]
    found = [
        key
        for key in shared
        if key not in _IDLE and any(values[key] != settings[0][key] for values in settings)
    ]
    return sorted(found, key=lambda key: _BASIC.index(key) if key in _BASIC else len(_BASIC))


def _setting(key: str, value: Any) -> str:
    section, _, last = key.rpartition(".")
    if last == "name":
        words = {"method": str(value).upper(), "labels": f"{value} labels"}
        return words.get(section, str(value))
    shown = f"{value:.6g}" if isinstance(value, float) else value
    if isinstance(value, bool):
        shown = "on" if value else "off"
    return f"{last.replace('_', ' ')} {shown}"
