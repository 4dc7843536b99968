"""The report of what an evaluation says beyond one ball: every figure against one made by hand."""

import numpy as np
import pytest

from slr_keras.analysis import beyond, card, figures, words
from slr_keras.analysis.figures import Fall
from slr_keras.analysis.measure import Measured, answers
from slr_keras.analysis.page import Subject, render
from slr_keras.analysis.record import read
from slr_keras.analysis.targets import Targeted
from tests.evaluation.test_report import EVALUATION, check_alone, make_run, quick, refused, shown

KINDS = ("gaussian_noise", "glass_blur", "fog", "own_change")
ERRORS = {k: {str(s): 0.1 * n + 0.01 * s for s in range(1, 6)} for n, k in enumerate(KINDS)}
DISTANCES = {
    "fmn": {
        "norm": "linf",
        "images": 4,
        "found": 3,
        "median": 20.5 / 255,
        "interval": [3.25 / 255, None],
        "optimality": 0.9321,
        "values": [0, 0.013, 0.05, 0.111, None],
    },
    "ddn": {
        "norm": "l2",
        "images": 5,
        "found": 5,
        "median": 0.4321,
        "interval": [0.3111, 0.5555],
        "optimality": None,
        "values": [0.1, 0.2, 0.4321, 0.5, 0.6],
    },
}
CERTIFICATES = [
    {
        "sigma": sigma,
        "samples": 1234,
        "failure": 0.001,
        "norm": "l2",
        "abstained": 0.1357,
        "average_radius": 0.2468,
        "radii": [
            {"eps": 0.0, "accuracy": 0.7531, "interval": [0.6429, 0.8141]},
            {"eps": sigma, "accuracy": 0.2753, "interval": [0.1864, 0.3753]},
        ],
        "values": [0.3, None, 0.15, 0.0],
        "seconds": 3.0,
    }
    for sigma in (0.25, 0.5)
]


def row(name, **facts):
    return {"attack": name, "settings": {}, "samples": 317, "accuracy": 0.5, "seconds": 1.0} | facts


@pytest.fixture(scope="module")
def evaluation():
    """With 20 rows of single changes, one of all, and two attacks that give distances."""
    names = [f"{kind}-{severity}" for kind, found in ERRORS.items() for severity in found]
    rows = [row(f"corruptions: {name}", accuracy=0.4242) for name in names]
    rows += [row("corruptions", accuracy=0.7777, settings={"kinds": names})]
    rows += [row(name, distance=found) for name, found in DISTANCES.items()]
    return EVALUATION | {
        "results": [*EVALUATION["results"], *rows],
        "corruptions": {
            "kinds": ERRORS,
            "error": 0.18,
            "clean_error": 0.0852,
            "ece": {"clean": 0.0313, "mean": 0.0717, "kinds": dict.fromkeys(ERRORS, 0.0517)},
        },
        "certificates": CERTIFICATES,
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory, evaluation):
    folder = tmp_path_factory.mktemp("page")
    make_run(folder / "a", evaluation=evaluation)
    return quick(folder / "a", out=folder / "page.html")


@pytest.fixture
def undrawn(monkeypatch):
    """Figures with their words alone: drawing is what takes a page's time."""
    monkeypatch.setattr(figures, "_svg", _worded)


def _worded(draw, size, said, key):
    return f'<svg role="img" aria-label="{said}"></svg>'


def part(page, heading, following):
    """The text of a section."""
    return page.text.partition(f" {heading} ")[2].partition(f" {following} ")[0]


# -- the page ---------------------------------------------------------------------------------


def test_distances(page):
    text = part(page, "How far the boundary is", "Natural changes")
    assert "fmn L∞ 20.50/255 at least 3.25/255 3 of 4 93.2 %" in text
    assert "ddn L2 0.432 0.311 to 0.555 5 of 5 –" in text
    assert "dotted: the radius of training" in text and "dashed: what is proved" in text
    (first, second) = (s["aria-label"] for s in page.all("svg") if "radius" in s["aria-label"])
    assert "L∞ radius" in first and "fmn from 80.0 percent" in first  # one of five is wrong
    assert "L2 radius" in second and "certified, σ 0.5 from 50.0 percent" in second


