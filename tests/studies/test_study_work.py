"""A study really run: two arms, trained and evaluated, one that fails, stopped and gone on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from slr_keras import installing, study
from slr_keras.errors import UserError
from slr_keras.run_folder import RunFolder
from slr_keras.studies import figures, pages, plan, results, tables, work
from tests.processes import begin

TINY = """
name = "tiny"
question = "Does it run?"
[base]
"method.name" = "at"
"data.train_samples" = 100
"model.width" = 4
"model.strides" = [2]
"train.epochs" = {epochs}
"train.batch_size" = 50
"train.tensorboard" = false
"attack.steps" = 1
"attack.step_size" = "24/255"
"eval.steps" = 1
"eval.test_steps" = 1
"eval.train_samples" = 20
"eval.val_samples" = 20
"eval.test_samples" = 20
[[arm]]
name = "AT"
[[arm]]
name = "{second}"
{settings}
[evaluation]
attacks = ["clean", "fgsm"]
num_samples = 30
which = ["best"]
"""


def tiny(path, epochs=2, second="smooth", settings='"labels.name" = "smoothing"'):
    path.write_text(TINY.format(epochs=epochs, second=second, settings=settings))
    return str(path)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The study's folder after an arm was trained that works and one that cannot."""
    folder = tmp_path_factory.mktemp("study")
    lost = f'"data.name" = "{folder}/no.npz"'
    file = tiny(folder / "s.toml", second="lost", settings=lost)
    code = study.main([file, "--out", str(folder / "out"), "--threads", "1", "--progress", "quiet"])
    return folder, code


def test_an_arm_that_fails_is_told_and_the_others_go_on(done, capsys):
    folder, code = done
    assert code == 1
    found = results.load(folder / "out")
    assert [run["run"] for run in found["runs"]] == ["at-seed0"]
    assert found["runs"][0]["command"].endswith(f" {found['study']} --only at-seed0")
    assert found["missing"] == ["lost-seed0"] and "lost-seed0" in tables.footing(found)
    log = (folder / "out" / "logs" / "lost-seed0.log").read_text()
    assert "no.npz" in log.splitlines()[-1]


def test_results_are_those_of_the_files(done):
    folder, _ = done
    found = results.load(folder / "out")
    evaluation = json.loads((folder / "out" / "at-seed0" / "evaluation.json").read_bytes())
    rows = {row["attack"]: row for row in evaluation["results"]}
    kept = found["runs"][0]["models"]["best"]["attacks"]
    assert {name: kept[name]["accuracy"] for name in kept} == {
        name: rows[name]["accuracy"] for name in ("clean", "fgsm")
    }
    assert found["commit"] == evaluation["commit"] == installing.commit()
    assert (
        found["runs"][0]["models"]["best"]["device"] == "CPU (1 thread)"
    )  # the study asked for one
    right = results.images(found, "AT", "best", "fgsm")[0]
    assert right.mean() == pytest.approx(rows["fgsm"]["accuracy"]) and len(right) == 30
    for name in ("table.md", "figure.png", "figure.svg", "report.html"):
        assert (folder / "out" / name).stat().st_size > 100
    assert tables.row(found, "AT")[2:4] == [
        tables.spread([rows[name]["accuracy"]]) for name in ("clean", "fgsm")
    ]


def test_what_is_done_is_not_done_again(done, tmp_path):
    folder, _ = done
    found = plan.read(folder / "s.toml")
    place = work.Place(folder / "out", found)
    assert not place.missing(found.runs[0])
    names = [stage.name for stage in place.missing(found.runs[1])]
    assert names == ["train", "best"]
    more = plan.read(plan.find(tiny(folder / "more.toml")))
    asked = work.Place(folder / "out", plan.dataclasses.replace(more, num_samples=40))
    assert [stage.name for stage in asked.missing(more.runs[0])] == ["best"]  # of more images
    all_images = work.Place(folder / "out", plan.dataclasses.replace(more, num_samples=9000))
    result = json.loads(all_images.evaluation(more.runs[0], "best").read_text())
    assert result["split_samples"] == 360 and result["samples"] == 30
    copy = work.Place(tmp_path, all_images.study)
    shutil.copytree(folder / "out" / "at-seed0", tmp_path / "at-seed0")
    copy.evaluation(more.runs[0], "best").write_text(json.dumps(result | {"samples": 360}))
    assert not copy.missing(more.runs[0])  # digits have no more


