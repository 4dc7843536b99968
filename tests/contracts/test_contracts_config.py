"""Every setting: declared once, documented, checked, and the same after a round trip."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slr_keras import config, texts
from slr_keras.attacks.pgd import PGD
from slr_keras.config import RunConfig
from slr_keras.errors import SettingError, UserError
from slr_keras.methods.at import AT
from slr_keras.methods.slr import SLR
from slr_keras.settings import registry, schema
from slr_keras.settings.schema import Setting

LEAVES = config.settings()
OWN = [item for item in LEAVES if not item.facts.variants]
KINDS = sorted({(item.section, item.facts.variants) for item in LEAVES if item.facts.variants})
VARIANTS = [(section, name) for section, kind in KINDS for name in registry.variants(kind)]


def label(item):
    return f"{item.path}@{item.variant}" if item.variant else item.path


WITH = {"labels": {"method": {"name": "at"}}}  # the default method brings its own labels


def nested(item: Setting, value):
    """The tables that hold one value, with the name of the variant that has the setting."""
    if not item.section:
        return {item.name: value}
    head = {"name": item.variant} if item.variant else {}
    return {item.section: head | {item.name: value}} | WITH.get(item.section, {})


def read_back(run: RunConfig, tmp_path):
    (tmp_path / "config.toml").write_text(config.dumps(run), encoding="utf-8")
    return config.load(file=tmp_path / "config.toml")


# -- round trips -----------------------------------------------------------------------------


def test_defaults_survive_toml(tmp_path):
    assert read_back(RunConfig(), tmp_path) == config.load() == RunConfig()


@pytest.mark.parametrize("name", config.preset_names())
def test_presets_survive_toml(name, tmp_path):
    run = config.load(preset=name)
    assert run != RunConfig()
    assert read_back(run, tmp_path) == run
    assert config.dumps(read_back(run, tmp_path)) == config.dumps(run)


@pytest.mark.parametrize(("section", "name"), VARIANTS)
def test_every_variant_survives_toml(section, name, tmp_path):
    run = config.load(values={section: {"name": name}} | WITH.get(section, {}))
    assert getattr(run, section).name == name
    assert read_back(run, tmp_path) == run


@given(st.floats(0, 1000, exclude_min=True), st.integers(1, 10**6))
def test_any_radius_survives_toml(eps, thousandths):
    for radius in (eps, thousandths / 1000 / 255, thousandths / 1000):
        run = RunConfig(attack=PGD(norm="l2", eps=radius))
        again = config.load(values=texts.from_toml(config.dumps(run)))
        assert again.attack.eps == radius


def test_text_survives_toml(tmp_path):
    run = config.load(values={"run_dir": 'a "b" \\ c\n# é', "data": {"dir": "C:\\x"}})
    assert read_back(run, tmp_path) == run


def test_pixel_distances_are_written_as_people_write_them():
    text = config.dumps(config.load(values={"attack": {"eps": 8 / 255, "step_size": "1.5/255"}}))
    assert 'eps = "8/255"' in text and 'step_size = "1.5/255"' in text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (8 / 255, "8/255"),
        (51 / 255, "51/255"),  # a level among levels, though 0.2 is shorter
        (1.5 / 255, "1.5/255"),
        (0.5, 0.5),
        (0.125, 0.125),
        (1.0, 1.0),
        (12.0, 12.0),
        (0.0, 0.0),
        (0.1234567891, 0.1234567891),
    ],
)
def test_a_distance_is_a_fraction_where_that_says_more(value, written):
    shown = schema.show(value, schema.Facts("radius", unit=schema.PIXELS))
    assert shown == written and type(shown) is type(written)
    assert schema.number(str(shown)) == value


# -- every setting -----------------------------------------------------------------------------


@pytest.mark.parametrize("item", LEAVES, ids=label)
def test_every_setting_has_help(item):
    text = item.facts.help
    assert len(text) > 3 and text == text.strip() and not text.endswith(".")
    number = item.type in (int, float) and item.facts.choices == ()
    assert not number or item.facts.range, "a number without a range"


def is_list(item):
    return item.type not in (bool, int, float, str)


def outside(item):
    """Values of the right type just out of range."""
    facts = item.facts
    tiny = 1 if item.type in (int, tuple[int, ...]) else 1e-6
    if facts.at_least is not None:
        yield facts.at_least - tiny
    if facts.above is not None:
        yield facts.above
    if facts.at_most is not None:
        yield facts.at_most + tiny
    if facts.below is not None:
        yield facts.below
    if item.type in (float, tuple[float, ...]):
        yield from (math.nan, math.inf, -math.inf)
    if facts.choices:
        yield "nonsense"


def of_wrong_type(item):
    if item.type is bool:
        return [1, "yes", "true", None, [True]]
    if item.type is str:
        return [3, True, None, ["a"], {"a": 1}]
    common = [True, None, {"a": 1}, "many"]
    if item.type in (int, float):
        return [*common, [1]] + ([1.5, "1"] if item.type is int else [])
    texts = item.type == tuple[str, ...]
    return [*common, 1, *([] if texts else [["many"]]), [True], [None], [[1]]]


BAD = [
    pytest.param(item, [value] if is_list(item) else value, value, id=f"{label(item)}={value!r}")
    for item in OWN
    for value in outside(item)
] + [
    pytest.param(item, value, None, id=f"{label(item)}={value!r}")
    for item in OWN
    for value in of_wrong_type(item)
]


@pytest.mark.parametrize(("item", "value", "shown"), BAD)
def test_bad_values_are_rejected_with_path_and_value(item, value, shown):
    with pytest.raises(SettingError) as error:
        config.load(values=nested(item, value))
    assert error.value.path == item.path
    head, _, received = str(error.value).partition(", received ")
    assert head.startswith(f"{item.path}: expected ")
    assert received.startswith(repr(shown) if shown is not None else "") and received
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("item", OWN, ids=label)
def test_defaults_are_in_range(item):
    tables = nested(item, list(item.default) if is_list(item) else item.default)
    config.load(values=tables)


@pytest.mark.parametrize("item", LEAVES, ids=label)
def test_unknown_key_suggests_the_nearest(item):
    misspelt = item.name + "x"
    tables = nested(item, 1)
    table = tables[item.section] if item.section else tables
    table[misspelt] = table.pop(item.name)
    path = f"{item.section}.{misspelt}" if item.section else misspelt
    with pytest.raises(SettingError, match=f"unknown setting. Did you mean '{item.name}'") as error:
        config.load(values=tables)
    assert error.value.path == path


@pytest.mark.parametrize(("section", "name"), VARIANTS)
def test_unknown_variant_suggests_the_nearest(section, name):
    with pytest.raises(SettingError, match=f"{section}.name: unknown: '{name}q'.*mean '{name}'"):
        config.load(values={section: {"name": name + "q"}})


@pytest.mark.parametrize("name", [3, True, 1.5, ["at"], {"a": 1}, None])
@pytest.mark.parametrize("section", [section for section, _ in KINDS])
def test_a_variant_that_is_no_text_is_rejected(section, name):
    with pytest.raises(SettingError, match=f"{section}.name: expected a text, rec"):
        config.load(values={section: {"name": name}})


@pytest.mark.parametrize("section", ["train", "data", "attack", "label_bank"])
@pytest.mark.parametrize("value", [3, "pgd", [1], None])
def test_a_section_that_is_no_table_is_rejected(section, value):
    with pytest.raises(SettingError, match=f"^{section}: expected a table"):
        config.load(values={section: value})


def test_unknown_section_suggests_the_nearest():
    with pytest.raises(SettingError, match="methods: unknown setting. Did you mean 'method'"):
        config.load(values={"methods": {}})


def test_an_integer_is_taken_as_a_float_and_a_fraction_as_a_number():
    attack = config.load(values={"attack": {"eps": "8/255", "step_size": 1}}).attack
    assert attack.eps == 8 / 255 and type(attack.step_size) is float


def test_huge_integer_is_rejected():
    with pytest.raises(SettingError, match="learning_rate"):
        config.load(values={"optimizer": {"learning_rate": 10**400}})
    with pytest.raises(SettingError, match="seed"):
        config.load(values={"seed": 10**400})


# -- across fields -----------------------------------------------------------------------------


def test_a_scale_mistake_in_the_radius_is_explained():
    with pytest.raises(SettingError, match=r"attack.eps: expected .* received 8: .*mean 8/255\?"):
        config.load(values={"attack": {"eps": 8.0}})
    assert config.load(values={"attack": {"eps": 8.0, "norm": "l2"}}).attack.eps == 8


def test_a_targeted_training_attack_is_rejected():
    with pytest.raises(SettingError, match="attack.targeted"):
        config.load(values={"attack": {"targeted": True}})


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"method": {"start_epoch": 31}}, "method.start_epoch 31 is after the last epoch 30"),
        ({"attack": {"eps": "8/255", "steps": 1, "step_size": "2/255"}}, "cannot cross the ball"),
        ({"data": {"val_fraction": 0}}, "no best epoch"),
    ],
)
def test_warnings(values, part):
    (note,) = config.load(values=values).warnings()
    assert part in note
    assert not RunConfig().warnings()


# -- precedence --------------------------------------------------------------------------------

PRESET = "cifar10-resnet18-slr"


@pytest.fixture
def file(tmp_path):
    def write(text):
        (tmp_path / "my.toml").write_text(text, encoding="utf-8")
        return tmp_path / "my.toml"

    return write


def test_precedence_is_defaults_preset_file_flags(file):
    preset = config.load(preset=PRESET)
    assert preset.train.epochs != RunConfig().train.epochs
    mine = file("[train]\nepochs = 7\nbatch_size = 9\n[method]\nmomentum = 0.5\n")
    over_preset = config.load(PRESET, mine)
    assert (over_preset.train.epochs, over_preset.train.batch_size) == (7, 9)
    assert over_preset.method == preset.method.replace(momentum=0.5)
    assert over_preset.model == preset.model and over_preset.data == preset.data
    over_file = config.load(PRESET, mine, {"train": {"epochs": 3}})
    assert (over_file.train.epochs, over_file.train.batch_size) == (3, 9)
    assert config.load(file=mine, values={}).method == RunConfig().method.replace(momentum=0.5)


def test_another_variant_drops_the_old_ones_settings(file):
    mine = file('[method]\nname = "slr"\nmomentum = 0.5\n[attack]\neps = "4/255"\nsteps = 3\n')
    run = config.load(file=mine, values={"method": {"name": "at"}, "attack": {"name": "fgsm"}})
    assert run.method == AT()
    assert run.attack == registry.get("attacks", "fgsm")()
    assert config.load(PRESET, values={"method": {"name": "at"}}).method == AT()


def test_naming_the_same_variant_keeps_its_settings(file):
    named = file('[method]\nname = "slr"\nmomentum = 0.5\n')
    assert config.load(file=named, values={"method": {"name": "slr"}}).method.momentum == 0.5
    unnamed = file("[method]\nmomentum = 0.5\n")  # of the default variant, which is slr
    again = config.load(file=unnamed, values={"method": {"name": "slr", "clean_weight": 0.1}})
    assert again.method == RunConfig().method.replace(momentum=0.5, clean_weight=0.1)


def test_settings_of_another_variant_are_unknown():
    with pytest.raises(SettingError, match="method.momentum: unknown setting"):
        config.load(values={"method": {"name": "at", "momentum": 0.5}})


def test_another_data_set_keeps_how_it_is_used(file):
    mine = file('[data]\nname = "cifar10"\nval_fraction = 0.3\n')
    data = config.load(file=mine, values={"data": {"name": "digits"}}).data
    assert (data.name, data.val_fraction) == ("digits", 0.3)


@pytest.mark.parametrize(
    ("text", "part"),
    [("[train\n", "no TOML"), ("a = = 1", "no TOML"), ("x = 1\nx = 2", "no TOML")],
)
def test_a_broken_file_is_named(file, text, part):
    with pytest.raises(UserError, match=f"my.toml is {part}: "):
        config.load(file=file(text))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match="no such configuration file: .*none.toml"):
        config.load(file=tmp_path / "none.toml")
    with pytest.raises(UserError, match="cannot read"):
        config.load(file=tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'run_dir = "\xe9"')
    with pytest.raises(UserError, match="latin.toml is no TOML"):
        config.load(file=tmp_path / "latin.toml")


def test_unknown_preset_suggests_the_nearest():
    with pytest.raises(UserError, match=f"unknown preset: .*Did you mean '{PRESET}'"):
        config.load(preset=PRESET + "x")


# -- presets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", config.preset_names())
def test_presets_say_what_they_reproduce_and_their_command(name):
    head = (config.PRESETS / f"{name}.toml").read_text(encoding="utf-8").split("[", 1)[0]
    for word in ("Expected", "Time:", f"--preset {name}"):
        assert word in head
    assert not config.load(preset=name).warnings()


def test_the_papers_setting():
    run = config.load(preset=PRESET)
    assert run.method == SLR(momentum=0.9, clean_weight=0.2, refine_ratio=1.0, start_epoch=90)
    assert run.attack == PGD(norm="linf", eps=8 / 255, step_size=2 / 255, steps=10)
    assert (run.train.epochs, run.train.batch_size) == (200, 128)
    optimizer = run.optimizer
    assert (optimizer.name, optimizer.learning_rate, optimizer.momentum) == ("sgd", 0.1, 0.9)
    assert (optimizer.l2, optimizer.nesterov) == (5e-4, False)
    assert run.schedule.name == "step" and run.schedule.drops(200) == (100, 150)
    assert run.schedule.factor == 0.1 and run.data.augment == "crop-flip"


def test_a_file_may_start_from_a_preset(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        'base = "cifar10-1k-trades-slr"\n[method]\nbeta = 3.0\n[attack]\nname = "fgsm"\n'
    )
    mine, preset = config.load(file=file), config.load("cifar10-1k-trades-slr")
    assert mine.method == preset.method.replace(beta=3.0) and mine.labels == preset.labels
    assert mine.attack.name == "fgsm" and mine.data == preset.data
    file.write_text('base = "cifar10-1k-tardes"\n')
    with pytest.raises(UserError, match="unknown preset: 'cifar10-1k-tardes'. Did you mean"):
        config.load(file=file)


def test_averages_that_do_not_go_together():
    with pytest.raises(SettingError, match=r"swa.start_epoch: expected an epoch of the run's 30"):
        RunConfig(swa=config.SwaSettings(start_epoch=31))
    with pytest.raises(SettingError, match="ema.decay is set too"):
        config.load(values={"swa": {"start_epoch": 3}, "ema": {"decay": 0.9}})
    with pytest.raises(SettingError, match="several processes share no mean"):
        config.load(values={"swa": {"start_epoch": 3}, "distributed": {"coordinator": "auto"}})
    with pytest.raises(SettingError, match="several processes record none"):
        config.load(values={"analysis": {"record": "all"}, "distributed": {"coordinator": "auto"}})
