"""Diagrams as inline SVG: their ink and colours follow the page, light or dark."""

from __future__ import annotations

import dataclasses
import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from slr_keras.analyses._reliability import Calibration
from slr_keras.analysis.words import norm_name, value
from slr_keras.evaluation.curves import (
    CLEAN,
    ROBUST,
    SOFT,
    draw_accuracy,
    falling,
    mark_drops,
)
from slr_keras.protocol.events import AnalysisMeasured
from slr_keras.settings import registry

INK, QUIET = "#123456", "#654321"  # stand-ins, replaced by the page's colours
# Okabe-Ito, told apart with any colour vision; the page has a lighter set on dark ground.
SERIES = (CLEAN, ROBUST, SOFT, "#cc79a7", "#e69f00", "#56b4e9")
COLOURS = {
    INK: "currentColor",
    QUIET: "var(--quiet)",
    CLEAN: "var(--clean)",
    ROBUST: "var(--robust)",
    SOFT: "var(--soft)",
}
ABOVE = {"ncols": 5, "fontsize": 8, "columnspacing": 1.2, "handlelength": 1.8, "borderpad": 0.2}
DASHES = ("-", "--", "-.", ":")
STYLE = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": QUIET,
    "legend.frameon": False,
}


def curves(record: Any, key: str) -> str:
    """Clean and robust accuracy on training and validation images, and the labels' entropy."""
    soft = any(epoch.label_entropy for epoch in record.epochs)

    def draw(figure: Any) -> None:
        ratios = (4, 1) if soft else (1,)
        axes = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios, squeeze=False)
        upper, lower = axes[0, 0], axes[-1, 0]
        draw_accuracy(upper, record.epochs)
        upper.legend(loc="lower left", bbox_to_anchor=(0, 1), **ABOVE)
        mark_drops(upper, record.config)
        if soft:
            entropy = [e.label_entropy for e in record.epochs]
            lower.plot([e.epoch for e in record.epochs], entropy, color=SOFT)
            lower.set(ylabel="label entropy\n(nats)", ylim=(0, None))
            lower.grid(alpha=0.25)
        lower.set(xlabel="epoch")

    return _svg(draw, (7.6, 4.4 if soft else 3.6), _curve_words(record), key)


def _curve_words(record: Any) -> str:
    robust = [(e.epoch, v) for e in record.epochs if (v := e.val_robust_accuracy) is not None]
    if not robust:
        return f"Accuracy over {len(record.epochs)} epochs; none was evaluated yet."
    best = max(robust, key=lambda point: point[1])
    return (
        f"Clean and robust accuracy on training and validation images over {robust[-1][0]} epochs. "
        f"Robust validation accuracy is highest at epoch {best[0]}, {100 * best[1]:.1f} percent, "
        f"and {100 * robust[-1][1]:.1f} percent at epoch {robust[-1][0]}."
    )


