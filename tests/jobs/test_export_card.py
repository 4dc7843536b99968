"""The model card of an export: figures with what they rest on, no path of the machine."""

import json

import pytest

from slr_keras import backend, evaluate, export


@pytest.fixture
def run(learned, copy_of):
    return copy_of(learned)


def metrics(text):
    """The metrics of the head, by their names."""
    lines = [line for line in text.split("---")[1].splitlines() if "type: accuracy" in line]
    pairs = (line.partition("name: ")[2].rstrip("}").rsplit(", value: ", 1) for line in lines)
    return {json.loads(name): float(value) for name, value in pairs}


def test_a_card_of_an_evaluated_run(run, job):
    options = ("--attacks", "clean", "pgd-2", "--num-samples", 40)
    assert job(evaluate.main, run, *options).code == 0
    done = job(export.main, run, "--format", "keras")
    assert done.code == 0 and "model card" in done.out
    text = (run / "exported.md").read_text()
    found = json.loads((run / "evaluation.json").read_text())["results"]
    for row in found:
        assert metrics(text)[f"accuracy, {row['attack']}"] == pytest.approx(row["accuracy"])
    assert "| pgd-2 |" in text and "| 40 |" in text and "No AutoAttack was run" in text
    assert str(run) not in text and "run_dir" not in text and "is no certificate" in text


def test_a_card_without_evaluation_has_the_figures_of_the_run(run, job):
    assert job(export.main, run, "--format", "keras", "--which", "final").code == 0
    summary = json.loads((run / "summary.json").read_text())
    found = metrics((run / "exported.md").read_text())
    robust = found[f"accuracy, {summary['attack']}"]
    assert robust == pytest.approx(summary["final"]["robust_accuracy"], abs=1e-4)


@pytest.mark.skipif(backend.name() != "tensorflow", reason="a SavedModel needs TensorFlow")
def test_a_saved_model_carries_its_card_and_loads(run, job):
    import tensorflow as tf

    assert job(export.main, run, "--overwrite").code == 0
    assert (run / "savedmodel" / "README.md").read_text().startswith("---\nlibrary_name: keras")
    tf.saved_model.load(str(run / "savedmodel"))


def test_a_plain_file_has_no_card(run, job, tmp_path):
    file = tmp_path / "plain" / "net.keras"
    file.parent.mkdir()
    file.write_bytes((run / "best.keras").read_bytes())
    done = job(export.main, file, "--format", "keras")
    assert done.code == 0 and "model card" not in done.out and not list(file.parent.glob("*.md"))
