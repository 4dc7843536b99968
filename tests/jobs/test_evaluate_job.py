"""``python -m slr_keras.evaluate``: what it writes, and that it goes on after any end."""

import json
import os
import re
import signal
import sys
import time

import keras
import numpy as np
import pytest

from slr_keras import evaluate, installing
from slr_keras.evaluation import measurement, searches
from slr_keras.evaluation.measurement import Progress
from slr_keras.terminal import cli, console
from tests import processes
from tests.jobs.test_jobs_full_disk import file_limit

FAST = ("--num-samples", 40, "--batch-size", 20)
SUITE = ("--attacks", "clean", "pgd-3", "square-200", "apgd-t-5", "--eps", "40/255", *FAST)


def result_of(path):
    return json.loads(path.read_text())


def table(path):
    """The figures, without the times."""
    rows = result_of(path)["results"]
    return [(row["attack"], row["accuracy"], row["per_class"]) for row in rows]


@pytest.fixture
def run(learned, copy_of):
    return copy_of(learned)


@pytest.fixture(scope="module")
def wanted(learned, tmp_path_factory, command):
    """The table of an evaluation that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "evaluation.json"
    assert command(evaluate.main, learned, *SUITE, "--out", out) == 0
    return table(out)


def test_every_figure_carries_what_it_rests_on(run, job):
    save = run.parent / "adversarial.npz"
    options = ("--attacks", "clean", "pgd-2", "--eps", "40/255", "--save-adversarial", save)
    done = job(evaluate.main, run, *options, *FAST, "--per-class")
    assert done.code == 0 and "Accuracy in each class" in done.out
    result = result_of(run / "evaluation.json")
    summary = json.loads((run / "summary.json").read_text())
    assert (result["which"], result["epoch"]) == ("best", summary["best"]["epoch"])
    assert result["samples"] == 40 and result["seed"] == 0 and result["split"] == "test"
    assert len(result["model_digest"]) == len(result["data_digest"]) == 16
    assert {"slr_keras", "keras", "tensorflow", "python"} <= set(result["versions"])
    assert result["device"] and "T" in result["time"]
    assert result["commit"] == installing.commit()
    clean, pgd, worst = result["results"]
    assert pgd["settings"]["eps"] == "40/255" and pgd["settings"]["steps"] == 2
    for row in (clean, pgd, worst):
        assert row["interval"][0] <= row["accuracy"] <= row["interval"][1]
        assert row["samples"] == 40 and len(row["per_class"]) == 10
    robust = sum(row["samples"] * (row["robust"] or 0) for row in result["per_class"])
    assert robust / 40 == pytest.approx(worst["accuracy"])
    assert not list(run.glob("*.partial.npz"))
    with np.load(save) as kept:
        assert kept["x_adv"].shape == (40, 8, 8, 1)
        right = round(clean["accuracy"] * 40) - round(worst["accuracy"] * 40)
        assert kept["fooled"].sum() == right > 0


def test_accuracy_against_epsilon(run, job):
    done = job(evaluate.main, run, "--curve", "0:60/255:4", "--curve-attack", "pgd-2", *FAST)
    assert done.code == 0 and "Accuracy against epsilon" in done.out
    result = result_of(run / "evaluation.json")
    assert [point["eps"] for point in result["curve"]] == [0.0, "20/255", "40/255", "60/255"]
    first, *_, last = (point["accuracy"] for point in result["curve"])
    assert first == result["results"][0]["accuracy"] > last
    assert (run / "evaluation_curve.png").read_bytes()[1:4] == b"PNG"
    assert "curve" in {check["name"] for check in result["checks"]}


def test_a_model_file_has_its_result_beside_it(run, job):
    model = run / "final.keras"
    done = job(evaluate.main, model, "--data.name", "digits", "--attacks", "clean", *FAST)
    assert done.code == 0
    result = result_of(run / "final.evaluation.json")
    assert result["which"] is None and result["data"] == "digits"


def test_attacks_that_are_made_on_another_model(run, learned, job):
    options = ("--attacks", "pgd-2", "--eps", "40/255", "--transfer-from", learned / "final.keras")
    assert job(evaluate.main, run, *options, *FAST).code == 0
    pgd, transfer, worst = result_of(run / "evaluation.json")["results"]
    assert transfer["attack"] == "transfer: mi-fgsm" and worst["attack"] == "worst case"
    assert transfer["settings"]["source"] == str(learned / "final.keras")
    assert transfer["settings"]["name"] == "mi_fgsm" and transfer["settings"]["eps"] == "40/255"
    assert worst["accuracy"] <= min(pgd["accuracy"], transfer["accuracy"])
    checks = [check["name"] for check in result_of(run / "evaluation.json")["checks"]]
    assert "masking" in checks


def test_a_model_of_other_classes_is_no_source(run, tmp_path, job):
    net = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    net.save(tmp_path / "three.keras")
    done = job(evaluate.main, run, "--transfer-from", tmp_path / "three.keras", *FAST)
    assert done.code == 2 and done.err.count("\n") == 1
    assert "--transfer-from" in done.err and "same classes" in done.err


@pytest.mark.parametrize("signum, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_by_a_signal_it_goes_on(run, job, wanted, monkeypatch, signum, code):
    real, calls = measurement.Measurement._count, []

    def count(self, *arguments):
        real(self, *arguments)
        calls.append(arguments)
        if len(calls) == 3:
            os.kill(os.getpid(), signum)

    with monkeypatch.context() as patch:
        patch.setattr(measurement.Measurement, "_count", count)
        done = job(evaluate.main, run, *SUITE, "--progress", "quiet")
    assert done.code == code and done.err.count("\n") == 1
    assert "the same command goes on from" in done.err
    assert not (run / "evaluation.json").exists()
    done = job(evaluate.main, run, *SUITE)
    assert done.code == 0 and "going on from" in done.err
    assert table(run / "evaluation.json") == wanted


def test_another_command_begins_anew_and_says_so(run, job, wanted, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(measurement.Measurement, "_count", stop)
        assert job(evaluate.main, run, *SUITE, "--eval-seed", 1).code == 130
    done = job(evaluate.main, run, *SUITE)
    assert done.code == 0 and "begins anew" in done.err
    assert table(run / "evaluation.json") == wanted


LINE = r"(pgd-3|square-200|apgd-t-5) \((\d) of 4\): (\d+) of 40 robust, (.*)"


def test_a_log_gets_a_line_now_and_then_and_one_for_each_attack(run, job, monkeypatch):
    monkeypatch.setattr(console, "EVERY", 0.0)
    done = job(evaluate.main, run, *SUITE)
    assert done.code == 0 and "worst case" in done.out, done.err
    lines = [re.fullmatch(LINE, line).groups() for line in done.err.splitlines()]
    ends = [(name, robust) for name, _, robust, rest in lines if rest.startswith("done in ")]
    rows = {row["attack"]: row["accuracy"] for row in result_of(run / "evaluation.json")["results"]}
    assert ends == [(name, str(round(40 * rows[name]))) for name in list(rows)[1:4]]
    between = [rest for *_, rest in lines if not rest.startswith("done")]
    assert between and all(re.fullmatch(r"\d+:\d\d left|just begun", rest) for rest in between)
    assert [int(step) for _, step, *_ in lines] == sorted(int(step) for _, step, *_ in lines)


def test_a_log_may_stay_empty(run, job):
    done = job(evaluate.main, run, "--attacks", "pgd-3", *FAST, "--progress", "quiet")
    assert (done.code, done.err) == (0, "")


def test_lines_are_half_a_minute_apart(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    told = console.evaluation_progress("auto")
    for second in range(0, 80, 5):
        now[0] = 100.0 + second
        told(Progress("pgd-20", 2, 3, share=second / 80, robust=90 - second, samples=100))
    now[0] += 5
    told(Progress("pgd-20", 2, 3, share=1.0, robust=10, samples=100, done=True))
    told(Progress("square", 3, 3, share=1.0, robust=0, samples=100, done=True))
    assert capsys.readouterr().err.splitlines() == [
        "pgd-20 (2 of 3): 60 of 100 robust, 0:50 left",
        "pgd-20 (2 of 3): 30 of 100 robust, 0:20 left",
        "pgd-20 (2 of 3): 10 of 100 robust, done in 1:20",
        "square (3 of 3): 0 of 100 robust, nothing left to attack",
    ]
    assert [console.clock(seconds) for seconds in (9, 59.6, 3661)] == ["0:09", "1:00", "1:01:01"]


@pytest.mark.slow
def test_killed_it_goes_on(run, job):
    slow = ("--attacks", "clean", "pgd-3", "square-8000", "--eps", "10/255", "--num-samples", 12)
    slow += ("--checks", "none")
    words = [str(word) for word in (run, *slow)]
    process = processes.begin([sys.executable, "-m", "slr_keras.evaluate", *words])
    partial, written = run / "evaluation.partial.npz", 0.0
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if partial.exists():
            written = written or partial.stat().st_mtime
            if partial.stat().st_mtime > written:
                break
        time.sleep(0.05)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    done = job(evaluate.main, run, *slow)
    assert done.code == 0 and "going on from" in done.err
    found = table(run / "evaluation.json")
    assert job(evaluate.main, run, *slow, "--out", run / "again.json").code == 0
    assert found == table(run / "again.json")


def test_a_disk_that_fills_keeps_what_was_computed(run, job, wanted, monkeypatch):
    with file_limit(4_000):
        done = job(evaluate.main, run, *SUITE)
    assert done.code == 1 and "Traceback" not in done.err
    assert done.err.splitlines()[-1].startswith(f"error: cannot write {run}/evaluation.json")
    assert "worst case" in done.out and not (run / "evaluation.json").exists()
    assert (run / "evaluation.partial.npz").exists()
    for search in ("_in_batches", "_staged"):
        monkeypatch.setattr(searches.Searches, search, lambda *_: pytest.fail("done twice"))
    assert job(evaluate.main, run, *SUITE).code == 0
    assert table(run / "evaluation.json") == wanted


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--attacks", "autoatack"], "Did you mean 'autoattack'?"),
        (["--attacks", "fog-7"], "attack 'fog-7': expected a severity from 1 to 5, as fog-3"),
        (["--attacks", "ddn"], "measures in l2, not in linf"),
        (["--curve", "0:1:3", "--curve-attack", "corruptions"], "expected one attack, as pgd-20"),
        (["--certify", "0"], "--certify: expected a number > 0"),
        (["--certify", "0.25", "--certify-samples", "5"], "--certify-samples: expected 10 or more"),
        (["--attacks", "corruptions", "--corruptions-from", "nowhere"], "nowhere: no such folder"),
        (["--corruptions-baseline", "x.json"], "add --attacks corruptions"),
        (["--robustbench", "x.json"], "add --attacks clean autoattack"),
        (["--attacks", "autoattack", "--eps", "8"], "Did you mean 8/255?"),
        (
            ["--attacks", "deepfool", "--norm", "l1", "--eps", "4"],
            "in linf, l2, not in l1",
        ),
        (["--norm", "l2"], "give --eps"),
        (["--version", "plus"], "add --attacks autoattack"),
        (["--curve", "0:16/255"], "first:last:number"),
        (["--curve", "8/255:0:3"], "below the last"),
        (["--curve", "0:16:9"], "Did you mean 16/255?"),
        (["--curve", "0:1/2:3", "--curve-attack", "pdg"], "Did you mean 'pgd'?"),
        (["--transfer-attack", "pgd"], "add --transfer-from"),
        (["--transfer-from", "absent"], "no such run folder"),
        (["--transfer-from", "absent", "--transfer-attack", "clean"], "expected one attack"),
        (["--save-adversarial", "images.png"], "ending in .npz"),
        (["--save-adversarial", "absent/images.npz"], "no such folder"),
        (["--checks", "some"], "--checks"),
    ],
)
def test_what_is_refused_before_it_works(learned, job, monkeypatch, arguments, said):
    monkeypatch.setattr(cli, "import_framework", lambda: pytest.fail("it began to work"))
    done = job(evaluate.main, learned, *arguments)
    assert done.code == 2 and done.err.count("\n") == 1 and said in done.err


def test_a_model_with_nan_in_it(tmp_path, job):
    net = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    weights = net.get_weights()
    weights[0][3, 3] = np.nan
    net.set_weights(weights)
    net.save(tmp_path / "broken.keras")
    done = job(evaluate.main, tmp_path / "broken.keras", "--data.name", "digits", *FAST)
    assert done.code == 2 and done.err.count("\n") == 1
    assert "NaN" in done.err and "kernel" in done.err
