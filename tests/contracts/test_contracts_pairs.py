"""Parts of a step that compose: every pair of choices on two axes stands in one of the rows."""

import itertools

import keras
import numpy as np
import pytest

import slr_keras as slr
from slr_keras.settings import registry
from tests.contracts.test_contracts_methods import small_classifier

AXES = {
    "method": ("at", "trades", "mart", "mixed", "sce"),
    "labels": ("hard", "smoothing", "slr", "temporal", "adr"),
    "attack": ("pgd", "n_fgsm", "fgsm_rs"),
    "awp": (0.0, 0.01),
    "ema": (0.0, 0.5),
    "top_k": (0, 3),
    "saved": (False, True),
}


def pairwise(axes):
    """Rows that hold every pair of values of two axes, greedily."""
    names = list(axes)
    wanted = {
        (a, x, b, y)
        for a, b in itertools.combinations(names, 2)
        for x, y in itertools.product(axes[a], axes[b])
    }
    every = [dict(zip(names, row, strict=True)) for row in itertools.product(*axes.values())]

    def pairs(row):
        return {(a, row[a], b, row[b]) for a, b in itertools.combinations(names, 2)}

    while wanted:
        best = max(every, key=lambda row: len(pairs(row) & wanted))
        wanted -= pairs(best)
        yield best


def classifier(row):
    labels = registry.get("labels", row["labels"])
    attack = registry.get("attacks", row["attack"])(eps=0.1)
    attack = attack.replace(steps=2, step_size=0.05) if row["attack"] == "pgd" else attack
    model = small_classifier(
        registry.get("methods", row["method"])(),
        48,
        attack=attack,
        labels=labels(start_epoch=1) if hasattr(labels, "start_epoch") else labels(),
        awp=slr.AWP(gamma=row["awp"]),
        ema_decay=row["ema"],
        label_bank_top_k=row["top_k"],
    )
    model.compile(optimizer=slr.optimizers.SGD(0.05, momentum=0.9), run_eagerly=True)
    return model


@pytest.mark.parametrize("row", pairwise(AXES), ids=lambda row: " ".join(map(str, row.values())))
def test_a_step_is_finite_and_a_saved_model_goes_on_as_it_would(row, digits, tmp_path):
    x, y = digits[0][:48], digits[1][:48]
    batch = {"image": x, "index": np.arange(48, dtype="int32")}
    model = classifier(row)
    model.begin_epoch(1)
    assert np.isfinite(list(model.train_on_batch(batch, y, return_dict=True).values())).all()
    if not row["saved"]:
        return
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    again.run_eagerly = True
    again.begin_epoch(1)
    for one in (model, again):
        one.reset_metrics()
        one.train_on_batch(batch, y)
    for mine, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6, err_msg=mine.path)


def test_every_pair_is_there():
    rows = list(pairwise(AXES))
    assert len(rows) <= 27
    assert {(row["method"], row["labels"]) for row in rows} == set(
        itertools.product(AXES["method"], AXES["labels"])
    )
