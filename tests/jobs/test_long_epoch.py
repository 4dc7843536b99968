"""A long epoch says where it is: in a log, and in the run folder."""

import json

from slr_keras import train
from slr_keras.analysis import record
from slr_keras.protocol import events
from slr_keras.terminal import console
from slr_keras.training import loop
from tests.jobs.conftest import call, small


def batch(number, epoch=3):
    return events.BatchEnded(epoch, number, 100, 1.5, 0.25, 0.125, 400.0)


def test_a_log_gets_a_line_each_half_minute(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    report = console.reporter("plain")
    for number in range(41, 50):  # resumed in the middle; the first one has compiled
        now[0] += 20.0 if number == 41 else 10.0
        report(batch(number))
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == (
        "epoch   3, batch 42/100  loss 1.500  clean 25.0  robust 12.5  400 images/s, 9:40 left"
    )
    assert "batch 45/100" in second and second.endswith("9:10 left") and "48/100" in third
    now[0] += 31.0
    report(batch(1, epoch=4))
    assert capsys.readouterr().err.rstrip().endswith("400 images/s")  # nothing to judge it by


def test_a_short_epoch_gets_none(capsys):
    report = console.reporter("plain")
    for number in range(1, 101):
        report(batch(number))
    assert not capsys.readouterr().err


def test_the_run_folder_keeps_one_each_half_minute(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "KEEP_SECONDS", 0.0)
    run = tmp_path / "run"
    assert call(train.main, *small(train__epochs=2, run_dir=run), "--progress", "quiet") == 0
    happened = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    seen = [(e["epoch"], e["batch"]) for e in happened if e["event"] == "batch_end"]
    assert {(1, 1), (1, 5), (2, 1), (2, 5)} <= set(seen) and seen == sorted(set(seen))
    assert len(record.read(str(run)).epochs) == 2