def test_natural_changes(page):
    text = part(page, "Natural changes", "What is proved")
    for errors in ERRORS.values():
        shares = [1 - error for error in errors.values()]
        cells = " ".join(f"{100 * share:.1f}" for share in shares)
        assert f"{cells} {shown(np.mean(shares))} 5.2 %" in text
    assert "glass blur" in text and "own change" in text
    assert "Noise 97.0 %" in text and "Weather 77.0 %" in text
    everywhere = 1 - np.array([list(errors.values()) for errors in ERRORS.values()])
    columns = " ".join(f"{100 * share:.1f}" for share in everywhere.mean(0))
    assert f"All {columns} 82.0 % 7.2 %" in text
    assert "4 kinds of natural change (20 in all) is 82.0 %: a mean error of 18.0 %" in text
    assert "9.5 pp more than on clean images" in text
    titles = [cell.get("title", "") for cell in page.all("td")]
    assert "fog, severity 3: 77.0 %" in [title.replace("\u00a0", " ") for title in titles]


def test_certificates(page):
    text = part(page, "What is proved", "Confusion, gallery and calibration")
    assert "not of the network alone" in text and "dashed lines above" in text
    assert "0 75.3 % 64.3 to 81.4 % 75.3 % 64.3 to 81.4 %" in text
    assert "0.25 27.5 % 18.6 to 37.5 %" in text and "0.5 27.5 % 18.6 to 37.5 %" in text
    assert "Abstained 13.6 % 13.6 %" in text and "Mean radius 0.247 0.247" in text
    assert "Draws of an image 1234 1234" in text and "0.001" in text


def test_single_changes_do_not_flood_the_table_of_attacks(page):
    assert "42.4 %" not in page.text and "corruptions: fog-3" not in page.text
    attacks = part(page, "Attacks", "Accuracy against epsilon")
    assert "corruptions 77.8 %" in attacks and "changes 20" in attacks
    assert "autoattack: apgd-ce" in attacks  # a suite's attacks stay


def test_the_evaluation_is_repeated_whole(tmp_path, page, evaluation, undrawn):
    flags = "clean autoattack corruptions fmn ddn --num-samples 317 --certify 0.25 0.5"
    assert f"--attacks {flags}" in page.text
    rows = [r for r in evaluation["results"] if "glass" in r["attack"] or "fog-3" in r["attack"]]
    make_run(tmp_path / "a", evaluation=evaluation | {"results": rows, "certificates": []})
    text = quick(tmp_path / "a", out=tmp_path / "page.html").text
    assert "--attacks glass_blur fog-3 --num-samples 317" in text


def test_an_evaluation_in_another_ball_is_repeated_in_it(tmp_path, undrawn):
    settings = ({}, {"norm": "l2", "eps": "wide"}, {"norm": "l2", "eps": 0.75})
    names = ("clean", "fgsm", "pgd-20")
    rows = [row(name, settings=facts) for name, facts in zip(names, settings, strict=True)]
    make_run(tmp_path / "a", evaluation=EVALUATION | {"results": rows, "curve": []})
    text = quick(tmp_path / "a", out=tmp_path / "page.html").text
    flags = "--attacks clean fgsm pgd-20 --num-samples 317 --norm l2 --eps 0.75"
    assert f"{flags} --curve 0:1.5:9" in text  # twice 0.75


def test_what_was_not_measured_has_no_section(tmp_path, undrawn):
    make_run(tmp_path / "a", evaluation=EVALUATION)
    page = quick(tmp_path / "a", out=tmp_path / "page.html")
    ids = {attributes.get("id", "").partition("-")[2] for attributes in page.all("h2")}
    assert not ids & {"distances", "natural", "proofs", "targets"} and "s4" in ids


