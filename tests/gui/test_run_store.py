"""The run store: incremental, and at peace with whatever lies in a run folder."""

from __future__ import annotations

import builtins
import json
import os
import pathlib
import shutil
import time

import pytest

from gui.models import run_folders, run_log, run_store
from gui.models.run_record import RunRecord
from gui.models.run_store import RunStore
from slr_keras.protocol import events
from tests.gui._runs import CURVE, SUMMARY, epoch, make_run, started


@pytest.fixture
def runs(tmp_path) -> pathlib.Path:
    return tmp_path / "runs"


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Names of all files opened from now on."""
    names: list[str] = []
    real = builtins.open

    def counting(file, *args, **kwargs):
        names.append(pathlib.Path(str(file)).name)
        return real(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", counting)
    monkeypatch.setattr("io.open", counting)  # pathlib's way
    return names


def one(runs: pathlib.Path) -> RunRecord:
    store = RunStore(runs)
    store.scan()
    (record,) = store.records.values()
    return record


# -- what is derived ----------------------------------------------------------------------------


def test_the_figures_of_a_finished_run(runs):
    make_run(runs / "a")
    record = one(runs)
    assert (record.best_epoch, record.best_robust, record.final_robust) == (2, 0.40, 0.30)
    assert record.drop == pytest.approx(10.0)
    assert record.gap == pytest.approx(10.0)
    assert record.clean == pytest.approx(0.60)
    assert record.last_epoch == 4
    assert record.status == "done"
    assert record.problem == ""
    assert record.test("best", "robust_accuracy") == 0.41
    assert record.values["attack.eps"] == "24/255"
    assert record.config is not None and record.config.train.epochs == 4
    assert abs(record.started - time.time()) < 60


def test_the_last_evaluated_epoch_counts_not_the_last(runs):
    make_run(runs / "a", (0.2, 0.4, 0.3, None))
    record = one(runs)
    assert record.last_epoch == 4
    assert record.final_robust == 0.3
    assert record.drop == pytest.approx(10.0)


def test_without_a_validation_split_the_test_set_speaks(runs):
    make_run(runs / "a", (None, None))
    record = one(runs)
    assert record.best_epoch is None and record.drop is None and record.gap is None
    assert record.final_robust == 0.28
    assert record.clean == 0.55


def test_figures_follow_new_epochs(runs):
    folder = make_run(runs / "a", end=False)
    store = RunStore(runs)
    store.scan()
    record = store.get(runs / "a")
    assert record.best_robust == 0.40
    folder.append(epoch(5, 0.5))
    assert store.scan().changed == (str(runs / "a"),)
    assert record.best_epoch == 5  # the same object
    assert record.drop == 0.0


# -- scanning -----------------------------------------------------------------------------------


def test_a_scan_with_nothing_new_opens_no_file(runs, opened):
    for number in range(20):
        make_run(runs / f"run-{number}")
    store = RunStore(runs)
    assert len(store.scan().added) == 20
    opened.clear()
    assert not store.scan()
    assert opened == []


def test_only_the_file_that_changed_is_opened(runs, opened):
    make_run(runs / "a")
    folder = make_run(runs / "b")
    store = RunStore(runs)
    store.scan()
    folder.append(events.Warned(message="careful"))
    opened.clear()
    assert store.scan().changed == (str(runs / "b"),)
    assert opened.count("events.jsonl") <= 2  # the log, and the state of the run
    assert "summary.json" not in opened
    assert store.get(runs / "b").warnings == ["careful"]


def test_five_hundred_runs_rescanned_without_reading(runs, opened):
    make_run(runs / "run-000")
    for number in range(1, 500):
        shutil.copytree(runs / "run-000", runs / f"run-{number:03}", copy_function=os.link)
    store = RunStore(runs)
    store.scan()
    assert len(store.records) == 500
    opened.clear()
    begin = time.perf_counter()
    assert not store.scan()
    assert time.perf_counter() - begin < 1.0  # about 10 ms; a second is a defect
    assert opened == []


def test_only_new_bytes_are_read(runs, monkeypatch):
    folder = make_run(runs / "a", end=False)
    store = RunStore(runs)
    store.scan()
    seen: list[bytes] = []
    real = run_log.RunLog._line

    def watch(self, line):
        seen.append(line)
        real(self, line)

    monkeypatch.setattr(run_log.RunLog, "_line", watch)
    folder.append(epoch(5, 0.1))
    store.scan()
    assert len(seen) == 1
    assert len(store.get(runs / "a").epochs) == 5


def test_ten_thousand_epochs(runs):
    folder = make_run(runs / "a", ())
    text = "".join(events.encode(epoch(n, 0.3, 10_000)) + "\n" for n in range(1, 10_001))
    folder["events.jsonl"].write_text(text)
    store = RunStore(runs)
    begin = time.perf_counter()
    store.scan()
    took = time.perf_counter() - begin
    record = store.get(runs / "a")
    assert len(record.epochs) == 10_000
    assert took < 5  # 0.2 s on a quiet machine
    assert len(record.figures.curve) < 600  # what a small picture is drawn from
    folder.append(epoch(10_001, 0.9))
    store.scan()
    assert (record.last_epoch, record.best_epoch) == (10_001, 10_001)


def test_a_long_history_is_read_in_portions(runs):
    folder = make_run(runs / "a", ())
    text = "".join(events.encode(epoch(n, 0.3, 9000)) + "\n" for n in range(1, 9001))
    folder["events.jsonl"].write_text(text)
    store = RunStore(runs)
    changes = store.scan(budget=0.0)
    assert changes.unfinished
    assert 0 < len(store.get(runs / "a").epochs) < 9000
    for _ in range(20):
        if not store.scan(budget=0.0).unfinished:
            break
    assert len(store.get(runs / "a").epochs) == 9000


def test_many_runs_come_in_portions_the_newest_names_first(runs):
    for number in range(6):
        make_run(runs / f"run-{number}")
    store = RunStore(runs)
    first = store.scan(budget=0.0)
    assert first.unfinished and len(first.added) < 6
    end = time.monotonic() + 30
    while store.scan(budget=0.0).unfinished:
        assert len(store.records) <= 6 and time.monotonic() < end
    assert len(store.records) == 6
    assert list(store.records)[0].endswith("run-5")


def test_runs_in_folders_of_runs_are_found(runs):
    make_run(runs / "demo" / "a")
    make_run(runs / "b")
    store = RunStore(runs)
    store.scan()
    assert sorted(record.name for record in store.records.values()) == ["b", "demo/a"]


def test_a_run_that_appears_and_one_that_goes(runs):
    make_run(runs / "a")
    store = RunStore(runs)
    store.scan()
    make_run(runs / "b")
    shutil.rmtree(runs / "a")
    changes = store.scan()
    assert changes.added == (str(runs / "b"),)
    assert changes.removed == (str(runs / "a"),)
    assert store.get(runs / "a") is None


def test_a_run_from_elsewhere(runs, tmp_path):
    make_run(tmp_path / "other" / "mine")
    store = RunStore(runs)
    record = store.add_outside(tmp_path / "other" / "mine")
    assert record.name == "mine"
    assert not store.scan()
    shutil.rmtree(tmp_path / "other")
    assert store.scan().removed == (str(tmp_path / "other" / "mine"),)
    assert not store.scan()


def test_no_run_elsewhere(runs, tmp_path):
    store = RunStore(runs)
    assert store.add_outside(tmp_path) is None
    assert store.add_outside(tmp_path / "nothing") is None


def test_a_relative_folder_has_absolute_keys(runs, monkeypatch, tmp_path):
    make_run(runs / "a")
    monkeypatch.chdir(tmp_path)
    store = RunStore(pathlib.Path("runs"))
    store.scan()
    assert list(store.records) == [str(runs / "a")]
    assert store.get("runs/a") is store.get(runs / "a")


# -- files that change under the reader ---------------------------------------------------------


def test_a_line_that_is_half_written_waits_for_its_other_half(runs):
    folder = make_run(runs / "a", end=False)
    line = (events.encode(epoch(5, 0.7)) + "\n").encode()
    store = RunStore(runs)
    store.scan()
    record = store.get(runs / "a")
    with open(folder["events.jsonl"], "ab") as file:
        file.write(line[:100])
        file.flush()
        store.scan()
        assert record.last_epoch == 4 and record.problem == ""
        file.write(line[100:])
    store.scan()
    assert record.last_epoch == 5 and record.problem == ""


def test_a_last_line_without_line_break_counts_once(runs):
    folder = make_run(runs / "a", end=False)
    with open(folder["events.jsonl"], "ab") as file:
        file.write(events.encode(epoch(5, 0.7)).encode())
    store = RunStore(runs)
    store.scan()
    record = store.get(runs / "a")
    assert record.last_epoch == 5
    folder.append(epoch(6, 0.8))
    store.scan()
    assert [e.epoch for e in record.epochs] == [1, 2, 3, 4, 5, 6]
    assert record.problem == ""


def test_a_log_that_became_shorter_is_read_anew(runs):
    folder = make_run(runs / "a", end=False)
    store = RunStore(runs)
    store.scan()
    epochs = store.get(runs / "a").epochs
    folder.forget_after(2)  # what a resumed trainer does
    store.scan()
    assert [e.epoch for e in epochs] == [1, 2]
    folder.append(epoch(3, 0.6))
    store.scan()
    assert [(e.epoch, e.val_robust_accuracy) for e in epochs[2:]] == [(3, 0.6)]


def test_a_log_that_was_replaced_by_a_longer_one_is_read_anew(runs):
    folder = make_run(runs / "a", end=False)
    store = RunStore(runs)
    store.scan()
    text = "".join(events.encode(epoch(n, 0.9)) + "\n" for n in range(1, 30))
    other = folder["other"]
    other.write_text(text)
    os.replace(other, folder["events.jsonl"])
    store.scan()
    assert len(store.get(runs / "a").epochs) == 29
    assert store.get(runs / "a").best_robust == 0.9


def test_a_log_that_was_edited_in_its_place_is_read_anew(runs):
    folder = make_run(runs / "a", end=False)
    store = RunStore(runs)
    store.scan()
    text = folder["events.jsonl"].read_text()
    text = text.replace('"val_robust_accuracy": 0.35', '"val_robust_accuracy": 0.95')  # as long
    with open(folder["events.jsonl"], "r+") as file:
        file.write(text)
    os.utime(folder["events.jsonl"], ns=(1, 1))
    store.scan()
    assert store.get(runs / "a").best_robust == 0.95


def test_a_log_that_was_rewritten_longer_in_its_place_is_read_anew(runs):
    folder = make_run(runs / "a", end=False)
    store = RunStore(runs)
    store.scan()
    text = "".join(events.encode(epoch(n, 0.9)) + "\n" for n in range(1, 30))
    with open(folder["events.jsonl"], "r+") as file:
        file.write(text)
    store.scan()
    assert len(store.get(runs / "a").epochs) == 29
    assert store.get(runs / "a").problem == ""


def test_an_epoch_that_is_run_again_replaces_the_first(runs):
    folder = make_run(runs / "a", end=False)
    folder.append(epoch(3, 0.7))
    record = one(runs)
    assert [e.epoch for e in record.epochs] == [1, 2, 3]
    assert record.final_robust == 0.7


def test_the_log_is_deleted_while_the_run_is_listed(runs):
    folder = make_run(runs / "a")
    store = RunStore(runs)
    store.scan()
    folder["events.jsonl"].unlink()
    store.scan()
    assert store.get(runs / "a").epochs == []


# -- bad days -----------------------------------------------------------------------------------

BAD_LINES = {
    "garbage": b"\x00\xff\xfe not json\n",
    "a list": b"[1, 2]\n",
    "nested beyond reason": b"[" * 100_000 + b"\n",
    "no epoch": b'{"v": 1, "event": "epoch_end"}\n',
    "an epoch in words": events.encode(epoch(5, 0.5))
    .replace('"epoch": 5', '"epoch": "five"')
    .encode()
    + b"\n",
    "an accuracy in words": events.encode(epoch(5, 0.5))
    .replace('"val_robust_accuracy": 0.5', '"val_robust_accuracy": "half"')
    .encode()
    + b"\n",
    "an accuracy beyond all numbers": events.encode(epoch(5, 0.5))
    .replace('"val_robust_accuracy": 0.5', f'"val_robust_accuracy": 1{400 * "0"}')
    .encode()
    + b"\n",
    "a list of epochs": b'[{"v": 1, "event": "epoch_end"}]\n',
    "an epoch in another event": b'{"v": 1, "x": {"event": "epoch_end"}, "event": "warning"}\n',
    "an epoch before the first": events.encode(epoch(0, 0.5)).encode() + b"\n",
    "a negative time": b'{"v": 1, "event": "warning", "time": -1e999, "message": "x"}\n',
}


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_bad_line_hides_no_good_one(runs, line):
    folder = make_run(runs / "a", end=False)
    good = folder["events.jsonl"].read_bytes()
    folder["events.jsonl"].write_bytes(line + good)
    record = one(runs)
    assert [e.val_robust_accuracy for e in record.epochs] == list(CURVE)


def test_bad_lines_are_counted(runs):
    folder = make_run(runs / "a", end=False)
    with open(folder["events.jsonl"], "ab") as file:
        file.write(b"oops\n{half\n")
    assert "2 lines of events.jsonl could not be read" in one(runs).problem


def test_nan_is_no_figure(runs):
    folder = make_run(runs / "a", end=False)
    line = events.encode(epoch(5, 0.5))
    for figure, other in (('"val_robust_accuracy": 0.5', "NaN"), ('"val_accuracy": 0.7', "1e999")):
        assert figure in line
        line = line.replace(figure, f"{figure.split()[0]} {other}")
    with open(folder["events.jsonl"], "a") as file:
        file.write(line + "\n")
    record = one(runs)
    assert record.epochs[-1].val_robust_accuracy is None
    assert record.epochs[-1].val_accuracy is None
    assert record.best_robust == 0.40


def test_events_of_a_newer_version(runs):
    folder = make_run(runs / "a", end=False)
    newer = {"v": 7, "event": "epoch_end", "epoch": 5, "everything": "else"}
    unknown = {"v": 7, "event": "epiphany", "message": "42"}
    with open(folder["events.jsonl"], "a") as file:
        file.write(f"{json.dumps(newer)}\n{json.dumps(unknown)}\n")
    record = one(runs)
    assert "newer version" in record.problem and "Update" in record.problem
    assert record.last_epoch == 4


CONFIGS = {
    "no TOML": "this is = = not TOML",
    "an unknown setting": "[attack]\nepss = 3\n",
    "a wrong type": "[train]\nepochs = 'many'\n",
    "an unknown method": "[method]\nname = 'magic'\n",
    "out of range": "[train]\nepochs = -1\n",
    "a value in place of a table": "attack = 3\n",
    "not UTF-8": "seed = 'ä'".encode("latin-1"),
    "nested beyond reason": "seed = " + "[" * 5000,
    "empty name": "[model]\nname = ''\n",
    "a list as name": "[model]\nname = [1]\n",
}


@pytest.mark.parametrize("text", CONFIGS.values(), ids=CONFIGS.keys())
def test_a_config_that_was_edited_by_hand(runs, text):
    folder = make_run(runs / "a")
    data = text if isinstance(text, bytes) else text.encode()
    folder["config.toml"].write_bytes(data)
    record = one(runs)
    assert record.config is None
    assert record.problem.endswith(".")
    assert "Traceback" not in record.problem
    assert record.best_robust == 0.40  # what can be read is shown


def test_settings_of_a_refused_config_can_still_be_seen(runs):
    folder = make_run(runs / "a")
    folder["config.toml"].write_text("[attack]\nname = 'pgd'\neps = '8/255'\nepss = 1\n")
    record = one(runs)
    assert record.values["attack.eps"] == "8/255"
    assert "attack.epss" in record.problem and "eps" in record.problem


def test_a_config_that_is_mended_is_read_again(runs):
    folder = make_run(runs / "a")
    good = folder["config.toml"].read_bytes()
    folder["config.toml"].write_text("oops = = 1")
    store = RunStore(runs)
    store.scan()
    record = store.get(runs / "a")
    assert record.status == "damaged"
    folder["config.toml"].write_bytes(good)
    store.scan()
    assert record.problem == "" and record.status == "done"


def test_a_folder_without_config(runs):
    folder = make_run(runs / "a")
    folder["config.toml"].unlink()
    record = one(runs)
    assert record.status == "damaged"
    assert "config.toml is missing" in record.problem


def test_a_folder_that_is_only_begun(runs):
    (runs / "a" / "checkpoints").mkdir(parents=True)
    store = RunStore(runs)
    assert not store.scan()  # no run yet
    (runs / "a" / "config.toml").write_text("")
    store.scan()
    record = store.get(runs / "a")
    assert record.status == "new" and record.problem == "" and record.epochs == []


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"best": 3}', '{"best": {"accuracy": "x"}}'])
def test_a_broken_summary(runs, text):
    folder = make_run(runs / "a")
    folder["summary.json"].write_text(text)
    record = one(runs)
    assert record.test("best", "accuracy") is None
    assert record.best_robust == 0.40


@pytest.mark.parametrize("text", ["{", "[]", '{"name": 3, "notes": ["x"]}', '{"name": "  "}'])
def test_a_broken_app_json(runs, text):
    folder = make_run(runs / "a")
    folder["app.json"].write_text(text)
    record = one(runs)
    assert record.name == "a" and record.notes == ""


def test_files_where_folders_are_expected_and_the_other_way_round(runs):
    folder = make_run(runs / "a")
    (runs / "notes.txt").write_text("mine")
    (runs / "link").symlink_to(runs / "nowhere")
    folder["summary.json"].unlink()
    folder["summary.json"].mkdir()
    folder["app.json"].mkdir()
    record = one(runs)
    assert record.best_robust == 0.40
    assert "summary.json cannot be read" in record.problem


def test_a_log_that_is_a_folder(runs):
    folder = make_run(runs / "a")
    folder["events.jsonl"].unlink()
    folder["events.jsonl"].mkdir()
    record = one(runs)
    assert record.epochs == []
    assert "events.jsonl cannot be read" in record.problem


def test_a_link_to_itself(runs):
    make_run(runs / "a")
    (runs / "loop").symlink_to(runs)
    store = RunStore(runs)
    store.scan()
    assert str(runs / "a") in store.records
    assert len(store.records) <= run_folders.DEPTH


def _closed(monkeypatch, path: pathlib.Path) -> None:
    """Make a folder one without permission, for root as well."""
    real_stat, real_scandir, real_open = os.stat, os.scandir, builtins.open

    def refuse(real):
        def call(file, *args, **kwargs):
            inside = isinstance(file, (str, os.PathLike)) and str(file).startswith(str(path))
            if inside and not (real is real_stat and str(file) == str(path)):
                raise PermissionError(13, "Permission denied", str(file))
            return real(file, *args, **kwargs)

        return call

    monkeypatch.setattr(os, "stat", refuse(real_stat))
    monkeypatch.setattr(os, "scandir", refuse(real_scandir))
    monkeypatch.setattr(builtins, "open", refuse(real_open))
    monkeypatch.setattr("io.open", refuse(real_open))
    monkeypatch.setattr(pathlib.Path, "open", refuse(pathlib.Path.open))  # Python 3.10


def test_a_folder_without_permission_is_listed_with_a_sentence(runs, monkeypatch):
    make_run(runs / "a")
    make_run(runs / "b")
    _closed(monkeypatch, runs / "b")
    store = RunStore(runs)
    store.scan()
    assert store.get(runs / "a").problem == ""
    assert store.get(runs / "b").status == "damaged"
    assert "Permission denied" in store.get(runs / "b").problem
    assert not store.scan()


def test_a_runs_folder_without_permission_keeps_what_is_known(runs, monkeypatch):
    make_run(runs / "a")
    store = RunStore(runs)
    store.scan()
    with monkeypatch.context() as patch:
        _closed(patch, runs)
        changes = store.scan()
        assert not changes.removed
        assert "cannot be read: Permission denied" in store.problem
    store.scan()
    assert store.problem == "" and store.get(runs / "a").problem == ""


def test_no_runs_folder_yet(runs):
    store = RunStore(runs)
    assert not store.scan() and store.problem == ""
    make_run(runs / "a")
    assert store.scan().added


def test_the_runs_folder_vanishes(runs):
    make_run(runs / "a")
    store = RunStore(runs)
    store.scan()
    shutil.rmtree(runs)
    assert store.scan().removed == (str(runs / "a"),)


# -- states -------------------------------------------------------------------------------------


def test_a_live_run_is_asked_each_time_and_found_crashed_when_its_process_goes(runs, monkeypatch):
    make_run(runs / "a", end=False)
    answers = iter(["running", "running", "crashed", "never asked"])
    status = lambda folder, readable: next(answers)  # noqa: E731
    monkeypatch.setattr(run_store.run_folder.RunFolder, "status", status)
    store = RunStore(runs)
    store.scan()
    record = store.get(runs / "a")
    assert record.status == "running"
    assert not store.scan()
    assert store.scan().changed and record.status == "crashed"
    assert not store.scan() and record.status == "crashed"


def test_the_real_states(runs):
    make_run(runs / "done")
    make_run(runs / "new", ())
    make_run(runs / "crashed", end=False)
    stopped = make_run(runs / "stopped", end=False)
    stopped.append(events.RunStopped(reason="asked", epoch=4, batch=0))
    failed = make_run(runs / "failed", end=False)
    failed.append(events.NonFiniteLoss(epoch=5, batch=1, message="The loss became NaN."))
    store = RunStore(runs)
    store.scan()
    for name in ("done", "new", "crashed", "stopped", "failed"):
        assert store.get(runs / name).status == name
    assert store.get(runs / "failed").failure == "The loss became NaN."
    failed.append(started())  # resumed after all
    store.scan()
    assert store.get(runs / "failed").failure == ""


# -- names and notes ----------------------------------------------------------------------------


def test_names_and_notes_are_kept_beside_the_run(runs):
    folder = make_run(runs / "a")
    config = folder["config.toml"].read_bytes()
    folder["app.json"].write_text('{"pinned": true}')
    store = RunStore(runs)
    store.scan()
    store.set_name(runs / "a", " Baseline ")
    store.set_notes(runs / "a", "tried\nlarger ε")
    record = one(runs)
    assert (record.name, record.notes) == ("Baseline", "tried\nlarger ε")
    assert store.get(runs / "a").name == "Baseline"
    assert json.loads(folder["app.json"].read_text())["pinned"] is True
    assert folder["config.toml"].read_bytes() == config
    store.set_name(runs / "a", "")
    assert store.get(runs / "a").name == "a"


def test_notes_on_a_run_that_is_gone(runs):
    make_run(runs / "a")
    store = RunStore(runs)
    store.scan()
    shutil.rmtree(runs / "a")
    with pytest.raises(OSError):
        store.set_notes(runs / "a", "too late")


def test_the_summary_is_the_trainers(runs):
    make_run(runs / "a")
    assert one(runs).summary == SUMMARY


def test_a_long_list_of_folders_is_looked_through_in_portions(runs, monkeypatch):
    monkeypatch.setattr(run_store, "AT_ONCE", 1)
    for name in "abcde":
        make_run(runs / name)
    store, scans = RunStore(runs), 0
    while store.scan(budget=0.0).unfinished:
        scans += 1
        assert scans < 100
    assert scans >= 5 and len(store.records) == 5
    shutil.rmtree(runs / "c")
    removed = []
    while (changes := store.scan(budget=0.0)).unfinished or not removed:
        removed += changes.removed  # known when all folders were looked into, not before
    assert removed == [str(runs / "c")]
