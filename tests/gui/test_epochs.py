"""Epochs as columns of numbers that read like a list of events."""

import dataclasses

import numpy as np
import pytest

from gui.models.epochs import Epochs
from gui.models.run_log import RunLog
from slr_keras.protocol import events

from ._runs import epoch

ENDED = [epoch(number, None if number % 3 else 0.1) for number in range(1, 31)]


def test_they_read_like_a_list_of_events():
    epochs = Epochs(ENDED)
    assert epochs == ENDED and list(reversed(epochs)) == ENDED[::-1] and epochs != ENDED[1:]
    assert epochs[0] == ENDED[0] and epochs[-1] == ENDED[-1] and epochs[5:9] == ENDED[5:9]
    assert (len(epochs), bool(epochs), bool(Epochs())) == (30, True, False)
    assert type(epochs[2].epoch) is type(epochs[2].epochs) is int
    with pytest.raises(IndexError):
        epochs[30]


def test_a_column_is_a_figure_of_all_epochs():
    robust = Epochs(ENDED).column("val_robust_accuracy")
    assert np.isnan(robust[:2]).all() and robust[2] == 0.1 and len(robust) == 30
    assert Epochs().column("loss").tolist() == []


def test_an_epoch_that_is_repeated_replaces_it_and_all_after():
    epochs = Epochs(ENDED)
    taken, again = epochs.column("loss"), dataclasses.replace(ENDED[3], loss=99.0)
    before, changes = taken.tolist(), epochs.changes
    epochs.append(again)
    assert epochs == [*ENDED[:3], again] and epochs.changes > changes
    assert taken.tolist() == before  # a chart may still show them


def test_those_of_another_are_added_at_once():
    epochs, rest = Epochs(ENDED[:10]), Epochs(ENDED).after(10)
    assert rest == ENDED[10:] and Epochs(ENDED).after(30) == []
    epochs.extend(rest)
    assert epochs == ENDED
    rest.append(ENDED[0])
    assert rest == ENDED[:1] and epochs == ENDED
    epochs.clear()
    epochs.extend(Epochs())
    assert epochs == []


def test_an_epoch_takes_the_room_of_its_figures():
    epochs = Epochs()
    for number in range(1, 5001):
        epochs.append(dataclasses.replace(ENDED[0], epoch=number))
    assert epochs.column("epoch").base.nbytes < 2 * 5001 * 8 * len(dataclasses.fields(ENDED[0]))


def test_a_line_with_a_figure_that_no_number_holds_is_a_bad_one(tmp_path):
    log = RunLog(tmp_path / "events.jsonl")
    lines = [ENDED[0], dataclasses.replace(ENDED[1], loss=10**400)]
    log.path.write_text("".join(events.encode(line) + "\n" for line in lines))
    log.read()
    assert log.epochs == ENDED[:1] and log.bad_lines == 1
