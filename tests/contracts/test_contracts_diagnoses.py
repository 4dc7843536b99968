"""Every diagnosis speaks where what it watches was planted, by its epoch, and nowhere else."""

import dataclasses
import json
import pathlib

import pytest

from slr_keras import config
from slr_keras.diagnoses._base import Facts, Resisted, Seen
from slr_keras.diagnoses.average_at_start import left_of_start
from slr_keras.diagnoses.radius import usual_radius
from slr_keras.protocol import events
from slr_keras.settings import registry

ALL = registry.variants("diagnoses")
FACTS = Facts(10, 64, steps_per_epoch=11, train_samples=500, val_samples=144, largest_class=0.104)
CIFAR = Facts(10, 3072, steps_per_epoch=352, train_samples=500, val_samples=500, largest_class=0.1)
KEPT = json.loads((pathlib.Path(__file__).parents[1] / "kept" / "histories.json").read_text())


def epoch(number, **changes):
    values = {
        "epoch": number, "epochs": 30, "loss": 0.5, "accuracy": 0.9, "robust_accuracy": 0.6,
        "train_accuracy": 0.9, "train_robust_accuracy": 0.6, "val_accuracy": 0.88,
        "val_robust_accuracy": 0.55, "label_entropy": 0.0, "label_agreement": 1.0,
        "learning_rate": 0.1, "images_per_second": 1000.0, "seconds": 2.0 * number,
    }  # fmt: skip
    return events.EpochEnded(**(values | changes))


def first_said(name, run=None, facts=FACTS, rows=({},), **more):
    """The number of epochs after which a diagnosis speaks, and what it says; None if it never."""
    run = config.load(values=run or {})
    epochs = [epoch(i + 1, epochs=run.train.epochs) for i in range(len(rows))]
    epochs = [dataclasses.replace(e, **row) for e, row in zip(epochs, rows, strict=True)]
    for count in range(len(epochs) + 1):
        said = ALL[name]().look(Seen(run, facts, epochs[:count], **more))
        if said:
            return count, said
    return None