def comparison(records: Sequence[Any], key: str) -> str:
    """Robust validation accuracy of several runs over their epochs, the best of each marked."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for number, record in enumerate(records):
            colour, dash = SERIES[number % len(SERIES)], DASHES[number % len(DASHES)]
            points = [
                (e.epoch, 100 * v)
                for e in record.epochs
                if (v := e.val_robust_accuracy) is not None
            ]
            if points:
                axes.plot(
                    *zip(*points, strict=True), color=colour, linestyle=dash, label=record.title
                )
                axes.plot(*max(points, key=lambda point: point[1]), "o", color=colour)
        axes.set(xlabel="epoch", ylabel="robust accuracy,\nvalidation (%)", ylim=(0, None))
        axes.grid(alpha=0.25)
        if axes.lines:
            axes.legend()

    names = ", ".join(record.title for record in records)
    words = f"Robust validation accuracy over the epochs of {names}; figures in the table."
    return _svg(draw, (7.6, 3.4), words, key)


def analysis(measured: Sequence[AnalysisMeasured], key: str) -> str:
    """The scalars of one analysis over the epochs; empty where nothing was measured."""
    columns = registry.get("analyses", measured[0].analysis).columns
    series = {
        text: [(m.epoch, v) for m in measured if (v := m.values.get(name)) is not None]
        for name, text in columns.items()
    }
    series = {text: points for text, points in series.items() if points}
    if not series:
        return ""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for number, (text, points) in enumerate(series.items()):
            colour, dash = SERIES[number % len(SERIES)], DASHES[number // 2 % len(DASHES)]
            axes.plot(*zip(*points, strict=True), color=colour, linestyle=dash, label=text)
        axes.set(xlabel="epoch", ylim=(0, None))
        axes.grid(alpha=0.25)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), **(ABOVE | {"ncols": 3}))

    ends = ", ".join(f"{text} {points[-1][1]:.3g}" for text, points in series.items())
    words = f"{measured[0].analysis} over {measured[-1].epoch} epochs; at the end: {ends}."
    return _svg(draw, (7.6, 3.2), words, key)


def epsilon_curve(points: Sequence[Mapping[str, Any]], eps: Sequence[float], key: str) -> str:
    """Accuracy against the radius of the ball, with its 95 % intervals where they are known."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        shares = [100 * point["accuracy"] for point in points]
        if all(point.get("interval") for point in points):
            low, high = zip(*(point["interval"] for point in points), strict=True)
            axes.fill_between(
                eps, 100 * np.array(low), 100 * np.array(high), color=ROBUST, alpha=0.18, lw=0
            )
        axes.plot(eps, shares, "o-", color=ROBUST, markersize=4)
        axes.set_xticks(eps, [value(point["eps"]) for point in points])
        axes.set(xlabel="epsilon", ylabel="accuracy (%)", ylim=(0, 100))
        axes.grid(alpha=0.25)

    words = ", ".join(f"{100 * p['accuracy']:.1f} percent at {value(p['eps'])}" for p in points)
    return _svg(draw, (7.6, 3.0), f"Accuracy against epsilon: {words}.", key)


