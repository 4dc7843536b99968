"""Light and dark colours; one place for each.

Fusion with a palette of our own looks the same everywhere; Qt's offscreen platform and many
Linux desktops know no colour scheme that a native style would follow.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator

from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from . import restyle

CHOICES = ("system", "light", "dark")
KEY = "theme"
ASSETS = pathlib.Path(__file__).resolve().parent / "assets"


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
ON_ACCENT = {True: "#ffffff", False: "#0b1220"}  # text on the accent, by light
_current = LIGHT
_choice = "system"


def colours() -> Colours:
    """The colours in use now."""
    return _current


@contextlib.contextmanager
def printed() -> Iterator[None]:
    """Light colours inside, for what goes on paper; who draws there dresses anew after it."""
    global _current
    before, _current = _current, LIGHT
    try:
        yield
    finally:
        _current = before


def choice() -> str:
    """What the user chose: ``system``, ``light`` or ``dark``."""
    return _choice


def install(app: QApplication, settings: QSettings) -> None:
    """Dress the application as the settings say, and follow the system from now on."""
    if not app.styleSheet():  # where there is one, this was done, and takes a second for a window
        app.setStyle("Fusion")
    app.styleHints().colorSchemeChanged.connect(_system_changed)
    _apply(app, str(settings.value(KEY, "system")))


def choose(chosen: str, settings: QSettings) -> None:
    """Change to ``system``, ``light`` or ``dark`` and remember it."""
    settings.setValue(KEY, chosen)
    _apply(QApplication.instance(), chosen)


def card(widget: QWidget, colour: str) -> None:
    """Frame a widget with an object name in a colour, its left edge thick."""
    style = (
        f"#{widget.objectName()} {{ background: {colours().surface}; border: 1px solid {colour}; "
        f"border-left: 4px solid {colour}; border-radius: 4px; }}"
    )
    if style != widget.styleSheet():  # setting one changes the palette, which calls here again
        widget.setStyleSheet(style)


def role(widget: QWidget, name: str) -> None:
    """Give a widget a role of the style sheet: ``muted``, ``title``, ``good``, ``warn``, ``bad``.

    An empty name takes the role away.
    """
    widget.setProperty("role", name)
    repolish(widget)


def repolish(widget: QWidget) -> None:
    """Let the style sheet look again at a widget's properties; the first look comes by itself."""
    if widget.testAttribute(Qt.WidgetAttribute.WA_WState_Polished):
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
    sheet = _style_sheet(_current)
    if sheet != app.styleSheet():  # Qt would look at every widget again
        restyle.change_sheet(app, sheet)


def _palette(c: Colours) -> QPalette:
    palette = QPalette()
    groups = {
        "Window": c.background,
        "WindowText": c.text,
        "Base": c.surface,
        "AlternateBase": mix(c.surface, c.background, 0.6),
        "Text": c.text,
        "PlaceholderText": c.muted,
        "Button": c.surface,
        "ButtonText": c.text,
        "BrightText": c.bad,
        "ToolTipBase": c.surface,
        "ToolTipText": c.text,
        "Highlight": c.accent,
        "HighlightedText": ON_ACCENT[c is LIGHT],
        "Accent": c.accent,
        "Link": c.accent,
        "LinkVisited": c.accent,
        "Light": mix(c.surface, c.text, 0.04),
        "Midlight": mix(c.surface, c.text, 0.08),
        "Mid": c.border,
        "Dark": mix(c.border, c.text, 0.2),
        "Shadow": mix(c.background, "#000000", 0.6),
    }
    for name, colour in groups.items():
        palette.setColor(getattr(QPalette.ColorRole, name), QColor(colour))
    disabled = QPalette.ColorGroup.Disabled
    faint = QColor(mix(c.muted, c.background, 0.35))
    for name in ("WindowText", "Text", "ButtonText", "HighlightedText"):
        palette.setColor(disabled, getattr(QPalette.ColorRole, name), faint)
    palette.setColor(disabled, QPalette.ColorRole.Highlight, QColor(c.border))
    return palette