def test_results_of_other_machines_stay_where_these_go(done, tmp_path):
    folder, _ = done
    here = results.load(folder / "out")
    there = json.loads(json.dumps(here).replace("at-seed0", "at-seed1"))
    there["runs"][0]["seed"] = 1
    for found in (there, here, here):
        (tmp_path / work.RESULTS).exists() or pages.write(tmp_path, found)
        pages.write(tmp_path, results.joined(found, results.load(tmp_path)))
    kept = results.load(tmp_path)
    assert [run["run"] for run in kept["runs"]] == ["at-seed0", "at-seed1"]
    assert kept["arms"] == ["AT", "lost"] and kept["missing"] == ["lost-seed0"]
    joined = [
        results.joined({**here, "commit": one}, {**kept, "commit": "b, c"})
        for one in ("c", "d", "")
    ]
    assert [found["commit"] for found in joined] == ["b, c", "b, c, d", "b, c"]
    with pytest.raises(UserError, match="results there are of num_samples 30, these of 40"):
        results.joined({**here, "num_samples": 40}, kept)


def test_a_trainer_that_a_killed_study_left_is_waited_for(done, tmp_path):
    folder, _ = done
    found = plan.read(folder / "s.toml")
    place = work.Place(tmp_path, found)
    shutil.copytree(folder / "out" / "at-seed0", place.run_dir(found.runs[0]))
    summary = place.run_dir(found.runs[0]) / "summary.json"
    kept = summary.read_bytes()
    summary.unlink()

    def end():
        time.sleep(1)
        summary.write_bytes(kept)

    stage = place.missing(found.runs[0])[0]
    with RunFolder(place.run_dir(found.runs[0])).lock():
        other = threading.Thread(target=lambda: codes.append(work.do(place, stage, 1, print)))
        codes = []
        other.start()
        end()
    other.join(20)
    log = place.log(found.runs[0]).read_text()
    assert codes == [0] and log.count(f"waiting for process {os.getpid()}") == 1 and "$" not in log


@pytest.mark.slow
def test_a_study_that_is_stopped_goes_on(tmp_path):
    file, out = tiny(tmp_path / "s.toml", epochs=60), tmp_path / "out"
    command = [sys.executable, "-m", "slr_keras.study", file, "--out", str(out)]
    process = begin(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(out.glob("*/checkpoints/*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143 and "the same command goes on" in said
    assert study.main([file, "--out", str(out), "--progress", "quiet"]) == 0
    assert len(results.load(out)["runs"]) == 2
    log = "".join(path.read_text() for path in (out / "logs").iterdir())
    assert "--resume" in log


@pytest.mark.slow
def test_jobs_of_a_cluster(tmp_path):
    pytest.importorskip("submitit")
    file = tiny(tmp_path / "s.toml")
    out = str(tmp_path / "out")
    assert study.main([file, "--out", out, "--on", "local", "--job", "timeout_min=5"]) == 0
    assert len(results.load(tmp_path / "out")["runs"]) == 2


def test_analyses_of_runs_are_drawn_by_arm(done, tmp_path):
    folder, _ = done
    found = results.load(folder / "out")
    assert figures.recorded(found) == []
    told = {"memorisation": {"epoch": [1, 2], "given": [0.1, None], "true": [0.2, 0.3]}}
    found["runs"][0]["analyses"] = told
    made = [path.name for path in pages.write(tmp_path, found)]
    assert "memorisation.png" in made and "memorisation" in (tmp_path / "report.html").read_text()
    assert figures._values(found["runs"][0], "memorisation", "given") == [(1, 0.1)]
