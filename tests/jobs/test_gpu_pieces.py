"""A run in pieces on machines that keep nothing, and the table of what came out."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from benchmarks.gpu import figures, images, parts, piece
from slr_keras import config, evaluate, train

SUITE = "--attacks clean pgd-2 --eps 40/255 --num-samples 40 --batch-size 20"
PROGRAMS = {"slr_keras.train": train.main, "slr_keras.evaluate": evaluate.main}


@pytest.fixture
def here(monkeypatch, command):
    """Let a piece run its programs in this process."""

    def call(job, seconds, work):
        limit = ["--train.max_minutes", 30] if job[0] == "slr_keras.train" else []
        with monkeypatch.context() as patch:
            patch.chdir(work / "data")
            return command(PROGRAMS[job[0]], *job[1:], *limit, "--progress", "quiet")

    monkeypatch.setattr(piece, "call", call)


@pytest.fixture
def bring_and_run(tmp_path, job, flags, monkeypatch):
    """One piece, on a machine that is gone afterwards; its exit code."""
    home, machine = tmp_path / "home", tmp_path / "machine"
    monkeypatch.setattr(piece, "PART", 30_000)
    monkeypatch.setattr(piece, "HANDFUL", (3, 100_000))

    def go(*options):
        came = tmp_path / "came"
        if home.exists():
            assert job(piece.main, "pack", home, machine / "in", "--mib", 1).code == 0
        words = ("run", machine, "--out", came, "--evaluate", SUITE, *options)
        done = job(piece.main, *words, "--", *flags())
        number, there = 1, len(list((machine / "out").iterdir()))
        while len(list(came.iterdir())) < there:
            number += 1
            assert number <= there, "each part is sent once"
            assert job(piece.main, "send", machine, number, "--out", came).code == 0
        shutil.rmtree(machine)
        assert job(parts.main, "join", came, home, "--name", "run").code == 0
        shutil.rmtree(came)
        return done

    go.home = home
    return go


def test_pieces_end_bit_equal(bring_and_run, here, finished, same, leave_when, clock):
    home = bring_and_run.home
    leave_when(name="phase", phase="epoch", epoch=3)
    done = bring_and_run()
    assert done.code == 75 and "to be continued" in done.out
    assert "stopped by the time limit, state saved" in done.err
    assert "python -m slr_keras.train --resume " in done.err
    last = json.loads((home / "run/events.jsonl").read_text().splitlines()[-1])
    assert (last["event"], last["reason"]) == ("run_stop", "the time limit")
    assert [p.stem for p in (home / "run/checkpoints").glob("*.json")] == ["000003-00000001"]
    leave_when(name="phase", phase="testing")
    assert bring_and_run().code == 75
    clock.now = 0.0
    done = bring_and_run()
    assert done.code == 0 and "complete" in done.out
    same(finished, home / "run")
    written = (home / "run/config.toml").read_text()
    assert "max_minutes = 0.0" in written  # the limit was the process's, not the run's
    results = {w: json.loads((home / f"run/evaluation-{w}.json").read_text()) for w in piece.WHICH}
    assert {w: result["which"] for w, result in results.items()} == {w: w for w in piece.WHICH}
    assert bring_and_run().code == 0  # and there is nothing left to do


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_what_travels(tmp_path):
    older, newer = (f"run/checkpoints/00000{epoch}-00000000" for epoch in (1, 2))
    both = [f"{newer}.json", f"{newer}.npz"]
    rest = ["run/best.keras", "run/config.toml", "run/evaluation-final.partial.npz", "xla/a/step"]
    touch(tmp_path, f"{older}.json", f"{older}.npz", *both, *rest)
    touch(tmp_path, "run/tensorboard/train/log", "run/run.lock", "data/cifar10.npz", "in/run.000")
    assert piece.travelling(tmp_path) == sorted([*both, *rest])
    before = piece.mark(tmp_path)
    touch(tmp_path, "run/summary.json", "run/final.keras")
    assert piece.travelling(tmp_path) == sorted([*rest, "run/summary.json", "run/final.keras"])
    assert piece.mark(tmp_path) != before


def test_bad_settings_are_the_code_of_the_piece(tmp_path, job):
    words = ("run", tmp_path / "work", "--out", tmp_path / "out", "--", "--attack.eps", "8")
    done = job(piece.main, *words)
    assert done.code == 2 and done.err.count("\n") == 1 and "Did you mean 8/255?" in done.err


def test_a_piece_that_is_too_short_says_so(tmp_path, job):
    words = ("run", tmp_path / "work", "--out", tmp_path / "out", "--minutes", 0.1)
    done = job(piece.main, *words)
    assert done.code == 2 and done.err.count("\n") == 1 and "expected more minutes" in done.err


def test_a_program_that_does_not_leave_is_stopped(tmp_path):
    (tmp_path / "data").mkdir()
    assert piece.call(["slr_keras.evaluate", "absent"], 0.01, tmp_path) in piece.STOPPED


def test_the_data_are_joined_and_unpacked(tmp_path, rng):
    arrays = {"x_train": rng.integers(0, 256, (9, 4, 4, 3), "uint8"), "y_train": np.arange(9)}
    (tmp_path / "data").mkdir()
    images.write(tmp_path / "data/small.packed", arrays)
    parts.cut(tmp_path / "data", tmp_path / "work/in", "data", 100)
    assert piece.unpack(tmp_path / "work") == parts.Listing()
    with np.load(tmp_path / "work/data/small.npz") as file:
        np.testing.assert_array_equal(file["x_train"], arrays["x_train"])


def test_handfuls():
    mib = parts.MIB
    sizes = {"run.json": 9} | {f"run.{i:03d}": 16 * mib for i in range(9)} | {"run.009": mib}
    handfuls = piece.share(sizes)
    assert [len(files) for files in handfuls] == [4, 4, 3]
    assert [name for files in handfuls for name in files] == list(sizes)
    assert [len(files) for files in piece.share({str(i): 1 for i in range(17)})] == [8, 8, 1]


@pytest.mark.parametrize(
    "words, said",
    [
        (["send", "absent", "1", "--out", "out"], "no list of parts"),
        (["pack", "absent", "out"], "no such folder"),
        (["run", "work"], "--out"),
    ],
)
def test_bad_input(job, words, said):
    done = job(piece.main, *words)
    assert done.code == 2 and done.err.count("\n") == 1 and said in done.err


# -- the table -------------------------------------------------------------------------------------


def write_evaluation(run, which, **accuracies):
    results = [{"attack": name, "accuracy": share} for name, share in accuracies.items()]
    facts = {"which": which, "seconds": 4000.0, "device": "a GPU", "samples": 10_000}
    (run / f"evaluation-{which}.json").write_text(json.dumps(facts | {"results": results}))


def test_the_table_of_figures(finished, copy_of, job):
    run = copy_of(finished)
    summary = json.loads((run / "summary.json").read_text())
    write_evaluation(run, "final", clean=0.8304, **{"pgd-20": 0.5594, "autoattack": 0.50211})
    picture = run / "curves-of-all.png"
    done = job(figures.main, run, "--curves", picture)
    assert done.code == 0 and picture.read_bytes()[1:4] == b"PNG"
    assert "| AT + SLR | final, 3 | 83.0 | 55.9 | 50.2 |  |" in done.out  # not of digits
    best = summary["best"]
    shown = f"{100 * best['accuracy']:.1f}"
    assert f"| AT + SLR | best, {best['epoch']} | {shown} | - | - |  |" in done.out
    for word in ("seed 0, 3 epochs", "float32", "CPU", "digits", "1 h 07 min on a GPU"):
        assert word in done.out


def test_the_papers_figures_stand_beside_its_own_setting(finished):
    run = figures.read(str(finished))
    paper = dataclasses.replace(run, config=config.load(preset="cifar10-resnet18-at"))
    assert figures.row(paper, "final").endswith("| 82.4 / 41.4 / 40.2 |")
    assert figures.row(paper, "best").endswith("|  |")
    ema = config.EmaSettings(decay=0.999, start_epoch=101)
    averaged = dataclasses.replace(paper, config=paper.config.replace(ema=ema))
    assert figures.row(averaged, "final").startswith("| AT + EMA |")
    assert figures.row(averaged, "final").endswith("|  |")
    assert "EMA 0.999 from epoch 101 on" in figures.basis(averaged)


def test_a_run_that_is_not_finished_has_no_figures(finished, copy_of, job):
    run = copy_of(finished)
    (run / "summary.json").unlink()
    done = job(figures.main, run)
    assert done.code == 2 and done.err.count("\n") == 1 and "is not finished" in done.err


def test_an_evaluation_of_another_epoch_is_refused(finished, copy_of, job):
    run = copy_of(finished)
    write_evaluation(run, "best", clean=0.5)
    (run / "evaluation-best.json").rename(run / "evaluation-final.json")
    done = job(figures.main, run)
    assert done.code == 2 and "expected the final epoch, received best" in done.err
