"""The form knows nothing that the settings do not say, and loses nothing that they hold."""

import dataclasses
import shlex

import pytest

from gui.models.form import Form
from gui.models.form_row import to_text
from gui.models.presets import presets
from slr_keras import config
from slr_keras.attacks.pgd import PGD
from slr_keras.config import RunConfig, TrainSettings
from slr_keras.errors import UserError
from slr_keras.run_folder import RunFolder
from slr_keras.settings import registry
from slr_keras.settings.schema import setting
from slr_keras.terminal import cli

PRESETS = [None, *config.preset_names()]


def loaded(name):
    form = Form()
    form.load_preset(name or "")
    return form


def parsed(command):
    """The configuration that the command line would make of a command."""
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "slr_keras.train"]
    parser = cli.make_parser("train", "")
    cli.add_settings(parser)
    return config.load(values=cli.values_of(parser.parse(words[3:])))


# -- derived -----------------------------------------------------------------------------------


def test_a_row_for_every_setting_of_every_variant():
    assert [row.setting for row in Form().rows.values()] == config.settings()


def test_a_new_field_appears_by_itself():
    @dataclasses.dataclass(frozen=True)
    class More(TrainSettings):
        warm_restarts: int = setting(3, help="how often it starts warm", unit="times", at_least=1)

    @dataclasses.dataclass(frozen=True)
    class Run(RunConfig):
        train: More = setting(More(), help="training")

    form = Form(Run)
    row = form.rows["train.warm_restarts"]
    assert (row.label, row.text, row.kind) == ("Warm restarts", "3", "number")
    assert row.help == "How often it starts warm." and ">= 1" in row.details
    form.set_text(row.key, "0")
    assert "whole number >= 1 (times)" in row.error and form.config is None
    form.set_text(row.key, "5")
    assert form.config.train.warm_restarts == 5


def test_a_new_variant_appears_by_itself():
    @dataclasses.dataclass(frozen=True)
    class Wobble(PGD):
        """Wobbles on the way."""

        name = "wobble"
        wobble: float = setting(0.5, help="how much", at_least=0)

    def variants(kind):
        more = {"wobble": Wobble} if kind == "attacks" else {}
        return {**registry.variants(kind), **more}

    form = Form(variants=variants)
    assert "wobble" in form.options(form.rows["attack.name"])
    assert form.row("attack.wobble") is None
    form.set_text("attack.name", "wobble")
    assert form.row("attack.wobble").text == "0.5"
    assert form.about(form.rows["attack.name"]) == "Wobbles on the way."
    form.set_text("attack.wobble@wobble", "0.75")
    assert form.config.attack == Wobble(wobble=0.75)


def test_only_rows_of_chosen_variants_are_visible():
    form = Form()
    assert form.row("attack.steps") is not None
    form.set_text("attack.name", "fgsm")
    assert form.row("attack.steps") is None
    assert form.config.attack.name == "fgsm"


# -- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_configuration_comes_back_equal(name):
    assert loaded(name).config == config.load(name)


@pytest.mark.parametrize("name", PRESETS)
def test_the_command_makes_the_same_configuration(name):
    form = loaded(name)
    assert parsed(form.command()) == form.config


def test_labels_are_no_choice_where_the_method_brings_its_own():
    form = Form()
    row = form.row("labels.name")
    form.set_text("method.name", "slr")
    assert form.about(row) == "Method slr brings its own labels."
    form.set_text("labels.name", "slr")
    assert "brings its own labels" in row.error
    form.set_text("method.name", "at")
    assert not row.error and "brings" not in form.about(row)


def test_the_command_of_other_variants_switches_and_texts_with_spaces(tmp_path):
    form = Form()
    texts = {
        "attack.name": "fgsm",
        "model.name": "resnet18",
        "schedule.milestones@step": "10, 20",
        "train.tensorboard": "false",
        "train.export": "true",
        "data.dir": "/data/my sets",
        "attack.eps@fgsm": "4/255",
    }
    for key, text in texts.items():
        form.set_text(key, text)
    assert parsed(form.command()) == form.config
    assert "'/data/my sets'" in form.command() and "--no-train.tensorboard" in form.command()


def test_defaults_need_no_flags():
    assert Form().command() == "python -m slr_keras.train"


@pytest.mark.parametrize("name", PRESETS)
def test_toml_comes_back_equal(name, tmp_path):
    form, other = loaded(name), Form()
    (tmp_path / "a.toml").write_text(form.toml(), encoding="utf-8")
    other.load_toml(tmp_path / "a.toml")
    assert other.config == form.config


