"""The window on small screens: what has no room scrolls, nothing is cut off."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSettings, QSize, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.app import Session
from gui.presenters.context import Programs
from gui.views.areas import Column, Page
from gui.views.parts import combo
from gui.views.screen import Screen
from tests.gui.conftest import wait_until
from tests.gui.fake_programs import FAKE_LAB, FAKE_TRAINER


@pytest.fixture(scope="module")
def window(qapp, tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    settings = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)
    session = Session(qapp, settings, folder / "runs", Programs(FAKE_TRAINER, FAKE_LAB))
    session.window.show()
    session.window.complete()
    session.window.tour.leave()
    wait_until(lambda: session.context.lab.worker.running)
    yield session.window
    session.context.lab.worker.kill()
    session.context.lab.worker.close(3000)
    session.window.leave()
    session.end()
    session.window.deleteLater()


def bars(window, name: str) -> tuple[bool, bool]:
    """Whether a screen scrolls across, and down."""
    page = window.stack.currentWidget()
    assert page.screen is window.screens[name]
    return page.horizontalScrollBar().maximum() > 0, page.verticalScrollBar().maximum() > 0


def test_every_screen_fits_a_small_laptop(window, spin):
    window.resize(1024, 700)
    for name, screen in window.screens.items():
        window.show_screen(name)
        spin(0.02)
        assert bars(window, name) == (False, False), (name, screen.minimumSizeHint())


def test_a_screen_that_has_no_room_scrolls_and_keeps_its_size(window, spin):
    window.resize(720, 450)
    assert window.width() == 720 and window.height() == 450
    for name, screen in window.screens.items():
        window.show_screen(name)
        spin(0.02)
        least = screen.minimumSizeHint()
        assert screen.width() >= least.width() and screen.height() >= least.height(), name
        buttons = [b for b in screen.findChildren(QPushButton) if b.isVisible()]
        for button in buttons:
            assert button.width() >= button.minimumSizeHint().width(), (name, button.text())
    window.show_screen("lab")
    spin(0.02)
    assert bars(window, "lab") == (True, True)


class Tall(QWidget):
    """Would like to be much higher than it must."""

    def sizeHint(self) -> QSize:
        return QSize(200, 2000)


def test_a_page_is_as_high_as_it_must_be_and_lines_that_wrap_count(qapp, spin):
    screen = Screen(None)
    layout = QVBoxLayout(screen)
    words, tall = QLabel("a line of words that wraps " * 20, wordWrap=True), Tall()
    tall.setMinimumHeight(100)
    layout.addWidget(words)
    layout.addWidget(tall, 1)
    page = Page(screen)
    page.resize(500, 400)
    page.show()
    spin(0.02)
    assert screen.size() == page.viewport().size() == page.size()
    page.resize(260, 240)
    spin(0.02)
    assert page.verticalScrollBar().maximum() > 0 == page.horizontalScrollBar().maximum()
    assert words.height() >= words.heightForWidth(words.width()) and tall.height() >= 100
    page.deleteLater()


def test_a_low_window_has_icons_in_its_rail_and_a_high_one_words(window, spin):
    buttons = window.rail.findChildren(QAbstractButton)
    for height, style in (
        (700, Qt.ToolButtonStyle.ToolButtonTextUnderIcon),
        (450, Qt.ToolButtonStyle.ToolButtonIconOnly),
        (700, Qt.ToolButtonStyle.ToolButtonTextUnderIcon),
    ):
        window.resize(1024, height)
        spin(0.02)
        assert {button.toolButtonStyle() for button in buttons} == {style}
        assert all(b.text() and b.height() >= b.iconSize().height() for b in buttons)
        assert max(b.geometry().bottom() for b in buttons) <= window.rail.height()


def test_the_keyboard_stands_on_the_rails_button_of_the_screen_in_front(window):
    window.activateWindow()
    wait_until(window.isActiveWindow)
    window.rail.button("runs").setFocus()
    window.show_screen("export")
    assert window.rail.button("export").hasFocus()


def test_a_column_is_as_wide_as_its_content_also_when_that_grows(qapp, spin):
    inside = QWidget()
    layout = QVBoxLayout(inside)
    words = QLabel("short")
    layout.addWidget(words)
    column = Column(inside)
    column.show()
    for text in ("short", "a much longer line of words than before"):
        words.setText(text)
        spin(0.02)
        assert column.viewport().width() >= inside.minimumSizeHint().width()
        assert column.minimumWidth() >= words.sizeHint().width()
    column.deleteLater()


def test_a_name_too_long_for_its_box_ends_in_an_ellipsis(qapp):
    name = "The study of all methods on CIFAR-10"
    box = combo("Study", [(name, 0)])
    box.show()
    whole = box.grab().toImage()
    box.resize(120, box.height())
    cut = box.grab().toImage()
    shown = next(n for n in range(len(name)) if _drawn(f"{name[:n]}\u2026", box.size()) == cut)
    assert 3 < shown < 20 and _drawn(name, whole.size()) == whole


def _drawn(text: str, size: QSize):
    """A plain box of Qt with this text."""
    plain = QComboBox()
    plain.addItem(text)
    plain.resize(size)
    plain.show()
    return plain.grab().toImage()
