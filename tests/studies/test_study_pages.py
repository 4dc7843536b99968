"""What a study draws of analyses that only some of its runs have."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from benchmarks.results import ROOT
from slr_keras.protocol.events import AnalysisMeasured, encode
from slr_keras.studies import figures, groups, pages, results, tables


def run(arm, **analyses):
    return {"arm": arm, "seed": 0, "analyses": analyses}


@pytest.mark.parametrize("measured", [{}, {"auroc": [0.5, 0.9]}])
@pytest.mark.filterwarnings("error")
def test_an_arm_without_a_label_bank_has_no_line(measured):
    told = {"label_quality": {"epoch": [1, 2]} | measured}
    found = {"study": "s", "arms": ["AT", "AT + SLR"]}
    found["runs"] = [run("AT"), run("AT + SLR", **told)]
    with Image.open(io.BytesIO(figures.analysis(found, "label_quality"))) as image:
        colours = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    second = abs(colours - [0xFF, 0x7F, 0x0E]).max(1) < 8
    assert second.any() == bool(measured)


@pytest.mark.parametrize(
    ("study", "wanted"),
    [
        ("methods", {"": 13}),
        (
            "noise",
            {
                "data.noise_kind symmetric, data.label_noise 0.2": 4,
                "data.noise_kind symmetric, data.label_noise 0.4": 2,
                "data.noise_kind pair, data.label_noise 0.2": 2,
            },
        ),
        ("attacks", {"L2": 2, "Linf, N-FGSM": 2}),
    ],
)
def test_arms_that_are_compared_stand_together(study, wanted):
    found = results.load(ROOT / "docs" / "results" / study)
    parts = groups.groups(found)
    assert {part.title: len(part.arms) for part in parts} == wanted
    assert [arm for part in parts for arm in part.arms.values()] == groups.arms(found)
    assert [list(part.arms)[:2] for part in parts] == [["AT", "AT + SLR"]] * len(parts)


def test_a_field_for_each_group_and_a_colour_for_each_name(monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "_saved", lambda figure, *_: drawn.append(figure) or b"")
    figures.accuracy(results.load(ROOT / "docs" / "results" / "noise"), "svg")
    shown = [axes for axes in drawn[0].axes if axes.axison]
    assert [axes.get_title()[-3:] for axes in shown] == ["0.2", "0.4", "0.2"]
    assert all(axes.get_xlabel() for axes in shown[1:]) and not shown[0].get_xlabel()
    (legend,) = drawn[0].legends
    hues = {line.get_label(): line.get_color() for line in legend.legend_handles}
    assert list(hues) == ["AT", "AT + SLR", "AT + smoothing", "SCE"]
    for axes in shown[1:]:
        assert {line.get_color() for line in axes.lines} == {hues["AT"], hues["AT + SLR"]}


def test_the_legend_of_an_analysis_names_what_is_drawn(monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "_saved", lambda figure, *_: drawn.append(figure) or b"")
    arms = {
        f"{arm}, data.noise {n}": f"AT, data.noise {n}" for n in (0, 1) for arm in ("AT", "SLR")
    }
    found = {"study": "s", "arms": list(arms), "references": arms}
    told = {"epoch": [1, 2], "auroc": [0.5, 0.9]}
    nothing = told | {"auroc": [None, None]}
    found["runs"] = [
        run(arm, label_quality=nothing if arm.startswith("AT") else told) for arm in arms
    ]
    figures.analysis(found, "label_quality")
    (legend,) = drawn[0].legends
    names = [text.get_text().strip() for text in legend.get_texts()]
    assert list(filter(None, names)) == ["SLR", "data.noise 0", "data.noise 1"]
    assert [line.get_linestyle() for line in drawn[0].axes[0].lines] == ["-", "--"]


def test_results_hold_the_analyses_that_the_study_asks_for():
    told = [("memorisation", 2, 0.25), ("information", 2, 7.0), ("memorisation", 4, None)]
    lines = [encode(AnalysisMeasured(epoch, name, {"x": value})) for name, epoch, value in told]
    kept = results._analyses(lines, ["memorisation", "calibration"])
    assert kept == {"memorisation": {"epoch": [2, 4], "x": [0.25, None]}}


def test_the_page_needs_no_width_and_no_other_file():
    found = results.load(ROOT / "docs" / "results" / "methods")
    text = pages.page(found, {"figure.svg": b"<svg/>", "label_quality.png": b"png"})
    assert 'name="viewport"' in text and "@media print" in text
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    assert text.count('<th scope="row">') == len(groups.arms(found))
    assert ">best epoch</th>" in text and "<small>32.8 to 35.6</small>" in text
    columns = len(tables.header(found))
    assert len(re.findall(r"<t[hd]", text.split("<tbody>\n")[1].split("</tr>")[0])) == columns


def test_rows_of_a_group_stand_below_its_title():
    found = results.load(ROOT / "docs" / "results" / "noise")
    bodies = pages.page(found, {}).split("<tbody>\n")[1:]
    heads = [re.findall(r'scope="rowgroup" colspan="12"><span>(.*?)</span>', b) for b in bodies]
    assert heads == [[part.title] for part in groups.groups(found)]
    rows = [re.findall(r'<th scope="row">(.*?)</th>.*?<td>([\d.]+)', body) for body in bodies]
    assert [row[0] for row in rows[1]] == ["AT", "AT + SLR"]
    assert sum(map(len, rows)) == len(groups.arms(found))


def test_the_footing_says_what_chance_in_the_images_may_do():
    from scipy.stats import binomtest

    found = results.load(ROOT / "docs" / "results" / "information")
    gaps = []
    for model in (model for run in found["runs"] for model in run["models"].values()):
        for row in model["attacks"].values():
            share = binomtest(round(row["accuracy"] * row["samples"]), row["samples"])
            bounds = share.proportion_ci(method="wilson")
            gaps += [row["accuracy"] - bounds.low, bounds.high - row["accuracy"]]
    said = f"One value for one seed, known to ±{100 * max(gaps):.1f} points (95 %, over images)"
    assert said in tables.footing(found)


def test_an_arm_is_compared_at_its_own_point_of_the_grid():
    from slr_keras.evaluation.bits import bits_of
    from slr_keras.studies import plan

    def run(arm, right):
        row = {"accuracy": float(np.mean(right)), "interval": [0, 1], "samples": 8}
        row["right"] = bits_of(np.array(right, bool))
        model = {"attacks": {"pgd-20": row}, "data_digest": "d"}
        return {"run": arm, "arm": arm, "seed": 0, "models": {"best": model}}

    rights = {
        "Linf, AT, data.noise 0": [1] * 8,
        "SLR, data.noise 0": [1] * 7 + [0],
        "Linf, AT, data.noise 1": [0] * 8,
        "SLR, data.noise 1": [1] * 4 + [0] * 4,
    }
    arms = list(rights)
    runs = [plan.StudyRun(arm, arm, 0, None, arm[-1]) for arm in arms]
    found = {"arms": arms, "attacks": ["pgd-20"], "references": results.references(runs)}
    found["runs"] = [run(arm, right) for arm, right in rights.items()]
    last = [row[-1].partition(" ")[0] for row in tables.rows(found)]
    assert last == ["–", "-12.5", "–", "+50.0"]
    assert "against Linf, AT (" in tables.header(found)[-1]
    del found["references"]  # results of before
    assert [row[-1].partition(" ")[0] for row in tables.rows(found)][3] == "-50.0"
