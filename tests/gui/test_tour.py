"""The guided tour: offered once, on an empty folder, and left at any time."""

from __future__ import annotations

import pytest

from gui.models.tour import STEPS
from gui.views.screens import NAMES
from gui.views.tour import KEY, Tour


@pytest.fixture
def tour(qapp, settings):
    made = Tour(settings)
    made.gone = []
    made.go.connect(made.gone.append)
    yield made
    made.deleteLater()


def test_every_step_is_done_on_a_screen_that_there_is():
    assert len(STEPS) == 5 and {step.screen for step in STEPS} <= set(NAMES)


def test_it_is_offered_until_it_is_answered(tour, settings):
    tour.offer()
    assert not tour.isHidden() and tour.gone == []
    tour.away.click()
    assert tour.isHidden() and settings.value(KEY)
    tour.offer()
    assert tour.isHidden()


def test_it_walks_through_the_screens_back_and_to_the_end(tour):
    tour.offer()
    tour.next.click()
    for _ in STEPS[1:]:
        tour.next.click()
    assert tour.gone == [step.screen for step in STEPS]
    assert tour.next.text() == "Finish" and "5 of 5" in tour._title.text()
    tour.back.click()
    assert "4 of 5" in tour._title.text()
    tour.next.click()
    tour.next.click()
    assert tour.isHidden()


def test_it_can_be_taken_again(tour):
    tour.leave()
    tour.start()
    assert not tour.isHidden() and tour.gone == [STEPS[0].screen]
