"""How long the rest of a study takes, by files whose seconds are counted by hand."""

import json

import pytest

from slr_keras import study
from slr_keras.protocol.events import EpochEnded
from slr_keras.run_folder import RunFolder
from slr_keras.studies import plan, work
from slr_keras.studies.pace import Left, Pace
from slr_keras.terminal import console

THREE = """
[base]
"method.name" = "at"
"train.epochs" = 10
[[arm]]
name = "AT"
[[arm]]
name = "AWP"
"method.name" = "at"
[[arm]]
name = "SLR"
"labels.name" = "slr"
[evaluation]
attacks = ["clean"]
which = ["best"]
"""


@pytest.fixture
def place(tmp_path):
    file = tmp_path / "three.toml"
    file.write_text(THREE)
    return work.Place(tmp_path / "out", plan.read(file))


def trained(place, run, seconds):
    folder = place.run_dir(run)
    folder.mkdir(parents=True)
    RunFolder(folder).configure(run.config)
    (folder / "summary.json").write_text(json.dumps({"training_seconds": seconds}))


def evaluated(place, run, seconds):
    found = {"samples": 1000, "results": [{"attack": "clean"}], "seconds": seconds}
    place.evaluation(run, "best").write_text(json.dumps(found))


def at_epoch(place, run, epoch, seconds):
    folder = RunFolder(place.run_dir(run))
    folder.path.mkdir(parents=True)
    folder.append(EpochEnded(epoch, 10, *[0.5] * 7, 0.1, 1.0, 0.1, 10.0, seconds))


def test_nothing_tells_before_the_first_epoch(place):
    assert Pace(place).left(2) is None
    assert console.time_left(None) == ""


def test_a_training_that_goes_on_stands_for_those_to_come(place):
    at_epoch(place, place.study.runs[0], 2, 20.0)  # 80 s to go, and 100 for each of the others
    assert Pace(place).left(1) == Left(280.0, 0.2 / 6, whole=False)
    assert Pace(place).left(2).seconds == 140.0
    assert console.time_left(Pace(place).left(2)) == "more than 2:20 left"


def test_stages_last_as_those_of_their_kind(place):
    first, second, third = place.study.runs
    pace = Pace(place)
    trained(place, first, 100.0)
    evaluated(place, first, 30.0)
    at_epoch(place, second, 5, 100.0)  # 100 to go, 200 in all; the third: (100 + 200) / 2
    assert pace.left(1) == Left(100 + 150 + 2 * 30, 2.5 / 6, whole=True)
    assert pace.left(1, without=[third.name]).seconds == 130.0
    assert pace.left(8, without=[third.name]).seconds == 130.0  # one run is not shared out
    trained(place, third, 40.0)
    evaluated(place, third, 10.0)
    assert pace.left(1).seconds == 100 + (30 + 10) / 2
    assert console.time_left(pace.left(1)) == "about 2:00 left"


def test_another_seed_of_the_arm_tells_best(tmp_path):
    file = tmp_path / "seeds.toml"
    file.write_text(THREE + "[grid]\nseed = [0, 1]\n")
    place = work.Place(tmp_path / "out", plan.read(file))
    for run, seconds in zip(place.study.runs, (100.0, 250.0, 160.0), strict=False):
        trained(place, run, seconds)
        evaluated(place, run, 10.0)
    assert Pace(place).left(1).seconds == 100 + 250 + 160 + 3 * 10


def test_status_says_it(place, tmp_path, capsys):
    trained(place, place.study.runs[0], 100.0)
    evaluated(place, place.study.runs[0], 30.0)
    file, out = str(tmp_path / "three.toml"), str(place.path)
    assert study.main([file, "--out", out, "--status", "--workers", "2"]) == 0
    assert "4 of 6 stages left; about 2:10 left with 2 at once" in capsys.readouterr().out


def test_a_file_that_says_nothing_of_seconds(place):
    trained(place, place.study.runs[0], None)
    left = Pace(place).left(1)
    assert left == Left(0.0, 1 / 6, whole=False) and console.time_left(left) == ""


def test_a_line_after_each_stage_and_now_and_then_between(monkeypatch, capsys):
    lines = console.StudyLines()
    lines.begin(4, "begun")
    lines.look(Left(60.0, 0.25, whole=True))
    lines.ended("at-seed0: train", 61.0, Left(3661.0, 0.5, whole=False))
    monkeypatch.setattr(console, "EVERY_IN_STUDY", 0.0)
    lines.look(Left(75.0, 0.5, whole=True))
    assert capsys.readouterr().err.splitlines() == [
        "begun",
        "1/4  at-seed0: train, 1:01, more than 1:01:01 left",
        "1/4  50% done, about 1:15 left",
    ]
