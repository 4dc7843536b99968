"""``--train.max_minutes``: when the run leaves; that it goes on is in ``test_gpu_pieces.py``."""

import types

import pytest

from slr_keras import config, train
from slr_keras.training import control, crew


def test_it_leaves_before_the_limit_not_after(clock):
    watched = control.Control(minutes=1)
    watched.reserve = 5
    for now in (10, 20, 30, 40):
        clock.now = now
        watched.listen(1, 1)
        assert watched.leaving is None
    clock.now = 48  # with another 8 seconds and the 5 of a checkpoint it would be 61
    watched.listen(1, 1)
    assert (watched.leaving, watched.code) == ("the time limit", 75)


def test_a_stretch_that_was_long_once_does_not_end_a_run_early(clock):
    watched = control.Control(minutes=1)
    for now in (1, 40, 41):  # 39 seconds of compiling
        clock.now = now
        watched.listen(1, 1)
        assert watched.leaving is None


def test_what_passed_before_it_began_counts(clock):
    clock.now = 300
    watched = control.Control(minutes=5)
    watched.listen(1, 1)
    assert watched.code == 75
    unlimited = control.Control()
    clock.now = 1e9
    unlimited.listen(1, 1)
    assert unlimited.leaving is None


def test_a_signal_and_a_command_win_over_a_limit_that_comes_later(clock):
    watched = control.Control(minutes=1)
    watched.follow(128 + 15)
    clock.now = 60
    watched.listen(1, 1)
    assert (watched.leaving, watched.code) == ("SIGTERM", 143)


def test_the_other_processes_leave_with_the_same_code(clock, monkeypatch):
    first, second = control.Control(minutes=1), control.Control()
    clock.now = 59
    first.listen(1, 1)
    sent = []
    gather = {"gather": lambda code: sent.append(code) or [75, 0]}
    monkeypatch.setattr(crew, "backend", types.SimpleNamespace(**gather))
    pair = [crew.Crew(2, number) for number in (0, 1)]
    found = [
        one.agree(asked, pause=False) for one, asked in zip(pair, (first, second), strict=True)
    ]
    assert found == 2 * [("the time limit", False)]
    assert [int(code) for code in sent] == [75, 0]
    assert second.code == 75


@pytest.mark.parametrize("given", ["-1", "soon"])
def test_a_limit_that_is_none(job, given):
    done = job(train.main, "--train.max_minutes", given)
    assert done.code == 2 and done.err.count("\n") == 1 and "train.max_minutes" in done.err


def test_it_does_not_tell_one_run_from_another():
    limited = config.load(values={"train": {"max_minutes": 9}})
    assert config.plain_text(limited) == config.plain_text(config.load())
    assert config.passing({"train": {"max_minutes": 9}, "distributed": {}}) and config.passing({})
    assert not config.passing({"train": {"epochs": 9}}) and not config.passing({"seed": 1})
