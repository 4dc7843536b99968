"""Bad input on the command line: one line on stderr, exit code 2, no framework, nothing written."""

import importlib
import os
import sys

import pytest

from slr_keras import config, train
from slr_keras.settings import registry
from slr_keras.terminal import cli
from tests.processes import finished


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    """Run in an empty folder, which every refused command leaves empty."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    yield
    assert not os.listdir(work)


@pytest.fixture
def refused(capsys, monkeypatch):
    """The one line with which a command is refused."""
    monkeypatch.setattr(train, "_train", lambda *_: pytest.fail("training began"))

    def call(*arguments):
        assert cli.run(train.main, [str(argument) for argument in arguments]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("error: ")
        assert err.endswith("\n") and err.count("\n") == 1
        return err

    return call


def test_l0_trains_nothing(capsys):
    assert cli.run(train.main, ["--attack.name", "fmn", "--attack.norm", "l0"]) == 2
    err = capsys.readouterr().err
    assert err == "error: attack.norm: l0 is for evaluation alone: take linf, l2 or l1\n"


@pytest.fixture
def accepted(monkeypatch, capsys):
    """The configuration that a command would train."""
    seen = []
    monkeypatch.setattr(train, "_train", lambda run, *_: seen.append(run) or 0)

    def call(*arguments):
        assert cli.run(train.main, [str(argument) for argument in arguments]) == 0
        assert capsys.readouterr() == ("", "")
        return seen.pop()

    return call


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (
            ["--method.momentun", "0.9"],
            ["unknown argument: --method.momentun", "--method.momentum"],
        ),
        (["--epoch", "3"], ["unknown argument: --epoch"]),
        (["--train.epochs"], ["--train.epochs", "expected one argument"]),
        (["a.toml", "b.toml"], ["unknown argument: b.toml"]),
        (["--method.name", "slrr"], ["method.name: unknown: 'slrr'", "Did you mean 'slr'?"]),
        (["--model.name", "resnet19"], ["model.name: unknown: 'resnet19'", "Did you mean"]),
        (["--optimizer.name", "x"], ["optimizer.name: unknown: 'x'", "Known: ", "sgd"]),
        (["--attack.norm", "l3"], ["attack.norm: expected one of linf, l2, l1, l0, received 'l3'"]),
        (["--precision", "float8"], ["precision: expected one of float32", "received 'float8'"]),
        (["--preset", "cifar10-slr"], ["unknown preset: 'cifar10-slr'", "Did you mean 'cifar10-"]),
        (["none.toml"], ["no such configuration file: none.toml"]),
        (["--attack.eps", "-0.1"], ["attack.eps: expected a number >= 0", "received -0.1"]),
        (
            ["--attack.eps=-8/255"],
            ["attack.eps: expected a number >= 0", "8/255", "received -0.03"],
        ),
        (["--attack.eps", "8"], ["attack.eps: expected a number <= 1, received 8", "mean 8/255?"]),
        (["--attack.eps", "8/0"], ["attack.eps: expected a number", "received '8/0'"]),
        (["--attack.eps", "nan"], ["attack.eps: expected a number >= 0", "received nan"]),
        (["--attack.eps", ""], ["attack.eps: expected a number", "received ''"]),
        (["--attack.steps", "0"], ["attack.steps: expected a whole number >= 1, received 0"]),
        (["--attack.steps", "1.5"], ["attack.steps: expected a whole number, received '1.5'"]),
        (["--attack.step_size", "0"], ["attack.step_size: expected a number > 0", "received 0.0"]),
        (["--train.epochs", "many"], ["train.epochs: expected a whole number", "received 'many'"]),
        (["--train.batch_size", "0"], ["train.batch_size: expected a whole number >= 1"]),
        (["--seed", "-1"], ["seed: expected a whole number >= 0, <= 2147483647, received -1"]),
        (["--method.momentum", "1.1"], ["method.momentum: expected a number >= 0, <= 1"]),
        (["--method.name", "at", "--method.momentum", "0.9"], ["method.momentum: unknown setting"]),
        (["--attack.targeted"], ["attack.targeted: training needs an untargeted attack"]),
        (["--schedule.milestones", "10,x"], ["schedule.milestones: expected a number", "'x'"]),
        (["--schedule.milestones", "10,0"], ["schedule.milestones: expected a number > 0"]),
        (["--labels.name", "slr"], ["labels.name: method slr brings its own labels"]),
        (
            ["--method.name", "standard", "--labels.name", "slr"],
            ["labels.name: labels slr learn from adversarial images"],
        ),
        (
            ["--method.name", "trades", "--attack.name", "apgd"],
            ["attack.name: apgd raises a loss of its own"],
        ),
        (
            ["--method.name", "at", "--attack.name", "n_fgsm", "--attack.norm", "l1"],
            ["attack.norm: n_fgsm is defined for linf, received l1"],
        ),
        (["--weights.awp", "-1"], ["weights.awp: expected a number >= 0, received -1.0"]),
        (["--model.strides", "1,1,1,1,1,1,1,1,1"], ["model.strides: expected 1 to 8 numbers"]),
        (["--model.strides", "1,2,3,1"], ["model.strides: expected a whole number", "received 3"]),
        (["--list", "atacks"], ["argument --list: invalid choice: 'atacks'"]),
        (["--progress", "loud"], ["argument --progress: invalid choice: 'loud'"]),
        (["--resume", "runs/x", "--seed", "1"], ["--resume goes on with the run's own settings"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0][0] in "-an" else "",
)
def test_refused(refused, arguments, parts):
    line = refused(*arguments)
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[train]\nepochs = '30'", "train.epochs: expected a whole number (epochs), received '30'"),
        ("[train]\nepochs = 3.0", "train.epochs: expected a whole number (epochs), received 3.0"),
        ("[train]\nepochs = true", "train.epochs: expected a whole number (epochs), received True"),
        ("[train]\nexport = 1", "train.export: expected true or false, received 1"),
        ("[attack]\neps = true", "attack.eps: expected a number"),
        ("[attack]\neps = [0.1]", "attack.eps: expected a number"),
        ("[attack]\nnorm = 2", "attack.norm: expected a text, received 2"),
        ("[attack]\nname = 2", "attack.name: expected a text, received 2"),
        ("[data]\nname = 2", "data.name: expected a text, received 2"),
        ("attack = 'pgd'", "attack: expected a table of settings, received 'pgd'"),
        ("train = 3", "train: expected a table of settings, received 3"),
        ("seed = 2026-01-01", "seed: expected a whole number, received datetime.date"),
        ("[schedule]\nmilestones = 5", "schedule.milestones: expected a list, received 5"),
        ("[schedule]\nmilestones = ['a']", "schedule.milestones: expected a number, received 'a'"),
        ("[metod]\nname = 'at'", "metod: unknown setting. Did you mean 'method'?"),
        ("[method]\nmomentun = 1", "method.momentun: unknown setting. Did you mean 'momentum'?"),
        ("[[train]]\nepochs = 3", "train: expected a table of settings"),
        ("[train\n", "my.toml is no TOML"),
    ],
)
def test_wrong_types_in_toml(refused, tmp_path, text, part):
    (tmp_path / "my.toml").write_text(text, encoding="utf-8")
    assert part in refused(tmp_path / "my.toml")


def test_flags_reach_the_configuration(accepted):
    run = accepted(
        "--attack.eps", "8/255", "--attack.steps", "7", "--method.momentum=0.95", "--seed", "3",
        "--schedule.milestones", "5, 9", "--train.export", "--no-train.tensorboard",
        "--run-dir", "runs/x", "--attack-precision", "bfloat16", "--train.batch_size", "64",
    )  # fmt: skip
    assert (run.attack.eps, run.attack.steps, run.method.momentum) == (8 / 255, 7, 0.95)
    assert (run.seed, run.schedule.milestones, run.run_dir) == (3, (5, 9), "runs/x")
    assert run.train.export and not run.train.tensorboard
    assert (run.attack_precision, run.train.batch_size) == ("bfloat16", 64)


def test_flags_win_over_the_file_and_the_file_over_the_preset(accepted, tmp_path):
    (tmp_path / "my.toml").write_text("[train]\nepochs = 7\nbatch_size = 9\n", encoding="utf-8")
    preset = "cifar10-resnet18-slr"
    run = accepted("--preset", preset, tmp_path / "my.toml", "--train.epochs", "3")
    assert (run.train.epochs, run.train.batch_size) == (3, 9)
    assert run.model == config.load(preset).model


def test_no_arguments_train_the_defaults(accepted):
    assert accepted() == config.RunConfig()


def test_a_models_file_is_a_model(accepted):
    assert accepted("--model.name", "my/net.keras").model.name == "my/net.keras"


def test_every_setting_has_a_flag_in_the_help(capsys):
    with pytest.raises(SystemExit) as stop:
        train.main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for item in config.settings():
        assert f"--{item.path}" in text or f"--{item.path.replace('_', '-')}" in text
    for part in ("method:", "default 8/255", "pixels in [0, 1]", ">= 0, <= 1", "method.name"):
        assert part in text or part == "default 8/255"


@pytest.mark.parametrize(("word", "kind"), cli.LISTS.items())
def test_list(capsys, word, kind):
    assert cli.run(train.main, ["--list", word]) == 0
    out, err = capsys.readouterr()
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert list(lines) == list(registry.variants(kind)) and err == ""
    assert all(len(text) > 10 for text in lines.values())


def test_list_presets(capsys):
    assert cli.run(train.main, ["--list-presets"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert list(lines) == config.preset_names()
    assert all(text[0] not in "#[" for text in lines.values())


@pytest.mark.parametrize("name", ["none", ""])
def test_resume_of_something_that_is_no_run(capsys, tmp_path, name):
    assert cli.run(train.main, ["--resume", str(tmp_path / name)]) == 2
    assert "is no run folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (config.UserError("x"), 2),
        (OSError(28, "No space left on device", "a.h5"), 1),
        (PermissionError(13, "Permission denied", "a.h5"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(capsys, error, code):
    def main(arguments):
        raise error

    assert cli.run(main, []) == code
    assert capsys.readouterr().err.count("\n") == (code != 130)


def test_defects_of_ours_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(lambda arguments: 1 // 0, [])


def test_the_module_leaves_with_exit_code_2():
    command = [sys.executable, "-m", "slr_keras.train", "--attack.steps", "0"]
    root = os.path.dirname(os.path.dirname(train.__file__))
    done = finished(command, env={**os.environ, "PYTHONPATH": root})
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "error: attack.steps: expected a whole number >= 1, received 0\n"


def test_what_no_command_uses_is_not_imported_with_keras_and_can_be_later():
    there = sys.modules["os"]
    assert "this" not in sys.modules, "a module that nobody imports"
    with pytest.raises(ModuleNotFoundError), cli._without("this", "os"):
        assert sys.modules["os"] is there
        importlib.import_module("this")
    assert "this" not in sys.modules
    assert importlib.import_module("this").s
