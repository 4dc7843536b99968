"""Distances, natural changes and certificates: asked for, shown as they come, and compared."""

from __future__ import annotations

import csv
import io
import json
import time

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from gui import theme
from gui.models import against, changes, comparison, measured, rows
from gui.models.asked import KINDS, Evaluation
from gui.models.comparison import arms_of
from gui.models.evaluated import EvaluatedRuns
from gui.models.queue import Job
from gui.models.run_store import RunStore
from gui.presenters.context import Context, Programs
from gui.views import natural_page
from gui.views.evaluate import EvaluateScreen
from gui.views.radius_page import RadiusPage
from slr_keras.evaluation import specs
from slr_keras.evaluation.flags import FIELDS
from slr_keras.protocol import events
from slr_keras.studies import tables
from tests.gui import _evaluations as made
from tests.gui._runs import make_run
from tests.gui.fake_programs import FAKE_LAB, FAKE_TRAINER

LIVE = ["clean", "fmn", *(f"corruptions: fog-{level}" for level in made.SEVERITIES)]


@pytest.fixture
def folder(tmp_path):
    """A run that was evaluated with everything."""
    place = tmp_path / "runs" / "one"
    make_run(place)
    made.write(place, made.content())
    return place


@pytest.fixture
def screen(qapp, settings, folder):
    context = Context(folder.parent, settings, Programs(FAKE_TRAINER, FAKE_LAB, {}))
    context.store.scan()
    one = EvaluateScreen(context)
    one.resize(1200, 800)
    one.show()
    one.shown()
    yield one
    one.presenter._timer.stop()
    one.close()
    one.deleteLater()


def found_in(folder):
    known = EvaluatedRuns()
    known.read([str(folder)])
    return known.of(folder)["best"]


def kind(screen, names):
    words = next(words for words, attacks in KINDS.items() if attacks == names)
    screen.form.kind.setCurrentText(words)


def tabs(screen):
    numbers = filter(screen.tabs.isTabVisible, range(screen.tabs.count()))
    return [screen.tabs.tabText(number) for number in numbers]


# -- what is asked ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"attacks": ("ddn",)}, "linf"),
        ({"attacks": ("ddn",), "norm": "l2"}, "give a radius in l2"),
        ({"attacks": ("ddn",), "norm": "l2", "eps": "0.5"}, ""),
        ({"attacks": ("sigma_zero",), "norm": "l0", "eps": "24"}, ""),
        ({"norm": "l0", "eps": "24"}, "fgsm"),
        ({"eps": "8"}, "8/255"),
        ({"eps": "x"}, "Radius: expected a number"),
        ({"attacks": ("clean",), "norm": "l0", "eps": "9", "transfer": "runs/y"}, "l0"),
        ({"certify": ("0.25", "1")}, ""),
        ({"attacks": (), "certify": ("0.5",)}, ""),
        ({"certify": ("-1",)}, "Noise: expected a number > 0"),
        ({"certify": ("a",)}, "Noise: expected a number"),
        ({"certify": ("0.25",), "draws": 3}, "Draws: expected 10 or more"),
        ({"attacks": ("corruptions",), "changed": "/no/such"}, "no folder"),
        ({"attacks": ("clean",), "changed": "/no/such"}, ""),
        ({"attacks": ("fog-9",)}, "severity"),
    ],
)
def test_what_does_not_fit_says_why(changes, said):
    problem = Evaluation("runs/x", **changes).problem()
    assert said in problem and bool(said) == bool(problem)


def test_the_radius_at_hand_is_that_of_the_training():
    from slr_keras import config

    l2 = config.load(values={"attack": {"norm": "l2", "eps": 0.5}}).attack
    assert Evaluation("runs/x", attacks=("ddn",), trained=l2).problem() == ""
    assert "in l2" in Evaluation("runs/x", norm="linf", trained=l2).problem()


def test_the_command_takes_these_flags(tmp_path):
    from slr_keras import evaluate

    asked = Evaluation(
        str(tmp_path), attacks=("clean", "corruptions"), norm="l2", eps="0.5",
        certify=("0.25", "0.5"), draws=500, changed=str(tmp_path),
    )  # fmt: skip
    options = evaluate._parser().parse(asked.arguments())
    assert (options.norm, options.eps) == ("l2", "0.5")
    assert options.certify == ["0.25", "0.5"] and options.certify_samples == 500
    assert options.corruptions_from == str(tmp_path)
    plain = Evaluation(str(tmp_path), attacks=("clean",), changed=str(tmp_path)).arguments()
    assert not {"--norm", "--eps", "--certify", "--corruptions-from"} & set(plain)


def test_fields_that_mean_nothing_are_not_there(screen):
    form = screen.form
    assert not form.norm.isVisible() and not form.folder.isVisible()
    assert not form.version.isVisible() and not form.data.isVisible()
    kind(screen, (specs.CLEAN, "corruptions"))
    assert form.folder.isVisible()
    form.rest.setChecked(True)
    assert form.norm.isVisible() and form.sigmas.isVisible()


def test_norm_radius_and_noise_are_asked_for(screen):
    form = screen.form
    kind(screen, (specs.CLEAN, "fmn", "deepfool"))
    form.norm.setCurrentIndex(form.norm.findData("l2"))
    assert not form.go.isEnabled() and "radius in l2" in form.why.text()
    form.radius.setText("0.5")
    assert form.go.isEnabled() and "2 set" in form.rest.text()
    form.sigmas.setText("0.25, 0.5")
    assert form.asked().certify == ["0.25", "0.5"] and form.asked().draws == 0
    form.draws.setValue(500)
    assert form.asked().draws == 500 and form.asked().problem() == ""
    assert "24/255" in form.radius.placeholderText() or "l2" in form.radius.placeholderText()


# -- rows -------------------------------------------------------------------------------------


def test_natural_changes_are_one_row(folder):
    found = rows.of_evaluation(found_in(folder))
    assert [row.attack for row in found] == [
        "clean", "fmn", "deepfool", "corruptions", "worst case",
    ]  # fmt: skip
    assert found[3].accuracy == 0.63 and found[3].robust is None and found[1].distance


def test_natural_changes_without_a_mean_are_one_row_too():
    each = [rows.Row(f"corruptions: fog-{n}", n / 10, seconds=1.0, share=1.0) for n in (1, 2, 3)]
    (one,) = rows.folded(each)
    assert (one.attack, one.seconds, one.interval) == ("corruptions", 3.0, None)
    np.testing.assert_allclose(one.accuracy, 0.2)
    (alone,) = rows.folded(each[:1])
    assert alone.attack == "corruptions: fog-1"


def test_rows_that_go_on_show_natural_changes_as_one(screen, folder):
    take = screen.presenter._take
    take(events.EvaluationStarted(str(folder), "best", 60, tuple(LIVE)))
    take(events.EvaluationProgress("fmn", 2, 7, 0.0, 48, 60, False))
    for step, name in enumerate(LIVE[2:5], start=3):
        take(events.EvaluationProgress(name, step, 7, 1.0, 30, 60, True))
    take(events.EvaluationProgress(LIVE[5], 6, 7, 0.5, 10, 60, False))
    texts = [list(screen.table.texts.row(n)) for n in range(screen.table.texts.rowCount())]
    assert [row[0] for row in texts] == ["clean", "fmn", "corruptions, 3 of 5"]
    assert texts[0][1] == "80.0 %" and texts[2][1] == "…" and texts[2][3] == ""
    live = screen.presenter.live.shown()[-1]
    np.testing.assert_allclose(live.share, 3.5 / 5)


def test_clean_accuracy_is_not_read_off_a_natural_change():
    live = rows.Live.of(events.EvaluationStarted("x", "best", 60, tuple(LIVE)))
    live.take(events.EvaluationProgress(LIVE[2], 2, 7, 0.0, 0, 60, False))
    assert live.rows["clean"].accuracy is None


