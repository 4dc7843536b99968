"""Own parts in the form: asked for once, told by a worker, never imported by the window."""

import json
import sys

import pytest

from gui.models.form import Form
from gui.models.own_parts import OwnParts, key
from gui.presenters.own_parts import SETTING, OwnPartsPresenter
from slr_keras.settings import descriptions, plugins, registry
from tests.gui.conftest import wait_until

TEXT = '''
"""Parts."""
import dataclasses
import pathlib
from slr_keras.plugin import Labels, Model, setting

pathlib.Path(__file__).with_suffix(".ran").touch()


@dataclasses.dataclass(frozen=True)
class Mine(Labels):
    """Mine alone."""

    name = "mine"
    rate: float = setting(0.3, help="share that is taken", at_least=0, at_most=1)
    kinds: tuple[int, ...] = setting((1, 2), help="numbers", at_least=1)


@dataclasses.dataclass(frozen=True)
class Net(Model):
    """A network."""

    name = "mine_too"

    def build(self, input_shape, num_classes):
        raise NotImplementedError
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "parts_of_mine.py"
    path.write_text(TEXT)
    yield path
    registry.own({})


@pytest.fixture
def presenter(settings, file):
    presenter = OwnPartsPresenter(Form(), settings)
    presenter.asked, presenter.said = [], []
    presenter.asks.connect(presenter.asked.append)
    presenter.message.connect(presenter.said.append)
    yield presenter
    presenter.close()


def learn(presenter, file):
    presenter._form.set_text("plugin", str(file))
    presenter.look()
    assert presenter.asked == [str(file)]
    presenter.agree(str(file), True)
    wait_until(lambda: presenter.parts.names or presenter.said)
    assert presenter.said == []


def test_a_worker_tells_them_and_the_form_has_them(presenter, file, settings):
    form, ran = presenter._form, file.with_suffix(".ran")
    row = form.rows["labels.name"]
    assert "mine" not in form.options(row) and not ran.exists()
    form.set_text("plugin", str(file))
    presenter.look()
    assert not ran.exists(), "nobody has agreed"
    presenter.asked.clear()
    learn(presenter, file)
    assert ran.exists() and "slr_plugin_parts_of_mine" not in sys.modules
    assert "mine" in form.options(row) and "mine_too" in form.options(form.rows["model.name"])
    form.set_text("method.name", "at")
    form.set_text("labels.name", "mine")
    assert form.about(row) == "Mine alone."
    form.set_text("labels.rate@mine", "1.5")
    assert "expected a number >= 0, <= 1" in form.errors()[0]
    form.set_text("labels.rate@mine", "0.4")
    assert form.config.labels.rate == 0.4 and form.config.labels.kinds == (1, 2)
    assert form.config.plugin == (str(file),)
    assert presenter.parts.flags() == ["--plugin", str(file)]

    again = OwnPartsPresenter(Form(), settings)  # another session: it is known by its digest
    again.asks.connect(lambda name: pytest.fail("asked twice"))
    again._form.set_text("plugin", str(file))
    again.look()
    assert "mine" in again._form.options(again._form.rows["labels.name"])


def test_a_changed_file_is_asked_for_again(presenter, file):
    learn(presenter, file)
    file.write_text(TEXT.replace('"mine"', '"yours"'))
    presenter.asked.clear()
    presenter.look()
    assert presenter.asked == [str(file)] and presenter.parts.names == ()
    presenter.agree(str(file), False)
    presenter.asked.clear()
    presenter.look()
    assert presenter.asked == [] and "was not run" in presenter.said[-1]


def test_a_file_that_fails_is_a_sentence(presenter, file):
    file.write_text("x = 1 / 0")
    presenter._form.set_text("plugin", str(file))
    presenter.look()
    presenter.agree(str(file), True)
    wait_until(lambda: presenter.said)
    assert "cannot be used: --plugin" in presenter.said[0] and "ZeroDivision" in presenter.said[0]


def test_a_run_that_was_made_with_them_gets_them(tmp_path, file):
    parts = OwnParts()
    folder = tmp_path / "run" / "plugins"
    folder.mkdir(parents=True)
    (folder / "plugins.json").write_text(json.dumps([{"name": str(file)}]))
    assert parts.flags_of(str(folder.parent)) == []
    parts.learn(str(file), {"parts": []})
    assert parts.flags_of(str(folder.parent)) == ["--plugin", str(file)]
    assert parts.flags_of(str(tmp_path)) == []
    (folder / "plugins.json").write_text("{")
    assert parts.flags_of(str(folder.parent)) == []


def test_what_is_kept_may_be_damaged(settings):
    for text in ("{", "[1]", '{"x": 1}', ""):
        settings.setValue(SETTING, text)
        assert OwnPartsPresenter(Form(), settings).parts.described == {}


def test_descriptions_stand_for_what_they_describe(file):
    (plugin,) = plugins.use([str(file)])
    told = json.loads(json.dumps(descriptions.describe(plugin)))
    real = {kind: registry.variants(kind) for kind in ("labels", "models")}
    plugins.forget()
    assert descriptions.stand_for([told]) == []
    for kind, names in real.items():
        assert set(names) == set(registry.variants(kind))
    assert registry.get("labels", "mine")(rate="1/4").rate == 0.25
    assert key(str(file)) == told["sha256"]
    assert "two of the kind label are called 'mine'" in descriptions.stand_for([told, told])[0]
    assert "cannot be used" in descriptions.stand_for([{"parts": [{"kind": "labels"}]}])[0]