def test_a_run_is_copied_without_its_folder(tmp_path):
    folder = RunFolder.create(
        config.load(values={"run_dir": str(tmp_path / "run"), "train": {"epochs": 7}})
    )
    form = Form()
    form.load_run(folder.path)
    assert form.config.train.epochs == 7 and form.config.run_dir == ""


def test_pixels_are_written_as_fractions():
    form = Form()
    assert form.row("attack.eps").text == "24/255"
    form.set_text("attack.eps@pgd", " 8/255 ")
    assert form.config.attack.eps == 8 / 255 and form.row("attack.eps").changed
    form.set_text("attack.eps@pgd", repr(24 / 255))
    assert not form.row("attack.eps").changed


def test_a_model_of_the_users_own():
    form = Form()
    row = form.rows["model.name"]
    assert form.takes_files(row) and not form.takes_files(form.rows["method.name"])
    form.set_text("model.name", "/tmp/mine.keras")
    assert form.config.model.path == "/tmp/mine.keras"
    assert form.row("model.width") is None
    other = Form()
    other.set_config(form.config)
    assert other.config.model.name == form.config.model.name


def test_what_a_hidden_variant_held_comes_back_with_it():
    form = Form()
    form.set_text("attack.steps@pgd", "7")
    form.set_text("attack.name", "fgsm")
    form.set_text("attack.name", "pgd")
    assert form.config.attack.steps == 7


def test_reset_of_row_section_and_all():
    form = Form()
    for key, text in {"seed": "5", "train.epochs": "3", "train.batch_size": "7"}.items():
        form.set_text(key, text)
    form.reset("train.epochs")
    assert (form.rows["train.epochs"].changed, form.rows["seed"].changed) == (False, True)
    form.reset(section="train")
    assert not form.rows["train.batch_size"].changed and form.rows["seed"].changed
    form.reset()
    assert form.config == RunConfig()


# -- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text", "part"),
    [
        ("train.epochs", "many", "expected a whole number"),
        ("train.epochs", "", "expected a whole number"),
        ("train.epochs", "1.5", "expected a whole number"),
        ("data.val_fraction", "1", "expected a number >= 0, < 1"),
        ("data.val_fraction", "nan", "expected a number"),
        ("attack.eps@pgd", "8/0", "expected a number"),
        ("attack.eps@pgd", "8", "Did you mean 8/255?"),  # a check across fields, on its row
        ("attack.targeted@pgd", "true", "untargeted"),
        ("schedule.milestones@step", "10, x", "expected a number"),
        ("method.name", "slt", "Did you mean 'slr'?"),
        ("precision", "float64", "expected one of"),
        ("seed", "9" * 400, "expected a whole number"),
    ],
)
def test_bad_input_is_said_on_its_row(key, text, part):
    form = Form()
    form.set_text(key, text)
    assert part in form.rows[key].error
    assert form.config is None and form.errors() and not form.problems
    with pytest.raises(UserError):
        form.toml()
    form.reset(key)
    assert form.config == RunConfig() and not form.errors()


def test_a_file_that_is_none_changes_nothing(tmp_path):
    form = Form()
    form.set_text("seed", "5")
    (tmp_path / "a.toml").write_text("[train\n", encoding="utf-8")
    for path in (tmp_path / "a.toml", tmp_path / "none.toml"):
        with pytest.raises(UserError):
            form.load_toml(path)
    with pytest.raises(UserError):
        form.load_run(tmp_path)
    assert form.config.seed == 5


def test_warnings_are_those_of_the_configuration():
    form = Form()
    assert form.warnings() == []
    form.set_text("method.start_epoch@slr", "99")
    assert form.warnings() == form.config.warnings() != []
    form.set_text("seed", "x")
    assert form.warnings() == []


def test_changes_are_told():
    form, calls = Form(), []
    form.changes.append(lambda: calls.append(1))
    form.set_text("seed", "5")
    form.set_text("seed", "5")
    assert len(calls) == 1


def test_search_finds_by_name_and_help():
    form = Form()
    found = {row.key for row in form.rows.values() if row.matches("label noise")}
    assert "data.label_noise" in found and "train.epochs" not in found


def test_presets_say_what_they_are():
    first, *others = presets()
    assert first.name == "" and "slr on digits" in first.description
    assert [preset.name for preset in others] == config.preset_names()
    assert all(preset.title and preset.description for preset in others)


def test_texts_of_numbers_read_back():
    facts = config.settings()[0].facts
    for number in (5e-4, 0.1, 1e-12, 3.0, 1e20, 1 / 3):
        assert float(to_text(number, facts)) == number
