"""The form on screen: what is typed reaches the model, and what the model says is seen."""

import dataclasses
import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QWidget,
)

from gui.models.form import ESSENTIAL, Form
from gui.views.form import FormView
from slr_keras import config
from slr_keras.config import RunConfig, TrainSettings
from slr_keras.settings.schema import setting


@pytest.fixture
def view(qapp, wait_until):
    view = FormView(Form())
    view.show_all()
    view.said = []
    view.message.connect(lambda text: view.said.append(text))
    view.resize(380, 800)
    view.show()
    view.activateWindow()
    wait_until(view.isActiveWindow)
    yield view
    view.close()


def row(view, key):
    return next(r for s in view.sections for r in s.rows if r.row.key == key)


def type_into(view, key, text):
    control = row(view, key).control
    control.setFocus()
    control.selectAll()
    QTest.keyClicks(control, text) if text else QTest.keyClick(control, Qt.Key.Key_Delete)


def visible_keys(view):
    return {r.row.key for s in view.sections for r in s.rows if r.isVisible()}


def test_controls_fit_their_settings(view):
    kinds = {
        "seed": QLineEdit,
        "train.export": QCheckBox,
        "method.name": QComboBox,
        "precision": QComboBox,
        "data.name": QLineEdit,
        "schedule.milestones@step": QLineEdit,
    }
    for key, kind in kinds.items():
        assert isinstance(row(view, key).control, kind), key
    assert row(view, "model.name").control.isEditable()
    assert not row(view, "method.name").control.isEditable()


def test_a_new_field_gets_a_control(qapp):
    @dataclasses.dataclass(frozen=True)
    class More(TrainSettings):
        warm_restarts: int = setting(3, help="how often it starts warm", at_least=1)

    @dataclasses.dataclass(frozen=True)
    class Run(RunConfig):
        train: More = setting(More(), help="training")

    view = FormView(Form(Run))
    view.show_all()
    new = row(view, "train.warm_restarts")
    assert (new.label.text(), new.control.text()) == ("Warm restarts", "3")
    assert "How often it starts warm." in new.control.toolTip()


def test_typing_reaches_the_configuration(view):
    type_into(view, "train.epochs", "12")
    type_into(view, "attack.eps@pgd", "8/255")
    row(view, "train.tensorboard").control.click()
    row(view, "schedule.name").control.setCurrentText("cosine")
    made = view.form.config
    assert (made.train.epochs, made.attack.eps) == (12, 8 / 255)
    assert (made.train.tensorboard, made.schedule.name) == (False, "cosine")


def test_bad_input_is_said_under_its_row(view):
    type_into(view, "train.epochs", "ten")
    bad = row(view, "train.epochs")
    assert bad.note.isVisible() and bad.note.text().startswith("Expected a whole number")
    assert bad.note.property("role") == "bad" and bad.icon.isVisible()
    section = next(s for s in view.sections if s.section == "train")
    assert section.count.text() == "1 error"
    type_into(view, "train.epochs", "10")
    assert not bad.note.isVisible()


def test_what_is_typed_is_not_rewritten_under_the_cursor(view):
    type_into(view, "attack.eps@pgd", "0.0")
    assert row(view, "attack.eps@pgd").control.text() == "0.0"
    QTest.keyClicks(row(view, "attack.eps@pgd").control, "3")
    assert view.form.config.attack.eps == 0.03


def test_only_rows_of_the_chosen_variant_are_seen(view):
    assert "attack.steps@pgd" in visible_keys(view)
    row(view, "attack.name").control.setCurrentText("fgsm")
    assert "attack.steps@pgd" not in visible_keys(view)
    assert "attack.eps@fgsm" in visible_keys(view)
    row(view, "model.name").control.setCurrentText("/tmp/a.keras")
    assert not {key for key in visible_keys(view) if key.startswith("model.width")}


def test_search_filters_and_opens_folded_sections(view):
    view.fold(["data"])
    assert "data.label_noise" not in visible_keys(view)
    view.search.setText("label noise")
    assert "data.label_noise" in visible_keys(view) and "seed" not in visible_keys(view)
    view.search.setText("no such thing")
    assert not visible_keys(view) and view.empty.isVisible()
    view.search.clear()
    assert "seed" in visible_keys(view) and "data.label_noise" not in visible_keys(view)
    assert view.folded() == ["data"] and not view.empty.isVisible()


def test_changed_rows_are_marked_and_reset(view):
    seed = row(view, "seed")
    assert not seed.undo.isVisible()
    type_into(view, "seed", "7")
    assert seed.undo.isVisible() and seed.label.font().bold()
    seed.undo.click()
    assert seed.control.text() == "0" and not seed.undo.isVisible()


def test_presets(view):
    names = [view.top.presets.itemData(i) for i in range(view.top.presets.count())]
    assert [p.name for p in names[:-1]] == ["", *config.preset_names()] and names[-1] is None
    view.top.presets.activated.emit(2)
    assert view.form.config == config.load(config.preset_names()[1])
    assert view.top.presets.currentIndex() == 2 and view.top.description.text()
    type_into(view, "seed", "3")
    assert view.top.presets.currentIndex() == 2
    assert view.top.description.text().startswith("With changes.")
    view.form.reset()
    assert view.top.presets.currentIndex() == 0
    type_into(view, "seed", "3")
    assert view.top.presets.currentText() == "Settings of your own"


def test_help_of_the_focused_row(view):
    row(view, "attack.eps@pgd").control.setFocus()
    assert "Radius of the ball" in view.help.text() and "8/255" in view.help.text()


def test_warnings_are_seen(view):
    assert not view.notes.isVisible()
    type_into(view, "method.start_epoch@slr", "99")
    assert view.notes.isVisible() and "never refined" in view.notes.text()


