"""Line icons, drawn in the colours of the theme at every resolution."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

_SHAPES = {
    "runs": '<path d="M9 6h11M9 12h11M9 18h11"/><path d="M4 6h.01M4 12h.01M4 18h.01"/>',
    "train": '<path d="M4 4v16h16"/><path d="M8 15l4-5 3 3 5-7"/>',
    "evaluate": '<path d="M12 3l7 3v6c0 4.5-3 7.5-7 9-4-1.5-7-4.5-7-9V6z"/>'
    '<path d="M9 12l2 2 4-4"/>',
    "compare": '<path d="M4 20V4"/><path d="M8 20v-7M12 20V8M16 20v-4M20 20V6"/>',
    "labels": '<path d="M3 12V4h8l9 9-8 8z"/><circle cx="7.5" cy="8.5" r="1"/>',
    "export": '<path d="M12 15V3M7 8l5-5 5 5"/><path d="M4 14v6h16v-6"/>',
    "lab": '<circle cx="12" cy="12" r="7"/><path d="M12 2v5M12 17v5M2 12h5M17 12h5"/>',
    "diagnostics": '<path d="M3 12h4l3-8 4 16 3-8h4"/>',
    "search": '<circle cx="11" cy="11" r="6"/><path d="M20 20l-4.5-4.5"/>',
    "dot": '<circle cx="12" cy="12" r="7" fill="{colour}"/>',
    "app": '<circle cx="12" cy="12" r="9" stroke-dasharray="3.2 2.45"/>'
    '<path d="M12 12l5-4"/><circle cx="12" cy="12" r="1.4" fill="{colour}"/>',
}


def icon(name: str, colour: str, checked: str = "", size: int = 24) -> QIcon:
    """The icon in a colour, and in another for the checked state of a button."""
    found = QIcon()
    for state, shade in ((QIcon.State.Off, colour), (QIcon.State.On, checked or colour)):
        for ratio in (1, 2, 3):
            found.addPixmap(_draw(name, shade, size, ratio), QIcon.Mode.Normal, state)
    return found


def _draw(name: str, colour: str, size: int, ratio: int) -> QPixmap:
    shape = _SHAPES[name].replace("{colour}", colour)
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" '
        f'stroke="{colour}" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">'
        f"{shape}</svg>"
    )
    pixmap = QPixmap(size * ratio, size * ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg.encode())).render(
        painter, QRectF(0, 0, pixmap.width(), pixmap.height())
    )
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap
