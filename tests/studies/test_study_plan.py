"""Study files: what they become, and what is wrong with one."""

import pytest

from slr_keras import study
from slr_keras.errors import UserError
from slr_keras.studies import plan, results

TWO_ARMS = """
name = "two"
question = "Which?"
[base]
preset = "cifar10-1k-at"
"train.epochs" = 7
[grid]
seed = [3, 4]
"data.label_noise" = [0.0, 0.2]
[[arm]]
name = "AT"
[[arm]]
name = "TRADES + SLR"
method.name = "trades"
"method.beta" = 3.0
"labels.name" = "slr"
"labels.start_epoch" = 2
[evaluation]
attacks = ["clean", "apgd-t"]
num_samples = 77
which = ["final"]
"""


@pytest.fixture
def file(tmp_path):
    def write(text=TWO_ARMS):
        path = tmp_path / "two.toml"
        path.write_text(text)
        return path

    return write


def test_arms_times_grid(file):
    found = plan.read(file())
    assert [run.name for run in found.runs[:4]] == [
        "at-data-label-noise-0-0-seed3",
        "trades-slr-data-label-noise-0-0-seed3",
        "at-data-label-noise-0-2-seed3",
        "trades-slr-data-label-noise-0-2-seed3",
    ]
    assert len(found.runs) == 8 and {run.seed for run in found.runs[4:]} == {4}
    last = found.runs[-1].config
    assert (last.seed, last.train.epochs, last.data.label_noise) == (4, 7, 0.2)
    assert (last.method.name, last.method.beta, last.labels.start_epoch) == ("trades", 3.0, 2)
    assert last.data.train_samples == 1000  # of the preset
    assert found.attacks == ["clean", "apgd-t"] and found.num_samples == 77
    assert found.which == ("final",) and len(found.arms) == 4


def test_an_arm_says_what_it_is_compared_with(file):
    third = '\n[[arm]]\nname = "TRADES"\n"method.name" = "trades"\n[evaluation]'
    text = TWO_ARMS.replace("\n[evaluation]", third, 1)
    text = text.replace('name = "TRADES + SLR"', 'name = "TRADES + SLR"\nagainst = "TRADES"')
    found = results.references(plan.read(file(text)).runs)
    assert found["TRADES + SLR, data.label_noise 0.2"] == "TRADES, data.label_noise 0.2"
    assert found["TRADES, data.label_noise 0.2"] == "AT, data.label_noise 0.2"
    alone = results.references(plan.read(file(text.replace(
        'name = "TRADES"\n', 'name = "TRADES"\nagainst = "TRADES"\n'))).runs)  # fmt: skip
    assert alone["TRADES, data.label_noise 0.2"] == "TRADES, data.label_noise 0.2"
    with pytest.raises(UserError, match="line 14, arm 'TRADES . SLR': against: .*mean 'TRADES'"):
        plan.read(file(text.replace('against = "TRADES"', 'against = "TRADE"')))


def test_flags_win_over_every_run(file):
    found = plan.read(file(), {"train": {"epochs": 2}, "data": {"dir": "elsewhere"}})
    assert {(r.config.train.epochs, r.config.data.dir) for r in found.runs} == {(2, "elsewhere")}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('question = "Which?"', 'qestion = "Which?"', "line 3: .*Did you mean 'question'"),
        ("beta", "betta", "line 15, arm 'TRADES . SLR, data.label_noise 0.0'.*Did you mean 'beta'"),
        ("cifar10-1k-at", "cifar10-1k-ta", "line 5, arm .*unknown preset"),
        ("start_epoch", "start_epok", "line 17, arm .*Did you mean 'start_epoch'"),
        ("data.label_noise", "data.label_nois", "line 9, arm 'AT.*Did you mean 'label_noise'"),
        ("[grid]", "[gird]", "line 7: unknown key 'gird'"),
        ('name = "AT"', "", "each .*arm.* needs a name"),
        ("[3, 4]", "[3, 3]", "two runs would be called"),
        ('["final"]', '["last"]', "best, final"),
        ("num_samples", "samples", "takes attacks, num_samples and which"),
        ('name = "two"', 'name = "two/three"', "letters, digits and hyphens"),
        ("[grid]", "[grid", "is no TOML"),
        ("apgd-t", "apgd-tt", "line 19: evaluation.attacks: "),
        ("= 77", '= "many"', "num_samples: expected 1 or more"),
        ('["clean", "apgd-t"]', '"clean"', "attacks: expected a list of names"),
    ],
)
def test_what_is_wrong_is_said(file, old, new, said):
    with pytest.raises(UserError, match=said):
        plan.read(file(TWO_ARMS.replace(old, new, 1)))


def test_the_line_of_what_is_written_as_a_table(file):
    text = TWO_ARMS.replace('"labels.name" = "slr"', "[arm.labels]\nname = 'slr'")
    text = text.replace('"labels.start_epoch" = 2', "'start_epok' = 2  # labels.start_epoch = 3")
    with pytest.raises(UserError, match="line 18, arm 'TRADES"):
        plan.read(file(text))
    inline = TWO_ARMS.replace('"method.beta" = 3.0', "").replace(
        'method.name = "trades"', 'method = { name = "trades", betta = 3.0 }'
    )
    with pytest.raises(UserError, match="line 14, arm 'TRADES"):
        plan.read(file(inline))


def test_an_arm_in_single_brackets(file):
    text = TWO_ARMS.replace('[[arm]]\nname = "AT"\n', "").replace("[[arm]]", "[arm]")
    with pytest.raises(UserError, match="double brackets"):
        plan.read(file(text))


@pytest.mark.parametrize("name", plan.shipped())
def test_studies_that_ship(name):
    found = plan.read(plan.find(name))
    assert found.name == name and found.question.endswith("?")
    assert not [w for run in found.runs for w in run.config.warnings() if "never" in w]


def test_names_and_files():
    with pytest.raises(UserError, match="unknown study: 'method'.*Did you mean 'methods'"):
        plan.find("method")
    assert str(plan.find("mine.toml")) == "mine.toml"


def test_commands_without_running_them(file, tmp_path, capsys):
    out = tmp_path / "out"
    assert study.main([str(file()), "--out", str(out), "--dry-run", "--only", "at-data"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8 and not out.exists()  # 4 runs, trained and evaluated
    assert "slr_keras.train" in lines[0] and "--attacks clean apgd-t --num-samples 77" in lines[1]
    assert study.main([str(file()), "--out", str(out), "--status"]) == 0
    assert "16 of 16 stages left" in capsys.readouterr().out
    with pytest.raises(UserError, match="no run is called like nothing"):
        study.main([str(file()), "--only", "nothing", "--status"])
    with pytest.raises(UserError, match="no run in .* is done yet"):
        study.main([str(file()), "--out", str(out), "--only-table"])


def test_a_whole_name_is_one_run(file):
    found = plan.read(file(TWO_ARMS.replace("TRADES + SLR", "TRADES-AT")))
    name = "at-data-label-noise-0-0-seed3"
    assert [run.name for run in found.only([name]).runs] == [name]
    both = [run.name for run in found.only([name[:-1]]).runs]  # seeds 3 and 4 of both arms
    assert len(both) == 4 and f"trades-{name}" in both
    assert len(found.only([name, "0-2-seed4"]).runs) == 3


def test_a_comma_in_the_name_of_an_arm_is_no_point_of_the_grid():
    runs = plan.read(plan.find("precision")).runs
    assert {run.point for run in runs} == {""} and any(", " in run.arm for run in runs)
    noisy = plan.read(plan.find("noise")).runs
    assert "data.label_noise 0.4" in {run.point.rpartition(", ")[2] for run in noisy}
