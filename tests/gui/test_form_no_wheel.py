"""The wheel scrolls the form and changes nothing in it."""

import pytest
from PySide6.QtCore import QPoint, QPointF
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QScrollArea, QSpinBox, QVBoxLayout, QWidget

from gui.views.no_wheel import guard


@pytest.fixture
def area(qapp, spin):
    area, inside = QScrollArea(), QWidget()
    layout = QVBoxLayout(inside)
    area.spin, area.combo = QSpinBox(value=5), QComboBox()
    area.combo.addItems(["a", "b", "c"])
    area.combo.setCurrentIndex(1)
    for widget in (area.spin, area.combo):
        layout.addWidget(widget)
    layout.addStretch()
    inside.setFixedHeight(2000)
    area.setWidget(inside)
    area.resize(200, 200)
    area.show()
    spin()
    yield area
    area.close()


def turn(area, widget):
    area.verticalScrollBar().setValue(0)
    at = QPointF(widget.mapTo(area, QPoint(5, 5)))
    QTest.wheelEvent(area.windowHandle(), at, QPoint(0, -120))


def test_without_a_guard_the_wheel_changes_values(area, spin):
    turn(area, area.spin)
    spin(0.02)
    assert area.spin.value() != 5


@pytest.mark.parametrize("name", ["spin", "combo"])
def test_with_a_guard_the_wheel_scrolls(area, name, wait_until):
    guard(area)
    turn(area, getattr(area, name))
    wait_until(lambda: area.verticalScrollBar().value() > 0)
    assert (area.spin.value(), area.combo.currentIndex()) == (5, 1)