def _style_sheet(c: Colours) -> str:
    """What a palette cannot say. Fusion derives its outlines from the window's colour, which on a
    dark one leaves check boxes without an edge."""
    sheet = _TEXTS + _FRAMES + _BUTTONS + _INPUTS + _SHELL
    light = c is LIGHT
    faint = mix(c.muted, c.background, 0.35)
    names = dataclasses.asdict(c) | {
        "hover": mix(c.surface, c.text, 0.06),
        "tint": mix(c.surface, c.accent, 0.14),
        "chosen": mix(c.surface, c.accent, 0.26),
        "filled": mix(c.surface, c.accent, 0.5),
        "strong": mix(c.accent, c.text, 0.12),
        "alarm": mix(c.surface, c.warn, 0.2),
        "edge": mix(c.border, c.text, 0.25),
        "faint": faint,
        "on_accent": ON_ACCENT[light],
        "assets": (ASSETS / ("light" if light else "dark")).as_posix(),
    }
    for name in sorted(names, key=len, reverse=True):
        sheet = sheet.replace(f"@{name}", str(names[name]))
    return sheet


_TEXTS = """
QToolTip { color: @text; background: @surface; border: 1px solid @border; padding: 4px; }
QLabel[role="muted"] { color: @muted; }
QLabel[role="title"] { font-size: 15pt; font-weight: 600; }
QLabel[role="heading"] { font-weight: 600; }
QLabel[role="good"] { color: @good; }
QLabel[role="warn"] { color: @warn; }
QLabel[role="bad"] { color: @bad; }
"""
_FRAMES = """
QHeaderView::section { background: @surface; color: @muted; border: none;
    border-bottom: 1px solid @border; padding: 5px 6px; }
QTableCornerButton::section { background: @surface; border: none; }
QAbstractScrollArea { border: 1px solid @border; border-radius: 4px; }
QTreeView, QTableView, QListView { selection-background-color: @chosen;
    selection-color: @text; outline: 0; }
QTreeView::item, QTableView::item, QListView::item { padding: 3px 4px; }
QTabWidget::pane { border: none; border-top: 1px solid @border; }
QTabBar::tab { padding: 6px 12px; border: none; border-bottom: 2px solid transparent;
    color: @muted; }
QTabBar::tab:selected { color: @text; border-bottom-color: @accent; }
QTabBar::tab:focus { color: @accent; }
QTabBar::tab:hover { color: @text; }
QProgressBar { background: @background; border: 1px solid @border; border-radius: 4px;
    text-align: center; }
QProgressBar::chunk { background: @filled; border-radius: 3px; }
"""
_BUTTONS = """
QPushButton, QToolButton[autoRaise="false"] { background: @surface; border: 1px solid @border;
    border-radius: 4px; padding: 4px 12px; min-height: 16px; }
QPushButton:hover, QToolButton[autoRaise="false"]:hover { background: @hover; }
QPushButton:pressed, QPushButton:checked, QToolButton[autoRaise="false"]:pressed,
QToolButton[autoRaise="false"]:checked { background: @tint; border-color: @accent; }
QPushButton:focus, QToolButton[autoRaise="false"]:focus { border-color: @accent; }
QPushButton:flat { background: transparent; border-color: transparent; color: @accent; }
QPushButton:flat:focus { border-color: @accent; }
QPushButton:default, QPushButton[role="primary"] { background: @accent; border-color: @accent;
    color: @on_accent; }
QPushButton:default:hover, QPushButton[role="primary"]:hover { background: @strong; }
QPushButton:default:focus, QPushButton[role="primary"]:focus { border-color: @text; }
QPushButton:disabled, QPushButton[role="primary"]:disabled, QPushButton:default:disabled,
QToolButton[autoRaise="false"]:disabled { background: @background; border-color: @border;
    color: @faint; }
QToolButton[popupMode="2"] { padding-right: 20px; }
QToolButton[popupMode="2"]::menu-indicator { subcontrol-origin: padding;
    subcontrol-position: right center; right: 6px; image: url("@assets/down.svg"); }
"""
_INPUTS = """
QLineEdit, QComboBox, QAbstractSpinBox { background: @surface; border: 1px solid @border;
    border-radius: 4px; padding: 3px 6px; min-height: 18px; selection-background-color: @accent;
    selection-color: @on_accent; }
QLineEdit:focus, QComboBox:focus, QComboBox:on, QAbstractSpinBox:focus { border-color: @accent; }
QLineEdit:disabled, QComboBox:disabled, QAbstractSpinBox:disabled { background: @background;
    color: @faint; }
QComboBox { padding-right: 20px; }
QComboBox::drop-down { border: none; width: 20px; }
QComboBox::down-arrow { image: url("@assets/down.svg"); }
QComboBox QAbstractItemView { background: @surface; border: 1px solid @border; outline: 0; }
QAbstractSpinBox { padding: 1px 18px 1px 6px; qproperty-alignment: "AlignRight|AlignVCenter"; }
QAbstractSpinBox::up-button { subcontrol-origin: border; subcontrol-position: top right;
    width: 18px; border: none; }
QAbstractSpinBox::down-button { subcontrol-origin: border; subcontrol-position: bottom right;
    width: 18px; border: none; }
QAbstractSpinBox::up-arrow { image: url("@assets/up.svg"); width: 10px; height: 10px; }
QAbstractSpinBox::down-arrow { image: url("@assets/down.svg"); width: 10px; height: 10px; }
QAbstractSpinBox QLineEdit { border: none; padding: 0; min-height: 0; background: transparent; }
QCheckBox::indicator, QRadioButton::indicator, QGroupBox::indicator, QTreeView::indicator,
QListView::indicator { width: 13px; height: 13px; border: 1px solid @edge; border-radius: 3px;
    background: @surface; }
QCheckBox::indicator:checked, QGroupBox::indicator:checked, QTreeView::indicator:checked,
QListView::indicator:checked { background: @accent; border-color: @accent;
    image: url("@assets/check.svg"); }
QCheckBox::indicator:indeterminate, QTreeView::indicator:indeterminate { background: @accent;
    border-color: @accent; image: url("@assets/partial.svg"); }
QCheckBox::indicator:focus { border-color: @accent; }
QCheckBox::indicator:disabled { background: @background; border-color: @border; }
QRadioButton::indicator { border-radius: 7px; }
QRadioButton::indicator:checked { width: 7px; height: 7px; border: 4px solid @accent;
    border-radius: 7px; background: @on_accent; }
QCheckBox:focus, QRadioButton:focus { color: @accent; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: @border; }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: @accent; }
QSlider::handle:horizontal { width: 14px; height: 14px; margin: -6px 0; border-radius: 8px;
    border: 1px solid @accent; background: @surface; }
QSlider::handle:horizontal:focus { background: @accent; }
QSlider::sub-page:horizontal:disabled { background: @border; }
QSlider::handle:horizontal:disabled { border-color: @border; background: @background; }
"""
_SHELL = """
QMenuBar { background: @surface; border-bottom: 1px solid @border; padding: 2px 4px; }
QMenuBar::item { padding: 4px 8px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: @tint; }
QStatusBar { background: @surface; border-top: 1px solid @border; }
QStatusBar::item { border: none; }
#page { border: none; }
#rail { background: @surface; border-right: 1px solid @border; }
#rail QToolButton { border: 1px solid transparent; border-radius: 6px; padding: 7px 4px;
    color: @muted; }
#rail QToolButton:hover { background: @hover; }
#rail QToolButton:checked { background: @tint; color: @text; }
#rail QToolButton:focus { border-color: @accent; }
#messageBar { background: @tint; border-top: 1px solid @border; }
#messageBar[trouble="true"] { background: @alarm; }
"""


def mix(a: str, b: str, share: float) -> str:
    """Colour ``a`` with so large a share of ``b`` in it."""
    first, second = QColor(a), QColor(b)
    pairs = [(c(first), c(second)) for c in (QColor.red, QColor.green, QColor.blue)]
    return QColor(*(round(x + (y - x) * share) for x, y in pairs)).name()
