"""The Export screen: through the queue, with what was written as links."""

from __future__ import annotations

import pytest

from gui.presenters.context import Context, Programs
from gui.views.export import ExportScreen
from slr_keras.export_formats import FORMATS
from tests.gui._runs import make_run
from tests.gui.fake_programs import FAKE_LAB, FAKE_TASK, FAKE_TRAINER


@pytest.fixture
def screen(qapp, settings, tmp_path):
    make_run(tmp_path / "runs" / "one")
    (tmp_path / "runs" / "one" / "final.keras").touch()
    programs = Programs(FAKE_TRAINER, FAKE_LAB, {"export": FAKE_TASK})
    context = Context(tmp_path / "runs", settings, programs)
    context.store.scan()
    made = ExportScreen(context)
    made.said = []
    context.message.connect(made.said.append)
    made.resize(900, 600)
    made.show()
    made.shown()
    yield made
    context.trainer.worker.kill()
    context.trainer.worker.close(3000)
    made.close()
    made.deleteLater()


def test_every_format_of_the_command_has_words(screen):
    shown = [screen.format.itemText(row) for row in range(screen.format.count())]
    assert shown == [form.label for form in FORMATS.values()]


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_goes_through_the_queue_and_leaves_links(screen, wait_until, tmp_path, kind):
    screen.format.setCurrentIndex(screen.format.findData(kind))
    screen.go.click()
    job = screen.presenter.trainer.current
    assert job.task == "export" and job.arguments[1:3] == ("--format", kind)
    assert job.arguments[-2:] == ("--which", "best")
    wait_until(lambda: screen.presenter.done)
    wait_until(lambda: not screen.presenter.trainer.busy)
    assert screen.presenter.trainer.last.kind == "done" and not screen.status.text()
    text = screen.results.toPlainText()
    assert FORMATS[kind].place in text and "all is well" in text


def test_what_is_there_is_not_replaced_unasked(screen, tmp_path):
    place = tmp_path / "there"
    place.mkdir()
    screen.out.setText(str(place))
    screen.go.click()
    assert not screen.presenter.trainer.busy and "Replace what is there" in screen.said[-1]
    screen.overwrite.setChecked(True)
    screen.go.click()
    assert "--overwrite" in screen.presenter.trainer.current.arguments


def test_a_relative_place_is_the_users(screen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    screen.out.setText("here")
    screen.go.click()
    assert str(tmp_path / "here") in screen.presenter.trainer.current.arguments


def test_a_keras_file(screen, tmp_path):
    file = tmp_path / "net.keras"
    file.touch()
    screen.export(str(file), "")
    assert screen.source == str(file) and not screen.which.isEnabled()
    screen.go.click()
    arguments = screen.presenter.trainer.current.arguments
    assert "--which" not in arguments and str(tmp_path / "savedmodel") in arguments


def test_the_session_comes_back(screen):
    screen.restore({"format": "keras"})
    assert screen.state() == {"format": "keras"}
    screen.restore({"format": 3})