CHANCE = {
    "train_accuracy": 0.104, "train_robust_accuracy": 0.104, "val_accuracy": 0.097,
    "val_robust_accuracy": 0.097, "accuracy": 0.1, "robust_accuracy": 0.1, "loss": 2.3,
}  # fmt: skip
FALLING = [
    {"val_robust_accuracy": 0.45, "train_robust_accuracy": 0.5 + 0.01 * i} for i in range(10)
]
FALLING += [{"val_robust_accuracy": 0.25, "train_robust_accuracy": 0.8} for _ in range(20)]
PLANTED = {  # how a run goes wrong: settings, facts, epochs, and words of what is said
    "collapse": ({"attack": {"eps": 0.6}}, FACTS, [CHANCE] * 5, "same of every image. With attack"),
    "radius": ({"attack": {"norm": "l2", "eps": "8/255"}}, CIFAR, [], "16 times below the radius"),
    "exploding_loss": (
        {"optimizer": {"learning_rate": 50.0}}, FACTS, [{"loss": 3e11}] * 2,
        "optimizer.learning_rate 50 is far above the usual 0.1",
    ),
    "average_at_start": (
        {"ema": {"decay": 0.9999, "warmup": False}, "train": {"epochs": 5}}, FACTS, [],
        "leaves 99.5 % of the average at its first step",
    ),
    "idle_labels": (
        {"method": {"name": "slr", "start_epoch": 1}}, FACTS, [{"label_entropy": 1e-5}] * 6,
        "the labels are as given",
    ),
    "finished_rate": (
        {}, FACTS, [{"learning_rate": 1e-4}] * 3, "The weights hardly move".lower(),
    ),
    "robust_overfitting": ({"method": {"name": "at"}}, FACTS, FALLING, "overfitting since epoch"),
    "masking": ({}, FACTS, [{}] * 10, "gradients are masked"),
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_a_planted_fault_is_told_by_the_epoch_that_its_file_states(name):
    run, facts, rows, words = PLANTED[name]
    more = {"resisted": Resisted(10, 50, 40, 4, "APGD-T and Square")} if name == "masking" else {}
    found = first_said(name, run, facts, rows, **more)
    assert found is not None
    count, said = found
    assert count <= ALL[name].by_epoch
    assert words in said and "\n" not in said and not said.endswith(".") and said[0].islower()
    assert "--" in said, "no flag that helps"
    assert ALL[name].title and ALL[name].__doc__


@pytest.mark.parametrize("kept", KEPT, ids=[kept["name"] for kept in KEPT])
def test_runs_that_went_well_have_none(kept):
    from benchmarks.diagnoses import replay

    run = config.load(values=kept["settings"])
    memorises = not run.scheme.refines and run.train.epochs >= 100  # 1,000 images, hard labels
    assert set(replay(kept)) <= ({"robust_overfitting"} if memorises else set())


def test_enough_runs_are_kept():
    assert len(KEPT) >= 10
    assert {len(kept["epochs"]) for kept in KEPT} >= {30, 100}


def test_none_speaks_of_a_healthy_run():
    rows = [{"label_entropy": 0.3, "loss": 2.2 - 0.05 * i} for i in range(30)]
    for name in ALL:
        assert first_said(name, {}, FACTS, rows) is None
        assert first_said(name, {"method": {"name": "standard"}}, FACTS, rows) is None


# -- the edges --------------------------------------------------------------------------------


def test_collapse_waits_for_three_evaluations_and_thirty_steps():
    few = dataclasses.replace(FACTS, steps_per_epoch=5)
    assert first_said("collapse", {}, FACTS, [CHANCE] * 2) is None
    assert first_said("collapse", {}, FACTS, [CHANCE] * 3)[0] == 3
    assert first_said("collapse", {}, few, [CHANCE] * 7)[0] == 6
    assert first_said("collapse", {"train": {"epochs": 2}}, CIFAR, [CHANCE] * 2)[0] == 2
    skipped = [{"train_accuracy": None, "val_accuracy": None}, CHANCE] * 3
    assert first_said("collapse", {}, FACTS, skipped)[0] == 6
    assert first_said("collapse", {}, FACTS, [CHANCE, {}, CHANCE, CHANCE]) is None


def test_collapse_tells_the_average_from_the_weights():
    learned = CHANCE | {"accuracy": 0.95}
    _, said = first_said("collapse", {"ema": {"decay": 0.9999}}, FACTS, [learned] * 3)
    assert "have learned (95.0 % in the batches)" in said
    _, said = first_said("collapse", {"optimizer": {"learning_rate": 50.0}}, FACTS, [CHANCE] * 3)
    assert "Optimizer.learning_rate 50 is far above" in said
    _, said = first_said("collapse", {}, FACTS, [CHANCE] * 3)
    assert "Try --attack.warmup_epochs" in said


def test_chance_is_the_largest_class():
    uneven = dataclasses.replace(FACTS, largest_class=0.6)
    row = {"train_accuracy": 0.6, "val_accuracy": 0.6}
    assert first_said("collapse", {}, uneven, [row] * 3)[0] == 3
    assert first_said("collapse", {}, FACTS, [row] * 3) is None


def test_a_loss_is_looked_at_within_an_epoch():
    def running(batch, loss):
        return events.BatchEnded(1, batch, 100, loss, 0.1, 0.1, 100.0)

    look = ALL["exploding_loss"]().look
    run = config.load()
    assert look(Seen(run, CIFAR, (), running(19, 1e9))) is None
    assert "epoch 1, batch 20" in look(Seen(run, CIFAR, (), running(20, 1e9)))
    assert look(Seen(run, CIFAR, (), running(50, 60.0))) is None


@pytest.mark.parametrize(
    "norm, eps, facts, words",
    [
        ("linf", 0.6, CIFAR, "the same grey"),
        ("linf", 0.4, CIFAR, "13 times the radius usual"),
        ("linf", 0.3, CIFAR, None),  # MNIST's
        ("linf", 8 / 255, CIFAR, None),
        ("linf", 1 / 255, CIFAR, None),
        ("linf", 0.4 / 255, CIFAR, "less than half a level"),
        ("linf", 0.0, CIFAR, None),
        ("l2", 128 / 255, CIFAR, None),
        ("l2", 0.25, CIFAR, None),
        ("l2", 8.0, CIFAR, "16 times the radius usual"),
        ("l2", 3.0, dataclasses.replace(CIFAR, values=150528), None),  # ImageNet's
        ("l2", 2.0, dataclasses.replace(CIFAR, values=784), None),  # MNIST's
        ("l1", 12.0, CIFAR, None),
        ("l1", 0.1, CIFAR, "1.2e+02 times below"),
    ],
)
def test_radii(norm, eps, facts, words):
    found = first_said("radius", {"attack": {"norm": norm, "eps": eps}}, facts, [])
    assert (found is None) if words is None else words in found[1]


def test_usual_radii_are_the_fields():
    assert usual_radius("linf", 784) == 8 / 255
    assert usual_radius("l2", 150528) == pytest.approx(3.5, abs=0.1)
    assert usual_radius("l1", 3072) == 12


@pytest.mark.parametrize("decay, steps", [(0.9, 5), (0.999, 40), (0.5, 1), (0.9999, 200)])
@pytest.mark.parametrize("warmup", [False, True])
def test_what_is_left_of_the_start(decay, steps, warmup):
    """Against an average that begins at 1 and then sees zeros."""
    average = 1.0
    for t in range(1, steps):
        keep = min(decay, (1 + t) / (10 + t)) if warmup else decay
        average = keep * average
    assert left_of_start(decay, steps, warmup) == pytest.approx(average, rel=1e-9)


def test_labels_that_are_erased_and_labels_that_are_soft():
    run = {"method": {"name": "slr", "start_epoch": 3}}
    erased = [{"label_entropy": 2.3025}] * 9
    count, said = first_said("idle_labels", run, FACTS, erased)
    assert count == 7 and "say nothing any more" in said
    assert first_said("idle_labels", run, FACTS, [{"label_entropy": 2.25}] * 9) is None
    assert first_said("idle_labels", {"method": {"name": "at"}}, FACTS, [{}] * 9) is None


def test_masking_is_beyond_chance():
    def said(pgd, others):
        return first_said("masking", {}, FACTS, [{}], resisted=Resisted(10, 50, pgd, others, "x"))

    assert said(40, 36) is None and said(20, 11) is None
    assert "80.0 % of 50 validation images resist PGD, 8.0 % resist x too" in said(40, 4)[1]