def test_the_table_has_distances_where_there_are_any(screen, folder):
    headers = [screen.table.texts.headerData(n, Qt.Orientation.Horizontal) for n in range(7)]
    assert headers[4] == "median distance\n(linf, of 255)" and headers[6] == "optimality"
    fmn, changed = (screen.table.texts.row(n) for n in (1, 3))
    median = made.content()["results"][1]["distance"]["median"]
    assert fmn[4].startswith(f"{255 * median:.3g} (") and fmn[6] == "0.950"
    assert changed[3:5] == ["", ""]
    plain = made.content()
    plain["results"] = [made.row("clean", 0.8, 200)]
    made.write(folder, plain | {"certificates": [], "corruptions": {}, "curve": []})
    screen.presenter.look()
    assert screen.table.texts.columnCount() == 5


# -- tabs -------------------------------------------------------------------------------------


def test_tabs_are_there_where_there_is_something(screen, folder):
    everything = tabs(screen)
    assert everything == [
        "Results", "Checks", "Epsilon", "Natural changes", "Certificates", "Fallen images",
    ]  # fmt: skip
    old = made.content()
    for key in ("corruptions", "certificates", "curve"):
        del old[key]
    old["results"] = [{k: v for k, v in row.items() if k != "distance"} for row in old["results"]]
    screen.tabs.setCurrentWidget(screen.natural)
    made.write(folder, old)
    screen.presenter.look()
    assert tabs(screen) == ["Results", "Checks", "Fallen images"]
    assert screen.tabs.isTabVisible(screen.tabs.currentIndex())


def test_accuracy_falls_by_an_image_at_each_distance():
    values = np.array([0.0, 0.1, 0.3, 0.3, np.inf])
    radii, shares = measured.Distance("l2", 0.3, (None, None), None, values).curve()
    np.testing.assert_allclose(radii, [0, 0.1, 0.3])
    np.testing.assert_allclose(shares, [(values > radius).mean() for radius in radii])


def test_certified_accuracy_counts_the_radius_itself():
    values = np.array([-1.0, 0.1, 0.3, 0.3])
    one = measured.Certificate(0.25, 100, 0.001, "l2", 0.25, 0.2, (), values)
    radii, shares = one.curve()
    np.testing.assert_allclose(radii, [0, 0.1, 0.3, 0.3])
    np.testing.assert_allclose(shares, [0.75, 0.75, 0.5, 0])


def test_each_norm_has_its_picture(screen, no_exception_in_a_slot):
    screen.tabs.setCurrentWidget(screen.radii)
    page = screen.radii
    assert [entry.text for entry in page.legend.entries] == ["pgd-20", "fmn", "deepfool"]
    curve = page.chart.items_by_key["curve", "curve"]
    np.testing.assert_allclose(curve.getData()[0], [0, 4, 8, 16])
    page.norm.setCurrentIndex(page.norm.findData("l2"))
    (entry,) = page.legend.entries
    assert entry.text == "certified, sigma 0.25" and entry.dash == Qt.PenStyle.DashLine
    assert page.note.isVisible()
    page.legend.toggled.emit(entry.key, False)
    assert not page.chart._lines


def test_ten_thousand_distances_are_drawn_at_once(qapp):
    distances = {
        str(n): measured.Distance(
            "linf", 0.02, (None, None), None, np.array(made.distances(10_000, 0.02, n)[:-1], float)
        )
        for n in range(4)
    }
    page = RadiusPage()
    page.resize(800, 500)
    page.show_falls(against.falls(measured.Measured(distances)))  # makes the curves
    begun = time.perf_counter()
    page.show_falls(against.falls(measured.Measured(distances)))
    page.grab()
    assert time.perf_counter() - begun < 0.5
    page.deleteLater()


def test_a_heat_map_of_natural_changes(screen):
    screen.tabs.setCurrentWidget(screen.natural)
    shades = screen.natural.shades
    table = np.array([list(errors.values()) for errors in made.errors().values()])
    assert list(shades.row(0)) == [
        "all changes", *(f"{100 * (1 - m):.1f}" for m in table.mean(0)),
        f"{100 * (1 - table.mean()):.1f}", "11.0",
    ]  # fmt: skip
    names = [shades.row(number)[0].strip() for number in range(shades.rowCount())]
    assert names[1:5] == ["noise", "gaussian_noise", "shot_noise", "impulse_noise"]
    assert len(names) == 1 + 4 + 15
    cell = shades.index(names.index("fog"), 3)
    share = 1 - made.errors()["fog"]["3"]
    tip = shades.data(cell, Qt.ItemDataRole.ToolTipRole)
    assert tip.startswith(f"fog at severity 3: {100 * share:.1f} %") and "below" in tip
    assert "from 3.0 % to 11.0 %" in screen.natural.words.text()


