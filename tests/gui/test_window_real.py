"""End to end: the window with the real trainer and the real lab on the digits.

The only test of the app that needs TensorFlow; about half a minute on two quiet cores.
"""

from __future__ import annotations

import pathlib

import psutil
import pytest
from PySide6.QtCore import QSettings

from gui.app import Session
from slr_keras.protocol import events
from slr_keras.run_folder import RunFolder

STARTED = 120  # seconds that import, build and compilation may take on a busy machine
SOON = 60


@pytest.fixture
def session(qapp, tmp_path):
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    session = Session(qapp, settings, tmp_path / "runs")
    session.window.show()
    session.window.complete()
    yield session
    for worker in (session.context.trainer.worker, session.context.lab.worker):
        worker.kill()
        worker.close(5000)
    session.window.leave()
    session.end()


def test_train_pause_attack_resume_close(session, wait_until):
    window, context = session.window, session.context
    trainer, lab = context.trainer, context.lab
    heard: list[object] = []
    trainer.event.connect(heard.append)

    def epochs() -> int:
        return sum(isinstance(event, events.EpochEnded) for event in heard)

    window.show_screen("train")
    train = window.current
    for key, text in {"train.epochs": "30", "data.train_samples": "600", "seed": "3"}.items():
        train.presenter.form.set_text(key, text)
    train.start.click()
    wait_until(lambda: trainer.worker.pid, 30)
    pid = trainer.worker.pid
    assert trainer.busy and trainer.status_text
    train.pause_after_this_epoch()
    wait_until(lambda: trainer.state == "paused", STARTED)
    assert epochs() == 1

    path = pathlib.Path(trainer.current.path)
    assert RunFolder.open(path).status() == "paused"
    wait_until(lambda: context.store.get(str(path)) is not None, SOON)
    train.open_lab()
    assert window.current.name == "lab"
    slot = lab.bench.slots["a"]
    wait_until(lambda: slot.result is not None, STARTED)
    done = slot.result.done
    assert done.verdict in ("wrong_on_clean", "resists", "fooled")
    assert 0 < done.distance <= done.budget + 1e-6
    assert abs(slot.result.delta).max() <= done.budget + 1e-6

    window.show_screen("train")
    trainer.resume_run()
    wait_until(lambda: epochs() >= 2, SOON)
    record = train.presenter.records()[0]
    wait_until(lambda: record.last_epoch >= 2, SOON)
    assert record.epochs[0].val_robust_accuracy is not None

    assert not window.close()
    window.closing.stop.click()
    wait_until(lambda: not window.isVisible(), SOON)
    assert RunFolder.open(path).status() == "stopped"
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert list((path / "checkpoints").iterdir())
