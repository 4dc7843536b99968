"""The Evaluate screen: one queue with training, rows as they come, pause, crash, fallen images."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PySide6.QtCore import Qt

from gui.models import gallery
from gui.models.asked import KINDS, Evaluation
from gui.models.queue import Job, Queue
from gui.presenters.context import Context, Programs
from gui.views.evaluate import EvaluateScreen
from slr_keras.evaluation import specs
from tests.gui._runs import make_run
from tests.gui.fake_programs import FAKE_LAB, FAKE_TASK, FAKE_TRAINER, quick_config


@pytest.fixture
def make(qapp, settings, tmp_path, wait_until):
    """A shown screen on a run that has a model, and what it said."""
    made = []

    def screen(*flags: str) -> EvaluateScreen:
        if not made:
            make_run(tmp_path / "runs" / "one")
        tasks = dict.fromkeys(("evaluate", "export", "report"), [*FAKE_TASK, *flags])
        context = Context(tmp_path / "runs", settings, Programs(FAKE_TRAINER, FAKE_LAB, tasks))
        context.store.scan()
        one = EvaluateScreen(context)
        one.said = []
        context.message.connect(one.said.append)
        context.trainer.message.connect(one.said.append)
        one.resize(1100, 700)
        one.show()
        one.shown()
        made.append(one)
        return one

    yield screen
    for one in made:
        worker = one.trainer.worker
        worker.kill()
        worker.close(3000)
        one.presenter._timer.stop()
        one.close()
        one.deleteLater()


def texts(screen):
    table = screen.table.texts
    return [list(table.row(number))[:4] for number in range(table.rowCount())]


# -- what is asked ----------------------------------------------------------------------------


def test_flags_of_the_command(tmp_path):
    asked = Evaluation(
        "runs/x", "final", ("clean", "autoattack"), "plus", 300, "0:8/255:3", "runs/y"
    )
    words = list(asked.arguments())
    assert words[:4] == ["runs/x", "--attacks", "clean", "autoattack"]
    for flag, value in {
        "--version": "plus",
        "--num-samples": "300",
        "--which": "final",
        "--out": "runs/x/evaluation-final.json",
        "--curve": "0:8/255:3",
        "--transfer-from": "runs/y",
        "--save-adversarial": "runs/x/adversarial.npz",
    }.items():
        assert words[words.index(flag) + 1] == value


def test_the_command_takes_these_flags(tmp_path):
    from slr_keras import evaluate

    asked = Evaluation(str(tmp_path), "final", ("clean", "autoattack"), "plus", 300, "0:8/255:3")
    options = evaluate._parser().parse(asked.arguments())
    evaluate._check_options(options)
    assert options.attacks == ["clean", "autoattack"] and options.which == "final"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": ""}, "Choose a run"),
        ({"attacks": ()}, "at least one attack"),
        ({"attacks": ("pdg-20",)}, "Did you mean"),
        ({"target": "x.keras"}, "choose a data set"),
    ],
)
def test_what_cannot_begin_says_why(changes, said):
    assert said in Evaluation(**({"target": "runs/x"} | changes)).problem()


@pytest.mark.parametrize("names", list(KINDS.values())[:-1])
def test_kinds_are_names_that_the_command_knows(names):
    assert specs.make_steps(names, specs.Ball()) and Evaluation("x", attacks=names).problem() == ""


# -- the queue --------------------------------------------------------------------------------


def test_tasks_wait_in_the_queue_on_disk(tmp_path):
    queue = Queue(tmp_path)
    job = Job("runs/x", task="evaluate", arguments=("runs/x", "--attacks", "clean"))
    queue.add(job)
    assert Queue(tmp_path).jobs == [job]
    rows = json.loads((tmp_path / "queue.json").read_text())
    (tmp_path / "queue.json").write_text(json.dumps([rows[0] | {"task": "fly"}]))
    again = Queue(tmp_path)
    assert again.jobs == [] and "fly" in again.problem


def test_an_old_queue_is_read(tmp_path):
    (tmp_path / "queue.json").write_text(json.dumps([{"path": "runs/x", "config": None}]))
    assert Queue(tmp_path).jobs == [Job("runs/x")]


def test_an_evaluation_waits_for_the_run_before_it(make, wait_until):
    screen = make("--seconds", "0.005")
    trainer = screen.trainer
    trainer.enqueue(quick_config(2))
    assert screen.presenter.start(screen.form.asked())
    assert trainer.queue[0].name == "Evaluation of one" and "waits" in screen.said[-1]
    wait_until(lambda: not trainer.busy and not trainer.queue, 60)
    assert trainer.last.job.task == "evaluate" and trainer.last.kind == "done"


def test_the_same_evaluation_is_not_asked_twice(make, wait_until):
    screen = make("--seconds", "0.2")
    screen.form.go.click()
    screen.form.go.click()
    assert screen.trainer.queue == [] and "in the queue already" in " ".join(screen.said)
    screen.form.samples.setValue(7)
    screen.form.go.click()
    assert len(screen.trainer.queue) == 1


# -- the screen -------------------------------------------------------------------------------


def test_rows_fill_in_and_then_stand_in_the_file(make, wait_until):
    screen = make("--seconds", "0.05")
    assert screen.form.asked().attacks == list(specs.USUAL)
    screen.form.samples.setValue(60)
    screen.form.go.click()
    wait_until(lambda: any(row[1] == "50.0 %" for row in texts(screen)))
    assert [row[0] for row in texts(screen)] == list(specs.USUAL)
    assert screen.bar.isVisible() and 0 < screen.bar.value() < 1000
    wait_until(lambda: not screen.trainer.busy)
    assert texts(screen)[2] == ["pgd-20", "25.0 %", "0.0 % to 100.0 %", "15 of 60"]
    assert not screen.bar.isVisible() and "60 test images of digits" in screen.status.text()
    assert "&lt;b&gt;a warning" in screen.checks.toHtml() and "warn" in screen.checks.toPlainText()


def test_pause_go_on_and_stop(make, wait_until):
    screen = make("--seconds", "0.05")
    screen.form.go.click()
    wait_until(lambda: screen.trainer.state == "running")
    screen.pause.click()
    wait_until(lambda: screen.trainer.state == "paused")
    assert screen.pause.text() == "Continue" and "paused" in screen.status.text()
    screen.pause.click()
    wait_until(lambda: screen.trainer.state == "running")
    screen.stop.click()
    wait_until(lambda: not screen.trainer.busy)
    assert screen.trainer.last.kind == "stopped" and screen.trainer.held
    assert not screen.presenter.rows()


def test_a_killed_evaluation_says_so_and_can_be_tried_again(make, wait_until):
    screen = make("--seconds", "0.02", "--crash")
    screen.form.go.click()
    wait_until(lambda: not screen.trainer.busy)
    ending = screen.trainer.last
    assert ending.kind == "crashed" and "Evaluation of one" in ending.sentence
    screen.trainer.again(ending.job)
    assert screen.trainer.current == ending.job
    wait_until(lambda: not screen.trainer.busy)


def test_another_model_shows_its_own_figures(make, wait_until, tmp_path):
    make_run(tmp_path / "runs" / "two")
    screen = make()
    screen.form.go.click()
    wait_until(lambda: not screen.trainer.busy)
    first = screen.presenter.target
    assert texts(screen)
    other = next(key for key in screen.context.store.records if key != first)
    screen.evaluate(other, "best")
    assert not texts(screen) and "not been evaluated" in screen.status.text()
    screen.evaluate(first, "best")
    assert texts(screen)


def test_a_model_that_is_asked_for_while_the_screen_is_hidden_is_chosen(make, tmp_path):
    for name in ("a", "z"):
        make_run(tmp_path / "runs" / name)
    screen = make()
    screen.hide()
    for name in ("z", "a", "one"):
        path = str(tmp_path / "runs" / name)
        screen.evaluate(path, "final")
        screen.show()
        screen.shown()
        assert screen.form.asked().target == path == screen.presenter.target
        assert screen.form.asked().which == "final"
        screen.hide()


def test_a_file_that_is_not_whole_is_a_sentence(make, tmp_path):
    (tmp_path / "runs").mkdir()
    screen = make()
    (tmp_path / "runs" / "one" / "evaluation.json").write_text("{")
    screen.presenter.look()
    assert "damaged" in screen.status.text()


def test_a_keras_file_asks_for_its_data(make, tmp_path):
    screen = make()
    screen.form.choose(str(tmp_path / "net.keras"), "")
    assert not screen.form.go.isEnabled() and "data set" in screen.form.why.text()
    screen.form.data.setCurrentText("digits")
    assert screen.form.go.isEnabled()
    assert "--data.name" in screen.form.asked().arguments()


def test_the_report_opens_when_it_is_there(make, wait_until, monkeypatch):
    opened = []
    monkeypatch.setattr(
        "gui.views.evaluate.QDesktopServices.openUrl", lambda url: opened.append(url.toLocalFile())
    )
    screen = make()
    screen.report.click()
    wait_until(lambda: opened)
    assert opened[0].endswith("one/report.html") and screen.trainer.last.kind == "done"


def test_the_session_comes_back(make):
    screen = make()
    screen.tabs.setCurrentIndex(1)
    screen.form.kind.setCurrentIndex(1)
    again = make()
    again.restore(json.loads(json.dumps(screen.state())))
    assert again.tabs.currentIndex() == 1 and again.form.kind.currentIndex() == 1
    again.restore({"tab": "x", "samples": None, "kind": 3, "target": 4})


# -- fallen images ----------------------------------------------------------------------------


def keep(path, count=6, **changes):
    rng = np.random.default_rng(0)
    arrays = {
        "x_adv": rng.random((count, 8, 8, 1), "float32"),
        "y": np.arange(count, dtype="int32") % 2,
        "attack": np.array([0, 1, -1] * (count // 3), "int32"),
        "fooled": np.array([True, True, False] * (count // 3)),
        "attacks": np.array(["pgd-20", "square"]),
    }
    np.savez(path, **(arrays | changes))


def test_fallen_images_by_attack_and_class(tmp_path):
    keep(tmp_path / "a.npz")
    fallen = gallery.read(str(tmp_path / "a.npz"))
    assert fallen.chosen() == [0, 1, 3, 4] and fallen.chosen("square") == [1, 4]
    assert fallen.chosen("square", 0) == [4] and set(fallen.names) == {"pgd-20", "square"}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive"])
def test_a_file_that_holds_no_images_is_a_sentence(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    assert "cannot be read" in gallery.read(str(tmp_path / "a.npz")).problem
    assert gallery.read(str(tmp_path / "none.npz")) is gallery.NOTHING


def test_arrays_that_do_not_belong_together_are_a_sentence(tmp_path):
    keep(tmp_path / "a.npz", y=np.zeros(2, "int32"))
    assert "belong together" in gallery.read(str(tmp_path / "a.npz")).problem


def test_a_fallen_image_goes_to_the_lab(make, tmp_path, wait_until):
    screen = make()
    keep(tmp_path / "runs" / "one" / "adversarial.npz")
    screen.tabs.setCurrentWidget(screen.gallery)
    assert screen.gallery.list.count() == 4 and screen.gallery.count.text() == "4 images fell"
    screen.gallery.which.setCurrentIndex(screen.gallery.which.findData("square"))
    assert screen.gallery.list.count() == 2
    sent, picked = [], []
    screen.context.attack_model.connect(lambda *words: sent.append(words))
    screen.context.lab.pick = lambda *words: picked.append(words)
    screen.gallery.list.setCurrentRow(1)
    screen.gallery.list.itemActivated.emit(screen.gallery.list.currentItem())
    assert sent == [(screen.presenter.target, "best")] and picked == [("index", 4)]
    assert screen.gallery.list.item(0).data(Qt.ItemDataRole.UserRole) == 1
