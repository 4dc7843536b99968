"""Very many runs: what changes is seen at once, the others are looked at in turn."""

from __future__ import annotations

import os
import pathlib
import shutil

import pytest

from gui.models import run_folders, run_store
from gui.models.run_store import RunStore
from slr_keras.protocol import events
from tests.gui._runs import epoch, make_run

COUNT = 40


@pytest.fixture
def study(tmp_path, monkeypatch) -> pathlib.Path:
    """The folder of a study in the runs folder; there is time for one run in a turn."""
    monkeypatch.setattr(run_store, "TURN", 0.0)
    monkeypatch.setattr(run_store, "RECENT", 0)
    folder = tmp_path / "runs" / "study"
    make_run(folder / "run-00")
    for number in range(1, COUNT):
        shutil.copytree(folder / "run-00", folder / f"run-{number:02}", copy_function=os.link)
    _settle(folder.parent)
    return folder


@pytest.fixture
def store(study) -> RunStore:
    store = RunStore(study.parent)
    while store.scan(1.0).unfinished:
        pass
    assert len(store.records) == COUNT
    return store


def _settle(folder: pathlib.Path) -> None:
    """Let the dates of folders be long ago."""
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        os.utime(path, (1e9, 1e9))


def _alone(path: pathlib.Path) -> pathlib.Path:
    """A run that shares no file with others any more."""
    for file in path.iterdir():
        if file.is_file():
            data = file.read_bytes()
            file.unlink()
            file.write_bytes(data)
    return path


def test_a_scan_looks_at_few_files(store, monkeypatch):
    looked, stat, scandir = [], os.stat, os.scandir
    monkeypatch.setattr(os, "stat", lambda path, **more: looked.append(path) or stat(path, **more))
    monkeypatch.setattr(os, "scandir", lambda path: looked.append(path) or scandir(path))
    store.scan(0.5)  # may be the first of a round, in which folders are listed
    looked.clear()
    assert not store.scan(0.5)
    assert len(looked) <= 2 + 5  # the folders, and the files of one run


def test_a_new_run_is_seen_at_once_and_that_it_goes(store, study):
    make_run(study / "new")
    assert store.scan(0.5).added == (str(study / "new"),)
    (study / "new").rename(study / "renamed")
    changes = store.scan(0.5)
    assert (changes.added, changes.removed) == ((str(study / "renamed"),), (str(study / "new"),))
    shutil.rmtree(study / "renamed")
    assert store.scan(0.5).removed == (str(study / "renamed"),)


def test_a_whole_study_goes_and_comes_back(store, study, tmp_path):
    study.rename(tmp_path / "away")
    assert len(store.scan(0.5).removed) == COUNT
    (tmp_path / "away").rename(study)
    assert len(store.scan(60.0).added) == COUNT


def test_a_run_in_the_place_of_another_is_seen_at_once(store, study, tmp_path):
    (study / "run-20").rename(tmp_path / "old")
    make_run(study / "run-20", (0.9,))
    assert store.scan(0.5).changed == (str(study / "run-20"),)
    assert store.get(study / "run-20").best_robust == 0.9


def test_a_folder_becomes_a_run_and_the_other_way_round(store, study):
    (study / "begun" / "checkpoints").mkdir(parents=True)
    assert not store.scan(0.5)
    (study / "begun" / "config.toml").write_text("")
    assert store.scan(0.5).added == (str(study / "begun"),)
    (study / "begun" / "config.toml").unlink()
    found = [store.scan(0.5) for _ in range(2 * COUNT)]
    assert [changes.removed for changes in found if changes] == [(str(study / "begun"),)]
    (study / "begun" / "config.toml").write_text("")
    assert store.scan(0.5).added == (str(study / "begun"),)


def test_what_is_watched_is_looked_at_each_time(store, study):
    path = _alone(study / "run-20")
    for _ in range(COUNT + 1):
        store.scan(0.5)
    store.watch("charts", [str(path), "gone"])
    with open(path / "events.jsonl", "a") as file:
        file.write(events.encode(epoch(5, 0.5)) + "\n")
    assert store.scan(0.5).changed == (str(path),)


def test_all_others_have_their_turn(store, study):
    """Notes that another window wrote, and a run that goes on after all."""
    for name in ("run-07", "run-33"):
        run_store.run_folder.write_atomically(study / name / "app.json", b'{"notes": "seen"}')
    found = [key for _ in range(COUNT + 1) for key in store.scan(0.5).changed]
    assert sorted(found) == [str(study / "run-07"), str(study / "run-33")]
    assert store.get(study / "run-33").notes == "seen"


def test_what_changed_lately_is_looked_at_each_time(store, study, monkeypatch):
    monkeypatch.setattr(run_store, "RECENT", 2)
    path = _alone(make_run(study / "new", end=False).path)
    assert store.scan(0.5).added == (str(path),)
    for number in (5, 6, 7):
        with open(path / "events.jsonl", "a") as file:
            file.write(events.encode(epoch(number, 0.5)) + "\n")
        assert store.scan(0.5).changed == (str(path),)


def test_runs_at_work_are_asked_while_others_are_read(store, study, monkeypatch):
    monkeypatch.setattr(run_store, "FOLLOW", 0.0)
    status = {"run-20": "running"}
    ask = lambda folder, readable: status.get(folder.path.name, "done")  # noqa: E731
    monkeypatch.setattr(run_store.run_folder.RunFolder, "status", ask)
    os.utime(_alone(study / "run-20") / "summary.json")
    while store.get(study / "run-20").status != "running":
        store.scan(0.5)
    for number in range(3):
        make_run(study / f"new-{number}")
    while not store.scan(0.0).unfinished:
        pass
    status.clear()
    changes = store.scan(0.0)
    assert changes.unfinished and str(study / "run-20") in changes.changed


def test_a_forgotten_run_that_is_put_back_is_new(store, study, tmp_path):
    (study / "run-20").rename(tmp_path / "trash")
    store.forget(study / "run-20")
    (tmp_path / "trash").rename(study / "run-20")
    _settle(study.parent)
    assert store.scan(0.5).added == (str(study / "run-20"),)


def test_a_folder_that_changed_a_moment_ago_is_listed_again(store, study):
    """Of what comes within the same tick of the clock the date of the folder says nothing."""
    make_run(study / "one")
    stat = study.stat()
    store.scan(0.5)
    make_run(study / "two")
    os.utime(study, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert store.scan(0.5).added == (str(study / "two"),)


def test_a_round_takes_each_key_once():
    keys = dict.fromkeys("abc")
    turns = run_folders.Round(keys)
    assert list(turns.until(float("inf"))) == ["a", "b", "c"] and turns.ended
    assert list(turns.until(0.0)) == ["a"] and not turns.ended
    del keys["b"]
    keys["d"] = None
    assert [*turns.until(0.0), *turns.until(0.0), *turns.until(0.0)] == ["c", "a"]
    assert list(turns.until(float("inf"))) == ["c", "d", "a"]
