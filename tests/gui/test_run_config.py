"""The configuration of a run, put together from sections: always as if it were read as a whole."""

import pytest

from gui.models import run_config
from slr_keras import config as configs
from slr_keras.settings import registry

CONFIGS = (
    {},
    {"seed": 3, "plugin": ["a.py", "b.py"], "method": {"name": "trades"}},
    {"attack": {"name": "fgsm"}, "model": {"name": "resnet18"}, "train": {"epochs": 7}},
    {"model": {"name": "mine.keras"}, "data": {"dir": "[train]"}},
)
TEXTS = {
    "empty": "",
    "a part": "seed = 2\n[attack]\neps = '8/255'\n",
    "a heading in a long text": 'run_dir = """\n[train]\nepochs = 3\n"""\n',
    "a heading in a list": "plugin = [\n'a',\n'b',\n]\n[train]\nepochs = 4\n",
    "dotted": "train.epochs = 3\n",
    "dotted and a section": "train.epochs = 3\n[train]\nbatch_size = 2\n",
    "inline": "train = {epochs = 3}\n",
    "twice": "[train]\nepochs = 3\n[train]\nbatch_size = 2\n",
    "a comment": "[train] # so\nepochs = 3\n[eval]\nevery = 2\n",
    "an unknown section": "[trian]\nepochs = 3\n",
    "a table in a section": "[train]\n[train.epochs]\nx = 1\n",
    "a variant of another kind": "[attack]\nname = 'trades'\n",
    "at odds with each other": "[data]\nval_fraction = 0.0\n[train]\npatience = 3\n",
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config.toml"


def same(file) -> tuple:
    """Both ways of reading, one of them twice; what they agree on."""
    whole, first = run_config._whole(str(file)), run_config.read_config(str(file))
    assert first == whole == run_config.read_config(str(file))
    assert list(first[1]) == list(whole[1])
    return first


@pytest.mark.parametrize("values", CONFIGS)
def test_what_a_run_writes_is_put_together(file, values, monkeypatch):
    config = configs.load(values=values)
    file.write_text(configs.dumps(config))
    assert same(file)[0] == config
    monkeypatch.setattr(run_config, "_whole", lambda path: pytest.fail("read as a whole"))
    assert run_config.read_config(str(file))[0] == config


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_what_a_hand_writes_means_the_same(file, text):
    file.write_text(text)
    same(file)


def test_other_variants_can_be_named_later(file):
    file.write_text("[attack]\nname = 'mine'\n")
    assert same(file)[0] is None
    mine = type("Mine", (registry.get("attacks", "fgsm"),), {"name": "mine"})
    try:
        registry.own({"attacks": {"mine": mine}})
        assert type(same(file)[0].attack) is mine
    finally:
        registry.own({})
    assert same(file)[0] is None
