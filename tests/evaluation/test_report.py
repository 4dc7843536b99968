"""The report page: whole, self-contained, and with every figure that it was given."""

import html.parser
import json
import os
import re
import sys

import numpy as np
import pytest

from slr_keras import config, report, train
from slr_keras.analysis.measure import Measured, answers
from slr_keras.analysis.page import Subject, render
from slr_keras.analysis.record import read
from slr_keras.protocol import events
from slr_keras.run_folder import RunFolder
from slr_keras.terminal import cli
from tests.processes import finished

VOID = {"meta", "br", "img", "input", "hr", "link", "col"}
SUMMARY = {
    "attack": "pgd-20",
    "attack_settings": {"norm": "linf", "eps": "24/255", "steps": 20},
    "test_samples": 360,
    "best": {"epoch": 2, "accuracy": 0.6139, "robust_accuracy": 0.4083},
    "final": {"epoch": 4, "accuracy": 0.5472, "robust_accuracy": 0.2778},
}
EVALUATION = {
    "model_digest": "0123456789abcdef",
    "device": "CPU (2 threads)",
    "which": "best",
    "split": "test",
    "seed": 11,
    "results": [
        {
            "attack": "clean",
            "settings": {},
            "samples": 317,
            "accuracy": 0.9148,
            "interval": [0.8788, 0.9409],
            "seconds": 1.26,
            "per_class": [0.7123, None],
        },
        {
            "attack": "autoattack: apgd-ce",
            "settings": {"norm": "linf", "eps": "24/255", "steps": 97, "targets": [1, 2]},
            "samples": 317,
            "accuracy": 0.3533,
            "interval": [0.3028, 0.4073],
            "seconds": 754.2,
        },
    ],
    "curve": [
        {"eps": 0, "accuracy": 0.9148, "interval": [0.8788, 0.9409], "samples": 317},
        {"eps": "12/255", "accuracy": 0.6436, "interval": [0.5893, 0.6944], "samples": 317},
        {"eps": "24/255", "accuracy": 0.3691, "interval": [0.3179, 0.4234], "samples": 317},
    ],
    "checks": [{"name": "logits", "verdict": "warn", "says": "rows <sum> to one & more"}],
}