def luminance(colour):
    parts = np.array(QColor(colour).getRgbF()[:3])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_figures_are_readable_on_any_shade(colours, share, monkeypatch):
    monkeypatch.setattr(natural_page.theme, "colours", lambda: colours)
    pair = sorted([luminance(colours.text), luminance(natural_page.shade(share))])
    assert (pair[1] + 0.05) / (pair[0] + 0.05) > 4.5  # WCAG 2, level AA


def test_kinds_that_were_measured_in_part():
    natural = measured.Natural({"fog": {3: 0.5}, "own": {1: 0.25, 3: 0.75}}, None, {}, None, None)
    rows_of = {row.name: row for row in changes.heat(natural)}
    assert rows_of["fog"].shares == (None, 0.5, 0.5) and rows_of["fog"].tips[0] == ""
    assert rows_of["all changes"].shares == (0.25, 0.625, 0.5)
    assert list(rows_of)[-1] == "own"  # of no known group


def test_certificates_are_a_table(screen):
    screen.tabs.setCurrentWidget(screen.certificates)
    texts = screen.certificates.table.texts
    assert texts.rowCount() == 4 and list(texts.row(1))[:2] == ["0.25", "0.25"]
    assert "average radius of 0.31" in screen.certificates.words.text()


def test_the_session_comes_back_to_its_tab(screen):
    screen.tabs.setCurrentWidget(screen.certificates)
    state = json.loads(json.dumps(screen.state()))
    screen.tabs.setCurrentIndex(0)
    screen.restore(state)
    assert screen.tabs.currentWidget() is screen.certificates
    screen.restore({"tab": 3})  # of an older version
    assert screen.tabs.currentWidget() is screen.certificates


@pytest.mark.parametrize(
    "damage",
    [
        {"corruptions": 3},
        {"corruptions": {"kinds": {"fog": {"x": 0.1}}}},
        {"corruptions": {"kinds": {"fog": 3}}},
        {"certificates": {}},
        {"certificates": [{"sigma": "wide"}]},
        {"certificates": [made.certificate(9) | {"samples": "many"}]},
        {"curve": [{"eps": "wide", "accuracy": 0.5}]},
        {"results": [made.row("fmn", 0.5, 9, distance=[])]},
        {"results": [made.row("fmn", 0.5, 9, distance={"norm": "linf"})]},
        {"results": [made.row("fmn", 0.5, 9, distance=made.distance([1.0]) | {"values": "x"})]},
    ],
)
def test_what_is_damaged_is_a_sentence(screen, folder, damage):
    whole = damage.get("results") == [made.row("fmn", 0.5, 9, distance=[])]
    made.write(folder, made.content() | damage)
    screen.presenter.look()
    assert whole or "damaged" in screen.status.text()
    for number in range(screen.tabs.count()):
        screen.tabs.setCurrentIndex(number)


# -- Compare ----------------------------------------------------------------------------------


@pytest.fixture
def arms(tmp_path):
    for seed in (0, 1):
        place = tmp_path / "runs" / f"at-seed{seed}"
        make_run(place, seed=seed)
        content = made.content()
        content["results"][1]["distance"]["median"] = (4 + 2 * seed) / 255
        made.write(place, content)
    store, known = RunStore(tmp_path / "runs"), EvaluatedRuns()
    store.scan()
    known.read(list(store.records))
    return arms_of(list(store.records.values())), known


def test_natural_changes_do_not_flood_what_is_compared(arms):
    assert comparison.attacks_of(*arms) == ["fmn", "deepfool", "corruptions", "worst case"]
    found = comparison.as_results(*arms)
    assert found["attacks"] == ["clean", "corruptions", "fmn", "deepfool"]  # the last decides


