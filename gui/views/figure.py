"""The charts as a figure for a paper: title, headline, legend and plots on white, PNG or SVG."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

from PySide6.QtCore import QBuffer, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter
from PySide6.QtSvg import QSvgGenerator

from ..theme import Colours
from .legend import SAMPLE, Entry, draw_sample
from .plots import Chart

MARGIN = 16.0
SHARPNESS = 2  # pixels of a PNG per pixel on screen


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a figure shows.

    Attributes:
        title: the runs.
        headline: one sentence below it.
        legend: rows of entries.
        charts: the plots and where each stands in ``area``.
        area: size of all plots together.
    """

    title: str
    headline: str
    legend: Sequence[Sequence[Entry]]
    charts: Sequence[tuple[Chart, QRect]]
    area: QSize


def pen_scale(path: pathlib.Path) -> float:
    """How much wider the charts' pens must be: they are as wide in any picture as on screen."""
    return SHARPNESS if path.suffix.lower() == ".png" else 1.0


def save(figure: Figure, path: pathlib.Path, colours: Colours, font: QFont) -> None:
    """Write the figure; the suffix chooses the format.

    Raises:
        ValueError: neither ``.png`` nor ``.svg``.
        OSError: it cannot be written.
    """
    painters = {".png": _png, ".svg": _svg}
    if path.suffix.lower() not in painters:
        raise ValueError(f"A figure is saved as .png or .svg, not as {path.name!r}.")
    path.touch()  # says why it cannot be written, where Qt would only say that
    width = figure.area.width() + 2 * MARGIN
    height = _paint(figure, None, colours, font) + figure.area.height() + MARGIN
    painters[path.suffix.lower()](figure, path, colours, font, QSize(round(width), round(height)))


def _png(figure: Figure, path: pathlib.Path, colours: Colours, font: QFont, size: QSize) -> None:
    image = QImage(size * SHARPNESS, QImage.Format.Format_RGB32)
    image.fill(QColor(colours.surface))
    image.setDevicePixelRatio(SHARPNESS)
    with QPainter(image) as painter:
        _paint(figure, painter, colours, font)
    if not image.save(str(path)):
        raise OSError(f"{path} could not be written")


def _svg(figure: Figure, path: pathlib.Path, colours: Colours, font: QFont, size: QSize) -> None:
    drawing = QBuffer()
    generator = QSvgGenerator()
    generator.setOutputDevice(drawing)
    generator.setSize(size)
    generator.setViewBox(QRect(0, 0, size.width(), size.height()))
    generator.setTitle(figure.title)
    generator.setDescription(figure.headline)
    generator.setResolution(96)
    with QPainter(generator) as painter:
        painter.fillRect(QRect(0, 0, size.width(), size.height()), QColor(colours.surface))
        _paint(figure, painter, colours, font)
    path.write_bytes(drawing.data().data())


def _paint(figure: Figure, painter: QPainter | None, colours: Colours, font: QFont) -> float:
    """Draw everything, or only measure; returns where the plots begin."""
    bold = QFont(font)
    bold.setBold(True)
    bold.setPointSizeF(font.pointSizeF() + 2)
    top = MARGIN
    for text, face, colour in (
        (figure.title, bold, colours.text),
        (figure.headline, font, colours.muted),
    ):
        top = _text(figure, painter, text, face, colour, top)
    for entries in figure.legend:
        top = _legend(figure, painter, entries, font, colours, top)
    top += 6
    if painter is not None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for chart, place in figure.charts:
            target = QRectF(place.translated(round(MARGIN), round(top)))
            chart.render(painter, target, chart.viewport().rect())
    return top


def _text(
    figure: Figure, painter: QPainter | None, text: str, font: QFont, colour: str, top: float
) -> float:
    if not text:
        return top
    flags = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignLeft
    box = QRectF(MARGIN, top, figure.area.width(), 1000)
    height = QFontMetricsF(font).boundingRect(box, int(flags), text).height()
    if painter is not None:
        painter.setFont(font)
        painter.setPen(QColor(colour))
        painter.drawText(QRectF(MARGIN, top, figure.area.width(), height + 2), int(flags), text)
    return top + height + 4


def _legend(
    figure: Figure,
    painter: QPainter | None,
    entries: Sequence[Entry],
    font: QFont,
    colours: Colours,
    top: float,
) -> float:
    """Rows of visible entries."""
    metrics = QFontMetricsF(font)
    left, line = MARGIN, metrics.height() + 4
    shown = [entry for entry in entries if entry.shown]
    for entry in shown:
        width = SAMPLE.width() + 6 + metrics.horizontalAdvance(entry.text) + 18
        if left > MARGIN and left + width > MARGIN + figure.area.width():
            left, top = MARGIN, top + line
        if painter is not None:
            draw_sample(painter, entry, left, top + line / 2)
            painter.setFont(font)
            painter.setPen(QColor(colours.text))
            painter.drawText(
                QRectF(left + SAMPLE.width() + 6, top, width, line),
                int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft),
                entry.text,
            )
        left += width
    return top + line if shown else top