class Page(html.parser.HTMLParser):
    """Elements, text and ids of a page; every element must be closed in its order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.found, self.words, self.ids = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = re.sub(r"[\s\u00a0]+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self.ids += [value for name, value in attributes if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def check_alone(text):
    """Nothing is loaded, nothing runs, nobody is left out."""
    page = Page(text)
    assert "http" not in re.sub(r"<code>.*?</code>", "", text, flags=re.S)
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    assert "@import" not in text and not re.search(r"url\((?!#)", text)
    for tag, attributes in page.found:
        for name in ("src", "href"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:image/png;base64,")), (tag, value)
            assert not value.startswith("#") or value == "#" or value[1:] in page.ids
    assert len(page.ids) == len(set(page.ids))
    assert all(image.get("alt") for image in page.all("img"))
    assert all(drawn.get("aria-label") for drawn in page.all("svg"))
    assert all(cell.get("scope") for cell in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))
    return page


def make_run(path, end=True, evaluation=None, **settings):
    """A run folder as the trainer leaves it, without a model."""
    values = {"train": {"epochs": 4}, "run_dir": str(path), **settings}
    folder = RunFolder.create(config.load(values=values))
    for number, robust in enumerate((0.2113, 0.4, None, 0.3), 1):
        up = robust and robust + 0.1
        folder.append(
            events.EpochEnded(
                epoch=number,
                epochs=4,
                loss=1.0,
                accuracy=0.6,
                robust_accuracy=0.5,
                train_accuracy=up,
                train_robust_accuracy=up,
                val_accuracy=up,
                val_robust_accuracy=robust,
                label_entropy=0.1 * number,
                label_agreement=0.9,
                learning_rate=0.1,
                images_per_second=100.0,
                seconds=2.0 * number,
            )
        )
    if end:
        folder.write_summary(SUMMARY)
        folder.append(events.RunEnded(SUMMARY))
    if evaluation is not None:
        folder["evaluation.json"].write_text(json.dumps(evaluation))
    return folder


def quick(*runs, out):
    assert cli.run(report.main, [*map(str, runs), "--quick", "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    return check_alone(text)


def shown(share):
    return f"{100 * share:.1f} %"


def test_every_figure_of_the_files_is_on_the_page(tmp_path):
    make_run(tmp_path / "a", evaluation=EVALUATION)
    text = quick(tmp_path / "a", out=tmp_path / "page.html").text
    for row in EVALUATION["results"] + EVALUATION["curve"]:
        assert shown(row["accuracy"]) in text
        low, high = (f"{100 * bound:.1f}" for bound in row["interval"])
        assert f"{low} to {high} %" in text
        assert f"{row['samples']}" in text
    for name in ("0123456789abcdef", "CPU (2 threads)", "seed 11", "1.3 s", "12 min 34 s"):
        assert name in text
    assert "norm linf · eps 24/255 · steps 97 · targets 1, 2" in text
    assert all(f" {eps} " in text for eps in ("0", "12/255", "24/255"))
    assert "0 71.2 % 1 –" in text  # accuracy of each class
    assert "logits warn rows <sum> to one & more" in text
    for which in ("best", "final"):
        assert shown(SUMMARY[which]["accuracy"]) in text
        assert shown(SUMMARY[which]["robust_accuracy"]) in text
    assert "−13.1 pp" in text and "−6.7 pp" in text  # 27.78 - 40.83, 54.72 - 61.39
    assert "Robust overfitting" in text


def test_the_lines_are_where_the_figures_are(tmp_path):
    """Of the points in the diagram, the best is highest on the robust validation line."""
    make_run(tmp_path / "a")
    page = quick(tmp_path / "a", out=tmp_path / "page.html")
    (curves,) = page.all("svg")
    assert "highest at epoch 2, 40.0 percent, and 30.0 percent at epoch 4" in curves["aria-label"]
    lines = [a for a in page.all("path") if "stroke: var(--robust)" in a.get("style", "")]
    solid = [a["d"] for a in lines if "dasharray" not in a["style"]]
    points = [re.findall(r"[ML] ([\d.]+) ([\d.]+)", d) for d in solid]
    x, y = zip(*((float(a), float(b)) for a, b in max(points, key=len)), strict=True)
    assert (x[2] - x[1]) / (x[1] - x[0]) == pytest.approx(2)  # epochs 1, 2, 4
    assert (y[0] - y[1]) / (y[2] - y[1]) == pytest.approx((0.4 - 0.2113) / (0.4 - 0.3), rel=1e-3)


def test_what_was_trained_and_that_it_failed_catastrophically(tmp_path):
    parts = {"labels": {"name": "smoothing"}, "weights": {"awp": 0.005}, "swa": {"start_epoch": 3}}
    make_run(tmp_path / "a", method={"name": "trades"}, **parts)
    told = events.CatastrophicOverfitting("said", 4, 0.912, 0.013, 2, 0.4)
    RunFolder.open(tmp_path / "a").append(told)
    text = quick(tmp_path / "a", out=tmp_path / "page.html").text
    assert "trained with TRADES, smoothing labels, AWP 0.005 and SWA from epoch 3 on" in text
    assert "Catastrophic overfitting set in at epoch 4: 91.2 % of the training images" in text
    assert "1.3 % resisted PGD, after 40.0 % in epoch 2." in text


def test_without_evaluation_the_page_says_how_to_make_one(tmp_path):
    make_run(tmp_path / "a b")
    text = quick(tmp_path / "a b", out=tmp_path / "page.html").text
    assert f"python -m slr_keras.evaluate '{tmp_path}/a b' --attacks" in text
    assert "--curve 0:48/255:9" in text and "autoattack" in text


def test_an_evaluation_without_a_curve_is_repeated_with_one(tmp_path):
    make_run(tmp_path / "a", evaluation=EVALUATION | {"curve": []})
    text = quick(tmp_path / "a", out=tmp_path / "page.html").text
    assert "--attacks clean autoattack --num-samples 317 --curve 0:48/255:9" in text


def test_an_evaluation_with_transferred_images_is_repeated_with_them(tmp_path):
    row = EVALUATION["results"][0]
    row = row | {"attack": "transfer: pgd-5", "settings": {"name": "pgd", "source": "runs/b c"}}
    made = EVALUATION | {"results": [*EVALUATION["results"], row]}
    make_run(tmp_path / "a", evaluation=made)
    text = quick(tmp_path / "a", out=tmp_path / "page.html").text
    flags = "--attacks clean autoattack --num-samples 317"
    assert f"{flags} --transfer-from 'runs/b c' --transfer-attack pgd-5" in text


def test_settings_and_configuration(tmp_path):
    folder = make_run(tmp_path / "a", method={"name": "at"}, optimizer={"learning_rate": 0.0375})
    text = quick(tmp_path / "a", out=tmp_path / "page.html").text
    assert "method.name at slr" in text and "optimizer.learning_rate 0.0375 0.1" in text
    assert "train.epochs 4 30" in text and "attack.eps" not in text.split("The whole config")[0]
    whole = re.sub(r"\s+", " ", folder["config.toml"].read_text())
    assert whole.strip() in text


def test_runs_side_by_side(tmp_path):
    make_run(tmp_path / "a", evaluation=EVALUATION)
    make_run(tmp_path / "b", end=False, method={"name": "at"}, seed=7)
    page = quick(tmp_path / "a", tmp_path / "b", out=tmp_path / "page.html")
    assert "2 runs side by side" in page.text and "seed 0 7" in page.text
    assert "method.name slr at" in page.text and "not finished" in page.text
    assert [a["id"] for a in page.all("article")] == ["run1", "run2"]
    assert "40.0 %" in page.text and "validation" in page.text
    assert "autoattack: apgd-ce 35.3 % 30.3 to 40.7 %, 317 images –" in page.text


def test_a_run_that_goes_on(tmp_path):
    make_run(tmp_path / "a", end=False, train={"epochs": 9})
    text = quick(tmp_path / "a", out=tmp_path / "page.html").text
    assert "4 of 9 epochs" in text and "The run is not finished" in text
    assert "Best so far 2 50.0 % – 40.0 %" in text and "Latest 4 40.0 % – 30.0 %" in text


def test_names_are_text_and_no_html(tmp_path):
    make_run(tmp_path / "<b>&amp;")
    page = quick(tmp_path / "<b>&amp;", out=tmp_path / "page.html")
    assert not page.all("b") or "<b>&amp;" in page.text


def test_quick_loads_no_framework(tmp_path):
    changed = {"corruptions": {"kinds": {"fog": {"3": 0.1}}}}
    make_run(tmp_path / "a", evaluation=EVALUATION | changed)
    code = (
        "import sys; from slr_keras import report; "
        f"report.main([{str(tmp_path / 'a')!r}, '--quick']); "
        "print([m for m in ('tensorflow', 'keras', 'jax', 'torch') if m in sys.modules])"
    )
    done = finished([sys.executable, "-c", code])
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    check_alone((tmp_path / "a" / "report.html").read_text(encoding="utf-8"))


def test_many_classes_are_a_picture_and_few_a_table(tmp_path, rng):
    record = read(str(make_run(tmp_path / "a").path))
    for classes, tables in ((20, 2), (21, 0)):
        p, y = rng.dirichlet([1.0] * classes, 90), rng.integers(0, classes, 90)
        measured = Measured(
            samples=90,
            attack="pgd-20",
            settings={},
            class_names=tuple(f"class {k}" for k in range(classes)),
            counts=np.bincount(y, minlength=classes).tolist(),
            clean=answers(p, y),
            adversarial=answers(p[::-1], y),
            exhibits=[],
            factor=1,
            digest="0" * 16,
            device="CPU",
        )
        page = check_alone(render([Subject(record, measured)]))
        assert sum("matrix" in a.get("class", "") for a in page.all("table")) == tables
        assert len(page.all("svg")) == 4 - tables  # curves, reliability, confusion twice
        assert f"ECE {100 * measured.clean.calibration.ece:.1f} %" in page.text


# -- bad input --------------------------------------------------------------------------------


def refused(capsys, *arguments, code=2):
    assert cli.run(report.main, [str(argument) for argument in arguments]) == code
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("error: "), err
    return err


def test_no_run_no_history(tmp_path, capsys):
    assert "no run folder" in refused(capsys, tmp_path)
    assert "no run folder" in refused(capsys, tmp_path / "nothing")
    RunFolder.create(config.load(values={"run_dir": str(tmp_path / "new")}))
    assert "no history" in refused(capsys, tmp_path / "new", "--quick")
    assert "--num-samples" in refused(capsys, tmp_path, "--num-samples", "0")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{", "no JSON"),
        ("[]", "expected a table"),
        ("{}", "no results"),
        ('{"results": 3}', "expected a list"),
        ('{"results": [{"accuracy": 0.5}]}', "results[0]"),
        ('{"results": [{"attack": "x", "accuracy": 50}]}', "results[0]"),
        ('{"results": [{"attack": "x", "accuracy": NaN}]}', "results[0]"),
        ('{"results": [{"attack": "x", "accuracy": 0.5, "interval": [0.4]}]}', "interval"),
        ('{"results": [{"attack": "x", "accuracy": 0.5, "settings": 3}]}', "settings"),
        ('{"results": [{"attack": "x", "accuracy": 0.5, "seconds": "1"}]}', "seconds"),
        ('{"results": [{"attack": "x", "accuracy": 0.5, "per_class": [2]}]}', "per_class"),
        ('{"curve": [{"accuracy": 0.5}]}', "curve[0]"),
        ('{"curve": [{"eps": "8/255", "accuracy": 0.5}], "checks": [1]}', "checks"),
        ("\udcff", "no JSON"),
    ],
)
def test_damaged_evaluation(tmp_path, capsys, content, word):
    folder = make_run(tmp_path / "a")
    folder["evaluation.json"].write_bytes(content.encode(errors="surrogateescape"))
    line = refused(capsys, tmp_path / "a", "--quick")
    assert "evaluation.json" in line and word in line
    assert not folder["report.html"].exists()


def test_a_damaged_summary(tmp_path, capsys):
    folder = make_run(tmp_path / "a")
    folder["summary.json"].write_text('{"test_samples": 5, "best": {"epoch": 1}}')
    assert "best.accuracy" in refused(capsys, tmp_path / "a", "--quick")


def test_a_place_that_cannot_be_written(tmp_path, capsys):
    make_run(tmp_path / "a")
    out = tmp_path / "no" / "page.html"
    assert "no such folder" in refused(capsys, tmp_path / "a", "--quick", "--out", out)
    assert "name of a file" in refused(capsys, tmp_path / "a", "--quick", "--out", tmp_path)
    out = tmp_path / ("x" * 300)
    assert "cannot write" in refused(capsys, tmp_path / "a", "--quick", "--out", out)


def test_a_folder_without_permission_is_refused_before_anything_is_computed(
    tmp_path, capsys, monkeypatch
):
    make_run(tmp_path / "a")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    assert "Permission denied" in refused(capsys, tmp_path / "a", code=1)


def test_a_full_disk(tmp_path, capsys, monkeypatch):
    make_run(tmp_path / "a")

    def full(*_):
        raise OSError(28, "No space left on device", "page")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in refused(capsys, tmp_path / "a", "--quick", code=1)
    assert not (tmp_path / "a" / "report.html").exists()
    assert not list((tmp_path / "a").glob(".report*"))


# -- a real run -------------------------------------------------------------------------------


def test_a_real_run(tmp_path, capsys):
    small = {
        "--train.epochs": 2,
        "--train.batch_size": 10,
        "--data.train_samples": 200,
        "--model.width": 4,
        "--method.name": "at",
        "--attack.steps": 2,
        "--eval.every": 2,
        "--eval.train_samples": 20,
        "--eval.val_samples": 20,
        "--eval.test_samples": 40,
        "--eval.steps": 20,
        "--eval.test_steps": 20,
        "--run-dir": tmp_path / "run",
    }
    flags = [str(word) for pair in small.items() for word in pair]
    assert cli.run(train.main, [*flags, "--no-train.tensorboard"]) == 0
    assert cli.run(report.main, [str(tmp_path / "run"), "--num-samples", "40"]) == 0
    page = check_alone((tmp_path / "run" / "report.html").read_text(encoding="utf-8"))
    # The test at the end attacked the same 40 images with the same attack.
    best = json.loads((tmp_path / "run" / "summary.json").read_text())["best"]
    assert f"Clean: {shown(best['accuracy'])} right" in page.text
    assert f"Under attack: {shown(best['robust_accuracy'])} right" in page.text
    assert len(page.all("img")) % 3 == 0 and page.all("img")
    assert "perturbation × 5" in page.text  # 0.5 / (24/255)
    assert "ECE" in page.text and "first 40 test images" in page.text
    assert "Each of the first 40 test images that is classified correctly was driven" in page.text


def test_a_model_that_does_not_fit_the_data(tmp_path, capsys):
    from slr_keras.backend import keras

    folder = make_run(tmp_path / "a")
    inputs = keras.Input((8, 8, 1))
    outputs = keras.layers.Dense(7)(keras.layers.Flatten()(inputs))  # the digits have 10 classes
    keras.Model(inputs, outputs).save(folder["best.keras"])
    assert "labels 0 to 6" in refused(capsys, tmp_path / "a", "--num-samples", "20")
    assert not folder["report.html"].exists()