def test_median_distances_are_columns(arms):
    header, cells = comparison.distances(*arms)
    assert header[1] == "median distance, fmn, best (linf, of 255)"
    ((label, texts),) = cells.items()
    assert label == "at" and texts[1] == "5 (4 to 6)"


def test_median_distances_are_exported(arms):
    found, more = comparison.as_results(*arms), comparison.distances(*arms)
    assert "| 5 (4 to 6) |" in tables.table(found, more)
    assert "median distance, fmn" in tables.latex(found, more)
    rows = list(csv.DictReader(io.StringIO(tables.csv_text(found))))
    far = [(row["median_distance"], row["norm"]) for row in rows if row["attack"] == "fmn"]
    assert sorted(far) == [(str(4 / 255), "linf"), (str(6 / 255), "linf")]
    assert {row["median_distance"] for row in rows if row["attack"] == "clean"} == {""}


def test_runs_without_distances_have_no_such_columns(arms, tmp_path):
    make_run(tmp_path / "runs" / "plain", attack={"eps": "4/255"})
    store = RunStore(tmp_path / "runs")
    store.scan()
    header, cells = comparison.distances(arms_of(list(store.records.values())), arms[1])
    assert len(header) == 2 and cells["plain"] == ["–", "–"]
    assert comparison.distances([], arms[1]) == ([], {})


# -- the command's further flags --------------------------------------------------------------


def test_a_field_for_every_flag_that_has_no_control_of_its_own(screen):
    form = screen.form
    form.rest.setChecked(True)
    for flag in FIELDS:
        control = form.fields._controls[flag.name]
        assert control.accessibleName() == flag.label and control.toolTip()[1:] == flag.help[1:]
        assert control.isVisible() == (not flag.needs)
    kind(screen, ("clean", "corruptions"))
    assert form.fields._controls["--corruptions-baseline"].isVisible()
    assert form.asked().more == {}


def test_further_flags_reach_the_command(screen, folder):
    from slr_keras import evaluate

    form = screen.form
    kind(screen, ("clean", "corruptions"))
    baseline = str(folder / "evaluation.json")
    for name, text in {"--ensemble": "a 'b c'", "--corruptions-baseline": baseline}.items():
        form.fields._controls[name].setText(text)
    form.fields._controls["--batch-size"].setValue(50)
    form.fields._controls["--split"].setCurrentText("val")
    assert form.go.isEnabled() and "4 set" in form.rest.text()
    options = evaluate._parser().parse(form.asked().arguments())
    assert options.ensemble == ["a", "b c"] and options.corruptions_baseline == baseline
    assert options.batch_size == 50 and options.split == "val" and options.restarts == 1
    kind(screen, specs.USUAL)
    assert "--corruptions-baseline" not in form.asked().arguments()


@pytest.mark.parametrize(
    ("flag", "text", "said"),
    [
        ("--step-size", "x", "Step size: expected a number"),
        ("--ensemble", "'a", "quotation mark"),
        ("--corruptions-baseline", "/no/such.json", "there is no file"),
        ("--curve-attack", "pdg-20", "Did you mean"),
    ],
)
def test_further_flags_that_do_not_fit_say_why(flag, text, said):
    assert said in Evaluation("runs/x", more={flag: text}).problem()


def test_the_mean_of_several_models_is_shown_and_does_not_replace_the_model_s_own(
    screen, folder, monkeypatch
):
    content = made.content() | {"ensemble": ["a", "b"]}
    path = folder / "evaluation.ensemble.json"
    path.write_text(json.dumps(content))
    job = Job(str(folder), task="evaluate")
    monkeypatch.setattr(screen.trainer, "current", job)
    screen.presenter._take(events.TaskEnded("done", (str(path),)))
    screen.presenter._ended()
    assert screen.presenter.found.content["ensemble"] == ["a", "b"]
    screen.presenter.show(str(folder), "best")
    assert "ensemble" not in screen.presenter.found.content
    final = Evaluation("runs/x", "final", more={"--ensemble": "a"}).arguments()
    assert "runs/x/evaluation-final.ensemble.json" in final