def test_certificates_alone_have_a_figure(tmp_path, undrawn):
    alone = EVALUATION | {"certificates": CERTIFICATES[:1]}
    make_run(tmp_path / "a", evaluation=alone)
    page = quick(tmp_path / "a", out=tmp_path / "page.html")
    labels = [drawn["aria-label"] for drawn in page.all("svg")]
    assert any("certified, σ 0.25 from 50.0 percent" in label for label in labels)
    assert "How far the boundary is" not in page.text


def test_side_by_side(tmp_path, evaluation, undrawn):
    make_run(tmp_path / "a", evaluation=evaluation)
    make_run(tmp_path / "b", evaluation=EVALUATION)
    text = quick(tmp_path / "a", tmp_path / "b", out=tmp_path / "page.html").text
    assert "median distance, fmn (L∞) 20.50/255 at least 3.25/255, 4 images –" in text
    assert "median distance, ddn (L2) 0.432 0.311 to 0.555, 5 images –" in text
    assert "corruption error 18.0 % 4 kinds, 20 changes –" in text
    assert "ECE, corruptions 7.2 % –" in text
    assert "certified at L2 0.5, σ 0.5 27.5 % 18.6 to 37.5 % –" in text
    assert "mean certified radius, σ 0.25 0.247 –" in text
    assert "corruptions 77.8 %" in text and "corruptions: fog-3" not in text


def test_a_model_card(tmp_path, evaluation):
    text = card.render(read(str(make_run(tmp_path / "a", evaluation=evaluation).path)), "best")
    text = text.replace("\u00a0", " ")
    assert "fog-3" not in text and "accuracy, corruptions" in text
    assert "Median L2 distance of the nearest adversarial image (ddn): 0.432" in text
    assert "natural changes (4 kinds, 20 changes): 18.0 %." in text
    assert "noise of 0.25 (not of the network alone): 27.5 % at 0.25." in text
    other = card.render(read(str(tmp_path / "a")), "final")  # evaluation.json is of the best
    assert "Beyond this ball" in text and "Beyond this ball" not in other


# -- lines and words --------------------------------------------------------------------------


def test_a_line_is_the_accuracy_at_every_radius(rng):
    values = [*rng.uniform(0.01, 1, 50), *[0.0] * 7, *[None] * 5]
    radii, shares = Fall("x", values).points()
    for radius in rng.uniform(0, 1.2, 100):
        left = np.mean([value is None or value > radius for value in values])
        assert shares[np.searchsorted(radii, radius, side="right") - 1] == pytest.approx(left)


def test_no_image_is_found_or_all_are_wrong():
    assert [part.tolist() for part in Fall("x", [None, None]).points()] == [[0], [1]]
    assert [part.tolist() for part in Fall("x", [0.0, 0.0]).points()] == [[0], [0]]


def test_distances_as_people_write_them():
    assert words.distance(8 / 255, "linf") == "8.00/255" and words.distance(3.0, "l0") == "3"
    assert words.distance(None, "l2") == words.NONE
    assert words.distance_interval([0.0, None], "l2") == words.NONE
    assert words.distance_interval([1 / 255, 2 / 255], "linf") == "1.00\u00a0to\u00a02.00/255"


# -- bad input --------------------------------------------------------------------------------


