"""Light and dark: applied, remembered, following the system."""

import dataclasses

import pytest
import shiboken6
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QComboBox, QLabel, QStackedWidget, QVBoxLayout, QWidget

from gui import restyle, theme


@pytest.fixture(autouse=True)
def restored(qapp, settings):
    yield
    theme.choose("light", settings)


def contrast(a: str, b: str) -> float:
    """Ratio of WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [x if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in _rgb(colour)]
        parts = [p / 12.92 if p <= 0.03928 else p for p in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _rgb(colour: str) -> tuple[float, ...]:
    return QColor(colour).getRgbF()[:3]


@pytest.mark.parametrize("palette", [theme.LIGHT, theme.DARK])
def test_text_can_be_read(palette):
    for name in ("text", "muted", "accent", "good", "warn", "bad"):
        for ground in (palette.background, palette.surface):
            assert contrast(getattr(palette, name), ground) >= 4.5, (name, ground)


@pytest.mark.parametrize("palette", [theme.LIGHT, theme.DARK])
def test_curves_can_be_seen(palette):
    for colour in (palette.clean, palette.robust, *palette.series):
        assert contrast(colour, palette.surface) >= 2.0, colour
    assert len(set(palette.series)) >= 8


def test_every_colour_is_written_out(qapp):
    for palette in (theme.LIGHT, theme.DARK):
        for value in dataclasses.asdict(palette).values():
            for colour in [value] if isinstance(value, str) else value:
                assert QColor(colour).isValid() and len(colour) == 7


def test_choice_is_applied_and_remembered(qapp, settings):
    theme.choose("dark", settings)
    assert theme.colours() is theme.DARK and theme.choice() == "dark"
    assert qapp.palette().color(QPalette.ColorRole.Window).name() == theme.DARK.background
    assert settings.value(theme.KEY) == "dark"
    theme.install(qapp, settings)
    assert theme.colours() is theme.DARK


def test_unknown_choice_in_the_settings_means_system(qapp, settings):
    settings.setValue(theme.KEY, "purple")
    theme.install(qapp, settings)
    assert theme.choice() == "system"


def test_widgets_hear_of_the_change(qapp, settings, wait_until):
    class Ear(QObject):
        heard = 0

        def eventFilter(self, watched, event):
            self.heard += event.type() == QEvent.Type.PaletteChange
            return False

    theme.choose("light", settings)
    widget, ear = QWidget(), Ear()
    widget.installEventFilter(ear)
    theme.choose("dark", settings)
    wait_until(lambda: ear.heard)


class Looks(QObject):
    """Counts how often a widget looks at the style sheet."""

    def __init__(self, widget: QWidget):
        super().__init__(widget)
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, watched, event):
        self.count += event.type() == QEvent.Type.StyleChange
        return False


def colour(label: QLabel) -> str:
    return label.palette().color(QPalette.ColorRole.WindowText).name()


def deep_label(inside: QWidget) -> QLabel:
    for _ in range(12):
        layout, inside = QVBoxLayout(inside), QWidget()
        layout.addWidget(inside)
    label = QLabel("deep", inside)
    theme.role(label, "muted")
    return label


def test_a_widget_looks_once_however_deep_it_stands(qapp, settings):
    theme.choose("light", settings)
    window = QWidget()
    label = deep_label(window)
    window.show()
    looks = Looks(label)
    theme.choose("dark", settings)
    assert colour(label) == theme.DARK.muted
    assert 1 <= looks.count <= 3  # Qt alone: once for each of its ancestors


def test_a_hidden_part_looks_when_it_is_shown(qapp, settings):
    theme.choose("light", settings)
    window = QStackedWidget()
    parts = [QWidget(), QWidget()]
    labels = [deep_label(part) for part in parts]
    for part in parts:
        window.addWidget(part)
        restyle.may_wait(part)
    window.show()
    window.setCurrentIndex(1)
    window.setCurrentIndex(0)  # both were seen
    theme.choose("dark", settings)
    assert [colour(label) for label in labels] == [theme.DARK.muted, theme.LIGHT.muted]
    window.setCurrentIndex(1)
    assert colour(labels[1]) == theme.DARK.muted
    looks = Looks(labels[1])
    window.setCurrentIndex(0)
    window.setCurrentIndex(1)
    assert looks.count == 0


def test_a_closed_list_has_the_colours_when_it_is_opened(qapp, settings):
    theme.choose("light", settings)
    combo = QComboBox()
    combo.addItems(["a", "b"])
    combo.show()
    for chosen, colours in (("dark", theme.DARK), ("light", theme.LIGHT)):
        combo.showPopup()
        combo.hidePopup()
        theme.choose(chosen, settings)
        combo.showPopup()
        assert combo.view().grab().toImage().pixelColor(2, 40).name() == colours.surface
        combo.hidePopup()


def test_parts_that_are_gone_are_passed_over(qapp, settings):
    part = QWidget()
    restyle.may_wait(part)
    shiboken6.delete(part)
    theme.choose("dark", settings)
    theme.choose("light", settings)


def test_follows_the_system_only_when_told(qapp, settings, monkeypatch):
    theme.choose("light", settings)
    theme._system_changed()
    assert theme.colours() is theme.LIGHT
    theme.choose("system", settings)
    assert theme.choice() == "system"
    expected = theme.DARK if qapp.styleHints().colorScheme() == Qt.ColorScheme.Dark else theme.LIGHT
    assert theme.colours() is expected
