"""Own parts from a file: like those that ship, kept with the run, never executed unasked."""

import hashlib
import json
import sys
import textwrap
import zipfile

import numpy as np
import pytest

from slr_keras import config as configs
from slr_keras import evaluate, plugin, saving, train
from slr_keras.errors import RunError, UserError
from slr_keras.run_folder import RunFolder
from slr_keras.settings import plugins, registry
from slr_keras.terminal import cli
from tests import processes

PARTS = '''
"""Parts of one's own."""
import dataclasses

from slr_keras.backend import keras
from slr_keras.plugin import Labels, Model, Schedule, setting


@dataclasses.dataclass(frozen=True)
class Tiny(Model):
    """One convolution."""

    name = "tiny"
    channels: int = setting(4, help="channels", unit="channels", at_least=1)

    def build(self, input_shape, num_classes):
        x = image = keras.Input(input_shape)
        x = keras.layers.Conv2D(self.channels, 3, strides=2, activation="relu")(x)
        return keras.Model(image, keras.layers.Dense(num_classes)(keras.layers.Flatten()(x)))


@dataclasses.dataclass(frozen=True)
class Mine(Labels):
    """Label smoothing of another name."""

    name = "mine"
    rate: float = setting(0.3, help="share taken from the given label", at_least=0, at_most=1)

    def given(self, one_hot):
        return (1 - self.rate) * one_hot + self.rate / one_hot.shape[-1]
'''
LABELS = "class A(Labels):\n    name = 'a'\n"
HEAD = "import dataclasses\nfrom slr_keras.plugin import *\n"
FROZEN = "@dataclasses.dataclass(frozen=True)\n"
RUN = [
    "--method.name",
    "at",
    "--model.name",
    "tiny",
    "--labels.name",
    "mine",
    "--attack.steps",
    "2",
]
SMALL = ["--data.train_samples", "256", "--eval.val_samples", "40", "--eval.train_samples", "40"]
SHORT = [*SMALL, "--eval.test_samples", "40", "--eval.steps", "2", "--eval.test_steps", "4"]
QUIET = ["--progress", "quiet", "--no-train.tensorboard"]


@pytest.fixture(autouse=True)
def _without_plugins():
    yield
    plugins.forget()


@pytest.fixture
def parts(tmp_path):
    path = tmp_path / "my_parts.py"
    path.write_text(PARTS)
    return path


def _file(tmp_path, text, name="own.py"):
    path = tmp_path / name
    path.write_text(text)
    return path


def _train(parts, folder, *more):
    words = ["--plugin", str(parts), *RUN, *SHORT, *QUIET, "--run-dir", str(folder), *more]
    assert train.main(words) == 0
    return RunFolder(folder)


# -- like those that ship ---------------------------------------------------------------------


def test_parts_stand_beside_those_that_ship(parts, capsys):
    plugins.use([str(parts)])
    assert registry.get("models", "tiny").__doc__ == "One convolution."
    paths = {(item.path, item.variant) for item in configs.settings()}
    assert {("model.channels", "tiny"), ("labels.rate", "mine")} <= paths
    config = configs.load(values={"model": {"name": "tiny", "channels": 2}})
    assert configs.load(values=configs.texts.from_toml(configs.dumps(config))) == config
    with pytest.raises(UserError, match=r"channels: expected a whole number >= 1 \(channels\)"):
        configs.load(values={"model": {"name": "tiny", "channels": 0}})
    with pytest.raises(UserError, match="Did you mean 'tiny'"):
        configs.load(values={"model": {"name": "tiny_"}})
    plugins.forget()
    assert "tiny" not in registry.variants("models")


