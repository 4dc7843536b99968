"""The Labels screen: ranking, self-test, map, marks, and runs without a whole history."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

from gui.models import label_history
from gui.models.label_history import FOLDER, IMAGES
from gui.views.labels import LabelsScreen
from tests.gui._runs import StandInContext, make_run

N, K, EPOCHS = 12, 4, (2, 4, 6)


def soft(epoch: int, seed: int = 0) -> np.ndarray:
    """Rows that move away from the given class, the samples with small numbers the most."""
    given = np.arange(N) % K
    away = (np.arange(N, 0, -1) / (N + 1)) * epoch / EPOCHS[-1]
    rows = np.full((N, K), 0.0)
    rows[np.arange(N), given] = 1 - away
    rows[np.arange(N), (given + 1) % K] = away
    return rows


def record(folder, epochs=EPOCHS, wrong=3, pictures=True) -> None:
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    given = np.arange(N) % K
    true = np.where(np.arange(N) < wrong, (given + 1) % K, given)
    for epoch in epochs:
        facts = {"index": 10 * np.arange(N), "given": given, "true": true}
        path = folder / FOLDER / f"{epoch:06}.npz"
        np.savez_compressed(path, rows=soft(epoch).astype("float16"), **facts)
    if pictures:
        images = np.zeros((N, 8, 8, 1), "uint8")
        np.savez(folder / IMAGES, images=images, class_names=np.array(["a", "b", "<c>", "d"]))


@pytest.fixture
def run(tmp_path):
    make_run(tmp_path / "runs" / "one")
    record(tmp_path / "runs" / "one")
    return tmp_path / "runs" / "one"


@pytest.fixture
def history(run):
    found, problem = label_history.read(run)
    assert not problem
    return found


@pytest.fixture
def make(qapp):
    made = []

    def screen(folder) -> LabelsScreen:
        context = StandInContext(folder)
        context.store.scan()
        one = LabelsScreen(context)
        one.resize(1100, 700)
        one.show()
        one.shown()
        made.append(one)
        return one

    yield screen
    for one in made:
        one.close()
        one.deleteLater()


# -- the model --------------------------------------------------------------------------------


def test_quantities_are_numpys(history):
    p = np.stack([soft(epoch)[np.arange(N), np.arange(N) % K] for epoch in EPOCHS])
    np.testing.assert_allclose(history.p_given, p, atol=1e-3)
    np.testing.assert_allclose(history.suspicion, 1 - p[-1], atol=1e-3)
    np.testing.assert_array_equal(history.ranking, np.arange(N))
    np.testing.assert_array_equal(history.suggested, (np.arange(N) % K + 1) % K)
    mean, spread = history.cartography
    np.testing.assert_allclose(mean, p.mean(0), atol=1e-3)
    np.testing.assert_allclose(spread, p.std(0), atol=1e-3)
    wanted = [soft(EPOCHS[-1])[np.arange(N) % K == k].mean(0) for k in range(K)]
    np.testing.assert_allclose(history.softening, wanted, atol=1e-3)


def test_the_self_test_is_precision_at_k(history, run):
    assert "of the 3 most suspected, 100 %" in history.self_test()
    record(run, wrong=0)
    assert "has not been measured" in label_history.read(run)[0].self_test()


def test_a_class_without_samples_has_no_row(history):
    import dataclasses

    few = dataclasses.replace(history, given=np.zeros(N, int))
    assert np.isnan(few.softening[1:]).all() and np.isfinite(few.softening[0]).all()


def test_no_history_says_how_to_record_one(tmp_path):
    found, problem = label_history.read(tmp_path)
    assert found is None and "--analysis.record label_history" in problem


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nothing"])
def test_a_damaged_epoch_is_left_out_and_said(run, content):
    (run / FOLDER / "000004.npz").write_bytes(content)
    found, problem = label_history.read(run)
    assert list(found.epochs) == [2, 6] and "000004.npz" in problem


def test_epochs_of_another_shape_are_left_out(run):
    facts = {"index": np.arange(2), "given": np.zeros(2, int), "true": np.zeros(2, int)}
    np.savez(run / FOLDER / "000001.npz", rows=np.ones((2, K), "float16") / K, **facts)
    found, _ = label_history.read(run)
    assert list(found.epochs) == list(EPOCHS) and len(found) == N


def test_pictures_may_be_missing_or_of_others(run):
    (run / IMAGES).unlink()
    found, _ = label_history.read(run)
    assert len(found.images) == 0 and found.name(2) == "2"
    np.savez(run / IMAGES, images=np.zeros((3, 2, 2, 1), "uint8"), class_names=np.array(["a"]))
    assert len(label_history.read(run)[0].images) == 0


# -- the screen -------------------------------------------------------------------------------


def test_the_first_run_with_a_history_is_shown(make, run, no_exception_in_a_slot):
    make_run(run.parent / "two")
    screen = make(run.parent)
    assert screen.run.count() == 1 and screen.presenter.path == str(run)
    assert "100 %" in screen.about.text() and screen.table.texts.rowCount() == N
    assert list(screen.table.texts.row(0)[1:]) == ["0", "a", "b", "7.7 %", "b"]
    assert "given: a" in screen.words.text() and not screen.picture.pixmap().isNull()
    for tab in range(screen.tabs.count()):
        screen.tabs.setCurrentIndex(tab)
    assert len(screen.map._dots.data) == N and len(screen.matrix._texts) == K * K


def test_a_dot_of_the_map_chooses_its_sample(make, run):
    screen = make(run.parent)
    screen.tabs.setCurrentIndex(1)
    screen.map.chosen.emit(5)
    assert screen.sample == 5 and "Sample 50" in screen.words.text()


def test_names_are_no_markup(make, run):
    screen = make(run.parent)
    screen._choose(2)
    assert "&lt;c&gt;" in screen.words.text()


def test_marks_are_exported(make, run, tmp_path):
    screen = make(run.parent)
    assert not screen.export.isEnabled()
    for row in (0, 3):
        screen.table.selectRow(row)
        screen.mark.click()
    assert screen.table.texts.row(0)[0] == "★" and screen.export.isEnabled()
    screen.save_marks(tmp_path / "marks.csv")
    rows = list(csv.DictReader((tmp_path / "marks.csv").open()))
    assert [(row["index"], row["given"], row["suggested"]) for row in rows] == [
        ("0", "a", "b"),
        ("30", "d", "a"),
    ]
    screen.mark.click()
    assert screen.presenter.marks == {0}


def test_what_cannot_be_saved_is_a_sentence(make, run, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(
        "gui.views.labels.QMessageBox.warning", lambda *words: said.append(words[2])
    )
    make(run.parent).save_marks(tmp_path / "no" / "marks.csv")
    assert "could not be saved" in said[0]


def test_a_run_deleted_while_shown(make, run, no_exception_in_a_slot):
    screen = make(run.parent)
    shutil.rmtree(run)
    screen.context.runs_changed.emit(screen.context.store.scan())
    assert not screen.splitter.isVisible() and "label_history" in screen.about.text()


def test_the_session_comes_back(make, run):
    screen = make(run.parent)
    screen.tabs.setCurrentIndex(2)
    again = make(run.parent)
    again.restore(json.loads(json.dumps(screen.state())))
    assert again.tabs.currentIndex() == 2 and again.presenter.path == str(run)
    again.restore({"path": 3, "tab": "x"})
