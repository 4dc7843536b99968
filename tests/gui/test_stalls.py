"""What counts as a stall of the window where the benchmarks measure it."""

import time

import pytest

from benchmarks._stalls import Moment, Stall


def moment(clock, worked=0.0, queued=0.0, stolen=0.0, **helpers):
    return Moment(clock, worked, worked, queued, helpers, (0.0, stolen))


@pytest.mark.parametrize(
    ("later", "own"),
    [
        (moment(11, worked=1), 1),
        (moment(11), 1),  # it waited for a disk, say
        (moment(11, worked=0.25, queued=0.5), 0.5),
        (moment(11, worked=0.25, a=0.5), 0.5),  # for a thread that had no processor
        (moment(11, worked=0.25, a=3, b=3), 0.25),  # two that queued while it slept
        (moment(11, worked=0.25, stolen=0.5), 0.5),
    ],
)
def test_work_and_waiting_count_and_the_machine_does_not(later, own):
    assert Stall.between(moment(10), later).own == pytest.approx(own)


def test_a_thread_that_ended_is_no_wait():
    assert Stall.between(moment(10, a=5), moment(11, worked=1)).own == pytest.approx(1)


def test_this_machine_tells():
    begun = Moment.now()
    time.sleep(0.05)
    stall = Stall.between(begun, Moment.now())
    assert 0.04 < stall.own <= stall.clock + 0.02
