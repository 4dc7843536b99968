"""What the Evaluate screen says: the cells of a row, what figures rest on, and the checks."""

from __future__ import annotations

from html import escape
from typing import Any

from .. import theme
from ..models.measured import Distance, scale, unit
from ..models.rows import Row
from ..models.run_words import duration, interval, percent

VERDICTS = {"pass": ("✓", "good"), "warn": ("▲", "warn"), "fail": ("✕", "bad")}
NO_CHECKS = "Each evaluation looks at itself: whether its figures can be believed stands here."


def far_header(distances: list[Distance]) -> list[str]:
    """The column of the nearest adversarial images, where there are any."""
    return [f"median distance\n({unit(distances[0].norm)})"] if distances else []


def rated(distances: list[Distance]) -> list[str]:
    """The column of optimalities, where there are any."""
    return ["optimality"] if any(one.optimality is not None for one in distances) else []


def cells(row: Row, distances: list[Distance]) -> list[str]:
    """The texts of an attack's row; there is no column that all would leave empty."""
    waits = "…" if row.share else ""
    accuracy = percent(row.accuracy) if row.accuracy is not None else waits
    robust = "" if row.robust is None else f"{row.robust:,} of {row.samples:,}"
    cells = [_name(row), accuracy, interval(*(row.interval or (None, None))), robust]
    far, optimality = _far(row.distance)
    cells += [far] if distances else []
    cells += [duration(row.seconds) if row.seconds else ""]
    return [*cells, *([optimality] if rated(distances) else [])]


def _name(row: Row) -> str:
    """With how many natural changes are done, while they are measured."""
    if row.parts is None or not row.share:
        return row.attack
    return f"{row.attack}, {row.parts[0]} of {row.parts[1]}"


def _far(found: Distance | None) -> tuple[str, str]:
    """Median with its interval, and the optimality; empty for none."""
    if found is None:
        return "", ""
    ends = (None if v is None else scale(found.norm) * v for v in (found.median, *found.interval))
    median, low, high = ("–" if value is None else f"{value:.3g}" for value in ends)
    optimality = "" if found.optimality is None else f"{found.optimality:.3f}"
    return f"{median} ({low} to {high})", optimality


def facts(content: dict[str, Any]) -> str:
    """What the figures rest on."""
    together = content.get("ensemble") or ()
    mean = f"mean of {len(together)} models, " if together else ""
    epoch = f"epoch {content['epoch']}, " if content.get("epoch") else ""
    images = f"{content.get('samples', 0):,} {content.get('split', 'test')} images"
    when = str(content.get("time", ""))[:16].replace("T", " ")
    return (
        f"{mean}{epoch}{images} of {content.get('data', '')}, {content.get('device', '')}, {when}"
    )


def checks_html(checks: list[dict[str, Any]]) -> str:
    """What an evaluation found when it looked at itself."""
    colours = theme.colours()
    if not checks:
        return f"<p style='color:{colours.muted}'>{NO_CHECKS}</p>"
    rows = []
    for check in checks:
        glyph, colour = VERDICTS.get(check["verdict"], ("·", "muted"))
        shade = getattr(colours, colour)
        verdict, name, says = (escape(str(check[key])) for key in ("verdict", "name", "says"))
        rows.append(
            f"<tr><td style='color:{shade}'>{glyph}&nbsp;{verdict}&nbsp;&nbsp;</td>"
            f"<td><b>{name}</b>&nbsp;&nbsp;</td><td>{says}</td></tr>"
        )
    return f"<table cellpadding=4>{''.join(rows)}</table>"
