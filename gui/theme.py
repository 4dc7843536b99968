"""Light and dark colours; one place for each.

Fusion with a palette of our own looks the same everywhere; Qt's offscreen platform and many
Linux desktops know no colour scheme that a native style would follow.
"""

from __future__ import annotations

import dataclasses

from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QWidget

CHOICES = ("system", "light", "dark")
KEY = "theme"


@dataclasses.dataclass(frozen=True)
class Colours:
    """Named colours as ``#rrggbb``."""

    background: str
    surface: str
    border: str
    text: str
    muted: str
    accent: str
    good: str
    warn: str
    bad: str
    clean: str
    robust: str
    series: tuple[str, ...]


LIGHT = Colours(
    background="#f6f7f9",
    surface="#ffffff",
    border="#d5d9e0",
    text="#1b1f27",
    muted="#646c7a",
    accent="#2f6fde",
    good="#1a7f4b",
    warn="#9a6700",
    bad="#c62f3b",
    clean="#0072b2",
    robust="#d55e00",
    series=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8b6508", "#56b4e9", "#7b4fbf", "#5c6470"),
)
DARK = Colours(
    background="#14171c",
    surface="#1c2027",
    border="#343a45",
    text="#e7eaf0",
    muted="#98a1b0",
    accent="#6ea0ff",
    good="#4cc38a",
    warn="#e2b340",
    bad="#ff6b74",
    clean="#4fb3ef",
    robust="#ff8a3d",
    series=("#4fb3ef", "#ff8a3d", "#2fd0a0", "#e79ac6", "#e3c44c", "#9ad4ff", "#b79bff", "#aab2c0"),
)
_current = LIGHT
_choice = "system"


def colours() -> Colours:
    """The colours in use now."""
    return _current


def choice() -> str:
    """What the user chose: ``system``, ``light`` or ``dark``."""
    return _choice


def install(app: QApplication, settings: QSettings) -> None:
    """Dress the application as the settings say, and follow the system from now on."""
    app.setStyle("Fusion")
    app.styleHints().colorSchemeChanged.connect(_system_changed)
    _apply(app, str(settings.value(KEY, "system")))


def choose(chosen: str, settings: QSettings) -> None:
    """Change to ``system``, ``light`` or ``dark`` and remember it."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    settings.setValue(KEY, chosen)
    _apply(app, chosen)


def role(widget: QWidget, name: str) -> None:
    """Give a widget a role of the style sheet: ``muted``, ``title``, ``good``, ``warn``, ``bad``.

    An empty name takes the role away.
    """
    widget.setProperty("role", name)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def _system_changed() -> None:
    app = QApplication.instance()
    if _choice == "system" and isinstance(app, QApplication):
        _apply(app, _choice)


def _apply(app: QApplication, chosen: str) -> None:
    global _current, _choice
    _choice = chosen if chosen in CHOICES else "system"
    scheme = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}.get(_choice)
    hints = app.styleHints()
    if scheme is not None:
        hints.setColorScheme(scheme)  # title bars of Windows and macOS go along
    else:
        hints.unsetColorScheme()
        scheme = hints.colorScheme()
    _current = DARK if scheme == Qt.ColorScheme.Dark else LIGHT
    app.setPalette(_palette(_current))
    app.setStyleSheet(_style_sheet(_current))


def _palette(c: Colours) -> QPalette:
    palette = QPalette()
    groups = {
        "Window": c.background,
        "WindowText": c.text,
        "Base": c.surface,
        "AlternateBase": _mix(c.surface, c.background, 0.6),
        "Text": c.text,
        "PlaceholderText": c.muted,
        "Button": c.surface,
        "ButtonText": c.text,
        "BrightText": c.bad,
        "ToolTipBase": c.surface,
        "ToolTipText": c.text,
        "Highlight": c.accent,
        "HighlightedText": "#ffffff" if c is LIGHT else "#0b1220",
        "Accent": c.accent,
        "Link": c.accent,
        "LinkVisited": c.accent,
        "Light": _mix(c.surface, c.text, 0.04),
        "Midlight": _mix(c.surface, c.text, 0.08),
        "Mid": c.border,
        "Dark": _mix(c.border, c.text, 0.2),
        "Shadow": _mix(c.background, "#000000", 0.6),
    }
    for name, colour in groups.items():
        palette.setColor(getattr(QPalette.ColorRole, name), QColor(colour))
    disabled = QPalette.ColorGroup.Disabled
    faint = QColor(_mix(c.muted, c.background, 0.35))
    for name in ("WindowText", "Text", "ButtonText", "HighlightedText"):
        palette.setColor(disabled, getattr(QPalette.ColorRole, name), faint)
    palette.setColor(disabled, QPalette.ColorRole.Highlight, QColor(c.border))
    return palette


def _style_sheet(c: Colours) -> str:
    """Only what a palette cannot say."""
    return f"""
    QToolTip {{ color: {c.text}; background: {c.surface}; border: 1px solid {c.border};
               padding: 4px; }}
    QLabel[role="muted"] {{ color: {c.muted}; }}
    QLabel[role="title"] {{ font-size: 15pt; font-weight: 600; }}
    QLabel[role="good"] {{ color: {c.good}; }}
    QLabel[role="warn"] {{ color: {c.warn}; }}
    QLabel[role="bad"] {{ color: {c.bad}; }}
    """


def _mix(a: str, b: str, share: float) -> str:
    """Colour ``a`` with so large a share of ``b`` in it."""
    first, second = QColor(a), QColor(b)
    pairs = [(c(first), c(second)) for c in (QColor.red, QColor.green, QColor.blue)]
    return QColor(*(round(x + (y - x) * share) for x, y in pairs)).name()
