"""The comparison of the attack lab as a figure for a paper or a talk."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator, Mapping

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPaintDevice, QPainter, QPen
from PySide6.QtSvg import QSvgGenerator

from .. import theme
from ..models import pictures
from ..models.lab import Bench
from ..models.lab_parts import SLOTS, Model, Result
from ..models.lab_words import shown_classes
from .image_view import to_qimage
from .lab_charts import Chart

WIDTH, SIDE, GAP, HEAD, FOOT = 980, 210, 20, 46, 76
CHARTS = 240  # height of what stands below the comparison
SCALE = 2  # PNG pixels for each unit
_INK, _GREY, _LINE = QColor("#1b1f27"), QColor("#646c7a"), QColor("#d5d9e0")


def save(
    bench: Bench,
    path: pathlib.Path,
    factor: float | None,
    charts: Mapping[str, Chart] | None = None,
) -> None:
    """Write the comparison as PNG or SVG, on white whatever the theme, with charts below it.

    Raises:
        OSError: the file cannot be written.
    """
    shown = charts or {}
    try:
        with theme.printed():
            for chart in shown.values():
                chart.dress()
            _write(bench, path, factor, shown)
    finally:
        for chart in shown.values():
            chart.dress()


def _write(
    bench: Bench, path: pathlib.Path, factor: float | None, charts: Mapping[str, Chart]
) -> None:
    slots = [slot for slot in SLOTS if bench.is_current(slot)]
    foot = CHARTS if charts else 0
    size = QSize(WIDTH, HEAD + GAP + len(slots) * (SIDE + FOOT) + foot)
    if path.suffix.lower() == ".svg":
        target = QSvgGenerator()
        target.setFileName(str(path))
        target.setSize(size)
        target.setViewBox(QRectF(0, 0, size.width(), size.height()))
        target.setTitle("Attack lab")
        with _painting(target) as painter:
            _paint(painter, bench, slots, size, factor, charts)
        written = path.is_file() and path.stat().st_size > 0
    else:
        image = QImage(size * SCALE, QImage.Format.Format_RGB32)
        with _painting(image) as painter:
            painter.scale(SCALE, SCALE)
            _paint(painter, bench, slots, size, factor, charts)
        written = image.save(str(path))
    if not written:
        raise OSError(f"{path} cannot be written. Choose another folder, or free some space.")


@contextlib.contextmanager
def _painting(target: QPaintDevice) -> Iterator[QPainter]:
    """A painter that ends whatever happens: Qt crashes where its target goes before it."""
    painter = QPainter(target)
    try:
        yield painter
    finally:
        painter.end()


def _paint(
    painter: QPainter,
    bench: Bench,
    slots: list[str],
    size: QSize,
    factor: float | None,
    charts: Mapping[str, Chart],
) -> None:
    painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
    painter.fillRect(0, 0, size.width(), size.height(), QColor("#ffffff"))
    _text(painter, QRectF(GAP, 12, WIDTH - 2 * GAP, 22), describe(bench), 10.5, bold=True)
    top = HEAD
    for slot in slots:
        model, result = bench.slots[slot].model, bench.result_of_image(slot)
        if model is not None and result is not None:
            _paint_row(painter, bench, slot, model, result, top, factor)
            top += SIDE + FOOT
    _paint_charts(painter, charts, top)


def _paint_charts(painter: QPainter, charts: Mapping[str, Chart], top: float) -> None:
    width = (WIDTH - GAP * (len(charts) + 1)) / max(1, len(charts))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for number, (title, chart) in enumerate(charts.items()):
        left = GAP + number * (width + GAP)
        _text(painter, QRectF(left, top, width, 20), title, 9.5, bold=True)
        place = QRectF(left, top + 22, width, CHARTS - 22 - GAP)
        chart.render(painter, place, chart.viewport().rect())


def describe(bench: Bench) -> str:
    """Image and attack in one line."""
    values = bench.values
    norm = {"linf": "L∞", "l2": "L2"}.get(str(values["norm"]), str(values["norm"]))
    parts = [bench.attack_name.upper(), f"{norm}, epsilon {pictures.levels(values['eps'])}"]
    if "steps" in values:
        size = f" of {pictures.levels(values['step_size'])}" if "step_size" in values else ""
        parts.append(f"{values['steps']} steps{size}")
    if values.get("restarts", 1) > 1:
        parts.append(f"{values['restarts']} restarts")
    if bench.target is not None:
        names = bench.class_names()
        parts.append(f"target {names[bench.target] if bench.target < len(names) else bench.target}")
    parts.append(f"seed {bench.seed}")
    title = bench.image.title if bench.image else ""
    return "   ·   ".join(part for part in [title, ", ".join(parts)] if part)


def _paint_row(
    painter: QPainter,
    bench: Bench,
    slot: str,
    model: Model,
    result: Result,
    top: float,
    factor: float | None,
) -> None:
    heading = f"{slot.upper()}   {model.title}"
    _text(painter, QRectF(GAP, top, 430, 20), heading, 10, bold=True)
    verdict = "   ".join(filter(None, [bench.verdict(slot), bench.transfer(slot)]))
    _text(painter, QRectF(GAP, top + 20, 3 * (SIDE + GAP), 20), verdict, 9.5)
    shown = pictures.amplify(result.delta, factor or auto_factor(result))
    panels = (
        (pictures.to_bytes(result.clean), "Clean", _sure(model, result, clean=True)),
        (pictures.to_bytes(result.adversarial), "Adversarial", _sure(model, result, clean=False)),
        (shown.picture(), "Perturbation", shown.caption),
    )
    for number, (picture, title, caption) in enumerate(panels):
        left = GAP + number * (SIDE + GAP)
        box = QRectF(left, top + 46, SIDE, SIDE - 16)
        painter.drawImage(_fitted(box, picture), _magnified(picture))
        line = QRectF(left, box.bottom() + 3, SIDE, 18)
        _text(painter, line, f"{title}: {caption}", 8.5, colour=_GREY)
    bars = QRectF(GAP + 3 * (SIDE + GAP) + 10, top + 46, WIDTH - 4 * GAP - 3 * SIDE - 20, SIDE - 16)
    _bars(painter, bars, model, result, bench.truth(slot))
    _legend(painter, QRectF(bars.left() + 12, top + 26, bars.width(), 18))
    size = pictures.distance_text(
        pictures.distance(result.delta, result.norm), result.done.budget, result.norm
    )
    line = QRectF(bars.left(), bars.bottom() + 3, bars.width() + 10, 18)
    _text(painter, line, size, 8.5, colour=_GREY)


def auto_factor(result: Result) -> float:
    """The factor with which the allowed range fills the map."""
    return pictures.fitting_factor(result.delta, result.norm, result.done.budget)


def _sure(model: Model, result: Result, clean: bool) -> str:
    done = result.done
    values = done.clean_probabilities if clean else done.adversarial_probabilities
    k = int(np.argmax(values))
    return f"{model.class_name(k)}, {pictures.percent(values[k])}"


def _magnified(picture: np.ndarray) -> QImage:
    """Whole multiples of the pixels: viewers of SVG would blur the small image."""
    times = max(1, 420 // max(picture.shape[:2]))
    return to_qimage(np.repeat(np.repeat(picture, times, axis=0), times, axis=1))


def _fitted(box: QRectF, picture: np.ndarray) -> QRectF:
    height, width = picture.shape[:2]
    factor = min(box.width() / width, box.height() / height)
    return QRectF(box.left(), box.top(), width * factor, height * factor)


def _bars(painter: QPainter, box: QRectF, model: Model, result: Result, truth: int | None) -> None:
    done = result.done
    clean, now = done.clean_probabilities, done.adversarial_probabilities
    classes = shown_classes(clean, now, truth)
    height = box.height() / max(len(classes), 1)
    names = 74.0
    for row, k in enumerate(classes):
        top = box.top() + row * height
        cell = QRectF(box.left(), top, names - 6, height)
        _text(painter, cell, model.class_name(k)[:12], 8, right=True)
        room = box.width() - names
        for value, at, colour in ((clean[k], 0.1, "clean"), (now[k], 0.5, "robust")):
            bar = QRectF(box.left() + names, top + at * height, room * value, 0.38 * height)
            painter.fillRect(bar, QColor(getattr(theme.LIGHT, colour)))
        if k == truth:
            painter.setPen(QPen(_INK, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(box.left() + names, top, room, height))
    painter.setPen(QPen(_LINE, 1))
    x = round(box.left() + names)
    painter.drawLine(x, round(box.top()), x, round(box.bottom()))


def _legend(painter: QPainter, box: QRectF) -> None:
    left = box.left()
    for name, colour in (("clean", "clean"), ("adversarial", "robust")):
        mark = QRectF(left, box.top() + 5, 8, 8)
        painter.fillRect(mark, QColor(getattr(theme.LIGHT, colour)))
        _text(painter, QRectF(left + 12, box.top(), 80, 18), name, 8.5, colour=_GREY)
        left += 54
    left += 26
    painter.setPen(QPen(_INK, 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(QRectF(left, box.top() + 5, 12, 8))
    _text(painter, QRectF(left + 16, box.top(), 80, 18), "true class", 8.5, colour=_GREY)


def _text(
    painter: QPainter,
    box: QRectF,
    text: str,
    size: float,
    *,
    bold: bool = False,
    right: bool = False,
    colour: QColor = _INK,
) -> None:
    font = QFont()
    font.setPointSizeF(size)
    font.setBold(bold)
    painter.setFont(font)
    painter.setPen(colour)
    metrics = painter.fontMetrics()
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(box.width()))
    left = box.right() - metrics.horizontalAdvance(shown) if right else box.left()
    baseline = box.center().y() + (metrics.ascent() - metrics.descent()) / 2
    painter.drawText(QPointF(left, baseline), shown)  # in a box, SVG would get it in pieces
