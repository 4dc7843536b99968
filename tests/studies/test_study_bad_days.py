"""What goes wrong around a study: one line, nothing lost, the rest goes on."""

import errno
import importlib.machinery
import os
import sys
import types

import pytest

from slr_keras import config, study
from slr_keras.errors import UserError
from slr_keras.run_folder import RunFolder
from slr_keras.settings import schema
from slr_keras.studies import plan, results, work

TWO = """
name = "two"
[base]
"method.name" = "at"
"train.epochs" = {epochs}
[[arm]]
name = "AT"
[[arm]]
name = "smooth"
"labels.name" = "smoothing"
[evaluation]
attacks = ["clean"]
"""


@pytest.fixture
def place(tmp_path):
    """A study's folder with run folders of both arms in it, nothing trained."""

    def made(epochs=2):
        file = tmp_path / "two.toml"
        file.write_text(TWO.format(epochs=epochs))
        return work.Place(tmp_path / "out", plan.read(file))

    found = made()
    for run in found.study.runs:
        found.run_dir(run).mkdir(parents=True)
        RunFolder(found.run_dir(run)).configure(run.config)
        (found.run_dir(run) / "summary.json").write_text("{}")
    found.made = made
    return found


def command(place, *more):
    return study.main([str(place.path.parent / "two.toml"), "--out", str(place.path), *more])


def test_runs_that_an_edited_file_no_longer_asks_for_are_kept_and_named(place, capsys):
    assert place.done(work.Stage(place.study.runs[0], work.TRAIN))
    edited = place.made(epochs=3)
    run = edited.study.runs[0]
    assert edited.changes(run) == ["train.epochs is 2, the study says 3"]
    assert len(edited.missing(run)) == 3
    assert work.do(edited, edited.stages(run)[0], 1, pytest.fail) == work.REFUSED
    said = edited.log(run).read_text()
    assert "at-seed0 is another run, and kept (train.epochs is 2, the study says 3)" in said
    place.run_dir(run).rename(place.path / "old-seed0")
    assert command(place, "--status") == 0
    assert "not of the study any more, and kept: old-seed0" in capsys.readouterr().out


def test_a_run_may_be_of_another_place_and_of_a_time_that_knew_less(place):
    run = place.study.runs[0]
    file = place.run_dir(run) / "config.toml"
    lines = config.dumps(run.config).replace('dir = ""', 'dir = "/elsewhere"')
    radius = run.config.attack.eps
    fraction = f'eps = "{schema.show(radius, schema.Facts("radius", unit=schema.PIXELS))}"'
    assert "/255" in fraction and fraction in lines
    lines = lines.replace(fraction, f"eps = {radius}").splitlines()
    file.write_text("\n".join(line for line in lines if "masking_every" not in line))
    assert place.changes(run) == []


def test_a_folder_is_of_one_study_and_one_launcher(place):
    with RunFolder(place.path).lock():
        with pytest.raises(UserError, match=rf"process {os.getpid()} runs a study in .*--out"):
            command(place)
        assert command(place, "--status") == 0
    (place.path / work.RESULTS).write_text('{"study": "noise"}')
    with pytest.raises(UserError, match="folder of the study 'noise', this is 'two'"):
        command(place, "--status")


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x.log")


def test_a_full_disk_is_told_for_each_run(place, monkeypatch, capsys):
    monkeypatch.setattr(work, "do", full)
    assert [(e.stage.run.name, e.code, e.why) for e in work.Local(place, 1, 1).work() if e] == [
        (run.name, 1, "No space left on device: x.log") for run in place.study.runs
    ]
    assert command(place, "--progress", "plain", "--workers", "1") == 1
    assert "smooth-seed0: best was not started: No space left" in capsys.readouterr().err


def test_a_table_that_cannot_be_written_does_not_stop_the_runs(place, monkeypatch, capsys):
    def trained(place, stage, *_):
        if stage.name != work.TRAIN:
            rows = '{"samples": 1000, "results": [{"attack": "clean"}]}'
            place.evaluation(stage.run, stage.name).write_text(rows)
        return 0

    monkeypatch.setattr(work, "do", trained)
    monkeypatch.setattr(study, "_save", full)
    with pytest.raises(OSError, match="No space left"):  # at the end it is an error
        command(place, "--progress", "plain", "--workers", "1")
    said = capsys.readouterr().err
    assert said.count("the table was not written: No space left on device") >= 2


def test_how_a_stage_failed(place):
    stage = work.Stage(place.study.runs[0], "best")
    assert study._failure(place, work.Ended(stage, -9, 1.0)).startswith("was ended by signal 9")
    assert study._failure(place, work.Ended(stage, 1, 1.0)) == "failed (exit 1): its log is gone"


def test_a_run_that_was_deleted_is_missing_and_done_again(place):
    run = place.study.runs[0]
    (place.run_dir(run) / "summary.json").unlink()
    (place.run_dir(run) / "config.toml").unlink()
    place.run_dir(run).rename(place.path / "gone")
    assert [stage.name for stage in place.missing(run)] == ["train", "best", "final"]
    assert run.name in results.collect(place)["missing"]
    assert "--run-dir" in place.command(place.stages(run)[0])  # begun anew


@pytest.mark.parametrize(("fails_at", "submitted"), [("update_parameters", 0), ("submit", 1)])
def test_a_cluster_that_refuses(place, monkeypatch, fails_at, submitted):
    class Executor:
        def __init__(self, **_):
            self.jobs = 0

        def update_parameters(self, **_):
            if fails_at == "update_parameters":
                raise NameError("Unknown arguments: nonsense")

        def submit(self, *_):
            self.jobs += 1
            if self.jobs > submitted:
                raise RuntimeError("sbatch: error: invalid\npartition")

    fake = types.ModuleType("submitit")
    fake.AutoExecutor = Executor
    fake.__spec__ = importlib.machinery.ModuleSpec("submitit", None)
    monkeypatch.setitem(sys.modules, "submitit", fake)
    with pytest.raises(
        UserError, match=f"slurm refuses, with {submitted} jobs submitted: .*invalid|Unk"
    ):
        command(place, "--on", "slurm", "--job", "nonsense=1")


def test_none_and_ten_thousand_runs(tmp_path, monkeypatch):
    file = tmp_path / "s.toml"
    file.write_text("arm = []")
    with pytest.raises(UserError, match="arm.*expected one or more, received none"):
        plan.read(file)
    file.write_text(f"[grid]\nseed = {list(range(10_000))}")
    words = [str(file), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(UserError, match="10,000 runs are asked for: give --yes"):
        study.main(words)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda text: "n")
    with pytest.raises(UserError, match="not begun"):
        study.main(words)
    assert not (tmp_path / "out").exists()