def test_import_and_export(view, tmp_path, monkeypatch):
    path = tmp_path / "run.toml"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    type_into(view, "seed", "7")
    view.top.export_toml()
    view.form.reset()
    view.top.import_toml()
    assert view.form.config.seed == 7
    path.write_text("[train]\nepoch = 3\n")
    view.top.import_toml()
    assert "Did you mean 'epochs'?" in view.said[-1] and view.form.config.seed == 7
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path), ""))
    view.top.export_toml()
    assert "could not be written" in view.said[-1]
    type_into(view, "seed", "x")
    view.top.export_toml()
    assert view.said[-1].startswith("Nothing was exported")


def test_copy_as_command(view):
    type_into(view, "seed", "7")
    view.top.copy_command()
    assert QGuiApplication.clipboard().text() == "python -m slr_keras.train --seed 7"
    type_into(view, "seed", "x")
    view.top.copy_command()
    assert "seed" in view.said[-1]


def test_choosing_files_and_folders(view, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "/data/sets")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("/tmp/mine.keras", ""))
    buttons = row(view, "data.dir").findChildren(QAbstractButton)
    next(b for b in buttons if "folder" in b.accessibleName()).click()
    buttons = row(view, "model.name").findChildren(QAbstractButton)
    next(b for b in buttons if "file" in b.accessibleName()).click()
    assert view.form.config.data.dir == "/data/sets"
    assert view.form.config.model.path == "/tmp/mine.keras"


def test_the_first_error_gets_the_focus(view):
    view.fold(["train"])
    view.search.setText("seed")
    view.form.set_text("train.epochs", "x")
    view.show_first_error()
    assert view.focusWidget() is row(view, "train.epochs").control
    assert "train.epochs" in visible_keys(view)


def test_every_control_has_a_name(view):
    kinds = (QAbstractButton, QComboBox, QLineEdit)
    for kind in kinds:
        for widget in view.findChildren(kind):
            if not isinstance(widget.parent(), (QComboBox, QLineEdit)):
                text = widget.text() if isinstance(widget, QAbstractButton) else ""
                assert text or widget.accessibleName(), widget
    assert not [w for w in view.findChildren(QWidget) if w.isVisible() and w.width() > view.width()]


def test_tab_goes_from_top_to_bottom(view):
    row(view, "attack.name").control.setCurrentText("fgsm")  # rows that are made late
    row(view, "attack.name").control.setFocus()
    seen = []
    for _ in range(3):
        QTest.keyClick(view.focusWidget(), Qt.Key.Key_Tab)
        end = time.monotonic() + 30
        while not isinstance(view.focusWidget(), (QLineEdit, QComboBox, QCheckBox)):
            assert time.monotonic() < end, view.focusWidget()
            QTest.keyClick(view.focusWidget(), Qt.Key.Key_Tab)
        seen.append(view._of_control[view.focusWidget()].key)
    assert seen == ["attack.norm@fgsm", "attack.eps@fgsm", "attack.targeted@fgsm"]


# -- essentials and changes -------------------------------------------------------------------


def essential_keys(view):
    return [r.row.setting.path for r in view.essentials.rows if r.isVisible()]


def test_the_form_begins_with_what_makes_a_run(qapp):
    view = FormView(Form())
    view.show()
    assert view.modes.tabText(view.modes.currentIndex()) == "Essentials"
    assert set(essential_keys(view)) == set(ESSENTIAL)
    assert not visible_keys(view)
    view.close()


def test_essentials_follow_the_chosen_attack_and_keep_their_order(view):
    view.modes.setCurrentIndex(0)
    view.form.set_text("attack.name", "fgsm")
    column = [view.essentials._column.itemAt(n).widget() for n in range(len(ESSENTIAL))]
    assert [r.row.setting.path for r in column] == list(ESSENTIAL)
    assert all(r.isVisible() for r in column)
    typed = next(r for r in column if r.row.setting.path == "attack.eps")
    typed.control.selectAll()
    QTest.keyClicks(typed.control, "4/255")
    assert view.form.config.attack.eps == pytest.approx(4 / 255)


def test_a_search_looks_through_all_settings(view):
    view.modes.setCurrentIndex(0)
    view.search.setText("nesterov")
    assert visible_keys(view) == {"optimizer.nesterov@sgd"} and not essential_keys(view)
    view.search.clear()
    assert essential_keys(view) and not visible_keys(view)


def test_changed_shows_what_the_preset_has_not(view):
    view.form.load_preset("cifar10-1k-slr")
    view.modes.setCurrentIndex(2)
    assert not visible_keys(view) and "as the preset" in view.empty.text()
    view.form.set_text("seed", "7")
    assert visible_keys(view) == {"seed"}
    view.form.set_text("seed", "0")
    assert not visible_keys(view)


def test_an_error_in_a_hidden_row_is_said_and_found(view):
    view.modes.setCurrentIndex(0)
    view.form.set_text("optimizer.momentum@sgd", "2")
    assert "optimizer.momentum" in view.notes.text() and "All settings" in view.notes.text()
    view.show_first_error()
    assert row(view, "optimizer.momentum@sgd").control.hasFocus()


def test_an_error_among_the_essentials_gets_the_focus_there(view):
    view.modes.setCurrentIndex(0)
    view.form.set_text("train.epochs", "0")
    view.show_first_error()
    focused = next(r for r in view.essentials.rows if r.row.setting.path == "train.epochs")
    assert focused.control.hasFocus() and view.modes.currentIndex() == 0


def test_a_preset_that_is_no_more_is_passed_over(view):
    view.form.set_texts({"seed": "3"}, "gone")
    assert view.form.rows["seed"].text == "3" and view.form.differs(view.form.rows["seed"])