def damaged(**changes):
    """An evaluation whose one row has a distance with other values in it."""
    found = DISTANCES["fmn"] | changes
    return EVALUATION | {"results": [row("fmn", distance=found)]}


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (EVALUATION | {"results": [row("fmn", distance={"norm": "l2"})]}, "distance: expected"),
        (damaged(values=3), "distance: expected"),
        (damaged(values=["1"]), "distance: expected"),
        (damaged(median=-1.0), "distance: expected"),
        (damaged(interval=[0.1]), "distance: expected"),
        (damaged(images=None), "distance: expected"),
        (damaged(optimality=2), "optimality"),
        (EVALUATION | {"corruptions": []}, "corruptions.kinds"),
        (EVALUATION | {"corruptions": {"kinds": {"fog": {}}}}, "corruptions.kinds"),
        (EVALUATION | {"corruptions": {"kinds": {"fog": {"x": 0.1}}}}, "corruptions.kinds"),
        (EVALUATION | {"corruptions": {"kinds": {"fog": {"1": 7}}}}, "corruptions.kinds"),
        (EVALUATION | {"corruptions": {"ece": {"mean": "1"}}}, "ECE"),
        (EVALUATION | {"corruptions": {"ece": {"kinds": 1}}}, "corruptions.ece"),
        (EVALUATION | {"corruptions": {"mce": "x"}}, "corruptions.mce"),
        (EVALUATION | {"certificates": [{}]}, "certificates"),
        (EVALUATION | {"certificates": [CERTIFICATES[0] | {"abstained": 3}]}, "certificates[0]"),
        (EVALUATION | {"certificates": [CERTIFICATES[0] | {"radii": [{}]}]}, "radii"),
        (EVALUATION | {"certificates": [CERTIFICATES[0] | {"values": None}]}, "certificates[0]"),
    ],
)
def test_damaged_parts(tmp_path, capsys, content, word):
    make_run(tmp_path / "a", evaluation=content)
    line = refused(capsys, tmp_path / "a", "--quick")
    assert "evaluation.json" in line and word in line


def test_targets_are_counted(tmp_path, capsys):
    assert "--targeted" in refused(capsys, tmp_path, "--targeted", "-1")


# -- which class falls to which ---------------------------------------------------------------


def measured(rng, classes, most):
    """Figures of targeted attacks, drawn; the last class has no image that is right."""
    tried = np.zeros((classes, classes), int)
    for k in range(classes - 1):
        tried[k, [j for j in range(classes) if j != k][:most]] = 20
    reached = rng.binomial(tried, 0.3)
    right = tried.max(1)
    p, y = rng.dirichlet([1.0] * classes, 90), rng.integers(0, classes, 90)
    found = Targeted(right + 5, right, right - 2, right - 4, tried, reached, most)
    names = tuple(f"class {k}" for k in range(classes))
    counts, one = np.bincount(y, minlength=classes).tolist(), answers(p, y)
    facts = {"exhibits": [], "factor": 1, "digest": "0" * 16, "device": "CPU"}
    return Measured(90, "pgd-20", {}, names, counts, one, one, **facts, targeted=found)


@pytest.mark.parametrize("classes", [3, 15, 21])
def test_which_class_falls_to_which(tmp_path, rng, undrawn, classes):
    subject = measured(rng, classes, min(9, classes - 1))
    record = read(str(make_run(tmp_path / "a").path))
    page = check_alone(render([Subject(record, subject)]))
    text, found = part(page, "Which class falls to which", "Calibration"), subject.targeted
    i, j = np.unravel_index(found.reached.argmax(), found.reached.shape)
    assert f"class {i} falls most often to class {j}: {found.reached[i, j]} of 20" in text
    for k in range(classes - 1):
        best = int(found.reached[k].argmax())
        shares = "80.0 % 72.0 % 64.0 %"  # 20, 18 and 16 of 25
        assert f"class {k} 25 {shares} class {best} {found.reached[k, best]} of 20" in text
    tables = [a["class"] for a in page.all("table") if "targets" in a.get("class", "")]
    titles = [a["title"] for a in page.all("td") if " to class" in a.get("title", "")]
    assert len(tables) == (classes <= 20) and len(titles) == len(tables) * (found.tried > 0).sum()
    assert ("the 9 classes that the network finds most likely" in text) == (classes > 10)
    assert "The next five sections" in page.text
    labels = [drawn["aria-label"] for drawn in page.all("svg")]
    assert (f"between {classes} classes" in " ".join(labels)) == (classes > 20)


def test_many_classes_are_drawn(rng):
    found = measured(rng, 21, 9).targeted
    drawn = figures.target_map(found.success, "key")
    assert np.isnan(found.success[20]).all() and "data:image/png" in drawn and "nan" not in drawn


def test_rows_of_attacks_without_changes():
    rows = [row("corruptions: fog-3"), row("autoattack: apgd-ce"), row("corruptions")]
    kept = beyond.attack_rows(rows)
    assert [one["attack"] for one in kept] == ["autoattack: apgd-ce", "corruptions"]