def test_help_and_lists_know_them(parts, capsys):
    with pytest.raises(SystemExit):
        train.main(["--plugin", str(parts), "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "--labels.rate RATE share taken from the given label [>= 0, <= 1; mine; default 0.3]"
        in (shown)
    )
    assert train.main([f"--plugin={parts}", "--list", "labels"]) == 0
    assert "mine                         Label smoothing of another name." in (
        capsys.readouterr().out.splitlines()
    )


def test_help_imports_no_framework(parts):
    code = "import sys\nfrom slr_keras import train\ntry:\n train.main(sys.argv[1:])\n" + (
        "except SystemExit:\n print(sorted(sys.modules.keys() & {'keras', 'tensorflow', 'numpy'}))"
    )
    done = processes.finished([sys.executable, "-c", code, "--plugin", str(parts), "--help"])
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_run_of_own_parts_is_kept_and_goes_on_bit_for_bit(parts, tmp_path, capsys):
    whole = _train(parts, tmp_path / "whole", "--train.epochs", "2")
    source = parts.read_bytes()
    (record,) = whole.plugin_records()
    assert record.sha256 == hashlib.sha256(source).hexdigest()
    assert whole[record.copy].read_bytes() == source

    cut = _train(parts, tmp_path / "cut", "--train.epochs", "2")
    for name in ("summary.json", "final.keras", "best.keras"):
        cut[name].unlink()
    newest = max(cut["checkpoints"].glob("*.json"))
    newest.unlink()
    newest.with_suffix(".npz").unlink()
    plugins.forget()
    assert train.main(["--resume", str(cut.path), "--progress", "quiet"]) == 0
    pairs = zip(_weights(whole["final.keras"]), _weights(cut["final.keras"]), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)

    plugins.forget()
    with pytest.raises(RunError, match="was made with own parts: give --plugin .*my_parts.py"):
        evaluate.main([str(whole.path), "--attacks", "clean", "--progress", "quiet"])
    words = [str(whole.path), "--plugin", str(parts), "--attacks", "clean", "--progress", "quiet"]
    assert evaluate.main([*words, "--num-samples", "20"]) == 0


def _weights(path):
    return saving.load_model(path).get_weights()


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run of one epoch, not closed."""
    place = tmp_path_factory.mktemp("begun")
    (place / "my_parts.py").write_text(PARTS)
    folder = _train(place / "my_parts.py", place / "run", "--train.epochs", "1")
    plugins.forget()
    folder["summary.json"].unlink()
    return folder


def test_a_changed_file_goes_on_only_when_it_is_named(begun, capsys):
    (record,) = begun.plugin_records()
    file = begun.path.parent / "my_parts.py"
    changed = file.read_text() + "# another\n"
    file.write_text(changed)
    resume = ["--resume", str(begun.path), "--progress", "plain"]
    with pytest.raises(RunError, match="has changed since. Go on with --plugin and the file"):
        train.main(resume)
    assert train.main([*resume, "--plugin", str(file)]) == 0
    assert "goes on with another" in capsys.readouterr().err
    (now,) = begun.plugin_records()
    assert begun[now.copy].read_text() == changed and begun[record.copy].is_file()
    begun["summary.json"].unlink()
    plugins.forget()
    assert train.main(resume) == 0  # it was agreed to
    begun["summary.json"].unlink()
    plugins.forget()
    file.rename(file.with_name("gone.py"))
    with pytest.raises(RunError, match="is not there any more"):
        train.main(resume)
    assert train.main([*resume, "--plugin", str(begun[record.copy])]) == 0  # the first version
    file.with_name("gone.py").rename(file)


def test_what_lies_in_a_run_folder_is_not_executed(tmp_path):
    marker = tmp_path / "executed"
    hostile = tmp_path / "run" / "evil.py"
    hostile.parent.mkdir()
    hostile.write_text(f"open({str(marker)!r}, 'w')")
    config = configs.RunConfig(run_dir=str(tmp_path / "run"), plugin=(str(hostile),))
    folder = RunFolder(tmp_path / "run")
    folder.configure(config)
    folder["plugins"].mkdir()
    digest = hashlib.sha256(hostile.read_bytes()).hexdigest()
    row = {"name": str(hostile), "sha256": digest, "copy": "plugins/x/evil.py"}
    (folder["plugins"] / "plugins.json").write_text(json.dumps([row]))
    with pytest.raises(RunError, match="lies in a run folder, from which nothing is executed"):
        train.main(["--resume", str(folder.path)])
    assert folder.config().plugin == (str(hostile),)
    assert not marker.exists()


def test_a_file_of_settings_names_it(parts, tmp_path, capsys):
    toml = tmp_path / "run.toml"
    toml.write_text(f'plugin = ["{parts}"]\n[model]\nname = "tiny"\nchannels = 3\n')
    cli.use_plugins([str(toml)])
    config = configs.load(file=toml, values={"plugin": ["slr_keras.attacks.pgd"]})
    assert (config.model.channels, config.plugin) == (3, (str(parts), "slr_keras.attacks.pgd"))


def test_an_installed_package_announces_itself(tmp_path, monkeypatch):
    (tmp_path / "their_parts.py").write_text(PARTS)
    (tmp_path / "their_broken.py").write_text("1 / 0")
    info = tmp_path / "their-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their\nVersion: 1.0\n")
    points = "[slr_keras.plugins]\nparts = their_parts\nbroken = their_broken\n"
    (info / "entry_points.txt").write_text(points)
    code = "import sys\nfrom slr_keras import train\nsys.exit(train.main(sys.argv[1:]))"
    environment = {"PYTHONPATH": f"{tmp_path}:{':'.join(filter(None, sys.path))}"}
    done = processes.finished(
        [sys.executable, "-c", code, "--list", "models"], env={**environment, "PATH": ""}
    )
    assert "tiny                         One convolution." in done.stdout.splitlines(), done.stderr
    assert done.stderr.strip() == (
        "warning: a plug-in that is installed is left out: --plugin their_broken: line 1: "
        "ZeroDivisionError: division by zero"
    )


@pytest.fixture
def announced():
    plugins.announced.cache_clear()
    yield plugins.announced
    plugins.announced.cache_clear()


@pytest.mark.parametrize("folder", ["their.dist-info", "their.egg-info", "their.egg/EGG-INFO"])
def test_each_kind_of_installed_package_is_seen(folder, announced, tmp_path, monkeypatch):
    info = tmp_path / folder
    info.mkdir(parents=True)
    (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: their\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[slr_keras.plugins]\nparts = their_parts\n")
    monkeypatch.setattr(sys, "path", [str(info.parent)])
    assert announced() == ["their_parts"]


def test_a_package_in_an_archive_is_seen(announced, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "their.zip", "w") as archive:
        archive.writestr("their.dist-info/METADATA", "Name: their\nVersion: 1.0\n")
        points = "[slr_keras.plugins]\nparts = their_parts\n"
        archive.writestr("their.dist-info/entry_points.txt", points)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "their.zip")])
    assert announced() == ["their_parts"]


def test_without_plugins_the_metadata_of_packages_is_not_read(announced, tmp_path, monkeypatch):
    (tmp_path / "their.dist-info").mkdir()
    (tmp_path / "their.dist-info" / "entry_points.txt").write_text("[other]\nparts = parts\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "gone"), ""])
    monkeypatch.setattr("importlib.metadata.entry_points", pytest.fail)
    assert announced() == []


def test_a_study_names_it(parts, tmp_path):
    from slr_keras.studies import plan, work

    file = tmp_path / "mine.toml"
    file.write_text(
        f'plugin = "{parts}"\n[base]\n"train.epochs" = 1\n[[arm]]\nname = "tiny"\n'
        '"model.name" = "tiny"\n[[arm]]\nname = "cnn"\n"model.name" = "small_cnn"\n'
    )
    study = plan.read(file)
    assert [run.config.model.name for run in study.runs] == ["tiny", "small_cnn"]
    assert {run.config.plugin for run in study.runs} == {(str(parts),)}
    place = work.Place(tmp_path / "out", study)
    command = place.command(place.stages(study.runs[0])[1])
    assert command[-2:] == ["--plugin", str(parts)]


# -- own Keras layers -------------------------------------------------------------------------


def test_own_layers_are_named_and_then_read(tmp_path):
    layer = _file(
        tmp_path,
        textwrap.dedent("""
            from slr_keras.backend import keras, ops

            @keras.saving.register_keras_serializable("own")
            class Halved(keras.layers.Layer):
                def call(self, x):
                    return x / 2
        """),
        "halved.py",
    )
    plugins.use([str(layer)])
    import keras

    halved = keras.saving.get_registered_object("own>Halved")
    x = image = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(halved()(x))
    keras.Model(image, keras.layers.Dense(10)(x)).save(tmp_path / "own.keras")
    keras.saving.get_custom_objects().pop("own>Halved")
    plugins.forget()
    words = [str(tmp_path / "own.keras"), "--data.name", "digits", "--attacks", "clean"]
    words += ["--num-samples", "20", "--progress", "quiet"]
    with pytest.raises(UserError, match="it needs the class 'Halved', which is not there. Give --"):
        evaluate.main(words)
    assert evaluate.main([*words, "--plugin", str(layer)]) == 0
    keras.saving.get_custom_objects().pop("own>Halved")


# -- bad input --------------------------------------------------------------------------------

NO_BUILD = f"{HEAD}{FROZEN}class A(Model):\n    name = 'a'\n"
WRONG = {
    "a syntax error": ("def x(:\n", "line 1: invalid syntax"),
    "an error on import": ("x = 1\ny = x / 0\n", "line 2: ZeroDivisionError: division by zero"),
    "a way out on import": ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
    "an import that fails": ("import no_such_thing\n", "line 1: ModuleNotFoundError"),
    "no build": (NO_BUILD, "A: gives no build(), which each model needs"),
    "not frozen": (
        f"{HEAD}{LABELS}",
        "A: expected @dataclasses.dataclass(frozen=True) above the class",
    ),
    "a name of ours": (
        f"{HEAD}{FROZEN}class A(Labels):\n    name = 'slr'\n",
        "A: slr_keras has a label called 'slr' already; rename it",
    ),
    "a bad name": (f"{HEAD}{FROZEN}class A(Labels):\n    name = 'A b'\n", "name: expected small"),
    "a reserved setting": (
        f"{HEAD}{FROZEN}{LABELS}    replace: int = setting(1, help='x')\n",
        "A: replace: a setting cannot be called like this",
    ),
    "a field without facts": (
        f"{HEAD}{FROZEN}{LABELS}    rate: float = 0.1\n",
        "A: rate: expected setting(default, help=...)",
    ),
    "a default out of range": (
        f"{HEAD}{FROZEN}{LABELS}    rate: float = setting(2, help='x', at_most=1)\n",
        "A: its default: rate: expected a number <= 1, received 2.0",
    ),
    "two of a name": (
        f"{HEAD}{FROZEN}{LABELS}{FROZEN}class B(Labels):\n    name = 'a'\n",
        "B: {file} has a label called 'a' already; rename it",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_bad_plug_in_is_one_line_and_changes_nothing(what, tmp_path, parts):
    plugins.use([str(parts)])
    text, said = WRONG[what]
    file = _file(tmp_path, text)
    with pytest.raises(UserError) as caught:
        plugins.use([str(file)])
    assert said.replace("{file}", str(file)) in str(caught.value)
    assert str(caught.value).startswith(f"--plugin {file}: ") and "\n" not in str(caught.value)
    assert [one.name for one in plugins.loaded()] == [str(parts)]
    assert set(registry.variants("labels")) == {*registry.shipped("labels"), "mine"}


@pytest.mark.parametrize(
    "name, said",
    [
        (".", "received a folder"),
        ("http://example.org/x.py", "expected a file of this machine"),
        ("none.py", "No such file"),
        ("no.such.module", "no such module"),
        ("a b.py", "No such file"),
        ("keras.src.backend.nothing", "no such module"),
    ],
)
def test_what_is_no_plug_in(name, said):
    with pytest.raises(UserError, match=said):
        plugins.use([name])


def test_two_files_of_one_name(tmp_path, parts):
    (tmp_path / "other").mkdir()
    other = _file(tmp_path / "other", PARTS, "my_parts.py")
    plugins.use([str(parts)])
    with pytest.raises(UserError, match="is loaded and has the same name; rename one"):
        plugins.use([str(other)])
    assert plugins.use([str(parts)])[0].file == parts


def test_a_file_that_changed_is_read_again(parts):
    plugins.use([str(parts)])
    parts.write_text(PARTS.replace('"tiny"', '"tinier"'))
    plugins.use([str(parts)])
    assert "tinier" in registry.variants("models") and "tiny" not in registry.variants("models")


def test_the_record_of_a_run_may_be_damaged(tmp_path):
    folder = RunFolder(tmp_path)
    folder["plugins"].mkdir()
    for text in ("{", "[1]", '[{"name": 1}]', '[{"name": "x"}]', "null"):
        (folder["plugins"] / "plugins.json").write_text(text)
        with pytest.raises(RunError, match="plugins.json is damaged"):
            folder.plugin_records()


def test_the_surface_is_whole():
    kinds = {
        getattr(plugin, n).of_kind for n in plugin.__all__ if hasattr(getattr(plugin, n), "of_kind")
    }
    assert kinds == set(registry.KINDS)
    assert np.all([hasattr(plugin, name) for name in plugin.__all__])