@dataclasses.dataclass(frozen=True)
class Fall:
    """A line that falls from the accuracy at radius 0, by an image at each of ``values``.

    Attributes:
        values: of all images: the distance at which it is lost, 0 where it is wrong from the
            start, None where it never is.
        proved: a lower bound, of a certificate; else the upper bound of an attack.
    """

    name: str
    values: Sequence[float | None]
    proved: bool = False

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Radii and the shares that are left from each of them on."""
        places, shares = falling(self.values)
        return np.array(places), np.array(shares)


def radii(lines: Sequence[Fall], norm: str, ball: float | None, key: str) -> str:
    """Accuracy against the radius from the distances of all images, with a mark at ``ball``."""
    scale, unit = (255, " (of 255)") if norm == "linf" else (1, "")
    points = [(line, *line.points()) for line in lines]
    ends = [np.quantile(places[1:], 0.99) for _, places, _ in points if len(places) > 1]
    end = scale * max([*ends, ball or 0.0], default=1.0) or 1.0

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for number, (line, places, shares) in enumerate(points):
            x, y = np.append(scale * places, 2 * end), np.append(shares, shares[-1])
            colour, dash = SERIES[number % len(SERIES)], "--" if line.proved else "-"
            axes.step(x, 100 * y, where="post", label=line.name, color=colour, linestyle=dash)
        if ball:
            axes.axvline(scale * ball, color=QUIET, linestyle=":", linewidth=1)
        axes.set(xlabel=f"{norm_name(norm)} radius{unit}", ylabel="accuracy (%)")
        axes.set(xlim=(0, 1.05 * end), ylim=(0, 100))
        axes.grid(alpha=0.25)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), **ABOVE)

    starts = ", ".join(f"{one.name} from {100 * y[0]:.1f} percent" for one, _, y in points)
    words = f"Accuracy against the {norm_name(norm)} radius, falling: {starts}."
    return _svg(draw, (7.6, 3.2), words, key)


def reliability(clean: Calibration, adversarial: Calibration, key: str) -> str:
    """Accuracy over confidence for clean and attacked images, with the number of images below."""

    def draw(figure: Any) -> None:
        axes = figure.subplots(2, 2, sharex=True, height_ratios=(3, 1))
        one = ("clean", clean, CLEAN), ("under attack", adversarial, ROBUST)
        for column, (name, result, colour) in enumerate(one):
            _reliability(axes[0, column], axes[1, column], name, result, colour)
        axes[0, 0].set(ylabel="accuracy (%)")
        axes[1, 0].set(ylabel="images")

    return _svg(
        draw,
        (7.6, 3.9),
        f"Reliability diagrams. Clean: mean confidence {100 * clean.confidence:.1f} percent, "
        f"accuracy {100 * clean.accuracy:.1f} percent. Under attack: confidence "
        f"{100 * adversarial.confidence:.1f} percent, accuracy "
        f"{100 * adversarial.accuracy:.1f} percent.",
        key,
    )


def _reliability(upper: Any, lower: Any, name: str, result: Calibration, colour: str) -> None:
    width = 100 / len(result.bins)
    left = [100 * b.low for b in result.bins]
    heights = [100 * (b.accuracy or 0) for b in result.bins]
    upper.bar(left, heights, width, align="edge", color=colour, alpha=0.75)
    known = [b for b in result.bins if b.count]
    upper.plot(
        [100 * b.confidence for b in known],  # type: ignore[operator]
        [100 * b.accuracy for b in known],  # type: ignore[operator]
        ".",
        color=INK,
    )
    upper.plot([0, 100], [0, 100], color=QUIET, linestyle="--", linewidth=1)
    upper.set(title=f"{name}, ECE {100 * result.ece:.1f} %", xlim=(0, 100), ylim=(0, 100))
    lower.bar(left, [b.count for b in result.bins], width, align="edge", color=colour, alpha=0.4)
    lower.set(xlabel="confidence (%)")


def heat_map(matrix: np.ndarray, title: str, key: str) -> str:
    """A confusion matrix of many classes, rows (true classes) scaled to 1."""
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    said = f"Confusion matrix of {len(matrix)} classes, {title}."
    return _map(share, ("predicted class", title, "share of the class"), said, key)


def target_map(success: np.ndarray, key: str) -> str:
    """Success (K, K) of targeted attacks on many classes; NaN, where there were none, is bare."""
    said = f"Success of targeted attacks between {len(success)} classes."
    return _map(success, ("target class", "", "share that reaches the class"), said, key)


def _map(share: np.ndarray, names: tuple[str, str, str], said: str, key: str) -> str:
    """Shares (K, K) of true classes; ``names`` are those of columns, the whole, and the colours."""
    column, title, colours = names

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        drawn = axes.pcolormesh(share, cmap="cividis", vmin=0, vmax=1, rasterized=True)
        axes.invert_yaxis()
        axes.set(xlabel=column, ylabel="true class", title=title, aspect="equal")
        figure.colorbar(drawn, label=colours)

    return _svg(draw, (5, 4.2), said, key)


def _svg(draw: Any, size: tuple[float, float], words: str, key: str) -> str:
    """A figure as an ``<svg>`` element that is at home in a page.

    Args:
        draw: draws on a matplotlib figure.
        words: what it shows, for those who do not see it.
        key: unique in the page; every id begins with it.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**STYLE, "svg.hashsalt": key}):  # type: ignore[dict-item]
        figure, file = Figure(figsize=size, layout="constrained"), io.StringIO()
        draw(figure)
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return _at_home(file.getvalue(), key, words)


def _at_home(text: str, key: str, words: str) -> str:
    """No fixed size, no rules or ids that reach out of it, the page's font and colours."""
    head, body = text[text.index("<svg") :].split(">", 1)
    box = re.search(r'viewBox="[^"]+"', head)
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.S)
    body = re.sub(r'\bid="', f'id="{key}-', body).replace("url(#", f"url(#{key}-")
    body = body.replace('xlink:href="#', f'href="#{key}-').replace("xlink:href=", "href=")
    body = re.sub(r"font-family: [^;\"]+", "font-family: system-ui, sans-serif", body)
    for stand_in, colour in COLOURS.items():
        body = body.replace(stand_in.lower(), colour)
    return f'<svg {box[0] if box else ""} role="img" aria-label="{html.escape(words)}">{body}'
